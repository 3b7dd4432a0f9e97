"""LuaHop, timer: when an interval ticks."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation

LATENESS = 0.050


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
