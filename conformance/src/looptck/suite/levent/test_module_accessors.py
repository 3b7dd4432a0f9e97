"""levent, module functions: setfdaccessor and fdfromvalue make objects files."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

import pytest

from looptck.protocols.levent import File, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return


class Plain:
    """An object that a program uses as a file: its descriptor is an attribute."""

    def __init__(self, number: int) -> None:
        self.number = number


class Slotted:
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Alike(Plain):
    """An object that equals all others of its type and has no hash."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # as Python itself has it for such a class


class Empty(Plain):
    """An object that is false, as an empty container is."""

    def __len__(self) -> int:
        return 0


class Derived(Plain):
    """An object of a type whose base class may have an accessor too."""


class Misleading(Plain):
    """An object that gives descriptor 0 unless its accessor is asked."""

    fd = 0

    def fileno(self) -> int:
        return 0

    def __int__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 0


# Objects that are files once their type has an accessor.
_TYPES: list[type[Any]] = [Plain, Slotted, Alike, Empty, Misleading]


def _number(file: Any) -> int:
    number: int = file.number
    return number


def _is_watched(
    driver: LeventDriver, file: File, right: socket.socket, *wrong: socket.socket
) -> str | None:
    """Return None if an event for *file* is called only for bytes from *right*; else the fault."""
    driver.trace.clear()
    try:
        event = driver.event("event", file, "r", lambda _: event.stop())
        event.start()
    except Exception as error:
        return f"it was refused with {type(error).__name__}"
    for each in wrong:
        each.send(b"x")
    driver.run_idle(3)
    if driver.trace:
        return "it was called for another file"
    right.send(b"x")
    return None if driver.until_count("event") else "it was not called for its file"


def _told(levent: Levent, file: File) -> int:
    """Return the number that fdfromvalue gives, or the name of its exception in words."""
    try:
        return levent.fdfromvalue(file)
    except Exception as error:
        raise AssertionError(
            f"fdfromvalue refused an object whose type has an accessor, with {type(error).__name__}"
        ) from error


@rule("levent.setfdaccessor")
@pytest.mark.parametrize("kind", _TYPES, ids=lambda kind: kind.__name__.lower())
def test_an_object_of_a_type_with_an_accessor_is_a_file(
    levent: Levent, driver: LeventDriver, channels: Channels, kind: type[Any]
) -> None:
    """Of two objects, each with its own file, one was made before the accessor was set."""
    pairs = [channels.pair(), channels.pair()]
    one = kind(pairs[0][0].fileno())
    levent.setfdaccessor(kind, _number)
    two = kind(pairs[1][0].fileno())
    wrong = _is_watched(driver, one, pairs[0][1], pairs[1][1])
    assert wrong is None, f"an event was made for the first of two objects; {wrong}"
    drain(pairs[0][0])
    drain(pairs[1][0])
    wrong = _is_watched(driver, two, pairs[1][1], pairs[0][1])
    assert wrong is None, f"an event was made for the second of two objects; {wrong}"


@rule("levent.setfdaccessor")
def test_newevbuf_takes_an_object_of_a_type_with_an_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """levent.newevbuf.creates judges whether it serves the file."""
    levent.setfdaccessor(Plain, _number)
    try:
        driver.evbuf(Plain(channels.pair()[0].fileno()))
    except Exception as error:
        raise AssertionError(
            f"newevbuf refused an object whose type has an accessor, with {type(error).__name__}"
        ) from error


@rule("levent.setfdaccessor")
@pytest.mark.parametrize("second", ["before", "after"])
def test_each_type_has_its_own_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels, second: str
) -> None:
    """The accessor of the second type is set before the first is used, or after."""
    left, right = channels.pair(), channels.pair()
    levent.setfdaccessor(Plain, lambda _: left[0].fileno())
    if second == "before":
        levent.setfdaccessor(Slotted, lambda _: right[0].fileno())
    wrong = _is_watched(driver, Plain(-1), left[1], right[1])
    assert wrong is None, f"two types have accessors, an event was made for the first; {wrong}"
    drain(left[0])
    drain(right[0])
    levent.setfdaccessor(Slotted, lambda _: right[0].fileno())
    wrong = _is_watched(driver, Slotted(-1), right[1], left[1])
    assert wrong is None, f"two types have accessors, an event was made for the second; {wrong}"


