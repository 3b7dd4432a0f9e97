"""luaevent's complete library: the objects that stand for a descriptor, and two functions of
bases.

Four functions take a descriptor, and each rule here is tried with all of them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, as_descriptor_zero, drain
from looptck.testing.hop_driver import error_of
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation

# How often a test looks whether something has come that comes at once.
_LOOKS = 200


def _watched(luaevent: LuaeventExtended, fd: Any, far: socket.socket) -> None:
    """Assert that `addevent` of *fd* waits for the descriptor whose other end is *far*."""
    driver = LuaeventDriver(luaevent)
    calls: list[int] = []

    def on_event(flags: int) -> int:
        calls.append(flags)
        return luaevent.LEAVE

    driver.add("event", fd, luaevent.EV_READ, on_event)
    far.send(b"x")
    driver.run()
    assert calls, "its event was not called when there was data"
    assert calls[0] & luaevent.EV_READ, "its event was called, but not for reading"


def _read(luaevent: LuaeventExtended, fd: Any, far: socket.socket) -> None:
    """Assert that `read` of a buffer reads from the descriptor whose other end is *far*."""
    far.send(b"read")
    buffer = luaevent.buffer.new()
    buffer.read(fd, 4)
    got = buffer.get_data()
    assert got, "nothing was read from it"
    assert b"read".startswith(got), f"what was read from it is not what was sent, but {got!r}"


def _written(luaevent: LuaeventExtended, fd: Any, far: socket.socket) -> None:
    """Assert that `write` of a buffer writes to the descriptor whose other end is *far*."""
    buffer = luaevent.buffer.new()
    buffer.add(b"written")
    buffer.write(fd)
    got = drain(far)
    assert got == b"written", f"7 bytes were written to it; its other end got {got!r}"


def _buffered(luaevent: LuaeventExtended, fd: Any, far: socket.socket) -> None:
    """Assert that a bufferevent of *fd* sends to *far* and gets the bytes from there.

    The test looks after every millisecond of the loop, which goes on until both have happened or it
    is plain that they will not.
    """
    driver = LuaeventDriver(luaevent, most=_LOOKS + 1)
    got = b""
    answered = False

    def nothing(*_arguments: object) -> None:
        pass

    made = luaevent.bufferevent.new(driver.base, fd, nothing, nothing, nothing)
    arrived, output = made.get_read(), made.get_write()
    assert arrived is not None, "its bufferevent has no input buffer"
    assert output is not None, "its bufferevent has no output buffer"
    output.add(b"sent")

    def look(_flags: int) -> int:
        nonlocal got, answered
        got += drain(far)
        if got == b"sent" and not answered:
            far.send(b"come")
            made.enable(luaevent.EV_READ)
            answered = True
        if arrived.length() < 4:
            return luaevent.EV_TIMEOUT
        return over(0)

    def over(_flags: int) -> int:
        made.disable(luaevent.EV_READ | luaevent.EV_WRITE)
        return luaevent.LEAVE

    driver.add("look", None, luaevent.EV_TIMEOUT, *[look] * _LOOKS, over, timeout=0.001)
    raised = error_of(driver.run)
    got += drain(far)
    assert got == b"sent", f"4 bytes were sent through its bufferevent; the other end got {got!r}"
    if raised is not None:  # the callbacks of bufferevents have rules of their own
        return
    came = arrived.get_data()
    assert came == b"come", f"4 bytes were sent to its bufferevent; its input holds {came!r}"


# {function that asks for a descriptor: shows that it works with the one it is given}
_USES: dict[str, Callable[[LuaeventExtended, Any, socket.socket], None]] = {
    "addevent": _watched,
    "read": _read,
    "write": _written,
    "bufferevent.new": _buffered,
}

every_use = pytest.mark.parametrize("use", _USES)


def _expect_use(use: str, luaevent: LuaeventExtended, fd: Any, far: socket.socket) -> None:
    """Try the function *use* with *fd*; the message of a failure names both."""
    what = f"{use} was given {fd if isinstance(fd, int) else 'an object with fileno()'}"
    try:
        _USES[use](luaevent, fd, far)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None
    except Exception as error:
        raise AssertionError(f"{what}, and raised {error!r}") from error


@rule("luaevent.fd.kinds-integer")
@every_use
def test_the_number_of_a_descriptor_is_taken(
    luaevent: LuaeventExtended, channels: Channels, use: str
) -> None:
    """Bytes at the other end show that it is the right descriptor."""
    near, far = channels.pair()
    _expect_use(use, luaevent, near.fileno(), far)


@rule("luaevent.fd.kinds-integer")
@every_use
def test_0_is_taken_for_descriptor_0(
    luaevent: LuaeventExtended, channels: Channels, use: str
) -> None:
    """A socket has that number for the time of the test."""
    near, far = channels.pair()
    _expect_use(use, luaevent, as_descriptor_zero(channels, near), far)


@rule("luaevent.fd.kinds-integer")
@every_use
def test_a_high_number_is_taken_for_its_descriptor(
    luaevent: LuaeventExtended, channels: Channels, use: str
) -> None:
    """The number is higher than any in use, and low enough for every poller."""
    near, far = channels.pair()
    _expect_use(use, luaevent, channels.numbered(near, 300).fileno(), far)


class _Handle:
    """An object that is no socket, but has a number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


