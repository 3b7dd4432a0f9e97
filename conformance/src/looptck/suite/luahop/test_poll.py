"""LuaHop, poll: one turn of the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.cpu_share import cpu_share
from looptck.testing.hop_driver import poll_for, poll_until, polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.poll_timeout import poll_at_most
from looptck.testing.retry import retry
from looptck.testing.trace import Trace

# How often a poll may look at its descriptors before it returns: a loop that asks again
# after its timers looks twice.
_LOOKS = 3

# The share of a wait in which a loop may compute.
_AWAKE = 0.5


def _nothing_else(_hop: Hop, _channels: Channels) -> None:
    """Register nothing beside the timer."""


def _a_silent_reader(hop: Hop, channels: Channels) -> None:
    near, _far = channels.pair()
    hop.set_listener(near.fileno(), "r", lambda: drain(near))


def _a_silent_writer(hop: Hop, channels: Channels) -> None:
    near, _far = channels.pair()
    fill(near)
    hop.set_listener(near.fileno(), "w", _nobody)


def _a_served_reader(hop: Hop, channels: Channels) -> None:
    near, far = channels.pair()
    hop.set_listener(near.fileno(), "r", lambda: drain(near))
    far.send(b"x")
    poll_for(hop, 1)


def _a_removed_writer(hop: Hop, channels: Channels) -> None:
    near, _far = channels.pair()
    hop.set_listener(near.fileno(), "w", _nobody)
    hop.remove_listener(near.fileno(), "w")


_QUIET = pytest.mark.parametrize(
    "beside",
    [_nothing_else, _a_silent_reader, _a_silent_writer, _a_served_reader, _a_removed_writer],
    ids=lambda function: function.__name__.strip("_"),
)


@rule("luahop.poll.blocks")
@_QUIET
def test_poll_sleeps_until_the_first_timer(
    luahop: Luahop, channels: Channels, beside: Callable[[Hop, Channels], None]
) -> None:
    """A second timer is far off: a poll that waits for it is late."""
    hop = luahop.new()
    beside(hop, channels)
    ran: list[bool] = []
    hop.set_timeout({"ms": 80}, lambda: ran.append(True))
    hop.set_timeout({"ms": 500}, lambda: ran.append(False))
    for _ in polls(hop, 500):
        if ran:
            break
    assert ran, "poll returned again and again without having run anything, with a timer in 80 ms"
    assert ran[0], "poll slept beyond the first timer, until the second"


@rule("luahop.poll.blocks")
@_QUIET
def test_poll_uses_no_processor_while_it_sleeps(
    luahop: Luahop, channels: Channels, beside: Callable[[Hop, Channels], None]
) -> None:
    """The test measures the share of the time in which the process could have slept: a busy
    machine neither hides a loop that spins nor accuses one that does not."""
    wait = 0.080

    def attempt() -> None:
        hop = luahop.new()
        beside(hop, channels)
        ran: list[bool] = []
        hop.set_timeout({"ms": round(wait * 1000)}, lambda: ran.append(True))
        share = cpu_share(lambda: _poll_while(hop, lambda: not ran), wait)
        assert share <= _AWAKE, (
            f"poll computed for {share:.0%} of the {wait * 1000:.0f} ms in which it should sleep"
        )

    retry(attempt)


@rule("luahop.poll.blocks")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_poll_does_not_sleep_when_a_descriptor_is_ready(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The timer is far off; it also ends the polling of a loop that misses the descriptor."""
    hop = luahop.new()
    near, far = channels.pair()
    far.send(b"x")
    hop.set_timeout({"ms": 300}, partial(trace, "timer"))
    hop.set_listener(near.fileno(), mask, partial(trace, "descriptor"))
    for _ in polls(hop, 300):
        if trace:
            break
    assert trace, "poll returned again and again for nothing, with a descriptor that was ready"
    assert "timer" not in trace, "poll slept until a timer although a descriptor was ready"


@rule("luahop.poll.returns")
def test_poll_returns_after_serving_the_due_timers(luahop: Luahop, trace: Trace) -> None:
    """The later timer lies so far off that both never fall into one batch."""
    hop = luahop.new()
    hop.set_timeout({"ms": 5}, partial(trace, "near"))
    hop.set_timeout({"ms": 300}, partial(trace, "far"))
    poll_until(hop, "the first timer runs", lambda: trace)
    assert trace == ["near"], "poll did not return between a timer and one due 295 ms later"


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
    hop.set_timeout({"ms": 300}, partial(trace, "timer"))
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
        hop.set_timeout({"ms": 1}, partial(take_time, f"timer {number}"))
        hop.set_listener(near.fileno(), "r", partial(read, f"descriptor {number}", near))
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


@rule("luahop.poll.dispatch-before-return")
def test_nothing_runs_between_two_polls(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace
) -> None:
    """A due timer and a ready descriptor wait while the caller does something else."""
    hop = luahop.new()
    near, far = channels.pair()
    hop.set_listener(near.fileno(), "r", lambda: trace("listener") if drain(near) else None)
    hop.set_timeout({"ms": 1}, partial(trace, "opener"))
    poll_until(hop, "a timer runs", lambda: trace)
    hop.set_timeout({"ms": 5}, partial(trace, "timer"))
    far.send(b"x")
    clock.advance(0.020)
    assert trace == ["opener"], "a callback ran although nobody had called poll"
    poll_until(hop, "timer and listener run", lambda: {"timer", "listener"} <= set(trace))


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


def _poll_while(hop: Hop, condition: Callable[[], bool]) -> None:
    while condition():
        hop.poll()


def _longer(events: list[Any], than: int) -> bool:
    return len(events) > than


def _names(trace: Trace) -> list[str]:
    """Names in the trace whose callbacks have begun."""
    return [text.removesuffix(" begins") for text in trace if text.endswith(" begins")]


def _nobody() -> None:
    """A callback that no test waits for."""
