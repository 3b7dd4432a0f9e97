"""levent, newevent: the objects that are taken for files, and the callback's argument."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import Event, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, as_descriptor_zero, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, either_evtype, every_evtype


class Handle:
    """An object of a type that no loop knows by itself."""

    def __init__(self, number: int) -> None:
        self.number = number

    @staticmethod
    def descriptor(handle: Handle) -> int:
        return handle.number


class Odd:
    """An object that equals others, has no hash, counts as false and takes no weak reference."""

    __slots__ = ("number",)
    __hash__ = None  # type: ignore[assignment]  # how Python says that there is none

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class Stream(io.BytesIO):
    """An object with a descriptor, and with Python's own `fileno`."""

    def __init__(self, number: int) -> None:
        io.BytesIO.__init__(self)  # not super(): `_untold` makes copies of this type
        self.number = number

    def fileno(self) -> int:
        return self.number


def _numbered(channels: Channels, switch: ReadinessToggle, number: int | None) -> int:
    """Return a descriptor of that number, or a little more, for the file of *switch*."""
    if number is None:
        return switch.number
    if number == 0:
        return as_descriptor_zero(channels, switch.near)
    return channels.numbered(switch.near, number).fileno()


@rule("levent.newevent.file-int")
@either_evtype
@pytest.mark.parametrize("number", [None, 0, 255, 256, 257, 1000])
def test_an_integer_is_taken_for_the_descriptor_of_that_number(
    driver: LeventDriver, channels: Channels, number: int | None, evtype: str
) -> None:
    """Files with the numbers before and after are ready all the time, this one only later."""
    for _ in range(2):
        channels.pair()[1].send(b"x")
    switch = ReadinessToggle(channels, evtype)
    watched = _numbered(channels, switch, number)
    for _ in range(2):
        near, far = channels.pair()
        far.send(b"x")
        channels.numbered(near, watched)
    event = driver.event("event", watched, evtype, lambda *_: event.stop())
    event.start()
    driver.run_idle(10)
    assert not driver.trace, f"an event for descriptor {watched} was called for another one"
    switch.on()
    assert driver.until_count("event"), f"an event for descriptor {watched} was not called"


@rule("levent.newevent.file-object")
@either_evtype
@pytest.mark.parametrize("kind", [Handle, Odd, Stream])
@pytest.mark.parametrize("made", ["before its type was told", "after it"])
@pytest.mark.parametrize("number", [None, 0, 300])
def test_an_object_of_a_type_with_an_accessor_is_a_file(
    levent: Levent,
    driver: LeventDriver,
    channels: Channels,
    kind: type[Any],
    made: str,
    number: int | None,
    evtype: str,
) -> None:
    """The file is silent at first; a ready neighbour shows a wrong descriptor."""
    neighbour, far = channels.pair()
    far.send(b"x")
    switch = ReadinessToggle(channels, evtype)
    if number != 0:
        as_descriptor_zero(channels, neighbour)
    watched = _numbered(channels, switch, number)
    if made == "after it":
        levent.setfdaccessor(kind, lambda file: file.number)
    file = kind(watched)
    if made != "after it":
        levent.setfdaccessor(kind, lambda file: file.number)
    event = driver.event("event", file, evtype, lambda *_: event.stop())
    event.start()
    driver.run_idle(10)
    assert not driver.trace, "an event for an object was called for another file than its own"
    switch.on()
    assert driver.until_count("event"), (
        f"an event for an object whose descriptor is {watched} was not called"
    )


@rule("levent.newevent.file-object")
def test_a_python_file_is_a_file_once_its_type_has_an_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """`fdfromfile` is the accessor, as in the document's example."""
    near, far = channels.pipe()
    levent.setfdaccessor(io.FileIO, levent.fdfromfile)
    with io.FileIO(near.fileno(), closefd=False) as file:
        event = driver.event("event", file, "r", lambda *_: event.stop())
        event.start()
        driver.run_idle(3)
        far.send(b"x")
        assert driver.until_count("event"), "an event for a file object was not called"
        event.stop()


