"""Checks of timers: when they run, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest

from ..clocks import Clock
from ..testing.channels import Channels, End, drain
from ..testing.situations import Situation, everywhere
from ..testing.stopwatch import COARSE, Stopwatch, assert_not_early, assert_prompt
from .needs import spares
from .timer_log import TimerLog, act_in
from .verbs import Timing

# How late a timer may be, in seconds, where a rule says so.
LATENESS = 0.050


@spares("set_interval")
@everywhere
def test_no_timer_is_called_early(
    loop: Timing, channels: Channels, clock: Clock, situation: Situation
) -> None:
    """Timers of every kind are set over a while, so that rounding shows in some of them.

    A descriptor, nearer timers, an interval and a cleared timer end waits before they are due.
    """
    near, far = channels.pair()
    log = TimerLog(loop, clock)

    def set_all() -> None:
        loop.watch(near.fileno(), "r", loop.calls("reader", partial(drain, near)))
        clock.advance(0.02)  # a loop that counts from the begin of the turn takes it for waiting
        ticking = [log.interval(0.005, name="interval")] if loop.intervals else []
        cleared = log.timer(0.008)
        for number, kind in enumerate(itertools.islice(itertools.cycle(loop.timers), 24)):
            clock.advance(0.0004)
            with suppress(Exception):  # a loop need not take fractions
                log.timer(0.001 * (2 + number + (0, 0.4, 0.9)[number % 3]), kind=kind)
        log.timer(0.004, lambda: far.send(b"x"))
        log.timer(0.040, lambda: log.clear(*ticking))
        log.clear(cleared)

    act_in(loop, situation, set_all)
    loop.run("the last timer runs", lambda: "interval" not in log.live and log.ran and log.done)
    log.assert_none_early(slack=0)


@pytest.mark.parametrize("milliseconds", [1, 2, 5, 8, 1.9, 2.5, 4.9, 10.9])
def test_a_timer_alone_is_not_early(loop: Timing, clock: Clock, milliseconds: float) -> None:
    """Nothing else can wake the loop; part of the length has passed when it begins to wait."""
    for kind, pause in itertools.product(loop.timers, (0.0, 0.0002, 0.0011, 0.0027)):
        log = TimerLog(loop.another(), clock)
        try:
            log.timer(milliseconds / 1000, kind=kind)
        except Exception:
            assert milliseconds % 1, f"a duration of {milliseconds} ms was refused"
            return  # a loop need not take fractions
        clock.advance(min(pause, milliseconds / 2000))
        log.run()
        log.assert_none_early(slack=0)


@pytest.mark.parametrize("opened_by", ["a timer", "a descriptor"])
def test_time_before_a_timer_was_set_does_not_count(
    loop: Timing, channels: Channels, clock: Clock, opened_by: str
) -> None:
    """Both the wait before the callback and the callback take time: a time from before is old."""
    near, far = channels.pair()
    log = TimerLog(loop, clock)

    def set_all() -> None:
        drain(near)
        clock.advance(0.015)
        for kind in loop.timers:
            log.timer(0.011, kind=kind)
            clock.advance(0.003)

    if opened_by == "a timer":
        loop.set_timer(0.01, set_all)
    else:
        loop.watch(near.fileno(), "r", loop.calls("reader", set_all))
        far.send(b"x")
    loop.run("all timers run", lambda: log.live and log.done)
    log.assert_none_early(slack=0)


def test_timers_are_as_long_as_they_are_said_to_be(loop: Timing, clock: Clock) -> None:
    """All wait side by side; what is below half of it, or above it by a unit, is no rounding."""
    lengths = (0.001, 0.01, 0.03, 0.05, 0.123, 0.25)

    def lateness() -> float:
        log = TimerLog(loop.another(), clock)
        for seconds, kind in itertools.product(lengths, loop.timers):
            log.timer(seconds, kind=kind)
        log.run(within=1)
        for each in log.live.values():
            assert_not_early(each.ran[0] - each.set_after, each.seconds - 0.01, slack=COARSE)
            assert_not_early(each.ran[0] - each.set_after, each.seconds / 2, slack=COARSE)
        return log.lateness()

    assert_prompt(lateness, LATENESS)


def _alone(log: TimerLog) -> None:
    log.timer(0.005, name="judged")


def _before_a_farther_one(log: TimerLog) -> None:
    _alone(log)
    log.timer(0.4)


def _after_a_farther_one(log: TimerLog) -> None:
    log.timer(0.4)
    _alone(log)


def _after_a_nearer_one_was_cleared(log: TimerLog) -> None:
    cleared = log.timer(0.002)
    _alone(log)
    log.timer(0.4)
    log.clear(cleared)


def _beside_a_slow_interval(log: TimerLog) -> None:
    if log.has_intervals:
        log.interval(0.4)
    _alone(log)


def _set_in_a_callback(log: TimerLog) -> None:
    log.timer(0.4)
    log.timer(0.010, lambda: _alone(log))


_SCENES = [
    _alone,
    _before_a_farther_one,
    _after_a_farther_one,
    _after_a_nearer_one_was_cleared,
    _beside_a_slow_interval,
    _set_in_a_callback,
]


@spares("set_interval")
@pytest.mark.parametrize("scene", _SCENES, ids=lambda scene: scene.__name__.strip("_"))
@pytest.mark.parametrize("silent", [False, True], ids=["timers only", "a silent descriptor"])
def test_a_waiting_loop_wakes_for_its_nearest_timer(
    loop: Timing,
    channels: Channels,
    clock: Clock,
    scene: Callable[[TimerLog], None],
    silent: bool,
) -> None:
    """A farther timer ends the wait of a loop that does not look for the nearest one.

    The nearest is so near that a loop which ticks by itself is late by nearly a whole tick.
    """

    def lateness() -> float:
        made: Timing = loop.another()
        log = TimerLog(made, clock)
        if silent:
            made.watch(channels.pair()[0].fileno(), "r", made.calls("reader"))
        scene(log)
        made.run("a timer of 5 ms runs", lambda: "judged" in log.ran, within=1)
        judged = log.live["judged"]
        return judged.ran[0] - judged.set_after - judged.seconds

    assert_prompt(lateness, LATENESS)


# With these a heap in which what fills a gap moves away from the root, and never towards it,
# hides a timer under one that is due later: three of 600 orders do.
_HIDING = (29, 83, 106)


@pytest.mark.parametrize("seed", _HIDING)
def test_clearing_some_makes_no_other_late(loop: Timing, clock: Clock, seed: int) -> None:
    """Three of nine timers, 60 ms apart, are cleared."""

    def lateness() -> float:
        dice = Random(seed)
        lengths = [60 * number for number in range(1, 10)]
        dice.shuffle(lengths)
        log = TimerLog(loop.another(), clock)
        names = {length: log.timer(length / 1000) for length in lengths}
        log.clear(*[names[length] for length in dice.sample(lengths[1:], 3)])
        log.run(within=2)
        return log.lateness()

    assert_prompt(lateness, LATENESS)


@everywhere
def test_time_before_the_loop_counts(loop: Timing, clock: Clock, situation: Situation) -> None:
    """If lengths counted from the wait, each timer that was set second would be due first."""
    log = TimerLog(loop, clock)

    def set_all() -> None:
        for kind in loop.timers:
            log.timer(0.05, kind=kind)
        clock.advance(0.04)
        log.timer(0.03)

    act_in(loop, situation, set_all)
    loop.run("all timers run", lambda: log.live and log.done)
    log.assert_in_order()


def test_an_overdue_timer_runs_without_another_wait(loop: Timing, clock: Clock) -> None:
    """Nothing else can end the wait: a length that begins anew makes the timer late."""
    for kind in loop.timers:

        def lateness(kind: str = kind) -> float:
            log = TimerLog(loop.another(), clock)
            log.timer(0.06, kind=kind)
            clock.advance(0.07)
            since = Stopwatch(clock)
            log.run(within=None)  # a guard would be a second timer
            return since.elapsed()

        assert_prompt(lateness, LATENESS)


spaced_or_overdue = pytest.mark.parametrize("overdue", [False, True], ids=["spaced", "overdue"])


@spaced_or_overdue
@pytest.mark.parametrize("order", list(itertools.permutations((12, 24, 36))), ids=str)
def test_timers_run_in_the_order_of_their_deadlines(
    loop: Timing, clock: Clock, order: tuple[int, ...], overdue: bool
) -> None:
    """The log notes the clock at each call, so a pause of the machine changes no expectation."""
    for offset in range(len(loop.timers)):
        log = TimerLog(loop.another(), clock)
        for at, milliseconds in enumerate(order):
            kind = loop.timers[(at * (offset + 1) + offset) % len(loop.timers)]
            log.timer(milliseconds / 1000, kind=kind)
        if overdue:
            clock.advance(0.04)
        log.run()
        log.assert_in_order()


def test_a_timer_set_later_for_an_earlier_time_comes_first(loop: Timing, clock: Clock) -> None:
    """A slow callback makes all timers late, the old ones and those that it sets."""
    log = TimerLog(loop, clock)

    def slow() -> None:
        log.timer(0.030)
        log.timer(0.002)
        clock.advance(0.06)

    log.timer(0.002, slow)
    log.timer(0.020)
    log.run()
    log.assert_in_order()


@everywhere
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_a_timer_runs_once(loop: Timing, clock: Clock, situation: Situation, late: bool) -> None:
    """The loop runs for ten more lengths: a timer that is armed again would run twice.

    One that is late by several lengths runs once, too.
    """
    log = TimerLog(loop, clock)

    def set_all() -> None:
        for kind in loop.timers:
            log.timer(0.004, kind=kind)
        clock.advance(0.015 if late else 0)
        log.timer(0.04)

    act_in(loop, situation, set_all)
    loop.run("a timer of 40 ms runs", lambda: log.live and log.done)
    log.assert_each_ran_once()


def test_a_loop_runs_no_timer_of_another(loop: Timing, clock: Clock) -> None:
    """Both have a timer that is overdue when the first loop waits for a later one of its own."""
    log, other = TimerLog(loop, clock), TimerLog(loop.another(), clock)
    for each in (other, log):
        each.timer(0.002)
        each.timer(0.020)
    clock.advance(0.005)
    log.run()
    assert not other.ran, f"a loop ran {other.ran[0]}, which was set in another loop"
    other.run()


@spares("set_interval")
@pytest.mark.parametrize("outer", ["a timer", "an interval", "a descriptor"])
def test_a_timer_that_is_overdue_when_its_setter_ends_runs_next(
    loop: Timing, channels: Channels, clock: Clock, outer: str
) -> None:
    """A later timer would run first if the new one had to wait for something else."""
    if outer == "an interval" and not loop.intervals:
        return
    for kind in loop.timers:
        made: Timing = loop.another()
        log = TimerLog(made, clock)
        near, far = channels.pair()
        far.send(b"x")
        set_both = partial(_set_overdue_and_later, log, clock, kind, near)
        if outer == "a descriptor":
            made.watch(near.fileno(), "r", made.calls("reader", set_both))
        else:
            (made.set_timer if outer == "a timer" else made.set_interval)(0.002, set_both)
        made.run("a timer that a callback set runs", partial(len, log.ran))
        assert log.ran == ["inner"], f"the timer that was overdue had to wait: {log.ran}"


def _set_overdue_and_later(log: TimerLog, clock: Clock, kind: str, end: End) -> None:
    drain(end)
    if not log.live:
        log.timer(0.001, kind=kind, name="inner")
        clock.advance(0.005)
        log.timer(0.1, name="later")
