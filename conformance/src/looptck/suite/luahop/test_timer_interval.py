"""LuaHop, timer: when an interval ticks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sized
from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.stopwatch import Stopwatch, assert_prompt

LATENESS = 0.050


@rule("luahop.timer.interval-repeat")
@everywhere
@pytest.mark.parametrize("period, ticks", [(3, 15), (15, 5)])
def test_an_interval_ticks_over_and_over(
    luahop: Luahop, clock: Clock, situation: Situation, period: int, ticks: int
) -> None:
    """A guard ends the polling if a tick is missing. No tick may come early."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    luahop_in(situation, hop, lambda: table.interval("interval", period))
    for number in range(5, ticks + 1, 5):  # each part has a guard of its own: ticks may be late
        poll_until(hop, f"tick {number} of the interval", partial(_longer, table.ran, number - 1))
    table.assert_none_early()


@rule("luahop.timer.interval-repeat")
def test_intervals_go_on_beside_each_other_and_beside_timeouts(
    luahop: Luahop, clock: Clock
) -> None:
    """Timeouts are set, cleared and run all the while, some of them by a tick."""
    hop = luahop.new()
    table = TimerLog(hop, clock)

    def tick() -> None:
        hop.set_timeout({"ms": 2}, _nobody)
        luahop.clear_timer(hop.set_timeout({"ms": 1}, _nobody))

    table.interval("fast", 4, tick)
    table.interval("twin", 4)
    table.interval("slow", 11)
    names = ("fast", "twin", "slow")
    poll_until(
        hop,
        "each of three intervals ticks 4 times",
        lambda: all(len(table.times(name)) >= 4 for name in names),
    )
    table.assert_none_early()


@rule("luahop.timer.interval-repeat")
def test_an_interval_goes_on_after_a_pause_without_polls(luahop: Luahop, clock: Clock) -> None:
    """The test pauses twice, once before the first tick; after each pause two more ticks are
    due."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    table.interval("interval", 5)
    clock.advance(0.012)
    poll_until(hop, "three ticks after a stall", lambda: len(table.ran) >= 3)
    clock.advance(0.012)
    poll_until(hop, "three more after another", lambda: len(table.ran) >= 6)


@rule("luahop.timer.interval-repeat")
@pytest.mark.parametrize("busy", [0, 0.010], ids=["ticks take no time", "ticks take 10 ms"])
def test_the_next_tick_comes_within_one_period_of_the_last(
    luahop: Luahop, clock: Clock, busy: float
) -> None:
    """The test measures from the end of the callback: a loop may count from there, from the last
    tick or on a grid. A machine that stands still spoils one gap of an attempt, and not in every
    attempt."""
    period = 0.080

    def lateness() -> float:
        hop = luahop.new()
        stopwatch = Stopwatch(clock)
        gaps: list[float] = []

        def tick() -> None:
            gaps.append(stopwatch.elapsed())
            clock.advance(busy)
            stopwatch.restart()

        hop.set_interval({"ms": round(period * 1000)}, tick)
        poll_until(hop, "four ticks of 80 ms", lambda: len(gaps) >= 4, within=1000)
        return max(gaps) - period

    assert_prompt(lateness, LATENESS)


@rule("luahop.timer.interval-first")
@everywhere
def test_the_first_tick_comes_after_one_period(
    luahop: Luahop, clock: Clock, situation: Situation
) -> None:
    """One timeout is due before the first tick and one after it. All three are set within a
    moment, the nearest first, so that no slow machine can change their order."""
    hop = luahop.new()
    table = TimerLog(hop, clock)

    def set_all() -> None:
        table.timeout("timeout of 15 ms", 15)
        table.interval("interval of 30 ms", 30)
        table.timeout("timeout of 45 ms", 45)

    luahop_in(situation, hop, set_all)
    poll_until(hop, "the later timeout runs", lambda: "timeout of 45 ms" in table.ran)
    up_to_the_later = table.ran[: table.ran.index("timeout of 45 ms") + 1]
    assert up_to_the_later == ["timeout of 15 ms", "interval of 30 ms", "timeout of 45 ms"], (
        f"the calls noted were {up_to_the_later}, not the timeout of 15 ms, the interval and the "
        "timeout of 45 ms"
    )


def _ticks_that_take_time(table: TimerLog, clock: Clock) -> None:
    table.interval("interval", 50, lambda: clock.advance(0.020))


def _ticks_that_are_held_up(table: TimerLog, clock: Clock) -> None:
    """A timeout runs 40 ms after each tick and takes 30 ms, so the next tick is 20 ms late."""
    numbers = itertools.count(1)

    def tick() -> None:
        table.timeout(f"stall {next(numbers)}", 40, lambda: clock.advance(0.030))

    table.interval("interval", 50, tick)


@rule("luahop.timer.interval-no-drift")
@pytest.mark.parametrize(
    "scene",
    [_ticks_that_take_time, _ticks_that_are_held_up],
    ids=lambda scene: scene.__name__.strip("_"),
)
def test_the_drift_of_delayed_ticks_is_recorded(
    luahop: Luahop,
    clock: Clock,
    observe: Observation,
    scene: Callable[[TimerLog, Clock], None],
) -> None:
    """The delays of five ticks, added up, would be more than any tick may be late. The best of a
    few attempts counts, since a busy machine adds delays of its own."""

    def lateness() -> float:
        hop = luahop.new()
        table = TimerLog(hop, clock)
        scene(table, clock)
        poll_until(
            hop, "five ticks of 50 ms", lambda: len(table.times("interval")) >= 5, within=1000
        )
        return table.times("interval")[4] - 0.250

    keeps = any(lateness() <= LATENESS for _ in range(4))
    told = "the ticks keep to whole periods" if keeps else "the delays add up"
    observe(told, of=scene.__name__.strip("_").replace("_", " "))


# Who keeps the loop busy while ticks are missed.
_STALLS = ["the caller", "another callback", "the interval itself"]
stalls = pytest.mark.parametrize("stall", _STALLS)


@rule("luahop.timer.interval-missed")
@stalls
def test_missed_ticks_are_not_replayed(luahop: Luahop, clock: Clock, stall: str) -> None:
    """Ten ticks are missed.  The marker is due after all of them, so whatever is replayed
    comes before it; on a slow machine one more tick may fall due before it too."""
    hop = luahop.new()
    stalled: list[bool] = []
    marked: list[bool] = []
    replayed: list[bool] = []

    def keep_busy() -> None:
        stalled.append(True)
        clock.advance(0.105)
        replayed.clear()
        hop.set_timeout({"ms": 1}, lambda: marked.append(True))

    def tick() -> None:
        if stall == "the interval itself" and not stalled:
            keep_busy()
        else:
            replayed.append(True)

    hop.set_interval({"ms": 10}, tick)
    if stall == "another callback":
        hop.set_timeout({"ms": 5}, keep_busy)
    elif stall == "the caller":
        keep_busy()
    poll_until(hop, "a timer that was set after the stall runs", lambda: marked)
    assert len(replayed) <= 3, (
        f"after 10 missed ticks {len(replayed)} were replayed at once; at most one is expected"
    )
    before = len(replayed)
    poll_until(hop, "the interval ticks on after a stall", partial(_longer, replayed, before))


def _longer(ran: Sized, than: int) -> bool:
    return len(ran) > than


def _nobody() -> None:
    """A callback that no test waits for."""
