"""LuaHop, timer: the clock that timers follow, and the behaviour of their callbacks."""

from __future__ import annotations

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation
from looptck.testing.stopwatch import assert_prompt
from looptck.testing.wall_clock import stepped

LATENESS = 0.050

# Far forward, for a loop would then be early at once; back by little, for a
# loop would then be late by as much.
_STEPS = [pytest.param(3600.0, id="forward"), pytest.param(-0.25, id="back")]


@rule("luahop.timer.monotonic")
@pytest.mark.parametrize("seconds", _STEPS)
@pytest.mark.parametrize("where", ["before the first poll", "in a callback"])
@pytest.mark.parametrize("kind", ["timeout", "interval"])
def test_a_step_of_the_wall_clock_changes_nothing(
    luahop: Luahop, clock: Clock, seconds: float, where: str, kind: str
) -> None:
    """Only the wall clock that Python code sees is stepped, not the machine's."""

    def lateness() -> float:
        hop = luahop.new()
        table = TimerLog(hop, clock)
        with stepped() as step:
            (table.timeout if kind == "timeout" else table.interval)(kind, 15)
            if where == "before the first poll":
                step(seconds)
            else:
                hop.set_timeout({"ms": 2}, lambda: step(seconds))
            poll_until(hop, f"the {kind} runs", lambda: table.ran)
        table.assert_none_early()
        return table.times(kind)[0] - 0.015

    assert_prompt(lateness, LATENESS)


@rule("luahop.timer.monotonic")
def test_steps_of_the_wall_clock_bring_no_tick(luahop: Luahop, clock: Clock) -> None:
    """Each tick steps the clock on by several periods; the next may not come sooner for it."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    with stepped() as step:
        table.interval("interval", 4, lambda: step(0.020))
        poll_until(hop, "the interval ticks 5 times", lambda: len(table.ran) >= 5)
    table.assert_none_early()


@rule("luahop.timer.callback-args")
@pytest.mark.parametrize("setter", ["set_timeout", "set_interval"])
def test_the_number_of_a_timers_arguments_is_recorded(
    luahop: Luahop, observe: Observation, setter: str
) -> None:
    """This callback takes any number of arguments; the callbacks of all other tests take none."""
    hop = luahop.new()
    counts: list[int] = []

    def callback(*args: object) -> None:
        counts.append(len(args))

    getattr(hop, setter)({"ms": 1}, callback)
    poll_until(hop, "the timer runs", lambda: counts)
    observe(f"{counts[0]} arguments", of=setter)


@rule("luahop.timer.error-keeps-interval")
def test_an_interval_whose_callback_raises_is_recorded(
    luahop: Luahop, observe: Observation
) -> None:
    """A timer of 60 ms ends the polling if the interval is gone."""
    hop = luahop.new()
    calls: list[bool] = []
    others: list[bool] = []
    over: list[bool] = []

    def tick() -> None:
        calls.append(True)
        if len(calls) <= 3:
            raise ValueError("on purpose")

    hop.set_interval({"ms": 2}, tick)
    hop.set_interval({"ms": 2}, lambda: others.append(True))
    hop.set_timeout({"ms": 60}, lambda: over.append(True))
    came_out: list[str] = []
    for _ in range(200):
        if over or len(calls) >= 5:
            break
        try:
            hop.poll()
        except Exception as error:
            came_out.append(type(error).__name__)
    observe(f"raises {came_out[0]}" if came_out else "raises nothing", of="poll")
    observe("ticks on" if len(calls) >= 4 else f"ends after call {len(calls)}", of="the interval")
    observe("ticks on" if others else "ends", of="another interval")


@rule("luahop.timer.error-keeps-interval")
def test_a_timeout_due_with_one_that_raises_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation
) -> None:
    """Both are overdue; a later timer ends the polling."""
    hop = luahop.new()
    ran: list[bool] = []

    def fail() -> None:
        raise ValueError("on purpose")

    hop.set_timeout({"ms": 1}, fail)
    hop.set_timeout({"ms": 1}, lambda: ran.append(True))
    clock.advance(0.002)
    try:
        hop.poll()
    except Exception as error:
        observe.raised(error, of="poll")
    else:
        observe("raises nothing", of="poll")
    told = "runs in the same poll" if ran else ""
    try:
        poll_for(hop, 5)
    except Exception as error:
        observe.raised(error, of="the next poll")
    observe(told or ("runs in the next poll" if ran else "is lost"), of="another timer due then")
