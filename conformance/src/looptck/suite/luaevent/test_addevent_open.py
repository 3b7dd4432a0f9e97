"""luaevent, core:addevent: cases that the document leaves open are observed."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Base, Event, Luaevent
from looptck.rules.markers import rows_by_rule, rule
from looptck.subjects.call_counter import unwrap
from looptck.testing.channels import Channels, fill
from looptck.testing.flag_names import flag_text
from looptck.testing.observation import Observation
from looptck.testing.resources import collect

# How long is listened for a call, in seconds of the loop.
LISTEN = 0.03


# Calls after which an event is told to leave.
_MOST = 6


class Listening:
    """One base, its observed event, and a timer that ends the loop for certain."""

    def __init__(self, luaevent: Luaevent, clock: Clock) -> None:
        self.luaevent = luaevent
        self.base: Base = luaevent.new()
        self.calls: list[str] = []
        self.error: Exception | None = None
        self._clock = clock
        self._kept: list[Event] = []

    def callback(self, *, most: int = 1) -> Callable[[int], int]:
        """Return a callback that notes its calls and leaves after *most* of them."""

        def callback(flags: int) -> int:
            self.calls.append(flag_text(self.luaevent, flags))
            self._clock.advance(0.001)
            if len(self.calls) >= most:
                return self.luaevent.LEAVE
            return flags & (self.luaevent.EV_READ | self.luaevent.EV_WRITE) or (
                self.luaevent.EV_TIMEOUT
            )

        return callback

    def keep(self, event: Event) -> Event:
        self._kept.append(event)
        return event

    def loop(self, seconds: float = LISTEN) -> None:
        """Run the loop; keep its exception in `error`."""
        guard: list[Event] = []

        def end(_flags: int) -> int:
            for event in (*self._kept, *guard):
                with suppress(Exception):
                    event.close()
            return self.luaevent.LEAVE

        guard.append(self.base.addevent(None, self.luaevent.EV_TIMEOUT, end, seconds))
        try:
            self.base.loop()
        except Exception as error:
            self.error = error
        end(0)

    @property
    def heard(self) -> str:
        """Describe the first call, and the exception of the loop."""
        said = f"called with {self.calls[0]}" if self.calls else "never called"
        return f"{said}, then loop raises {type(self.error).__name__}" if self.error else said


def _silent(channels: Channels) -> int:
    """Return a descriptor that has no data; there is room to write."""
    return channels.pair()[0].fileno()


def _ready(channels: Channels) -> int:
    """Return a descriptor that is ready in both directions."""
    near, far = channels.pair()
    far.send(b"x")
    return near.fileno()


def _regular_file(channels: Channels) -> int:
    fd = os.open(__file__, os.O_RDONLY)
    channels.keep(lambda: os.close(fd))
    return fd


@rule("luaevent.addevent.timeout-zero")
@pytest.mark.parametrize("of", ["timer", "silent reader", "ready reader"])
def test_a_timeout_of_zero_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, of: str
) -> None:
    """The test records whether it repeats; the callback lets a little time pass."""
    near, far = channels.pair()
    fill(near)
    if of == "ready reader":
        far.send(b"x")
    listening = Listening(luaevent, clock)
    callback = listening.callback(most=3)
    fd, event = (None, luaevent.EV_TIMEOUT) if of == "timer" else (near.fileno(), luaevent.EV_READ)
    try:
        listening.keep(listening.base.addevent(fd, event, callback, 0))
    except Exception as error:
        observe.raised(error, of=of)
        return
    listening.loop()
    often = "again and again" if len(listening.calls) == 3 else "no more"
    observe(f"{listening.heard}, {often}" if listening.calls else listening.heard, of=of)


@rule("luaevent.addevent.close-wrong-self")
@pytest.mark.parametrize("of", ["nothing", "a dict", "a base"])
def test_close_called_on_another_object_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation, of: str
) -> None:
    """The test takes the function from the object's type, where there is one."""
    near, _ = channels.pair()
    base = luaevent.new()
    event = base.addevent(near.fileno(), luaevent.EV_READ, lambda _: luaevent.LEAVE)
    close = getattr(type(unwrap(event)), "close", None)
    if close is None:
        observe("the type of events has no close", of=of)
        event.close()
        return
    arguments: tuple[object, ...] = {"nothing": (), "a dict": ({},), "a base": (base,)}[of]
    try:
        close(*arguments)
    except Exception as error:
        observe.raised(error, of=of)
    else:
        observe("goes through", of=of)
    event.close()


