"""LuaHop, timer: the order of timers, and their place in a turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of, poll_until, polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace

spaced_or_overdue = pytest.mark.parametrize("overdue", [False, True], ids=["spaced", "overdue"])


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
    hop.set_timeout({"ms": 250}, calling(trace, "set first"))

    def set_second() -> None:
        hop.set_timeout({"ms": 125}, calling(trace, "set second"))

    if where == "between two polls":
        clock.advance(0.125)
        set_second()
    else:
        hop.set_timeout({"ms": 125}, set_second)
    poll_until(hop, "both timers run", lambda: len(trace) == 2)
    observe(_told(list(trace), ["set first", "set second"]), of=f"two durations, {where}")


# So many timers, each set in the callback of the one before, are a poll that does not return.
_FOR_EVER = 60


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
        getattr(hop, setter)({"ms": milliseconds}, calling(trace, f"of {milliseconds} ms"))
    for _ in range(3):
        clock.advance(0.010)
    assert trace == [], "timers ran before poll was called"
    poll_until(hop, "all three timers run once poll is called", lambda: len(set(trace)) == 3)


_OTHER_FUNCTIONS: dict[str, Callable[[Luahop, Hop, int], object]] = {
    "set_timeout": lambda luahop, hop, fd: hop.set_timeout({"ms": 1}, _nobody),
    "set_interval": lambda luahop, hop, fd: hop.set_interval({"ms": 1}, _nobody),
    "set_listener": lambda luahop, hop, fd: hop.set_listener(fd, "r", _nobody),
    "remove_listener": lambda luahop, hop, fd: hop.remove_listener(fd, "r"),
    "clear_timer": lambda luahop, hop, fd: luahop.clear_timer(hop.set_timeout({"ms": 1}, _nobody)),
    "new": lambda luahop, hop, fd: luahop.new(),
}


@rule("luahop.timer.only-in-poll")
@pytest.mark.parametrize("setter", ["set_timeout", "set_interval"])
@pytest.mark.parametrize("name", _OTHER_FUNCTIONS)
def test_no_function_but_poll_runs_a_timer(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, setter: str, name: str
) -> None:
    """The function is called while a timer is overdue."""
    hop = luahop.new()
    near, _far = channels.pair()
    getattr(hop, setter)({"ms": 1}, calling(trace, "overdue"))
    clock.advance(0.005)
    error_of(_OTHER_FUNCTIONS[name], luahop, hop, near.fileno())
    assert trace == [], f"{name} ran the callback of a timer; only poll may"
    poll_until(hop, "the timer runs once poll is called", lambda: trace)


def _nobody() -> None:
    """A callback that no test waits for."""
