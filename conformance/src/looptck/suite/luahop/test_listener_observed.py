"""LuaHop, listeners: cases that the document leaves open are observed.

A number of polls and a timer bound every test, since nothing is promised here that a test could
wait for.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace

# More than any loop needs to serve two descriptors.
_ROUNDS = 20


def polled(hop: Hop, done: Callable[[], object], milliseconds: float = 5) -> str:
    """Poll a few rounds or until *done*; return the name of the first exception of `poll`, if
    any."""
    over: list[bool] = []
    hop.set_timeout({"ms": milliseconds}, lambda: over.append(True))
    raised = ""
    for _ in range(_ROUNDS):
        if done() or over:
            break
        error = error_of(hop.poll)
        raised = raised or (type(error).__name__ if error else "")
    return raised


def never() -> bool:
    return False


@rule("luahop.listener.mask-rw")
@pytest.mark.parametrize("ready", ["only writable", "only readable", "both"])
def test_the_calls_of_an_rw_listener_are_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation, ready: str
) -> None:
    """Calls are counted in the first poll that calls anything."""
    near, far = channels.pair()
    if ready != "only writable":
        far.send(b"x")
    if ready == "only readable":
        fill(near)
    hop = luahop.new()
    error = error_of(hop.set_listener, near.fileno(), "rw", lambda: trace("called"))
    if error is not None:
        observe.raised(error, of=ready)
        return
    polled(hop, lambda: trace)
    observe(f"{len(trace)} in one poll", of=ready)
    hop.remove_listener(near.fileno(), "r")
    hop.remove_listener(near.fileno(), "w")


@rule("luahop.listener.rw-partial-override")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_replacing_one_half_of_rw_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation, mask: str
) -> None:
    """Both directions are ready; all calls of the first poll that calls anything are recorded."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    error = error_of(hop.set_listener, near.fileno(), "rw", lambda: trace("rw"))
    if error is None:
        error = error_of(hop.set_listener, near.fileno(), mask, lambda: trace(mask))
    if error is not None:
        observe.raised(error, of=mask)
        return
    polled(hop, lambda: trace)
    observe(" then ".join(trace) or "nobody is called", of=mask)


