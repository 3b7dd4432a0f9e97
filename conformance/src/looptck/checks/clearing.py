"""Checks of timers that are cleared: before, in the turn in which they are due, and twice."""

from __future__ import annotations

import itertools
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels, drain
from ..testing.situations import Situation, everywhere
from .needs import spares
from .timer_log import TimerLog, act_in
from .verbs import Timing


@spares("set_interval")
@everywhere
@pytest.mark.parametrize("when", ["at once", "before it is due", "overdue"])
def test_a_cleared_timer_never_runs(
    loop: Timing, clock: Clock, situation: Situation, when: str
) -> None:
    """A later timer runs when the deadline has passed."""
    log = TimerLog(loop, clock)
    kinds = [(log.timer, kind) for kind in loop.timers]
    kinds += [(log.interval, kind) for kind in loop.intervals]

    def set_all() -> None:
        names: list[str] = []
        if when == "before it is due":
            loop.set_timer(0.003, lambda: log.clear(*names))
        names += [set_it(0.020, kind=kind) for set_it, kind in kinds]
        if when != "before it is due":
            clock.advance(0.022 if when == "overdue" else 0)
            log.clear(*names)
        log.timer(0.040)

    act_in(loop, situation, set_all)
    loop.run("a later timer runs", lambda: log.live and log.done)
    log.assert_each_ran_once()


def test_a_callback_may_be_set_again_after_it_was_cleared(loop: Timing, clock: Clock) -> None:
    """Clearing ends a timer and must not ban its callback, or end others that share it."""
    ran: list[bool] = []

    def callback(*_: object) -> None:
        ran.append(True)

    first = loop.set_timer(0.002, callback)
    loop.set_timer(0.003, callback)
    loop.clear(first)
    loop.set_timer(0.002, callback)
    log = TimerLog(loop, clock)
    log.timer(0.02)
    log.run()
    assert len(ran) == 2, f"of three timers with one callback one was cleared; {len(ran)} ran"


@pytest.mark.parametrize("ticks", [0, 1, 4])
def test_a_cleared_interval_does_not_tick_again(loop: Timing, clock: Clock, ticks: int) -> None:
    """Another interval, which is not cleared, goes on meanwhile."""
    log = TimerLog(loop, clock)
    names = [log.interval(0.004, kind=kind) for kind in loop.intervals]
    other = log.interval(0.004)
    seen: list[int] = []

    def went_on() -> bool:
        return bool(seen) and log.count(other) >= seen[0] + 3

    def clear_when_ticked() -> None:
        if all(log.count(name) >= ticks for name in names):
            log.clear(*names)
            seen.append(log.count(other))
            log.ran[:] = [other] * seen[0]
        else:
            loop.set_timer(0.001, clear_when_ticked)

    if ticks:
        loop.set_timer(0.001, clear_when_ticked)
    else:
        clear_when_ticked()
    loop.run("the other interval goes on", went_on)
    after = [name for name in log.ran if name in names]
    assert not after, f"an interval ticked {len(after)} times after it had been cleared"


@pytest.mark.parametrize("times", [1, 2])
def test_a_timer_may_clear_itself_while_it_runs(loop: Timing, clock: Clock, times: int) -> None:
    """Neighbours with the same length, before and after, are overdue in the same turn."""
    log = TimerLog(loop, clock)
    refused: list[str] = []
    handles: dict[str, Any] = {}

    def clear_self(kind: str) -> None:
        for again in range(times):
            try:
                loop.clear(handles[kind])
            except Exception as error:
                if not again:  # whether it may be cleared again is open
                    refused.append(repr(error))

    for kind in loop.timers:
        log.timer(0.004)
        log.timer(0.004, partial(clear_self, kind), kind=kind, name=kind)
        handles[kind] = log.live[kind].handle
    log.timer(0.004)
    log.timer(0.008)
    clock.advance(0.005)
    log.run()
    assert not refused, f"a timer that cleared itself while it ran was refused: {refused[0]}"
    log.assert_each_ran_once()


_ORDERS = ["clear, then set", "set, then clear", "set only", "clear, then set and clear again"]


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("successor", ["a timer", "an interval"])
def test_the_successor_of_a_timer_that_cleared_itself_runs(
    loop: Timing, clock: Clock, order: str, successor: str
) -> None:
    """Three generations of timers set one another, beside a timer that was there first."""
    log = TimerLog(loop, clock)

    def generation(number: int) -> None:
        handle = log.live[f"generation {number}"].handle
        if number == 3:
            return
        if order.startswith("clear"):
            loop.clear(handle)
        set_it = log.timer if successor == "a timer" or number == 1 else log.interval
        set_it(0.003, partial(generation, number + 1), name=f"generation {number + 1}")
        if order.endswith(("then clear", "clear again")):
            with suppress(Exception):  # the second time it may raise
                loop.clear(handle)

    log.timer(0.003, partial(generation, 1), name="generation 1")
    log.timer(0.005)
    loop.run(
        "three timers, each set by the one before, and one beside them run",
        lambda: log.done and "generation 3" in log.ran,
    )


