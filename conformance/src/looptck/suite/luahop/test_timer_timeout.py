"""LuaHop, timer: when a timeout runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Hop, Luahop, Timer
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_for, poll_until, polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.resources import ResourceSnapshot
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.stopwatch import Stopwatch, assert_prompt
from looptck.testing.trace import Trace

# In seconds: how late a timer may be.
LATENESS = 0.050


@rule("luahop.timer.timeout-once")
@everywhere
def test_a_timeout_runs_once(luahop: Luahop, trace: Trace, situation: Situation) -> None:
    """The test polls for ten more durations: a timeout that is armed again would run twice."""
    hop = luahop.new()
    luahop_in(situation, hop, lambda: hop.set_timeout({"ms": 4}, lambda: trace("timeout")))
    poll_until(hop, "the timeout runs", lambda: trace)
    poll_for(hop, 40)
    assert len(trace) == 1, f"a timeout of 4 ms ran {len(trace)} times in 10 times as long"


@rule("luahop.timer.timeout-once")
@pytest.mark.parametrize("pause", [0, 0.02], ids=["as they become due", "overdue"])
def test_each_of_many_timeouts_runs_once(
    luahop: Luahop, clock: Clock, trace: Trace, pause: float
) -> None:
    """Some share their duration.  Others are set, cleared and fired while they wait."""
    hop = luahop.new()
    names = [f"{milliseconds} ms, {twin}" for milliseconds in range(2, 12) for twin in "ab"]
    for name in names:
        hop.set_timeout({"ms": int(name.split()[0])}, partial(trace, name))
    cleared = hop.set_timeout({"ms": 3}, lambda: trace("the cleared one"))
    luahop.clear_timer(cleared)
    clock.advance(pause)
    poll_until(hop, "every timeout runs", lambda: len(trace) >= len(names))
    poll_for(hop, 20)
    again = sorted({name for name in trace if trace.count(name) > 1})
    assert not again, f"ran more than once: {', '.join(again)}"
    assert sorted(trace) == sorted(names), (
        f"the calls noted were {sorted(trace)}, not {sorted(names)}"
    )


@rule("luahop.timer.timeout-once")
def test_a_timeout_that_ran_keeps_no_descriptor_open(luahop: Luahop) -> None:
    """A loop may keep whatever it opened for its first hundred timers."""
    hop = luahop.new()
    ran: list[bool] = []

    def hundred() -> None:
        wanted = len(ran) + 100
        for _ in range(100):
            hop.set_timeout({"ms": 1}, lambda: ran.append(True))
        # No guard that goes on waiting: a loop may hold a descriptor for each timer.
        for _ in polls(hop):
            if len(ran) >= wanted:
                break
        assert len(ran) >= wanted, f"{len(ran)} of {wanted} timeouts ran"

    hundred()
    before = ResourceSnapshot.take()
    for _ in range(3):
        hundred()
    left = ResourceSnapshot.take().added_since(before)
    assert not left, f"300 timeouts that ran left behind: {', '.join(left[:5])}"


@rule("luahop.timer.timeout-not-early")
@pytest.mark.parametrize("fraction", [0, 0.4, 0.9])
def test_none_of_many_timeouts_is_early(luahop: Luahop, clock: Clock, fraction: float) -> None:
    """Thirty timers are set at a time, a millisecond apart: rounding down shows in some of them
    even where the machine is late with others, and a clock that moves by milliseconds is behind
    for some of them."""
    for _ in range(3):
        hop = luahop.new()
        table = TimerLog(hop, clock)
        for whole in range(1, 31):
            with suppress(Exception):  # a loop need not take fractions
                table.timeout(f"of {whole + fraction} ms", whole + fraction)
            if whole % 3 == 0:
                clock.advance(0.0004)
        poll_for(hop, 32)
        table.assert_none_early(slack=0)


@rule("luahop.timer.timeout-not-early")
@pytest.mark.parametrize("milliseconds", [1, 2, 3, 5, 8, 1.9, 2.5, 4.9, 10.9])
def test_a_timeout_alone_is_not_early(luahop: Luahop, clock: Clock, milliseconds: float) -> None:
    """Nothing else can wake the loop, so only its own wait can be too short."""
    for _ in range(4):
        hop = luahop.new()
        table = TimerLog(hop, clock)
        try:
            table.timeout(f"of {milliseconds} ms", milliseconds)
        except Exception:
            assert milliseconds % 1, f"a duration of {milliseconds} ms was refused"
            return  # a loop need not take fractions
        poll_until(hop, "the timeout runs", partial(len, table.ran))
        table.assert_none_early(slack=0)


@rule("luahop.timer.timeout-not-early")
@everywhere
def test_a_timeout_set_after_a_busy_while_is_not_early(
    luahop: Luahop, clock: Clock, situation: Situation
) -> None:
    """A loop that counts from the begin of the turn takes the busy time for waiting."""
    hop = luahop.new()
    table = TimerLog(hop, clock)

    def busy_then_set() -> None:
        clock.advance(0.02)
        table.timeout("of 10 ms", 10)
        clock.advance(0.003)
        table.timeout("of 15 ms", 15)

    luahop_in(situation, hop, busy_then_set)
    poll_until(hop, "both timeouts run", lambda: len(table.ran) == 2)
    table.assert_none_early(slack=0)


@rule("luahop.timer.timeout-not-early")
def test_a_timeout_is_not_early_after_another_wake_up(
    luahop: Luahop, clock: Clock, channels: Channels
) -> None:
    """A descriptor, a nearer timer, an interval and the deadline of a cleared timer each
    end a wait before the timeout is due."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    near, far = channels.pair()
    hop.set_listener(near.fileno(), "r", lambda: drain(near))
    cleared = table.timeout("the cleared one", 8)
    table.timeout("of 30 ms", 30)
    table.timeout("of 4 ms", 4, lambda: far.send(b"x"))
    hop.set_interval({"ms": 5}, _nobody)
    luahop.clear_timer(cleared)
    far.send(b"x")
    poll_until(hop, "the timeout runs", lambda: "of 30 ms" in table.ran)
    table.assert_none_early(slack=0)


