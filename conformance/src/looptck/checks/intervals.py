"""Checks of intervals: when they tick, and what becomes of missed ticks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from ..clocks import Clock
from ..testing.situations import Situation, everywhere
from ..testing.stopwatch import COARSE, Stopwatch, assert_prompt
from .timer_log import TimerLog, act_in
from .verbs import Timing

LATENESS = 0.050


@everywhere
@pytest.mark.parametrize("period, ticks", [(0.003, 15), (0.011, 6)])
def test_an_interval_ticks_over_and_over(
    loop: Timing, clock: Clock, situation: Situation, period: float, ticks: int
) -> None:
    """Intervals of every kind tick side by side, and a call that takes time spoils none."""
    log = TimerLog(loop, clock)

    def set_all() -> None:
        for kind in loop.intervals:
            log.interval(period, kind=kind)
        log.interval(period, lambda: clock.advance(0.001))

    act_in(loop, situation, set_all)
    loop.run(
        f"each interval ticks {ticks} times",
        lambda: log.live and all(len(each.ran) >= ticks for each in log.live.values()),
        within=1,
    )
    log.assert_none_early()


def test_no_tick_is_early(loop: Timing, clock: Clock) -> None:
    """The log counts from the setting, since a loop may keep to a grid after a late tick.

    One tick of each takes a part of the period.
    """
    for kind in loop.intervals:
        log = TimerLog(made := loop.another(), clock)
        tick = partial(_take_time_once, log, clock)
        name = log.interval(0.0105, tick, kind=kind)
        made.run("four ticks of an interval", lambda log=log, name=name: log.count(name) >= 4)
        log.assert_none_early(slack=0)


def _take_time_once(log: TimerLog, clock: Clock) -> None:
    if len(log.ran) == 2:
        clock.advance(0.004)


def test_intervals_go_on_while_timers_come_and_go(loop: Timing, clock: Clock) -> None:
    """Timers are set, cleared and run all the while, by the ticks of an interval."""
    log = TimerLog(loop, clock)

    def tick() -> None:
        loop.set_timer(0.002, lambda: None)
        loop.clear(loop.set_timer(0.001, lambda: None))

    names = [log.interval(0.004, tick), log.interval(0.004), log.interval(0.011)]
    loop.run(
        "each of three intervals ticks 4 times",
        lambda: all(log.count(name) >= 4 for name in names),
    )
    log.assert_none_early(slack=2 * COARSE)


def test_an_interval_goes_on_after_a_stall(loop: Timing, clock: Clock) -> None:
    """The loop is kept busy twice, once before the first tick; each time several are missed."""
    log = TimerLog(loop, clock)
    names = [log.interval(0.005, kind=kind) for kind in loop.intervals]
    clock.advance(0.017)
    stalled: list[bool] = []

    def stall() -> None:
        if not stalled:
            clock.advance(0.017)
            log.ran.clear()
            stalled.append(True)

    log.timer(0.02, stall)
    loop.run(
        "after a stall each interval ticks three times",
        lambda: stalled and all(log.count(name) >= 3 for name in names),
    )


@pytest.mark.parametrize("busy", [0, 0.010], ids=["ticks take no time", "ticks take 10 ms"])
def test_the_next_tick_comes_within_one_period_of_the_last(
    loop: Timing, clock: Clock, busy: float
) -> None:
    """A loop may count from the end of the callback, from the last tick or on a grid."""
    period = 0.080

    def lateness(kind: str) -> float:
        made: Timing = loop.another()
        since = Stopwatch(clock)
        gaps: list[float] = []

        def tick() -> None:
            gaps.append(since.elapsed())
            clock.advance(busy)
            since.restart()

        made.set_interval(period, tick, kind)
        made.run("four ticks of 80 ms", lambda: len(gaps) >= 4, within=1)
        return max(gaps) - period

    for kind in loop.intervals:
        assert_prompt(partial(lateness, kind), LATENESS)


@everywhere
def test_the_first_tick_comes_after_one_period(
    loop: Timing, clock: Clock, situation: Situation
) -> None:
    """One timer is due before the first tick and one after it; the nearest is set first."""
    log = TimerLog(loop, clock)

    def set_all() -> None:
        log.timer(0.015, name="before")
        for kind in loop.intervals:
            log.interval(0.030, kind=kind)
        log.timer(0.045, name="after")

    act_in(loop, situation, set_all)
    loop.run("the last timer runs", lambda: "after" in log.ran)
    # a slow machine may set the last timer so late that others tick twice before it
    order = list(dict.fromkeys(log.ran))
    ticks = set(log.live) - {"before", "after"}
    assert order[0] == "before", f"an interval of 30 ms ran before a timer of 15 ms: {order}"
    assert set(order[1 : order.index("after")]) == ticks, (
        f"between timers of 15 and 45 ms each interval of 30 ms ticks; there ran {order}"
    )


@pytest.mark.parametrize("stall", ["the caller", "another callback", "an interval itself"])
def test_missed_ticks_are_not_replayed(loop: Timing, clock: Clock, stall: str) -> None:
    """Two intervals miss ten ticks.  The marker is due after all of them.

    So whatever is replayed comes before the marker; on a slow machine one more tick may fall due
    before it too.
    """
    log = TimerLog(loop, clock)
    stalled: list[bool] = []

    def keep_busy() -> None:
        if not stalled:
            stalled.append(True)
            clock.advance(0.105)
            log.ran.clear()
            log.timer(0.001, name="marker")

    names = [log.interval(0.010), log.interval(0.010)]
    if stall == "an interval itself":
        names.append(log.interval(0.010, keep_busy))
    elif stall == "another callback":
        loop.set_timer(0.005, keep_busy)
    else:
        keep_busy()
    ticks: list[int] = []

    def replayed() -> bool:
        if not ticks and "marker" in log.ran:
            ticks.extend(log.ran[: log.ran.index("marker")].count(name) for name in names)
        return bool(ticks) and all(log.count(name) > ticks[0] + 1 for name in names)

    loop.run("each interval ticks on after a stall", replayed)
    assert max(ticks) <= 3, (
        f"after 10 missed ticks {max(ticks)} were replayed at once; at most one is expected"
    )


def test_a_slow_interval_does_not_starve_another(loop: Timing, clock: Clock) -> None:
    """The callback of one takes three of its periods: it is overdue whenever it ends."""
    log = TimerLog(loop, clock)
    slow = log.interval(0.002, lambda: clock.advance(0.006))
    other = log.interval(0.005)
    timer = log.timer(0.02)
    loop.run(
        "an interval and a timer run beside an interval that is always overdue",
        lambda: log.count(slow) >= 60 or (log.count(other) >= 3 and log.count(timer)),
        within=2,
    )
    assert min(log.count(other) // 3, log.count(timer)), (
        f"while an interval that is always overdue ticked {log.count(slow)} times, another one "
        f"ticked {log.count(other)} times, and a timer ran {log.count(timer)} times"
    )


def _at_once(_clock: Clock) -> None:
    """Take no time."""


def _after_several_periods(clock: Clock) -> None:
    clock.advance(0.010)


@pytest.mark.parametrize("last", [1, 5])
@pytest.mark.parametrize(
    "pause", [_at_once, _after_several_periods], ids=lambda pause: pause.__name__.strip("_")
)
def test_an_interval_that_clears_itself_ticks_no_more(
    loop: Timing, clock: Clock, last: int, pause: Callable[[Clock], None]
) -> None:
    """Another interval with the same period goes on and shows that time has passed."""
    log = TimerLog(loop, clock)
    ticks: list[str] = []

    def tick(name: str) -> None:
        ticks.append(name)
        if ticks.count(name) == last:
            pause(clock)
            log.clear(name)

    names = [f"{kind} that ends" for kind in loop.intervals]
    for name, kind in zip(names, loop.intervals, strict=True):
        log.interval(0.003, partial(tick, name), kind=kind, name=name)
    other = log.interval(0.003)
    seen: list[int] = []

    def went_on() -> bool:
        if not seen and all(ticks.count(name) >= last for name in names):
            seen.append(log.count(other))
        return bool(seen) and log.count(other) >= seen[0] + 3

    loop.run("another interval goes on", went_on)
    for name in names:
        assert ticks.count(name) == last, (
            f"an interval that cleared itself on call {last} was called {ticks.count(name)} times"
        )


@pytest.mark.parametrize("successor", ["a timer", "an interval"])
@pytest.mark.parametrize("order", ["clear, then set", "set, then clear"])
def test_an_interval_may_be_followed_by_its_successor(
    loop: Timing, clock: Clock, order: str, successor: str
) -> None:
    """The callback clears its interval and sets another timer, beside one that was there."""
    log = TimerLog(loop, clock)

    def tick(number: int) -> None:
        if order == "clear, then set":
            log.clear(f"interval {number}")
        if number < 3:
            log.interval(0.003, partial(tick, number + 1), name=f"interval {number + 1}")
        elif successor == "a timer":
            log.timer(0.003, end, name="last")
        else:
            log.interval(0.003, end, name="last")
        if order == "set, then clear":
            log.clear(f"interval {number}")

    def end() -> None:
        if successor == "an interval":
            log.clear("last")
        loop.set_timer(0.01, lambda: log.ran.append("end"))

    log.interval(0.003, partial(tick, 1), name="interval 1")
    log.timer(0.005, name="neighbour")
    loop.run("the last of four timers runs, each set by the one before", lambda: "end" in log.ran)
    ran = [name for name in log.ran if name not in ("neighbour", "end")]
    expected = ["interval 1", "interval 2", "interval 3", "last"]
    assert ran == expected, f"each of three intervals set its successor; there ran {ran}"
    assert log.count("neighbour") == 1, "a timer beside them did not run, or twice"