@pytest.mark.parametrize("lengths", [(0.004, 0.004), (0.004, 0.006), (0.006, 0.004)], ids=str)
def test_one_of_two_due_timers_clearing_each_other_runs(
    loop: Timing, clock: Clock, lengths: tuple[float, float]
) -> None:
    """Both are overdue at once.  Whichever runs first clears the other."""
    setters = [("timer", kind) for kind in loop.timers]
    setters += [("interval", kind) for kind in loop.intervals]
    for pair in itertools.product(setters, repeat=2):
        log = TimerLog(made := loop.another(), clock)

        def run(name: str, log: TimerLog = log, made: Timing = made) -> None:
            for each in [each for each in log.live.values() if each.name in ("one", "other")]:
                if each.name != name:
                    with suppress(Exception):  # an interval clears it again
                        made.clear(each.handle)

        for name, seconds, (setter, kind) in zip(("one", "other"), lengths, pair, strict=True):
            getattr(log, setter)(seconds, partial(run, name), kind=kind, name=name)
        log.timer(0.007, name="bystander")
        made.set_timer(0.018, partial(log.ran.append, "end"))
        clock.advance(0.010)
        made.run("a third timer runs", partial(log.ran.__contains__, "end"))
        ran = set(log.ran) - {"bystander", "end"}
        assert len(ran) == 1, (
            f"each of two due timers, {pair}, clears the other; there ran {', '.join(log.ran)}"
        )
        assert log.count("bystander") == 1, "a third timer, due and not cleared, did not run"


@pytest.mark.parametrize("survivors", [0, 1, 3])
def test_a_timer_may_clear_all_that_are_due_after_it(
    loop: Timing, clock: Clock, survivors: int
) -> None:
    """Of twelve overdue timers the first one that runs clears all others but a few."""
    log = TimerLog(loop, clock)
    first: list[str] = []

    def run(name: str) -> None:
        if not first:
            first.append(name)
            others = [other for other in log.live if other not in (name, "later")]
            log.clear(*others[survivors:])

    for number, kind in enumerate(itertools.islice(itertools.cycle(loop.timers), 12)):
        name = f"timer {number}"
        log.timer(0.002 + number % 3 / 1000, partial(run, name), kind=kind, name=name)
    clock.advance(0.010)
    log.timer(0.005, name="later")
    log.run()
    log.assert_each_ran_once()


@spares("set_interval")
@pytest.mark.parametrize("does", ["clear", "clear and set another"])
def test_a_descriptors_callback_may_clear_a_timer_that_is_due(
    loop: Timing, channels: Channels, clock: Clock, does: str
) -> None:
    """The timers are due and the descriptor ready in the same turn; the order is open."""
    near, far = channels.pair()
    log = TimerLog(loop, clock)
    names = [log.timer(0.003, kind=kind) for kind in loop.timers]
    repeated = [log.interval(0.003, kind=kind) for kind in loop.intervals]
    before: list[int] = []

    def read() -> None:
        drain(near)
        if before:
            return
        before.append(len(log.ran))
        log.clear(*(name for name in names if not log.count(name)), *repeated)
        if does == "clear and set another":
            log.timer(0.004, name="another")
        log.timer(0.020, name="later")

    loop.watch(near.fileno(), "r", loop.calls("reader", read))
    far.send(b"x")
    clock.advance(0.005)
    loop.run("a later timer runs", lambda: "later" in log.ran)
    after = log.ran[before[0] :]
    wrong = [name for name in after if name in (*names, *repeated)]
    assert not wrong, f"{wrong[0]} ran after a descriptor's callback had cleared it in its turn"
    assert after.count("another") == (does != "clear"), f"after the descriptor there ran {after}"


@spares("set_interval")
def test_clearing_a_cleared_timer_disturbs_no_other(loop: Timing, clock: Clock) -> None:
    """Others stand around it, set before, between and after the two clearings.

    Whether the second clearing raises is open: the program knows what it has cleared.
    """
    for kind in (*loop.timers, *loop.intervals):
        log = TimerLog(made := loop.another(), clock)
        log.timer(0.004)
        name = (log.interval if kind in loop.intervals else log.timer)(0.004, kind=kind)
        handle = log.live[name].handle
        if log.has_intervals:
            log.interval(0.004)
        log.clear(name)
        for _ in range(2):
            with suppress(Exception):
                made.clear(handle)
            log.timer(0.004)
        log.run()
        assert name not in log.ran, "a timer ran although it had been cleared"


@spares("set_interval")
def test_clearing_a_timer_that_has_run_does_nothing(loop: Timing, clock: Clock) -> None:
    """It is cleared, and again when another timer has run since, which may raise."""
    log = TimerLog(loop, clock)
    spent = [log.timer(0.001) for _ in range(3)]
    refused: list[str] = []

    def clear_spent(*, again: bool) -> None:
        for name in spent:
            try:
                loop.clear(log.live[name].handle)
            except Exception as error:
                if not again:
                    refused.append(repr(error))

    log.timer(0.004, partial(clear_spent, again=False))
    log.timer(0.006, partial(clear_spent, again=True))
    if log.has_intervals:
        log.interval(0.008)
    log.timer(0.008)
    log.run()
    log.assert_each_ran_once()
    assert not refused, f"a timer that has run cannot be cleared: {refused[0]}"