@rule("luahop.listener.rw-order")
@pytest.mark.parametrize("first_set", ["r", "w"])
def test_the_direction_that_comes_first_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation, first_set: str
) -> None:
    """Both directions are ready before the first poll."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    for mask in ("r", "w") if first_set == "r" else ("w", "r"):
        hop.set_listener(near.fileno(), mask, calling(trace, mask))
    polled(hop, lambda: trace)
    observe(" then ".join(trace) or "nobody is called", of=f"{first_set} set first")


@rule("luahop.listener.close-without-remove")
@pytest.mark.parametrize("twin", [False, True], ids=["gone", "duplicate-alive"])
def test_closing_a_registered_descriptor_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation, twin: bool
) -> None:
    """The descriptor is readable when it is closed; then its number is used again."""
    near, far = channels.pair()
    number = near.fileno()
    if twin:
        channels.numbered(near, 500)
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(number, "r", lambda: trace("called"))
    polled(hop, lambda: trace)
    trace.clear()
    near.close()
    raised = polled(hop, never)
    case = "a duplicate is open" if twin else "closed"
    observe(f"poll raises {raised}" if raised else "called" if trace else "not called", of=case)
    other, peer = channels.pair()
    again = channels.numbered(other, number)
    peer.send(b"y")
    trace.clear()
    error = error_of(hop.set_listener, again.fileno(), "r", lambda: trace("again"))
    case += ", number registered again"
    if error is not None:
        observe.raised(error, of=case)
        return
    raised = polled(hop, lambda: trace)
    observe(f"poll raises {raised}" if raised else ", ".join(trace) or "not called", of=case)


@rule("luahop.listener.callback-args")
def test_the_number_of_a_callbacks_arguments_is_recorded(
    luahop: Luahop, channels: Channels, observe: Observation
) -> None:
    """A callback without parameters must be callable with no argument at all."""
    given: list[int] = []
    missing = object()

    def none() -> None:
        given.append(0)

    def optional(first: Any = missing, second: Any = missing, third: Any = missing) -> None:
        given.append(sum(each is not missing for each in (first, second, third)))

    def any_number(*args: Any) -> None:
        given.append(len(args))

    callbacks = {"no": none, "optional": optional, "any number of": any_number}
    for what, callback in callbacks.items():
        given.clear()
        near, far = channels.pair()
        far.send(b"x")
        hop = luahop.new()
        hop.set_listener(near.fileno(), "r", callback)
        raised = polled(hop, lambda: given)
        value = (
            f"{given[0]} given" if given else f"poll raises {raised}" if raised else "not called"
        )
        observe(value, of=f"{what} parameters")


@rule("luahop.listener.type-arg")
@pytest.mark.parametrize("case", ["reader", "writer", "both ready", "timer"])
def test_the_third_argument_of_a_callback_is_recorded(
    luahop: Luahop, channels: Channels, observe: Observation, case: str
) -> None:
    """The callbacks take any number of arguments."""
    near, far = channels.pair()
    far.send(b"x")
    third: list[str] = []

    def note(name: str, *args: Any) -> None:
        said = args[2] if len(args) > 2 else "no third argument"
        third.append(f"{name}{said if isinstance(said, str) else type(said).__name__}")

    hop = luahop.new()
    if case in ("reader", "both ready"):
        hop.set_listener(near.fileno(), "r", calling(note, "r: " if case == "both ready" else ""))
    if case in ("writer", "both ready"):
        hop.set_listener(near.fileno(), "w", calling(note, "w: " if case == "both ready" else ""))
    if case == "timer":
        hop.set_timeout({"ms": 1}, calling(note, ""))
    polled(hop, lambda: third)
    observe(", ".join(third) or "not called", of=case)


@rule("luahop.listener.err-write")
def test_a_pipe_without_readers_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation
) -> None:
    """The pipe has room or not: the kernel reports less when it has none."""
    for case in ("with room", "full"):
        trace.clear()
        reading, writing = channels.pipe()
        if case == "full":
            fill(writing)
        reading.close()
        hop = luahop.new()

        def on_write(writing: Any = writing) -> None:
            error = error_of(writing.send, b"x")
            trace(f"called, the write meets {type(error).__name__}")

        hop.set_listener(writing.fileno(), "w", on_write)
        polled(hop, lambda: trace)
        observe(trace[0] if trace else "not called", of=case)
        hop.remove_listener(writing.fileno(), "w")


class MishapError(Exception):
    """The exception that the callbacks of these tests raise."""


@rule("luahop.listener.error-in-callback")
def test_a_ready_callback_that_raises_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation
) -> None:
    """Both of two ready listeners raise in their first call and then behave."""
    pairs = [channels.pair() for _ in range(2)]
    hop = luahop.new()

    def on_read(number: int) -> None:
        trace(str(number))
        if trace.count(str(number)) == 1:
            raise MishapError
        drain(pairs[number][0])

    for number, (near, far) in enumerate(pairs):
        far.send(b"x")
        hop.set_listener(near.fileno(), "r", calling(on_read, number))
    error = error_of(hop.poll)
    observe(f"poll raises {type(error).__name__}" if error else "poll returns", of="two raise")
    observe(f"{len(set(trace))} of 2", of="called in that poll")
    polled(hop, lambda: len(set(trace)) == 2)
    observe(f"{len(set(trace))} of 2", of="called in the end")
    polled(hop, lambda: min(trace.count("0"), trace.count("1")) > 1)
    stay = sum(trace.count(str(number)) > 1 for number in range(2))
    observe(f"{stay} of 2", of="stay registered")


@rule("luahop.listener.error-in-callback")
def test_an_interval_that_raises_is_recorded(
    luahop: Luahop, trace: Trace, observe: Observation
) -> None:
    """The interval raises every time; three calls show that it stays."""
    hop = luahop.new()

    def on_tick() -> None:
        trace("tick")
        raise MishapError

    timer = hop.set_interval({"ms": 2}, on_tick)
    raised = polled(hop, lambda: len(trace) >= 3, milliseconds=30)
    observe(f"poll raises {raised}" if raised else "poll returns", of="an interval raises")
    observe("stays" if len(trace) >= 3 else "is gone", of="the interval")
    luahop.clear_timer(timer)


@rule("luahop.listener.return-ignored")
@pytest.mark.parametrize(
    "value", [None, False, True, 0, 1, -1, "r", (), object], ids=lambda value: repr(value)[:12]
)
def test_the_effect_of_a_returned_value_is_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation, value: object
) -> None:
    """The descriptor stays readable, so a listener that stays is called again."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def on_read() -> object:
        trace("called")
        return value

    hop.set_listener(near.fileno(), "r", on_read)
    raised = polled(hop, lambda: len(trace) >= 2)
    again = "called again" if len(trace) >= 2 else "not called again"
    observe(f"poll raises {raised}" if raised else again, of=f"returns {_name(value)}")
    gc.collect()


def _name(value: object) -> str:
    return "an object" if value is object else repr(value)