def _nobody() -> None:
    """A callback that no test waits for."""


@rule("luahop.timer.timeout-not-early")
def test_a_timeout_is_not_early_after_a_pause(luahop: Luahop, clock: Clock) -> None:
    """Part of the duration has passed when the poll begins, so the wait is no whole number of
    milliseconds."""
    for pause in (0.0002, 0.0011, 0.0013, 0.0027):
        hop = luahop.new()
        table = TimerLog(hop, clock)
        table.timeout("of 5 ms", 5)
        clock.advance(pause)
        poll_until(hop, "the timeout runs", partial(len, table.ran))
        table.assert_none_early(slack=0)


@dataclass(frozen=True)
class Scene:
    """A loop with timers only; `judge` sets the one whose lateness is measured."""

    luahop: Luahop
    hop: Hop
    stopwatch: Stopwatch
    # seconds from the setting of the judged timer to whatever has ended the wait
    waited: list[float]

    def judge(self) -> None:
        self.stopwatch.restart()
        self.hop.set_timeout({"ms": 5}, lambda: self._end())

    def bystander(self, milliseconds: int) -> Timer:
        """Set a timer that is cleared, or far off: a wait that it ends was too long."""
        return self.hop.set_timeout({"ms": milliseconds}, lambda: self._end())

    def _end(self) -> None:
        self.waited.append(self.stopwatch.elapsed())


def _alone(scene: Scene) -> None:
    scene.judge()


def _before_a_farther_one(scene: Scene) -> None:
    scene.judge()
    scene.bystander(400)


def _after_a_farther_one(scene: Scene) -> None:
    scene.bystander(400)
    scene.judge()


def _after_a_nearer_one_was_cleared(scene: Scene) -> None:
    cleared = scene.bystander(2)
    scene.judge()
    scene.bystander(400)
    scene.luahop.clear_timer(cleared)


def _beside_a_slow_interval(scene: Scene) -> None:
    scene.hop.set_interval({"ms": 400}, _nobody)
    scene.judge()


def _set_in_a_callback(scene: Scene) -> None:
    scene.bystander(400)
    scene.hop.set_timeout({"ms": 10}, scene.judge)


_SCENES = [
    _alone,
    _before_a_farther_one,
    _after_a_farther_one,
    _after_a_nearer_one_was_cleared,
    _beside_a_slow_interval,
    _set_in_a_callback,
]


@rule("luahop.timer.timeout-latency")
@pytest.mark.parametrize("set_up", _SCENES, ids=lambda scene: scene.__name__.strip("_"))
@pytest.mark.parametrize("silent", [False, True], ids=["timers only", "a silent descriptor"])
def test_a_waiting_poll_wakes_for_the_nearest_timer(
    luahop: Luahop, clock: Clock, channels: Channels, set_up: Callable[[Scene], None], silent: bool
) -> None:
    """A farther timer ends the wait of a loop that does not look for the nearest one. The
    nearest is so near that a loop which ticks by itself is late by nearly a whole tick."""

    def lateness() -> float:
        near, _far = channels.pair()
        hop = luahop.new()
        if silent:
            hop.set_listener(near.fileno(), "r", lambda: drain(near))
        scene = Scene(luahop, hop, Stopwatch(clock), [])
        set_up(scene)
        for _ in polls(hop, 400):
            if scene.waited:
                break
        assert scene.waited, "a timeout of 5 ms did not run while poll was called again and again"
        return scene.waited[0] - 0.005

    assert_prompt(lateness, LATENESS)


@rule("luahop.timer.timeout-counts-from-call")
@everywhere
def test_the_time_before_the_poll_counts(
    luahop: Luahop, clock: Clock, situation: Situation
) -> None:
    """If durations counted from the poll, the timer that was set second would be due first."""
    hop = luahop.new()
    table = TimerLog(hop, clock)

    def set_both() -> None:
        table.timeout("20 ms, set first", 20)
        clock.advance(0.04)
        table.timeout("10 ms, set 40 ms later", 10)

    luahop_in(situation, hop, set_both)
    poll_until(hop, "both timeouts run", lambda: len(table.ran) == 2)
    table.assert_in_order()


@rule("luahop.timer.timeout-counts-from-call")
def test_the_time_between_two_polls_counts(luahop: Luahop, clock: Clock) -> None:
    """The first timer is known to the loop from an earlier poll, which did not serve it."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    table.timeout("of 1 ms", 1)
    table.timeout("40 ms, set first", 40)
    poll_until(hop, "the nearer timeout runs", lambda: table.ran)
    clock.advance(0.03)
    table.timeout("30 ms, set 30 ms later", 30)
    poll_until(hop, "all timeouts run", lambda: len(table.ran) == 3)
    table.assert_in_order()


@rule("luahop.timer.timeout-counts-from-call")
def test_an_overdue_timeout_runs_without_another_wait(
    luahop: Luahop, clock: Clock, stopwatch: Stopwatch
) -> None:
    """The timer that bounds the wait is set when the other one is overdue already."""

    def lateness() -> float:
        hop = luahop.new()
        ran: list[float] = []
        hop.set_timeout({"ms": 60}, lambda: ran.append(stopwatch.elapsed()))
        clock.advance(0.07)
        stopwatch.restart()
        poll_until(hop, "the overdue timeout runs", lambda: ran)
        return ran[0]

    assert_prompt(lateness, LATENESS)
