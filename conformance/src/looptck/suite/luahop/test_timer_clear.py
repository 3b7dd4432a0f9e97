"""LuaHop, timer: clearing."""

from __future__ import annotations

import pytest

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.trace import Trace


@rule("luahop.timer.clear-free-function")
@pytest.mark.parametrize("cleared", [0, 1], ids=["the loop made first", "the loop made last"])
def test_clear_timer_reaches_the_loop_of_its_handle(
    luahop: Luahop, trace: Trace, cleared: int
) -> None:
    """Both loops are used alike, step by step: numbers that each loop counts for itself are the
    same in both."""
    hops = (luahop.new(), luahop.new())
    timers: list[list[object]] = [[], []]
    for number in range(4):
        for which, hop in enumerate(hops):
            setter = hop.set_interval if number % 2 else hop.set_timeout
            timers[which].append(setter({"ms": 4}, calling(trace, f"{which}: {number}")))
    for timer in timers[cleared]:
        luahop.clear_timer(timer)
    poll_until(
        hops[1 - cleared],
        "4 timers run although timers of another loop were cleared",
        lambda: len(set(trace)) == 4,
    )
    trace.clear()
    poll_for(hops[cleared], 6)
    assert trace == [], f"{len(set(trace))} of 4 cleared timers ran; clear_timer missed their loop"


@rule("luahop.timer.clear-free-function")
def test_clear_timer_works_inside_the_poll_of_another_loop(luahop: Luahop, trace: Trace) -> None:
    """The loop that is running is not the one that the handle belongs to."""
    running, other = luahop.new(), luahop.new()
    timer = other.set_timeout({"ms": 2}, lambda: trace("cleared"))

    def clear() -> None:
        luahop.clear_timer(timer)
        trace("cleared it")

    running.set_timeout({"ms": 1}, clear)
    running.set_timeout({"ms": 2}, lambda: trace("neighbour"))
    poll_until(running, "both timers of the polled loop run", lambda: len(trace) >= 2)
    poll_for(other, 5)
    assert trace == ["cleared it", "neighbour"], (
        f"the calls noted were {trace}, not ['cleared it', 'neighbour']"
    )
