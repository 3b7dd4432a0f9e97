"""Checks of the clock that timers follow: it is monotonic, and holds far deadlines."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.stopwatch import assert_prompt
from ..testing.wall_clock import stepped
from .needs import spares
from .timer_log import TimerLog
from .timers import LATENESS
from .verbs import Timing


# Far forward, for a loop would then be early at once; back by little, for a
# loop would then be late by as much.
@pytest.mark.parametrize("seconds", [3600.0, -0.25], ids=["forward", "back"])
@pytest.mark.parametrize("where", ["before the loop", "in a callback"])
def test_a_step_of_the_wall_clock_changes_nothing(
    loop: Timing, clock: Clock, seconds: float, where: str
) -> None:
    """Only the wall clock that Python code sees is stepped, not the machine's."""

    def lateness() -> float:
        made: Timing = loop.another()
        log = TimerLog(made, clock)
        with stepped() as step:
            for kind in loop.timers:
                log.timer(0.015, kind=kind)
            if where == "before the loop":
                step(seconds)
            else:
                made.set_timer(0.002, lambda: step(seconds))
            log.run()
        log.assert_none_early()
        return log.lateness()

    assert_prompt(lateness, LATENESS)


# More than 31 or 32 bits of microseconds and of milliseconds, 50 days, and 31 bits of seconds.
_FAR = [2200, 4300, 2**31 / 1000, 2**32 / 1000, 50 * 86_400.0, 1e9, 2.0**31, math.inf]


@spares("set_interval")
@pytest.mark.parametrize("where", ["before the loop", "in a callback"])
@pytest.mark.parametrize("seconds", _FAR, ids=lambda seconds: f"{seconds:g} s")
def test_a_far_timer_is_not_called_at_once(
    loop: Timing, channels: Channels, clock: Clock, seconds: float, where: str
) -> None:
    """A loop may refuse it.  A near timer and a ready descriptor are served beside it."""
    for kind in (*loop.timers, *loop.intervals):
        made: Timing = loop.another()
        log = TimerLog(made, clock)
        set_it = log.interval if kind in loop.intervals else log.timer
        set_far = partial(_set_or_be_refused, set_it, seconds, kind)
        if where == "before the loop":
            set_far()
        near, _far = channels.pair()
        on_write = partial(_set_once, log, set_far if where == "in a callback" else None)
        made.watch(near.fileno(), "w", made.calls("writer", on_write))
        try:
            made.run(
                f"a timer of 5 ms runs beside one of {seconds:g} s",
                partial(log.ran.__contains__, "near"),
                within=None,
            )
        except OverflowError:
            if seconds == math.inf:
                continue  # refused late, by the wait
            raise
        assert not log.count("far"), f"a timer of {seconds:g} s ({kind}) ran at once"


def _set_or_be_refused(set_it: Callable[..., str], seconds: float, kind: str) -> None:
    with suppress(Exception):
        set_it(seconds, kind=kind, name="far")


def _set_once(log: TimerLog, also: Callable[[], object] | None) -> None:
    if "near" not in log.live:
        log.timer(0.005, name="near")
        if also is not None:
            also()