@rule("levent.setfdaccessor")
def test_types_of_one_name_each_have_their_own_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels
) -> None:
    """Two modules may both have a `File`; each has a type of that name."""
    left, right = channels.pair(), channels.pair()
    one, other = (type("File", (), {}) for _ in range(2))
    levent.setfdaccessor(one, lambda _: left[0].fileno())
    levent.setfdaccessor(other, lambda _: right[0].fileno())
    wrong = _is_watched(driver, one(), left[1], right[1])
    assert wrong is None, f"two types have the same name, an event was made for the first; {wrong}"
    drain(left[0])
    drain(right[0])
    wrong = _is_watched(driver, other(), right[1], left[1])
    assert wrong is None, f"two types have the same name, an event was made for the second; {wrong}"


@rule("levent.setfdaccessor")
@pytest.mark.parametrize("order", ["base class first", "derived class first"])
@pytest.mark.parametrize("of", ["base class", "derived class"])
def test_a_class_and_its_base_class_each_have_their_own_accessor(
    levent: Levent, driver: LeventDriver, channels: Channels, order: str, of: str
) -> None:
    """Both types have an accessor, so the object's own type decides."""
    base, derived = channels.pair(), channels.pair()
    told: list[tuple[type[Any], Callable[[Any], int]]] = [
        (Plain, lambda _: base[0].fileno()),
        (Derived, lambda _: derived[0].fileno()),
    ]
    for kind, accessor in told if order == "base class first" else reversed(told):
        levent.setfdaccessor(kind, accessor)
    if of == "base class":
        wrong = _is_watched(driver, Plain(-1), base[1], derived[1])
    else:
        wrong = _is_watched(driver, Derived(-1), derived[1], base[1])
    assert wrong is None, f"{order}; an event was made for an object of the {of}; {wrong}"


@rule("levent.setfdaccessor")
@pytest.mark.parametrize("used", [False, True], ids=["unused", "used"])
def test_a_second_accessor_replaces_the_first(
    levent: Levent, driver: LeventDriver, channels: Channels, used: bool
) -> None:
    """In one case the first accessor has been used already, for the same object."""
    old, new = channels.pair(), channels.pair()
    file = Plain(-1)
    levent.setfdaccessor(Plain, lambda _: old[0].fileno())
    if used:
        wrong = _is_watched(driver, file, old[1], new[1])
        assert wrong is None, f"an event was made with the only accessor there is; {wrong}"
        drain(old[0])
        drain(new[0])
    levent.setfdaccessor(Plain, lambda _: new[0].fileno())
    wrong = _is_watched(driver, file, new[1], old[1])
    assert wrong is None, f"an event was made after its accessor was replaced; {wrong}"


@rule("levent.setfdaccessor")
def test_an_accessor_holds_for_bases_made_before_and_after(
    levent: Levent, channels: Channels
) -> None:
    """An accessor belongs to the module, and not to a base."""
    near, far = channels.pair()
    before = LeventDriver(levent)
    levent.setfdaccessor(Plain, _number)
    for age, driver in (("before", before), ("after", LeventDriver(levent))):
        wrong = _is_watched(driver, Plain(near.fileno()), far)
        driver.stop_all()
        drain(near)
        assert wrong is None, f"an event in a base that was made {age} the accessor; {wrong}"


def _by_newevent(_levent: Levent, driver: LeventDriver, file: File) -> None:
    driver.event("event", file, "r").start()


def _by_newevbuf(_levent: Levent, driver: LeventDriver, file: File) -> None:
    driver.evbuf(file).start()


def _by_fdfromvalue(levent: Levent, _driver: LeventDriver, file: File) -> None:
    levent.fdfromvalue(file)


# {function: how it is given a file}
_DIRECTIONS: dict[str, Callable[[Levent, LeventDriver, File], None]] = {
    "fdfromvalue": _by_fdfromvalue,
    "newevent": _by_newevent,
    "newevbuf": _by_newevbuf,
}
every_way = pytest.mark.parametrize("way", _DIRECTIONS)


