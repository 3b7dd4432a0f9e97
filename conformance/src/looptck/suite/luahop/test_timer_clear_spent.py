"""LuaHop, timer: clearing timers that are due or spent, and values that are no timer."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.trace import Trace

_SETTERS = ("set_timeout", "set_interval")


@rule("luahop.timer.clear-other-ready")
@pytest.mark.parametrize("first, second", list(itertools.product(_SETTERS, repeat=2)))
@pytest.mark.parametrize("milliseconds", [(4, 4), (4, 6), (6, 4)], ids=str)
def test_one_of_two_due_timers_clearing_each_other_runs(
    luahop: Luahop,
    clock: Clock,
    trace: Trace,
    first: str,
    second: str,
    milliseconds: tuple[int, int],
) -> None:
    """Both are overdue before the poll.  Whichever runs first clears the other."""
    hop = luahop.new()
    handles: dict[str, object] = {}

    def run(name: str) -> None:
        trace(name)
        for other, handle in handles.items():
            if other != name:
                error_of(luahop.clear_timer, handle)  # an interval clears it again

    handles["first"] = getattr(hop, first)({"ms": milliseconds[0]}, partial(run, "first"))
    handles["second"] = getattr(hop, second)({"ms": milliseconds[1]}, partial(run, "second"))
    bystander: list[bool] = []
    hop.set_timeout({"ms": 7}, lambda: bystander.append(True))
    clock.advance(0.010)
    poll_until(hop, "one of the two timers runs", lambda: trace)
    poll_for(hop, 8)
    assert len(set(trace)) == 1, (
        f"a timer ran after another one that was due in the same poll had cleared it: {trace}"
    )
    assert bystander == [True], "a third timer that was due, and was not cleared, did not run"


@rule("luahop.timer.clear-other-ready")
@pytest.mark.parametrize("survivors", [0, 1, 3])
def test_a_timer_may_clear_all_that_are_due_after_it(
    luahop: Luahop, clock: Clock, trace: Trace, survivors: int
) -> None:
    """Ten timers are overdue.  The first one that runs clears all others but a few."""
    hop = luahop.new()
    handles: dict[int, object] = {}
    spared: list[int] = []

    def run(number: int) -> None:
        trace(f"timer {number}")
        if len(trace) > 1:
            return
        others = [other for other in handles if other != number]
        spared.extend(others[4 : 4 + survivors])
        for other in others:
            if other not in spared:
                luahop.clear_timer(handles[other])

    for number in range(10):
        handles[number] = hop.set_timeout({"ms": 2 + number % 3}, partial(run, number))
    clock.advance(0.010)
    poll_until(hop, "the first of ten timers runs", lambda: trace)
    poll_for(hop, 5)
    assert sorted(trace[1:]) == sorted(f"timer {n}" for n in spared), (
        "what ran after the first timer is not what it had left uncleared"
    )


@rule("luahop.timer.clear-other-ready")
@pytest.mark.parametrize("setter", _SETTERS)
def test_a_listener_may_clear_a_timer_that_is_due(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, setter: str
) -> None:
    """The timer is due and the descriptor ready in the same poll; the order is open."""
    hop = luahop.new()
    near, far = channels.pair()

    def read() -> None:
        drain(near)
        luahop.clear_timer(timer)
        trace("cleared")

    timer = getattr(hop, setter)({"ms": 3}, lambda: trace("timer"))
    hop.set_listener(near.fileno(), "r", read)
    far.send(b"x")
    clock.advance(0.005)
    poll_until(hop, "the listener is called", lambda: "cleared" in trace)
    poll_for(hop, 8)
    after = trace[trace.index("cleared") + 1 :]
    assert after == [], "a timer ran after a listener, called in the same poll, had cleared it"


@rule("luahop.timer.clear-twice")
@pytest.mark.parametrize("setter", _SETTERS)
def test_clearing_a_cleared_timer_disturbs_no_other(
    luahop: Luahop, trace: Trace, setter: str
) -> None:
    """Other timers stand around it, set before, between and after the two clearings.  Whether
    the second clearing raises is open: the program knows what it has cleared."""
    hop = luahop.new()
    names = ["before", "beside", "between", "after"]
    hop.set_timeout({"ms": 4}, partial(trace, "before"))
    timer = getattr(hop, setter)({"ms": 4}, partial(trace, "cleared"))
    hop.set_interval({"ms": 4}, partial(trace, "beside"))
    luahop.clear_timer(timer)
    for name in ("between", "after", None):
        error_of(luahop.clear_timer, timer)
        if name:
            hop.set_timeout({"ms": 4}, partial(trace, name))
    poll_until(hop, "every timer that was not cleared runs", lambda: set(names) <= set(trace))
    assert "cleared" not in trace, "a timer ran although it had been cleared"


@rule("luahop.timer.clear-twice")
@pytest.mark.parametrize("polls", [0, 1], ids=["at once", "after another poll"])
def test_clearing_a_timeout_that_has_run_does_nothing(
    luahop: Luahop, trace: Trace, polls: int
) -> None:
    """The timeout is cleared several times while other timers wait."""
    hop = luahop.new()
    spent = [hop.set_timeout({"ms": 1}, partial(trace, "spent")) for _ in range(3)]
    hop.set_interval({"ms": 8}, partial(trace, "interval"))
    hop.set_timeout({"ms": 8}, partial(trace, "timeout"))
    poll_until(hop, "three timeouts run", lambda: trace.count("spent") == 3)
    for _ in range(polls):
        poll_for(hop, 1)
    for timer in spent:
        refused = error_of(luahop.clear_timer, timer)
        assert refused is None, f"clear_timer raised {refused!r} for a timeout that has run"
    for timer in reversed(spent):  # once more, which may raise
        error_of(luahop.clear_timer, timer)
    poll_until(
        hop,
        "after spent timers were cleared the other timers run",
        lambda: {"interval", "timeout"} <= set(trace),
    )
    assert trace.count("spent") == 3, "a timeout ran again after it had been cleared"


@rule("luahop.timer.clear-twice")
@pytest.mark.parametrize(
    "garbage", [None, object(), "timer", -1, {"ms": 4}], ids=lambda g: f"{g!r:.9}"
)
def test_clearing_a_value_that_is_no_handle_clears_nothing(
    luahop: Luahop, trace: Trace, garbage: object
) -> None:
    """Whether the call raises is open."""
    hop = luahop.new()
    hop.set_timeout({"ms": 3}, partial(trace, "timeout"))
    hop.set_interval({"ms": 3}, partial(trace, "interval"))
    with suppress(Exception):
        luahop.clear_timer(garbage)
    poll_until(
        hop,
        f"a timeout and an interval run after clear_timer({garbage!r:.20})",
        lambda: set(trace) == {"timeout", "interval"},
    )


@rule("luahop.timer.stale-handle")
@pytest.mark.parametrize("old", ["a timeout that ran", "a cleared timeout", "a cleared interval"])
@pytest.mark.parametrize("new", _SETTERS)
def test_the_handle_of_a_spent_timer_clears_no_later_timer(
    luahop: Luahop, trace: Trace, old: str, new: str
) -> None:
    """Thirty spent and thirty new timers make it likely that numbers, slots or addresses are
    reused."""
    hop = luahop.new()
    ran: list[bool] = []
    setter = hop.set_interval if old == "a cleared interval" else hop.set_timeout
    handles = [setter({"ms": 1}, lambda: ran.append(True)) for _ in range(30)]
    if old == "a timeout that ran":
        poll_until(hop, "30 timeouts run", lambda: len(ran) == 30)
    else:
        for handle in handles:
            luahop.clear_timer(handle)
    for number in range(30):
        getattr(hop, new)({"ms": 4}, partial(trace, f"timer {number}"))
    for handle in handles:
        with suppress(Exception):  # whether that is refused is another rule's business
            luahop.clear_timer(handle)
    poll_until(
        hop,
        "30 timers run although the handles of 30 earlier ones were cleared after they were set",
        lambda: len(set(trace)) == 30,
    )


@rule("luahop.timer.stale-handle")
def test_old_handles_do_not_end_a_chain_of_timeouts(luahop: Luahop) -> None:
    """One timer is alive at a time, so it is most likely to reuse the number of the last one."""
    hop = luahop.new()
    past: list[object] = []
    links: list[bool] = []

    def link() -> None:
        links.append(True)
        if len(links) < 5:
            newest = hop.set_timeout({"ms": 1}, link)
            for handle in past[:-1]:  # the last one runs just now
                error_of(luahop.clear_timer, handle)
            past.append(newest)

    past.append(hop.set_timeout({"ms": 1}, link))
    poll_until(
        hop,
        "five timeouts run, each set by the one before, which clears all before itself",
        lambda: len(links) == 5,
    )


@rule("luahop.timer.clear-vs-listener")
def test_clear_timer_does_not_touch_the_listener_of_that_number(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """No timer is alive while the numbers of descriptors are given to `clear_timer`."""
    hop = luahop.new()
    ends = [channels.pair() for _ in range(6)]
    # the numbers of spent timers cover those of the descriptors
    count = _more_than_the_numbers_of(ends)
    spent: list[bool] = []
    for _ in range(count):
        hop.set_timeout({"ms": 1}, lambda: spent.append(True))
    poll_until(hop, f"{count} timeouts run", lambda: len(spent) == count)
    for number, (near, _) in enumerate(ends):
        _listen(hop, near, partial(trace, str(number)))
    fresh = luahop.new()  # where no timer was ever set
    near, far = channels.pair()
    _listen(fresh, near, partial(trace, "fresh"))
    for end in (*(near for near, _ in ends), near):
        with suppress(Exception):
            luahop.clear_timer(end.fileno())
    for _, peer in ends:
        peer.send(b"x")
    far.send(b"x")
    poll_until(
        hop,
        "6 listeners are called although clear_timer was given the numbers of their descriptors",
        lambda: len(set(trace)) == 6,
    )
    poll_until(
        fresh,
        "a listener is called although clear_timer was given the number of its descriptor",
        lambda: "fresh" in trace,
    )


@rule("luahop.timer.clear-vs-listener")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_remove_listener_does_not_touch_the_timer_of_that_handle(
    luahop: Luahop, trace: Trace, mask: str
) -> None:
    """No listener is alive while handles are given to `remove_listener`."""
    hop = luahop.new()
    timers = [
        hop.set_timeout({"ms": 4}, partial(trace, "timeout")),
        hop.set_interval({"ms": 4}, partial(trace, "interval")),
    ]
    for timer in timers:
        with suppress(Exception):
            hop.remove_listener(timer, mask)  # type: ignore[arg-type]  # a handle is no descriptor
    poll_until(
        hop,
        "a timeout and an interval run although remove_listener was given their handles",
        lambda: set(trace) == {"timeout", "interval"},
    )


@rule("luahop.timer.clear-vs-listener")
@pytest.mark.parametrize("timers_first", [True, False])
def test_timers_and_listeners_do_not_displace_each_other(
    luahop: Luahop, channels: Channels, trace: Trace, timers_first: bool
) -> None:
    """A loop that numbers timers from 0 or 1 on reuses the numbers of the descriptors."""
    hop = luahop.new()
    ends = [channels.pair() for _ in range(6)]

    count = _more_than_the_numbers_of(ends)

    def set_timers() -> None:
        for number in range(count):
            hop.set_timeout({"ms": 4}, partial(trace, f"timer {number}"))

    def set_listeners() -> None:
        for number, (near, _) in enumerate(ends):
            _listen(hop, near, partial(trace, f"listener {number}"))

    steps = [set_timers, set_listeners]
    for step in steps if timers_first else reversed(steps):
        step()
    for _, far in ends:
        far.send(b"x")
    expected = {f"timer {n}" for n in range(count)} | {f"listener {n}" for n in range(6)}
    poll_until(
        hop, f"all of {count} timers and 6 listeners are called", lambda: set(trace) == expected
    )


def _more_than_the_numbers_of(ends: list[tuple[socket.socket, socket.socket]]) -> int:
    """Return how many timers a loop that counts from 1 needs to pass every descriptor's number."""
    return max(40, *(near.fileno() + 8 for near, _ in ends))


def _listen(hop: Hop, end: socket.socket, read: Callable[[], object]) -> None:
    """Call *read* when *end* is readable, after it was emptied."""

    def on_readable() -> None:
        drain(end)
        read()

    hop.set_listener(end.fileno(), "r", on_readable)
