"""LuaHop, poll: one turn of the loop."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.poll_timeout import poll_at_most
from looptck.testing.retry import retry
from looptck.testing.trace import Trace

# How often a poll may look at its descriptors before it returns: a loop that asks again
# after its timers looks twice.
_LOOKS = 3


@rule("luahop.poll.returns")
def test_poll_returns_after_each_tick_of_an_interval(luahop: Luahop) -> None:
    """A timer clears the interval after a while, so that a poll which serves it on and on ends."""
    hop = luahop.new()
    ticks: list[bool] = []

    def tick() -> None:
        ticks.append(True)
        if len(ticks) == 20:
            luahop.clear_timer(interval)

    interval = hop.set_interval({"ms": 10}, tick)
    for _ in range(3):
        before = len(ticks)
        poll_until(hop, "the interval ticks", partial(_longer, ticks, before))
        assert len(ticks) - before <= 2, f"one poll served {len(ticks) - before} ticks"


@rule("luahop.poll.returns")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_poll_returns_while_a_descriptor_stays_ready(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """After 20 calls the listener is removed, so that a poll which serves it on and on ends."""
    hop = luahop.new()
    near, far = channels.pair()
    far.send(b"x")

    def serve() -> None:
        trace("served")
        if len(trace) == 20:
            hop.remove_listener(near.fileno(), mask)

    hop.set_listener(near.fileno(), mask, serve)
    hop.set_timeout({"ms": 300}, calling(trace, "timer"))
    for _ in range(4):
        before = len(trace)
        poll_until(hop, "the descriptor is served", partial(_longer, trace, before))
        assert "timer" not in trace, "poll did not return before a timer that was far off"
        calls = len(trace) - before
        assert calls <= _LOOKS, f"one poll called the listener of one descriptor {calls} times"


@rule("luahop.poll.dispatch-before-return")
def test_callbacks_run_in_the_thread_of_the_caller_one_by_one(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace
) -> None:
    """Each callback takes a while: callbacks that run side by side would overlap."""
    hop = luahop.new()
    threads: list[int] = []

    def take_time(name: str) -> None:
        trace(f"{name} begins")
        threads.append(threading.get_ident())
        clock.advance(0.003)
        trace(f"{name} ends")

    def read(name: str, end: Any) -> None:
        drain(end)
        take_time(name)

    names = {f"timer {n}" for n in range(3)} | {f"descriptor {n}" for n in range(3)}
    for number in range(3):
        near, far = channels.pair()
        far.send(b"x")
        hop.set_timeout({"ms": 1}, calling(take_time, f"timer {number}"))
        hop.set_listener(near.fileno(), "r", calling(read, f"descriptor {number}", near))
    clock.advance(0.002)
    guard: list[bool] = []
    hop.set_timeout({"ms": 300}, lambda: guard.append(True))
    while len(threads) < 6 and not guard:
        hop.poll()
        done = len(trace)
        assert done % 2 == 0, f"poll returned before a callback had ended: {trace[-1]}"
        clock.advance(0.005)
        assert len(trace) == done, f"ran after poll had returned: {trace[done:]}"
    assert set(threads) == {threading.get_ident()}, "a callback ran in another thread"
    expected = [f"{name} {what}" for name in _names(trace) for what in ("begins", "ends")]
    assert trace == expected, "a callback began before the one before it had ended"
    assert set(_names(trace)) == names, f"the calls noted were {set(_names(trace))}, not {names}"


@rule("luahop.poll.timeout-vs-timer")
def test_a_poll_timeout_does_not_run_a_later_timer(luahop: Luahop, clock: Clock) -> None:
    """A loop that refuses a timeout, in either form, is not judged."""

    def attempt() -> None:
        hop = luahop.new()
        table = TimerLog(hop, clock)
        table.timeout("of 200 ms", 200)
        form = poll_at_most(hop, 20)
        assert form is None or not table.ran, (
            f"poll with a timeout of 20 ms, given as {form}, returned only after a timer of 200 ms"
        )
        poll_until(hop, "the timer runs", lambda: table.ran)
        table.assert_none_early()

    retry(attempt)


@rule("luahop.poll.timeout-vs-timer")
@pytest.mark.parametrize("kind", ["timeout", "interval"])
def test_polls_with_a_timeout_do_not_put_a_timer_off(
    luahop: Luahop, clock: Clock, kind: str
) -> None:
    """The second timer is due after the first one, but before the first one would be if the last
    poll had started it anew."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    (table.timeout if kind == "timeout" else table.interval)("100 ms, set first", 100)
    for _ in range(3):
        if poll_at_most(hop, 20) is None:
            return
    table.timeout("60 ms, set later", 60)
    poll_until(hop, "both timers run", lambda: len(set(table.ran)) == 2)
    table.assert_none_early()
    table.assert_in_order()


@rule("luahop.poll.timeout-vs-timer")
def test_a_poll_timeout_ends_early_when_a_timer_is_due(luahop: Luahop, clock: Clock) -> None:
    """A timer that is due in between tells where the poll has ended."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    table.timeout("of 10 ms", 10)
    table.timeout("of 300 ms", 300)
    if poll_at_most(hop, 500) is None:
        return
    poll_until(hop, "the nearer timer runs", lambda: table.ran)
    assert table.ran == ["of 10 ms"], "poll with a timeout of 500 ms went on after a timer had run"
    table.assert_none_early()


def _longer(events: list[Any], than: int) -> bool:
    return len(events) > than


def _names(trace: Trace) -> list[str]:
    """Names in the trace whose callbacks have begun."""
    return [text.removesuffix(" begins") for text in trace if text.endswith(" begins")]
