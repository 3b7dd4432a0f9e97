"""LuaHop, timer: hundreds of timers, most of them cleared from the middle."""

from __future__ import annotations

from random import Random

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.stopwatch import assert_prompt


@rule("luahop.timer.clear-timeout")
@pytest.mark.parametrize("seed", range(12))
def test_clearing_many_leaves_the_rest_in_order(luahop: Luahop, clock: Clock, seed: int) -> None:
    """Of two hundred timers two in three are cleared, before the first poll and inside a
    callback: whatever holds them loses most of its middle. Each seed gives another order."""
    dice = Random(seed)
    hop = luahop.new()
    table = TimerLog(hop, clock)
    alive: dict[str, object] = {}

    def set_one(number: int) -> None:
        length = dice.randint(20, 120)
        name = f"{number} of {length} ms"
        alive[name] = table.timeout(name, length)

    def clear_some(count: int) -> None:
        waiting = sorted(alive.keys() - set(table.ran))  # on a slow machine some have run by now
        for name in dice.sample(waiting, min(count, len(waiting))):
            luahop.clear_timer(alive.pop(name))

    def inside() -> None:
        clear_some(60)
        for number in range(200, 220):
            set_one(number)

    for number in range(200):
        set_one(number)
        if number % 3 == 2:
            clear_some(1)
    hop.set_timeout({"ms": 5}, inside)
    poll_until(hop, "every timer runs that was not cleared", lambda: set(alive) <= set(table.ran))
    wrong = sorted(set(table.ran) - set(alive))
    assert not wrong, f"timers ran although they had been cleared: {', '.join(wrong[:5])}"
    table.entries[:] = [entry for entry in table.entries if entry.name in alive]
    table.assert_none_early()
    table.assert_in_order()


# With these a heap in which what fills a gap moves away from the root, and never towards it,
# hides a timer under one that is due later: three of 600 orders do.
_HIDING = (29, 83, 106)

# How late a timer may be, in seconds: less than the distance of two.
_LATENESS = 0.050


@rule("luahop.timer.timeout-latency")
@pytest.mark.parametrize("seed", _HIDING)
def test_clearing_some_makes_no_other_late(luahop: Luahop, clock: Clock, seed: int) -> None:
    """Three of nine timers, 60 ms apart, are cleared."""

    def lateness() -> float:
        dice = Random(seed)
        lengths = [60 * number for number in range(1, 10)]
        dice.shuffle(lengths)
        hop = luahop.new()
        table = TimerLog(hop, clock)
        alive = {length: table.timeout(f"of {length} ms", length) for length in lengths}
        for length in dice.sample(lengths[1:], 3):
            luahop.clear_timer(alive.pop(length))
        poll_until(
            hop, "six timers of nine run", lambda: len(table.ran) >= len(alive), within=2_000
        )
        return max(table.times(f"of {length} ms")[0] - length / 1000 for length in alive)

    assert_prompt(lateness, _LATENESS)
