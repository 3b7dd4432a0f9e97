"""LuaHop, timer: clearing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace


@rule("luahop.timer.clear-timeout")
@everywhere
def test_a_cleared_timeout_never_runs(luahop: Luahop, trace: Trace, situation: Situation) -> None:
    """The timer that clears comes before this one's deadline, however late it is. A later timer
    runs when the deadline has passed."""
    hop = luahop.new()
    timer = hop.set_timeout({"ms": 60}, lambda: trace("cleared"))
    luahop_in(situation, hop, lambda: luahop.clear_timer(timer))
    poll_for(hop, 70)
    assert trace == [], "a timeout ran although it had been cleared before it was due"


@rule("luahop.timer.clear-timeout")
@everywhere
def test_a_timeout_cleared_at_once_never_runs(
    luahop: Luahop, trace: Trace, situation: Situation
) -> None:
    """The timeout is cleared right after it was set: the loop has not polled in between."""
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: luahop.clear_timer(hop.set_timeout({"ms": 3}, lambda: trace("cleared"))),
    )
    poll_for(hop, 10)
    assert trace == [], "a timeout ran although it had been cleared before it was due"


@rule("luahop.timer.clear-timeout")
def test_a_timeout_cleared_when_it_is_overdue_never_runs(
    luahop: Luahop, clock: Clock, trace: Trace
) -> None:
    """Nobody polls between the deadline and the clearing."""
    hop = luahop.new()
    timer = hop.set_timeout({"ms": 3}, lambda: trace("cleared"))
    clock.advance(0.006)
    luahop.clear_timer(timer)
    poll_for(hop, 5)
    assert trace == [], "a timeout ran although it had been cleared before the first poll"


@rule("luahop.timer.clear-timeout")
@pytest.mark.parametrize("cleared", [[0], [4], [9], [2, 5, 7], [9, 0, 4], [0, 1, 2, 3, 4, 5, 6, 7]])
@pytest.mark.parametrize("same", [False, True], ids=["each its own deadline", "one duration"])
def test_clearing_some_of_many_leaves_the_rest(
    luahop: Luahop, clock: Clock, cleared: list[int], same: bool
) -> None:
    """The cleared ones are at both ends and in the middle of whatever holds the timers."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    # set in an order that is neither that of the deadlines nor its reverse
    numbers = (3, 8, 1, 6, 0, 9, 4, 2, 7, 5)
    timers = {n: table.timeout(f"timer {n}", 5 if same else 2 + n) for n in numbers}
    for number in cleared:
        luahop.clear_timer(timers[number])
    poll_for(hop, 20)
    left = [f"timer {n}" for n in range(10) if n not in cleared]
    assert sorted(table.ran) == left, "what ran is not what was left after clearing"


@rule("luahop.timer.clear-timeout")
def test_a_callback_may_be_set_again_after_it_was_cleared(luahop: Luahop, trace: Trace) -> None:
    """Clearing ends a timer and must not ban its callback."""
    hop = luahop.new()
    callback = partial(trace, "ran")
    first = hop.set_timeout({"ms": 2}, callback)
    hop.set_timeout({"ms": 3}, callback)
    luahop.clear_timer(first)
    hop.set_timeout({"ms": 2}, callback)
    poll_for(hop, 10)
    assert trace == ["ran", "ran"], "expected two of three timers with one callback to run"


@rule("luahop.timer.clear-interval")
@pytest.mark.parametrize("ticks", [0, 1, 4])
@pytest.mark.parametrize("where", ["between two polls", "in another callback"])
def test_a_cleared_interval_does_not_tick_again(
    luahop: Luahop, trace: Trace, ticks: int, where: str
) -> None:
    """Another interval, which is not cleared, goes on meanwhile."""
    hop = luahop.new()
    interval = hop.set_interval({"ms": 4}, lambda: trace("tick"))
    others: list[bool] = []
    hop.set_interval({"ms": 4}, lambda: others.append(True))
    poll_until(hop, f"the interval ticks {ticks} times", lambda: trace.count("tick") >= ticks)

    def clear() -> None:
        luahop.clear_timer(interval)
        trace("cleared")

    if where == "between two polls":
        clear()
    else:
        hop.set_timeout({"ms": 1}, clear)
        poll_until(hop, "the other callback runs", lambda: "cleared" in trace)
    seen = len(others)
    poll_until(hop, "the other interval goes on", lambda: len(others) >= seen + 3)
    after = trace[trace.index("cleared") + 1 :]
    assert after == [], f"an interval ticked {len(after)} times after it had been cleared"


@rule("luahop.timer.clear-interval")
def test_an_interval_cleared_while_overdue_does_not_tick(
    luahop: Luahop, clock: Clock, trace: Trace
) -> None:
    """Nobody polls between the deadline and the clearing."""
    hop = luahop.new()
    interval = hop.set_interval({"ms": 4}, lambda: trace("tick"))
    poll_until(hop, "the interval ticks", lambda: trace)
    clock.advance(0.010)
    luahop.clear_timer(interval)
    ticks = len(trace)
    poll_for(hop, 12)
    assert len(trace) == ticks, "an interval ticked although it had been cleared before the poll"


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
            timers[which].append(setter({"ms": 4}, partial(trace, f"{which}: {number}")))
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


