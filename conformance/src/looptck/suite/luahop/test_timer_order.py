"""LuaHop, timer: the order of timers, and their place in a turn."""

from __future__ import annotations

from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of, poll_until, polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace

# Orders in which timers with different deadlines are set.
_SHUFFLES = [(60, 20, 40), (20, 40, 60), (60, 45, 30, 15), (30, 60, 15, 45)]

spaced_or_overdue = pytest.mark.parametrize("overdue", [False, True], ids=["spaced", "overdue"])


@rule("luahop.timer.order-deadline")
@spaced_or_overdue
@pytest.mark.parametrize("durations", _SHUFFLES, ids=str)
def test_timers_run_in_the_order_of_their_deadlines(
    luahop: Luahop, clock: Clock, overdue: bool, durations: tuple[int, ...]
) -> None:
    """The test notes the clock when each timer is set, so a pause of the machine changes no
    expectation."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    for milliseconds in durations:
        table.timeout(f"of {milliseconds} ms", milliseconds)
    if overdue:
        clock.advance(0.065)
    poll_until(hop, "all timers run", lambda: len(table.ran) == len(durations))
    table.assert_in_order()


@rule("luahop.timer.order-deadline")
@spaced_or_overdue
@pytest.mark.parametrize("intervals", [(20,), (40,), (60,), (20, 60)], ids=str)
def test_timeouts_and_first_ticks_run_in_deadline_order(
    luahop: Luahop, clock: Clock, overdue: bool, intervals: tuple[int, ...]
) -> None:
    """Only the first tick of an interval counts."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    for milliseconds in (60, 20, 40):
        setter = table.interval if milliseconds in intervals else table.timeout
        setter(f"of {milliseconds} ms", milliseconds)
    if overdue:
        clock.advance(0.065)
    poll_until(hop, "all timers run", lambda: len(set(table.ran)) == 3)
    table.assert_in_order()


def _told(ran: list[str], in_order: list[str]) -> str:
    """Compare how the timers *ran* with the order in which they were set."""
    if ran == in_order:
        return "in the order of setting"
    return "in the reverse order" if ran == in_order[::-1] else "in another order"


@rule("luahop.timer.order-equal")
@spaced_or_overdue
@pytest.mark.parametrize("kinds", ["timeouts", "intervals", "both in turn"])
def test_the_order_of_timers_of_one_duration_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, overdue: bool, kinds: str
) -> None:
    """Where the clock moves between two calls the deadlines differ, but in the same order."""
    hop = luahop.new()
    table = TimerLog(hop, clock)
    names = [f"{number}" for number in range(1, 11)]
    for number, name in enumerate(names, 1):
        is_interval = kinds == "intervals" or (kinds == "both in turn" and number % 2)
        (table.interval if is_interval else table.timeout)(name, 20)
    if overdue:
        clock.advance(0.021)
    poll_until(hop, "all ten timers run", lambda: len(set(table.ran)) == 10)
    situation = f"{kinds}, {'overdue' if overdue else 'as they become due'}"
    observe(_told(table.first_calls(), names), of=situation)


@rule("luahop.timer.order-equal")
@pytest.mark.parametrize("where", ["between two polls", "inside a callback"])
def test_the_order_of_timers_of_one_deadline_is_recorded(
    luahop: Luahop, clock: Clock, trace: Trace, observe: Observation, where: str
) -> None:
    """One timer waits 250 ms, the other 125 ms after 125 ms: a float holds these fractions of a
    second exactly. Where the clock moves on meanwhile, the second timer is due a little later."""
    hop = luahop.new()
    hop.set_timeout({"ms": 250}, partial(trace, "set first"))

    def set_second() -> None:
        hop.set_timeout({"ms": 125}, partial(trace, "set second"))

    if where == "between two polls":
        clock.advance(0.125)
        set_second()
    else:
        hop.set_timeout({"ms": 125}, set_second)
    poll_until(hop, "both timers run", lambda: len(trace) == 2)
    observe(_told(list(trace), ["set first", "set second"]), of=f"two durations, {where}")


# Whose callback sets a timer, which is overdue when the callback ends.
_OUTER = ["a timeout", "an interval", "a listener"]

# So many timers, each set in the callback of the one before, are a poll that does not return.
_FOR_EVER = 60


@rule("luahop.timer.set-inside-callback")
@pytest.mark.parametrize("outer", _OUTER)
@pytest.mark.parametrize("inner", ["set_timeout", "set_interval"])
def test_a_timer_set_in_a_callback_runs_without_another_wait(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, outer: str, inner: str
) -> None:
    """The callback goes on until the new timer is overdue.  A later timer would run first if
    the new one had to wait for something else."""
    hop = luahop.new()
    near, far = channels.pair()

    def callback() -> None:
        drain(near)
        if "outer" in trace:
            return
        getattr(hop, inner)({"ms": 1}, partial(trace, "inner"))
        clock.advance(0.005)
        hop.set_timeout({"ms": 100}, partial(trace, "later"))
        trace("outer")

    if outer == "a listener":
        hop.set_listener(near.fileno(), "r", callback)
        far.send(b"x")
    else:
        (hop.set_timeout if outer == "a timeout" else hop.set_interval)({"ms": 2}, callback)
    poll_until(hop, f"the callback of {outer} runs", lambda: trace)
    poll_until(hop, "a timer runs that it set", lambda: len(trace) > 1)
    assert trace[:2] == ["outer", "inner"], (
        f"a timer that was overdue when the callback which set it ended had to wait: {trace}"
    )