@rule("luaevent.addevent.gc-closure-cycle")
def test_an_event_that_only_its_callback_holds_is_recorded(
    luaevent: Luaevent, clock: Clock, observe: Observation
) -> None:
    """Garbage is collected before the loop; another event bounds the loop."""
    listening = Listening(luaevent, clock)
    note = listening.callback()

    def add() -> None:
        def callback(flags: int) -> int:
            assert event is not None
            return note(flags)

        event = listening.base.addevent(None, luaevent.EV_TIMEOUT, callback, 0.005)

    add()
    collect()
    listening.loop()
    observe("lives on" if listening.calls else "is collected")


class _Descriptor:
    """An object that closes its descriptor when it is collected, as sockets do, but without a
    warning."""

    def __init__(self, end: socket.socket) -> None:
        self._fd = os.dup(end.fileno())

    def fileno(self) -> int:
        return self._fd

    def __del__(self) -> None:
        os.close(self._fd)


@rule("luaevent.addevent.socket-not-anchored")
def test_a_socket_object_that_only_the_event_has_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation
) -> None:
    """The test drops the object before the data comes."""
    near, far = channels.pair()
    listening = Listening(luaevent, clock)
    lost = _Descriptor(near)
    reference = weakref.ref(lost)
    try:
        listening.keep(listening.base.addevent(lost, luaevent.EV_READ, listening.callback(), None))
    except Exception as error:
        observe.raised(error)
        return
    del lost
    collect()
    kept = "is kept" if reference() is not None else "is collected"
    far.send(b"x")
    listening.loop()
    observe(f"the object {kept}; the event is {listening.heard}")


@rule("luaevent.addevent.from-callback-turn")
@pytest.mark.parametrize("of", ["a ready descriptor", "a due timer"])
def test_the_turn_that_serves_a_new_event_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, of: str
) -> None:
    """The writer is called once in each turn, so its calls count the turns."""
    base = luaevent.new()
    near, far = channels.pair()
    far.send(b"x")
    turns = 0
    served: list[int] = []
    events: list[Event] = []

    def on_new(_flags: int) -> int:
        served.append(turns)
        return luaevent.LEAVE

    def on_turn(_flags: int) -> int:
        nonlocal turns
        turns += 1
        if turns == 1:
            if of == "a ready descriptor":
                events.append(base.addevent(far.fileno(), luaevent.EV_WRITE, on_new))
            else:
                events.append(base.addevent(None, luaevent.EV_TIMEOUT, on_new, 1e-6))
                clock.advance(0.001)
        return luaevent.LEAVE if served or turns > _MOST else luaevent.EV_WRITE

    events.append(base.addevent(near.fileno(), luaevent.EV_WRITE, on_turn))
    base.loop()
    when = "before the next call of the event that added it" if served == [1] else "later"
    observe(when if served else "never", of=of)


def _closed(_channels: Channels) -> int:
    """Return a number that was open, and is too high to be given out again soon."""
    reading, writing = os.pipe()
    number = fcntl.fcntl(reading, fcntl.F_DUPFD, 700)
    for each in (reading, writing, number):
        os.close(each)
    return number


def _is(value: object) -> Callable[[object], Any]:
    """Return a function that gives *value*, whatever it is asked for."""
    return lambda _: value


def _read(core: Luaevent) -> int:
    return core.EV_READ


def _timeout(core: Luaevent) -> int:
    return core.EV_TIMEOUT


_TIMED = (("no timeout", None), ("with timeout", 0.01))


# [(kind of event, its descriptor, its flags)], for events that only a timeout calls
_WAITING = (("timer", _is(None), _timeout), ("silent reader", _silent, _read))