class Owner:
    """An object whose method is the accessor and keeps its arguments."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def accessor(self, file: Any) -> int:
        self.seen.append(file)
        return _number(file)


@rule("levent.setfdaccessor-contract")
@every_way
@pytest.mark.parametrize("kind", _TYPES, ids=lambda kind: kind.__name__.lower())
def test_an_accessor_is_called_with_the_object_alone(
    levent: Levent, driver: LeventDriver, channels: Channels, way: str, kind: type[Any]
) -> None:
    """The accessor has one parameter; an equal object of the same type and file exists."""
    owner = Owner()
    fd = channels.pair()[0].fileno()
    levent.setfdaccessor(kind, owner.accessor)
    for file in (kind(fd), kind(fd)):
        owner.seen.clear()
        _DIRECTIONS[way](levent, driver, file)
        assert owner.seen, f"{way} did not ask the accessor"
        assert all(each is file for each in owner.seen), (
            f"{way} called the accessor with something else than the object it was given"
        )
        driver.stop_all()


@rule("levent.setfdaccessor-contract")
@pytest.mark.parametrize("way", ["fdfromvalue", "newevent"])
def test_an_accessor_is_asked_anew_for_the_same_object(
    levent: Levent, driver: LeventDriver, channels: Channels, way: str
) -> None:
    """The object stands for another file meanwhile, as one that was opened again."""
    old, new = channels.pair(), channels.pair()
    levent.setfdaccessor(Plain, _number)
    file = Plain(old[0].fileno())
    _DIRECTIONS[way](levent, driver, file)
    driver.stop_all()
    file.number = new[0].fileno()
    if way == "fdfromvalue":
        assert _told(levent, file) == file.number, "fdfromvalue gave the old descriptor"
    else:
        wrong = _is_watched(driver, file, new[1], old[1])
        assert wrong is None, f"an event was made for the object's new descriptor; {wrong}"


class OwnError(Exception):
    """The exception that an accessor raises here."""


def _raises(_file: Any) -> int:
    raise OwnError("on purpose")


_FAILING: dict[str, Callable[[Any], Any]] = {
    "raises": _raises,
    "returns None": lambda _: None,
    "returns a text": lambda _: "descriptor",
    "returns an object": lambda _: object(),
}


@rule("levent.setfdaccessor-contract")
@every_way
@pytest.mark.parametrize("fault", _FAILING)
def test_an_accessor_that_fails_registers_nothing(
    levent: Levent, driver: LeventDriver, channels: Channels, way: str, fault: str
) -> None:
    """Another event is active before and is served after it; then nothing may keep the loop."""
    near, far = channels.pair()
    other = driver.event("other", near.fileno(), "r", lambda _: other.stop())
    other.start()
    levent.setfdaccessor(Plain, _FAILING[fault])
    refused = False
    try:
        _DIRECTIONS[way](levent, driver, Plain(0))
    except Exception:
        refused = True
    assert refused, f"an accessor {fault}, and no exception came out of {way} or start"
    far.send(b"x")
    with must_return("loop() after a file was refused"):
        driver.run_once(None)
    assert driver.trace == ["other"], (
        f"after a file was refused loop() called {', '.join(driver.trace) or 'nothing'}; "
        "one other event was active and ready"
    )


@rule("levent.setfdaccessor-contract")
@every_way
@pytest.mark.parametrize("fault", _FAILING)
def test_an_accessor_that_failed_is_asked_again(
    levent: Levent, driver: LeventDriver, channels: Channels, way: str, fault: str
) -> None:
    """The accessor fails for one object: a loop must not refuse its type, or the object, later."""
    near, far = channels.pair()
    bad, good = Plain(-1), Plain(near.fileno())
    levent.setfdaccessor(
        Plain, lambda file: _FAILING[fault](file) if file.number < 0 else _number(file)
    )
    for _ in range(2):
        with suppress(Exception):
            _DIRECTIONS[way](levent, driver, bad)
    driver.stop_all()
    for file in (good, bad):
        file.number = near.fileno()
        wrong = _is_watched(driver, file, far)
        assert wrong is None, (
            f"an accessor that {fault} for one object was asked again, which was to work; {wrong}"
        )
        drain(near)


_MODES: dict[str, dict[str, Any]] = {
    "text": {"mode": "r"},
    "buffered": {"mode": "rb"},
    "raw": {"mode": "rb", "buffering": 0},
}
every_mode = pytest.mark.parametrize("mode", _MODES)


def _opened(channels: Channels, fd: int, mode: str) -> IO[Any]:
    file: IO[Any] = open(fd, closefd=False, **_MODES[mode])  # noqa: SIM115  # closed with the wires
    channels.keep(file.close)
    return file


def _tell_of(levent: Levent, kind: type[Any]) -> None:
    """Set `fdfromfile` as the accessor of the type *kind*, as the document's example does."""
    try:
        levent.setfdaccessor(kind, levent.fdfromfile)
    except Exception as error:
        raise AssertionError(
            f"setfdaccessor({kind.__name__}, fdfromfile) raised {type(error).__name__}"
        ) from error


