"""LuaHop, timer: clearing timers that are due or spent, and values that are no timer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_until
from looptck.testing.trace import Trace


@rule("luahop.timer.clear-twice")
@pytest.mark.parametrize(
    "garbage", [None, object(), "timer", -1, {"ms": 4}], ids=lambda g: f"{g!r:.9}"
)
def test_clearing_a_value_that_is_no_handle_clears_nothing(
    luahop: Luahop, trace: Trace, garbage: object
) -> None:
    """Whether the call raises is open."""
    hop = luahop.new()
    hop.set_timeout({"ms": 3}, calling(trace, "timeout"))
    hop.set_interval({"ms": 3}, calling(trace, "interval"))
    with suppress(Exception):
        luahop.clear_timer(garbage)
    poll_until(
        hop,
        f"a timeout and an interval run after clear_timer({garbage!r:.20})",
        lambda: set(trace) == {"timeout", "interval"},
    )


@rule("luahop.timer.clear-vs-listener")
def test_clear_timer_does_not_touch_the_listener_of_that_number(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """No timer is alive while the numbers of descriptors are given to `clear_timer`."""
    hop = luahop.new()
    ends = [channels.pair() for _ in range(6)]
    # the numbers of spent timers cover those of the descriptors
    count = _more_than_the_numbers_of(ends)
    spent: list[bool] = []
    for _ in range(count):
        hop.set_timeout({"ms": 1}, lambda: spent.append(True))
    poll_until(hop, f"{count} timeouts run", lambda: len(spent) == count)
    for number, (near, _) in enumerate(ends):
        _listen(hop, near, calling(trace, str(number)))
    fresh = luahop.new()  # where no timer was ever set
    near, far = channels.pair()
    _listen(fresh, near, calling(trace, "fresh"))
    for end in (*(near for near, _ in ends), near):
        with suppress(Exception):
            luahop.clear_timer(end.fileno())
    for _, peer in ends:
        peer.send(b"x")
    far.send(b"x")
    poll_until(
        hop,
        "6 listeners are called although clear_timer was given the numbers of their descriptors",
        lambda: len(set(trace)) == 6,
    )
    poll_until(
        fresh,
        "a listener is called although clear_timer was given the number of its descriptor",
        lambda: "fresh" in trace,
    )


@rule("luahop.timer.clear-vs-listener")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_remove_listener_does_not_touch_the_timer_of_that_handle(
    luahop: Luahop, trace: Trace, mask: str
) -> None:
    """No listener is alive while handles are given to `remove_listener`."""
    hop = luahop.new()
    timers = [
        hop.set_timeout({"ms": 4}, calling(trace, "timeout")),
        hop.set_interval({"ms": 4}, calling(trace, "interval")),
    ]
    for timer in timers:
        with suppress(Exception):
            hop.remove_listener(timer, mask)  # type: ignore[arg-type]  # a handle is no descriptor
    poll_until(
        hop,
        "a timeout and an interval run although remove_listener was given their handles",
        lambda: set(trace) == {"timeout", "interval"},
    )


@rule("luahop.timer.clear-vs-listener")
@pytest.mark.parametrize("timers_first", [True, False])
def test_timers_and_listeners_do_not_displace_each_other(
    luahop: Luahop, channels: Channels, trace: Trace, timers_first: bool
) -> None:
    """A loop that numbers timers from 0 or 1 on reuses the numbers of the descriptors."""
    hop = luahop.new()
    ends = [channels.pair() for _ in range(6)]

    count = _more_than_the_numbers_of(ends)

    def set_timers() -> None:
        for number in range(count):
            hop.set_timeout({"ms": 4}, calling(trace, f"timer {number}"))

    def set_listeners() -> None:
        for number, (near, _) in enumerate(ends):
            _listen(hop, near, calling(trace, f"listener {number}"))

    steps = [set_timers, set_listeners]
    for step in steps if timers_first else reversed(steps):
        step()
    for _, far in ends:
        far.send(b"x")
    expected = {f"timer {n}" for n in range(count)} | {f"listener {n}" for n in range(6)}
    poll_until(
        hop, f"all of {count} timers and 6 listeners are called", lambda: set(trace) == expected
    )


def _more_than_the_numbers_of(ends: list[tuple[socket.socket, socket.socket]]) -> int:
    """Return how many timers a loop that counts from 1 needs to pass every descriptor's number."""
    return max(40, *(near.fileno() + 8 for near, _ in ends))


def _listen(hop: Hop, end: socket.socket, read: Callable[[], object]) -> None:
    """Call *read* when *end* is readable, after it was emptied."""

    def on_readable() -> None:
        drain(end)
        read()

    hop.set_listener(end.fileno(), "r", on_readable)