@rule("luahop.timer.set-inside-callback")
@pytest.mark.parametrize("begun_by", ["a timer", "a listener"])
def test_a_timer_that_always_sets_its_successor_lets_poll_return(
    luahop: Luahop, clock: Clock, channels: Channels, begun_by: str
) -> None:
    """Each timer is overdue when its predecessor ends. The chain is finite, so a loop which
    follows it without returning is seen and does not hang."""
    hop = luahop.new()
    near, far = channels.pair()
    links: list[int] = []
    polled = 0

    def link() -> None:
        links.append(polled)
        if len(links) < 2 * _FOR_EVER and links.count(polled) < _FOR_EVER:
            hop.set_timeout({"ms": 1}, link)
            clock.advance(0.0011)

    if begun_by == "a listener":
        hop.set_listener(near.fileno(), "r", lambda: link() if drain(near) else None)
        far.send(b"x")
    else:
        hop.set_timeout({"ms": 1}, link)
    for _ in polls(hop, 5 * _FOR_EVER):
        most = links.count(polled)
        assert most < _FOR_EVER, (
            f"one poll ran {most} timers, each set in the callback of the one before, and had "
            "not returned when the test set no more"
        )
        if len(links) >= 10:
            return
        polled += 1
    raise AssertionError(f"of 10 timers, each set in the callback of the one before, {links} ran")


@rule("luahop.timer.only-in-poll")
@pytest.mark.parametrize("setter", ["set_timeout", "set_interval"])
def test_no_timer_runs_without_a_poll(
    luahop: Luahop, clock: Clock, trace: Trace, setter: str
) -> None:
    """In real time the pause lets threads and signal handlers run a timer."""
    hop = luahop.new()
    for milliseconds in (1, 5, 10):
        getattr(hop, setter)({"ms": milliseconds}, partial(trace, f"of {milliseconds} ms"))
    for _ in range(3):
        clock.advance(0.010)
    assert trace == [], "timers ran before poll was called"
    poll_until(hop, "all three timers run once poll is called", lambda: len(set(trace)) == 3)


@rule("luahop.timer.only-in-poll")
@pytest.mark.parametrize("setter", ["set_timeout", "set_interval"])
def test_no_function_but_poll_runs_a_timer(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, setter: str
) -> None:
    """Every other function is called while timers are overdue."""
    hop = luahop.new()
    near, _far = channels.pair()
    getattr(hop, setter)({"ms": 1}, partial(trace, "overdue"))
    clock.advance(0.005)
    calls = {
        "set_timeout": lambda: hop.set_timeout({"ms": 1}, _nobody),
        "set_interval": lambda: luahop.clear_timer(hop.set_interval({"ms": 1}, _nobody)),
        "set_listener": lambda: hop.set_listener(near.fileno(), "r", _nobody),
        "remove_listener": lambda: hop.remove_listener(near.fileno(), "r"),
        "clear_timer": lambda: luahop.clear_timer(hop.set_timeout({"ms": 1}, _nobody)),
        "new": lambda: luahop.new(),
    }
    for name, call in calls.items():
        error_of(call)
        assert trace == [], f"{name} ran the callback of a timer; only poll may"
    poll_until(hop, "the timer runs once poll is called", lambda: trace)


@rule("luahop.timer.io-coexist")
def test_an_interval_ticks_although_a_descriptor_is_always_ready(
    luahop: Luahop, clock: Clock, channels: Channels
) -> None:
    """The listener takes a millisecond each time, so that time passes on every clock."""
    hop = luahop.new()
    near, _far = channels.pair()
    served: list[bool] = []
    ticks: list[bool] = []

    def write() -> None:
        served.append(True)
        clock.advance(0.001)

    hop.set_listener(near.fileno(), "w", write)
    hop.set_interval({"ms": 5}, lambda: ticks.append(True))
    while len(ticks) < 5 and len(served) < 300:
        hop.poll()
    assert len(ticks) >= 5, (
        f"an interval of 5 ms ticked {len(ticks)} times while a descriptor that was always "
        f"ready was served {len(served)} times, taking 1 ms each time"
    )


@rule("luahop.timer.io-coexist")
def test_a_descriptor_is_served_beside_an_overdue_interval(
    luahop: Luahop, clock: Clock, channels: Channels
) -> None:
    """Each tick takes several periods, so the interval is overdue in every poll."""
    hop = luahop.new()
    near, _far = channels.pair()
    served: list[bool] = []
    ticks: list[bool] = []

    def tick() -> None:
        ticks.append(True)
        clock.advance(0.003)
        if len(ticks) >= 60:  # enough; also ends a poll that only knows timers
            luahop.clear_timer(interval)

    interval = hop.set_interval({"ms": 1}, tick)
    hop.set_listener(near.fileno(), "w", lambda: served.append(True))
    clock.advance(0.002)
    while len(served) < 3 and len(ticks) < 60:
        hop.poll()
    assert len(served) >= 3, (
        f"a descriptor that was always ready was served {len(served)} times while an interval "
        f"that was always overdue ticked {len(ticks)} times"
    )


@rule("luahop.timer.io-coexist")
@pytest.mark.parametrize("timers", [1, 3])
def test_a_due_timer_and_a_ready_descriptor_are_both_served(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, timers: int
) -> None:
    """Nothing else is due for a long while: an event that poll forgets never comes."""
    hop = luahop.new()
    near, far = channels.pair()
    for number in range(timers):
        hop.set_timeout({"ms": 2}, partial(trace, f"timer {number}"))
    hop.set_listener(near.fileno(), "r", lambda: trace("descriptor") if drain(near) else None)
    far.send(b"x")
    clock.advance(0.004)
    expected = {"descriptor", *(f"timer {n}" for n in range(timers))}
    poll_until(
        hop,
        f"a ready descriptor and {timers} overdue timers are served",
        lambda: set(trace) == expected,
    )


def _nobody() -> None:
    """A callback that no test waits for."""
