"""luaevent, core:addevent: cases that the document leaves open are observed."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Base, Event, Luaevent
from looptck.rules.markers import rule
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


def _see(
    luaevent: Luaevent, clock: Clock, observe: Observation, of: str, *arguments: object
) -> None:
    """Observe `addevent` with *arguments*, where CALLBACK stands for a callback."""
    listening = Listening(luaevent, clock)
    given = [listening.callback() if each is _CALLBACK else each for each in arguments]
    add: Callable[..., Event] = listening.base.addevent
    try:
        listening.keep(add(*given))
    except Exception as error:
        observe.raised(error, of=of)
        return
    listening.loop()
    observe(listening.heard, of=of)


_CALLBACK = object()


@rule("luaevent.addevent.fd-nil-no-timeout")
@pytest.mark.parametrize("flags", ["EV_TIMEOUT", "EV_READ"])
def test_neither_descriptor_nor_timeout_is_recorded(
    luaevent: Luaevent, clock: Clock, observe: Observation, flags: str
) -> None:
    """A guard timer ends the loop in any case."""
    _see(luaevent, clock, observe, flags, None, getattr(luaevent, flags), _CALLBACK)


@rule("luaevent.addevent.fd-bad-type")
@pytest.mark.parametrize(
    "of, fd",
    [("True", True), ("{}", {}), ("a string", "0"), ("1.5", 1.5), ("an object", object())],
)
def test_a_descriptor_of_a_wrong_type_is_recorded(
    luaevent: Luaevent, clock: Clock, observe: Observation, of: str, fd: object
) -> None:
    """The event has a timeout, so that a loop that drops the descriptor shows as a timer."""
    _see(luaevent, clock, observe, of, fd, luaevent.EV_READ, _CALLBACK, 0.01)


@rule("luaevent.addevent.fd-invalid")
@pytest.mark.parametrize("timeout", [None, 0.01])
@pytest.mark.parametrize("of", ["closed", "never opened", "-1", "2**40", "a regular file"])
def test_a_number_that_cannot_be_watched_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    of: str,
    timeout: float | None,
) -> None:
    """The event has a timeout too: a loop may drop the descriptor and keep the timeout."""
    fd = {"closed": _closed(), "never opened": 900, "-1": -1, "2**40": 2**40}.get(of)
    if fd is None:
        fd = os.open(__file__, os.O_RDONLY)
        channels.keep(lambda: os.close(fd))
    name = of if timeout is None else f"{of}, with a timeout"
    _see(luaevent, clock, observe, name, fd, luaevent.EV_READ, _CALLBACK, timeout)


@rule("luaevent.addevent.event-timeout-bit")
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("timeout", [None, 0.01])
@pytest.mark.parametrize("flags", ["EV_READ | EV_TIMEOUT", "EV_TIMEOUT"])
def test_ev_timeout_beside_a_descriptor_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    flags: str,
    timeout: float | None,
    ready: bool,
) -> None:
    """The descriptor is readable or silent, with a timeout and without."""
    near, far = channels.pair()
    if ready:
        far.send(b"x")
    event = luaevent.EV_TIMEOUT | (luaevent.EV_READ if "READ" in flags else 0)
    of = f"{flags}, {'readable' if ready else 'silent'}, {'with' if timeout else 'no'} timeout"
    _see(luaevent, clock, observe, of, near.fileno(), event, _CALLBACK, timeout)


@rule("luaevent.addevent.event-zero")
@pytest.mark.parametrize("timeout", [None, 0.01])
@pytest.mark.parametrize("flags", ["0", "EV_PERSIST"])
def test_an_event_without_a_direction_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    flags: str,
    timeout: float | None,
) -> None:
    """The descriptor is ready in both directions."""
    near, far = channels.pair()
    far.send(b"x")
    event = 0 if flags == "0" else luaevent.EV_PERSIST
    of = f"{flags}, {'with' if timeout else 'no'} timeout"
    _see(luaevent, clock, observe, of, near.fileno(), event, _CALLBACK, timeout)


@rule("luaevent.addevent.event-type")
@pytest.mark.parametrize(
    "of", ["None", "'read'", "a digit in a string", "a fraction", "LEAVE", "-2", "an unknown bit"]
)
def test_an_event_argument_that_is_no_flag_set_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, of: str
) -> None:
    """The descriptor is ready in both directions."""
    near, far = channels.pair()
    far.send(b"x")
    event: object = {
        "None": None,
        "'read'": "read",
        "a digit in a string": str(luaevent.EV_READ),
        "a fraction": luaevent.EV_READ + 0.7,
        "LEAVE": luaevent.LEAVE,
        "-2": -2 if luaevent.LEAVE != -2 else -3,
        "an unknown bit": luaevent.EV_READ | 1 << 20,
    }[of]
    _see(luaevent, clock, observe, of, near.fileno(), event, _CALLBACK, 0.01)


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


@rule("luaevent.addevent.timeout-negative")
@pytest.mark.parametrize("timeout", [-1, -5.5, float("-inf")])
@pytest.mark.parametrize("kind", ["timer", "silent reader"])
def test_a_negative_timeout_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    kind: str,
    timeout: float,
) -> None:
    """The event counts as called if the call comes within a few milliseconds."""
    near, _ = channels.pair()
    fd, event = (
        (None, luaevent.EV_TIMEOUT) if kind == "timer" else (near.fileno(), luaevent.EV_READ)
    )
    _see(luaevent, clock, observe, f"{kind}, {timeout}", fd, event, _CALLBACK, timeout)


@rule("luaevent.addevent.timeout-huge")
@pytest.mark.parametrize("timeout", [2e9, 1e12, 1e300, 10**400, float("inf"), float("nan")])
@pytest.mark.parametrize("kind", ["timer", "silent reader"])
def test_a_timeout_beyond_all_limits_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    kind: str,
    timeout: float,
) -> None:
    """The event counts as never called if no call comes within a few milliseconds; a guard ends
    the loop."""
    near, _ = channels.pair()
    fd, event = (
        (None, luaevent.EV_TIMEOUT) if kind == "timer" else (near.fileno(), luaevent.EV_READ)
    )
    name = "10**400" if isinstance(timeout, int) else f"{timeout:g}"
    _see(luaevent, clock, observe, f"{kind}, {name}", fd, event, _CALLBACK, timeout)


@rule("luaevent.addevent.timeout-type")
@pytest.mark.parametrize(
    "of, timeout",
    [("True", True), ("{}", {}), ("'soon'", "soon"), ("a function", len), ("'0.01'", "0.01")],
)
def test_a_timeout_that_is_no_number_is_recorded(
    luaevent: Luaevent,
    clock: Clock,
    observe: Observation,
    channels: Channels,
    of: str,
    timeout: object,
) -> None:
    """The descriptor is silent, so that a loop may take the value for "no timeout"."""
    near, _ = channels.pair()
    _see(luaevent, clock, observe, of, near.fileno(), luaevent.EV_READ, _CALLBACK, timeout)


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


def _closed() -> int:
    """Return a number that was open, and is too high to be given out again soon."""
    reading, writing = os.pipe()
    number = fcntl.fcntl(reading, fcntl.F_DUPFD, 700)
    for each in (reading, writing, number):
        os.close(each)
    return number