@rule("levent.setfdaccessor-example")
@every_mode
@pytest.mark.parametrize("opened", ["before", "after"])
def test_fdfromfile_as_accessor_makes_file_objects_files(
    levent: Levent, driver: LeventDriver, channels: Channels, mode: str, opened: str
) -> None:
    """Of two file objects one is opened for nothing but its type."""
    example = _opened(channels, channels.pair()[0].fileno(), mode)
    near, far = channels.pair()
    file = _opened(channels, near.fileno(), mode) if opened == "before" else None
    _tell_of(levent, type(example))
    file = file or _opened(channels, near.fileno(), mode)
    wrong = _is_watched(driver, file, far)
    assert wrong is None, f"an event was made for a file object ({mode}); {wrong}"


@rule("levent.setfdaccessor-example")
@every_mode
def test_fdfromvalue_gives_the_number_of_a_file_object(
    levent: Levent, channels: Channels, mode: str
) -> None:
    """The accessor is that of the document's example. Descriptor 0 is among the files."""
    numbers = [channels.pair()[0].fileno(), 0, channels.pair()[0].fileno()]
    files = [_opened(channels, number, mode) for number in numbers]
    _tell_of(levent, type(files[0]))
    assert [_told(levent, file) for file in files] == numbers, (
        f"fdfromvalue gave other numbers than the files have ({mode})"
    )


@rule("levent.fdfromvalue")
@pytest.mark.parametrize("kind", _TYPES, ids=lambda kind: kind.__name__.lower())
def test_fdfromvalue_gives_the_number_the_accessor_returns(
    levent: Levent, channels: Channels, kind: type[Any]
) -> None:
    """No base was made; 0 and a high number are among the numbers."""
    levent.setfdaccessor(kind, _number)
    near, far = channels.pair()
    high = channels.numbered(near, 700).fileno()
    for number in (near.fileno(), far.fileno(), 0, high, near.fileno()):
        told = _told(levent, kind(number))
        assert isinstance(told, int), f"fdfromvalue gave {type(told).__name__}, not an int"
        assert told == number, f"the accessor returned {number}, fdfromvalue gave {told}"


@rule("levent.fdfromvalue")
@pytest.mark.parametrize("order", [1, -1], ids=["as told", "in reverse"])
def test_fdfromvalue_asks_the_accessor_of_the_values_own_type(
    levent: Levent, channels: Channels, order: int
) -> None:
    """One of three types is derived from another; each accessor gives a number of its own."""
    numbers = [end.fileno() for end in (*channels.pair(), *channels.pair())][:3]
    told: list[tuple[type[Any], Callable[[Any], int]]] = [
        (Plain, lambda _: numbers[0]),
        (Derived, lambda _: numbers[1]),
        (Slotted, lambda _: numbers[2]),
    ]
    for kind, accessor in told[::order]:
        levent.setfdaccessor(kind, accessor)
    given = [_told(levent, kind(-1)) for kind in (Plain, Derived, Slotted)]
    assert given == numbers, "of three types with accessors, one was asked for another"


@rule("levent.fdfromvalue")
def test_fdfromvalue_asks_the_accessor_that_was_set_last(
    levent: Levent, channels: Channels
) -> None:
    """The first accessor was used before, for the same object."""
    old, new = (end.fileno() for end in channels.pair())
    file = Plain(-1)
    levent.setfdaccessor(Plain, lambda _: old)
    assert _told(levent, file) == old, "fdfromvalue did not give the accessor's number"
    levent.setfdaccessor(Plain, lambda _: new)
    assert _told(levent, file) == new, "fdfromvalue asked an accessor that was replaced"