@rule("luahop.timer.clear-inside-own-interval")
@pytest.mark.parametrize("last", [1, 5])
@pytest.mark.parametrize("pause", [0, 0.010], ids=["at once", "after several periods"])
def test_an_interval_that_clears_itself_ticks_no_more(
    luahop: Luahop, clock: Clock, trace: Trace, last: int, pause: float
) -> None:
    """Another interval with the same period goes on and shows that time has passed."""
    hop = luahop.new()
    others: list[bool] = []

    def tick() -> None:
        trace("tick")
        if len(trace) >= last:
            clock.advance(pause)
            luahop.clear_timer(interval)

    interval = hop.set_interval({"ms": 3}, tick)
    hop.set_interval({"ms": 3}, lambda: others.append(True))
    poll_until(hop, f"the interval ticks {last} times", lambda: len(trace) >= last)
    seen = len(others)
    poll_until(hop, "the other interval goes on", lambda: len(others) >= seen + 3)
    assert len(trace) == last, (
        f"an interval that cleared itself on call {last} was called {len(trace)} times"
    )


@rule("luahop.timer.clear-inside-own-timeout")
@pytest.mark.parametrize("times", [1, 2])
def test_a_timeout_may_clear_itself_while_it_runs(luahop: Luahop, clock: Clock, times: int) -> None:
    """Neighbours with the same duration, before and after, are overdue in the same poll."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    refused: list[BaseException | None] = []

    def clear_self() -> None:
        refused.extend(error_of(luahop.clear_timer, timer) for _ in range(times))

    table.timeout("before", 4)
    timer = table.timeout("itself", 4, clear_self)
    table.timeout("after", 4)
    table.timeout("later", 8)
    clock.advance(0.005)
    poll_for(hop, 10)
    assert refused[0] is None, f"clear_timer raised {refused!r} inside the timer's callback"
    assert sorted(table.ran) == ["after", "before", "itself", "later"], (
        f"the calls noted were {sorted(table.ran)}, not ['after', 'before', 'itself', 'later']"
    )


_ORDERS = ["clear, then set", "set, then clear", "set only", "clear, then set and clear again"]


@rule("luahop.timer.clear-self-then-set")
@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("successor", ["set_timeout", "set_interval"])
def test_the_successor_of_a_timeout_that_cleared_itself_runs(
    luahop: Luahop, clock: Clock, order: str, successor: str
) -> None:
    """Three generations of timers set one another, beside a timer that was there first."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    handles: dict[int, object] = {}

    def generation(number: int) -> None:
        mine = handles[number]
        if number == 3:
            return
        if order.startswith("clear"):
            luahop.clear_timer(mine)
        if number < 3:
            setter = table.timeout if successor == "set_timeout" or number < 2 else table.interval
            name, then = f"generation {number + 1}", partial(generation, number + 1)
            handles[number + 1] = setter(name, 3, then)
        if order.endswith(("then clear", "clear again")):
            error_of(luahop.clear_timer, mine)  # the second time it may raise

    def youngest() -> bool:
        return "generation 3" in table.ran

    handles[1] = table.timeout("generation 1", 3, partial(generation, 1))
    table.timeout("neighbour", 5)
    poll_until(hop, "the third of three timers, each set by the one before, runs", youngest)
    poll_until(hop, "a timer beside them runs", lambda: "neighbour" in table.ran)


@rule("luahop.timer.handle")
def test_each_live_timer_has_a_handle_of_its_own(luahop: Luahop) -> None:
    """Some earlier timers run or are cleared on the way, so that numbers may come free and be
    given again. Clearing tells handles apart: they may compare equal or count as false."""
    hop = luahop.new()
    ran: list[int] = []
    handles: dict[int, object] = {}

    def set_one(setter: Callable[..., object]) -> None:
        number = len(handles)
        handles[number] = setter({"ms": 60}, partial(ran.append, number))

    for _ in range(5):
        spent = [hop.set_timeout({"ms": length}, _nobody) for length in (1, 60)]
        for _ in range(4):
            set_one(hop.set_timeout)
            set_one(hop.set_interval)
        luahop.clear_timer(spent[1])
        set_one(hop.set_timeout)
        poll_for(hop, 2)
    kept = set(range(1, len(handles), 2))
    for number, handle in handles.items():
        if number not in kept:
            luahop.clear_timer(handle)
    ran.clear()  # on a slow machine some may have run by now
    intervals = {number for number in kept if number % 9 % 2}
    poll_until(
        hop,
        f"{len(intervals)} intervals tick on after {len(handles) - len(kept)} other timers were "
        "cleared",
        lambda: intervals <= set(ran),
    )
    for number in sorted(set(ran) - kept):
        raise AssertionError(f"timer {number + 1} ran although clear_timer was given its handle")


@rule("luahop.timer.handle")
@pytest.mark.parametrize("first", ["set_timeout", "set_interval"])
def test_a_handle_stands_for_no_other_timer(luahop: Luahop, trace: Trace, first: str) -> None:
    """Of timeouts and intervals in turn every third is cleared; all others must run."""
    hop = luahop.new()
    setters = [hop.set_timeout, hop.set_interval]
    if first == "set_interval":
        setters.reverse()
    handles = [setters[n % 2]({"ms": 4}, partial(trace, f"timer {n}")) for n in range(12)]
    for handle in handles[::3]:
        refused = error_of(luahop.clear_timer, handle)
        assert refused is None, f"clear_timer refused the handle of a live timer: {refused!r}"
    left = {f"timer {n}" for n in range(12) if n % 3}
    poll_until(hop, "all timers run whose handles were not cleared", lambda: left <= set(trace))


def _nobody() -> None:
    """A callback that no test waits for."""