class _Empty(_Handle):
    """An object that is false, as a container without contents is."""

    def __len__(self) -> int:
        return 0


# {what the object is: makes it for a socket}
_OBJECTS: dict[str, Callable[[socket.socket], object]] = {
    "a socket": lambda near: near,
    "an object of a program": lambda near: _Handle(near.fileno()),
    "an object that is false": lambda near: _Empty(near.fileno()),
}


@rule("luaevent.fd.kinds-socket")
@every_use
@pytest.mark.parametrize("kind", _OBJECTS)
def test_an_object_with_fileno_is_taken(
    luaevent: LuaeventExtended, channels: Channels, use: str, kind: str
) -> None:
    """Bytes at the other end show that it is the right descriptor."""
    near, far = channels.pair()
    _expect_use(use, luaevent, _OBJECTS[kind](near), far)


@rule("luaevent.fd.kinds-socket")
@every_use
def test_an_object_may_stand_for_descriptor_0(
    luaevent: LuaeventExtended, channels: Channels, use: str
) -> None:
    """A socket has that number for the time of the test."""
    near, far = channels.pair()
    _expect_use(use, luaevent, _Handle(as_descriptor_zero(channels, near)), far)


class _Raising:
    def fileno(self) -> int:
        raise OSError("this handle has no descriptor")


class _Answering:
    def __init__(self, answer: object) -> None:
        self._answer = answer

    def fileno(self) -> object:
        return self._answer


# {what is wrong: makes an object that stands for no descriptor}
_NO_DESCRIPTORS: dict[str, Callable[[], object]] = {
    "an object without fileno()": object,
    "an object whose fileno() raises": _Raising,
    "an object whose fileno() returns None": lambda: _Answering(None),
    "an object whose fileno() returns text": lambda: _Answering("number"),
    "a list": list,
}


@rule("luaevent.fd.kinds-socket")
@pytest.mark.parametrize("use", ["read", "write", "bufferevent.new"])
@pytest.mark.parametrize("kind", _NO_DESCRIPTORS)
def test_an_object_without_a_number_is_refused(
    luaevent: LuaeventExtended, channels: Channels, use: str, kind: str
) -> None:
    """Descriptor 0 has data and room, so that an implementation that uses it in place of the
    object shows.

    Other rules judge the values that addevent refuses.
    """
    near, far = channels.pair()
    far.send(b"input")
    as_descriptor_zero(channels, near)
    wrong: Any = _NO_DESCRIPTORS[kind]()
    returned: list[Any] = []
    base = luaevent.new()
    buffer = luaevent.buffer.new()
    buffer.add(b"contents")
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: buffer.read(wrong, 10),
        "write": lambda: buffer.write(wrong),
        "bufferevent.new": lambda: luaevent.bufferevent.new(
            base, wrong, None, None, lambda *_arguments: None
        ),
    }
    refused = error_of(lambda: returned.append(calls[use]()))
    if refused is None:
        by_number = use in ("read", "write") and isinstance(returned[0], int) and returned[0] < 0
        assert by_number, f"{use} took {kind} for a descriptor, and returned {returned[0]!r:.80}"
    got = drain(near)
    assert got == b"input", f"{use} was given {kind}, and read descriptor 0"
    got = drain(far)
    assert not got, f"{use} was given {kind}, and wrote {got!r} to descriptor 0"
    assert buffer.get_data() == b"contents", f"{use} was given {kind}, and changed the buffer"


@rule("luaevent.loopexit")
def test_a_function_that_ends_a_loop_is_recorded(
    luaevent: LuaeventExtended, observe: Observation
) -> None:
    """A timer ends every loop soon, so the test never waits for one that goes on."""
    base: Any = luaevent.new()
    loopexit = getattr(base, "loopexit", None)
    observe("present" if callable(loopexit) else "absent", of="loopexit")
    if not callable(loopexit):
        return
    calls: list[int] = []

    def on_timer(flags: int) -> int:
        calls.append(flags)
        return luaevent.LEAVE

    timer = base.addevent(None, luaevent.EV_TIMEOUT, on_timer, 0.05)
    for situation, arguments in ("loopexit()", ()), ("loopexit(0.001)", (0.001,)):
        if calls:
            return
        try:
            loopexit(*arguments)
            base.loop()
        except Exception as error:  # whatever it is, it is what the base does
            observe.raised(error, of=situation)
        else:
            observe("goes on" if calls else "returns early", of=situation)
    timer.close()


@rule("luaevent.method")
def test_the_name_of_the_kernels_mechanism_is_recorded(
    luaevent: LuaeventExtended, observe: Observation
) -> None:
    """Only whether it is a text is recorded: the text depends on the machine."""
    base: Any = luaevent.new()
    method = getattr(base, "method", None)
    observe("present" if callable(method) else "absent", of="method")
    if not callable(method):
        return
    try:
        name = method()
    except Exception as error:  # whatever it is, it is what the base does
        observe.raised(error, of="method()")
    else:
        observe("a text" if isinstance(name, str | bytes) else "no text", of="method()")