# {rule: [(situation, descriptor, flags, timeout)]}
TABLE: dict[str, list[tuple[str, Callable[[Channels], Any], Callable[[Luaevent], Any], Any]]] = {
    "luaevent.addevent.fd-nil-no-timeout": [
        ("EV_TIMEOUT", _is(None), _timeout, None),
        ("EV_READ", _is(None), _read, None),
    ],
    # a loop that drops the descriptor shows as a timer
    "luaevent.addevent.fd-bad-type": [
        ("True", _is(True), _read, 0.01),
        ("{}", _is({}), _read, 0.01),
        ("a string", _is("0"), _read, 0.01),
        ("1.5", _is(1.5), _read, 0.01),
        ("an object", _is(object()), _read, 0.01),
    ],
    # a loop may drop the descriptor and keep the timeout
    "luaevent.addevent.fd-invalid": [
        (fd + suffix, make, _read, timeout)
        for fd, make in {
            "closed": _closed,
            "never opened": _is(900),
            "-1": _is(-1),
            "2**40": _is(2**40),
            "a regular file": _regular_file,
        }.items()
        for suffix, timeout in (("", None), (", with a timeout", 0.01))
    ],
    "luaevent.addevent.event-timeout-bit": [
        (f"{flags}, {ready}, {timed}", fd, event, timeout)
        for flags, event in {
            "EV_READ | EV_TIMEOUT": lambda core: core.EV_READ | core.EV_TIMEOUT,
            "EV_TIMEOUT": _timeout,
        }.items()
        for ready, fd in (("readable", _ready), ("silent", _silent))
        for timed, timeout in _TIMED
    ],
    "luaevent.addevent.event-zero": [
        (f"{flags}, {timed}", _ready, event, timeout)
        for flags, event in {"0": _is(0), "EV_PERSIST": lambda core: core.EV_PERSIST}.items()
        for timed, timeout in _TIMED
    ],
    "luaevent.addevent.event-type": [
        ("None", _ready, _is(None), 0.01),
        ("'read'", _ready, _is("read"), 0.01),
        ("a digit in a string", _ready, lambda core: str(core.EV_READ), 0.01),
        ("a fraction", _ready, lambda core: core.EV_READ + 0.7, 0.01),
        ("LEAVE", _ready, lambda core: core.LEAVE, 0.01),
        ("-2", _ready, lambda core: -2 if core.LEAVE != -2 else -3, 0.01),
        ("an unknown bit", _ready, lambda core: core.EV_READ | 1 << 20, 0.01),
    ],
    # the event counts as called if the call comes within a few milliseconds
    "luaevent.addevent.timeout-negative": [
        (f"{kind}, {timeout}", fd, event, timeout)
        for kind, fd, event in _WAITING
        for timeout in (-1, -5.5, float("-inf"))
    ],
    "luaevent.addevent.timeout-huge": [
        (f"{kind}, {'10**400' if isinstance(timeout, int) else f'{timeout:g}'}", fd, event, timeout)
        for kind, fd, event in _WAITING
        for timeout in (2e9, 1e12, 1e300, 10**400, float("inf"), float("nan"))
    ],
    # the descriptor is silent, so that a loop may take the value for "no timeout"
    "luaevent.addevent.timeout-type": [
        ("True", _silent, _read, True),
        ("{}", _silent, _read, {}),
        ("'soon'", _silent, _read, "soon"),
        ("a function", _silent, _read, len),
        ("'0.01'", _silent, _read, "0.01"),
    ],
}


@pytest.mark.parametrize("situation, fd, event, timeout", rows_by_rule(TABLE))
def test_addevent_with_odd_arguments_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    situation: str,
    fd: Callable[[Channels], Any],
    event: Callable[[Luaevent], Any],
    timeout: Any,
) -> None:
    """A guard timer ends the loop in any case."""
    listening = Listening(luaevent, clock)
    arguments = [fd(channels), event(luaevent), listening.callback()]
    if timeout is not None:
        arguments.append(timeout)
    try:
        listening.keep(listening.base.addevent(*arguments))
    except Exception as error:
        observe.raised(error, of=situation)
        return
    listening.loop()
    observe(listening.heard, of=situation)