@rule("levent.newevent.file-object")
def test_two_types_use_the_descriptors_of_their_own_accessors(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """One accessor in place of the other would give a file that is silent, or none."""
    levent.setfdaccessor(Handle, lambda file: file.number)
    levent.setfdaccessor(Stream, lambda file: file.number + 0)
    switches = [ReadinessToggle(channels), ReadinessToggle(channels)]
    files = [Handle(switches[0].number), Stream(switches[1].number)]
    for at, file in enumerate(files):
        event = driver.event(str(at), file, "r", lambda *_, n=at: switches[n].off())
        event.start()
    for at, switch in enumerate(switches):
        switch.on()
        assert driver.until_count(str(at)), (
            f"with two types told, an event for an object of the {('first', 'second')[at]} was "
            "not called"
        )
    assert driver.trace == ["0", "1"], "an event was called for the file of another one"


def _untold(kind: type[Any]) -> type[Any]:
    """Return a copy of the type *kind* for which no accessor was set.

    `setfdaccessor` may hold for the whole process, since it is a function of the module.
    """
    own = {name: value for name, value in vars(kind).items() if name not in _GIVEN_BY_PYTHON}
    return type(kind.__name__, kind.__bases__, own)


_GIVEN_BY_PYTHON = ("__dict__", "__weakref__", "number")


# {what it is: how to make one, given the number of an open file}
STRANGERS: dict[str, Callable[[int], object]] = {
    "None": lambda _: None,
    "a bare object": lambda _: object(),
    "a dict": lambda number: {"fd": number},
    "a list": lambda number: [number],
    "a function": lambda number: lambda *_: number,
    "an object with the number": lambda number: _untold(Handle)(number),
    "an odd object": lambda number: _untold(Odd)(number),
    "an object with fileno()": lambda number: _untold(Stream)(number),
}


@rule("levent.newevent.file-object")
@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("told", ["no type", "another type"])
def test_an_object_of_an_unknown_type_is_refused(
    levent: Levent, driver: LeventDriver, channels: Channels, stranger: str, told: str
) -> None:
    """The number that it might be taken for, its own or 0, belongs to a ready file."""
    near, far = channels.pair()
    far.send(b"x")
    as_descriptor_zero(channels, near)
    if told == "another type":
        levent.setfdaccessor(_Other, lambda file: file.number)
    other = ReadinessToggle(channels)
    others = driver.event("other", other.number, "r", lambda *_: others.stop())
    others.start()
    file = STRANGERS[stranger](near.fileno())
    error = error_of(lambda: driver.event("stranger", file, "r"))
    assert error, f"newevent took {stranger} for a file although setfdaccessor was not told of it"
    driver.run_idle(5)
    assert not driver.trace, f"newevent refused {stranger}, and yet something was called"
    other.on()
    driver.until(lambda: driver.trace)
    assert driver.trace == ["other"], (
        f"after newevent refused {stranger}, another event was to be called, and only that one; "
        f"there came {', '.join(driver.trace) or 'nothing'}"
    )


@rule("levent.newevent.file-object")
def test_a_refused_object_is_taken_once_it_has_an_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """A loop that remembers the refused object refuses it again."""
    switch = ReadinessToggle(channels, on=True)
    kind = _untold(Handle)
    file = kind(switch.number)
    assert error_of(lambda: driver.event("event", file, "r")), (
        "newevent took an object for a file although setfdaccessor was not told of its type"
    )
    levent.setfdaccessor(kind, Handle.descriptor)
    event = driver.event("event", file, "r", lambda *_: event.stop())
    event.start()
    assert driver.until_count("event"), "an event for an object whose type was told is silent"


class _Other(Handle):
    """A type that has an accessor, and no object among the files."""


class _Given:
    """The arguments of a callback, call after call."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def callback(self, driver: LeventDriver, act: Any) -> Any:
        def callback(*arguments: object, **named: object) -> None:
            self.calls.append((*arguments, *named.items()))
            plain()

        plain = driver.callback("event", act)
        return callback

    def check(self, file: object) -> None:
        """Raise AssertionError unless each call got *file*, and nothing else."""
        for arguments in self.calls:
            count = len(arguments)
            assert count == 1, (
                f"a callback gets one argument, the file; this one got {count}: "
                f"{', '.join(type(each).__name__ for each in arguments)}"
            )
            given = arguments[0]
            assert given is file or (type(file) is type(given) is int and given == file), (
                f"newevent was given {_told(file)} as the file, and the callback got "
                f"{_told(given)} in its place"
            )


def _told(value: object) -> str:
    """Return the text of *value*, without an address."""
    if isinstance(value, int):
        return f"the {type(value).__name__} {value}"
    return f"an object of type {type(value).__name__}"


@rule("levent.newevent.callback-arg")
@every_evtype
@pytest.mark.parametrize("number", [None, 0, 1000])
def test_the_callback_gets_the_integer(
    driver: LeventDriver, channels: Channels, number: int | None, evtype: str
) -> None:
    """The test looks at every call, also after the event was stopped and started again."""
    switch = ReadinessToggle(channels, evtype, on=True)
    watched = _numbered(channels, switch, number)
    given = _Given()
    callback = given.callback(driver, lambda: event.start())
    event: Event = driver.keep(driver.base.newevent(watched, callback, evtype))
    event.start()
    driver.until_count("event", 3)
    event.stop()
    event.start()
    assert driver.until_count("event", 5), "an event that starts itself was not called again"
    given.check(watched)


@rule("levent.newevent.callback-arg")
@every_evtype
@pytest.mark.parametrize("kind", [Handle, Odd, Stream])
@pytest.mark.parametrize("number", [None, 0])
def test_the_callback_gets_the_object_itself(
    levent: Levent,
    driver: LeventDriver,
    channels: Channels,
    kind: type[Any],
    evtype: str,
    number: int | None,
) -> None:
    """A loop may give its descriptor, or an object that compares equal; identity tells them
    apart."""
    levent.setfdaccessor(kind, lambda file: file.number)
    switch = ReadinessToggle(channels, evtype, on=True)
    file = kind(_numbered(channels, switch, number))
    given = _Given()
    callback = given.callback(driver, lambda: event.start())
    event: Event = driver.keep(driver.base.newevent(file, callback, evtype))
    event.start()
    assert driver.until_count("event", 3), "an event that starts itself was not called again"
    given.check(file)


@rule("levent.newevent.callback-arg")
@pytest.mark.parametrize("kind", [Handle, Odd])
@pytest.mark.parametrize("evtypes", [("r", "r"), ("w", "w"), ("r", "w")])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_each_event_of_a_descriptor_gets_its_own_file(
    levent: Levent,
    driver: LeventDriver,
    channels: Channels,
    kind: type[Any],
    evtypes: tuple[str, str],
    first: int,
) -> None:
    """Two objects and an integer stand for one descriptor, made in different orders."""
    levent.setfdaccessor(kind, lambda file: file.number)
    near, far = channels.pair()
    far.send(b"x")
    files = [kind(near.fileno()), kind(near.fileno()), near.fileno()]
    made = []
    for at in range(first, first + 3):
        file, given = files[at % 3], _Given()
        evtype = evtypes[0] if at % 3 == 0 else evtypes[1]
        event = driver.base.newevent(file, given.callback(driver, None), evtype)
        made.append((driver.keep(event), file, given))
    for event, _, _ in made:
        event.start()
    driver.until(lambda: all(given.calls for _, _, given in made))
    for _, file, given in made:
        assert given.calls, f"of three events on one descriptor that of {_told(file)} is silent"
        given.check(file)


@rule("levent.newevent.callback-arg")
def test_the_callback_gets_the_file_in_each_direction(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """The callback gets the same for data, for room and for both."""
    levent.setfdaccessor(Handle, Handle.descriptor)
    switch = ReadinessToggle(channels, "rw")
    file, given = Handle(switch.number), _Given()

    def take() -> None:
        switch.off()
        event.start()

    event: Event = driver.keep(driver.base.newevent(file, given.callback(driver, take), "rw"))
    event.start()
    for ready in ("data", "room", "both"):
        before = driver.count("event")
        if ready != "room":
            switch.far.send(b"x")
        if ready != "data":
            drain(switch.far)
        assert driver.until_count("event", before + 1), f'"rw" was not called for {ready}'
    given.check(file)
    assert fill(switch.near) == 0, "the callback has left room"
