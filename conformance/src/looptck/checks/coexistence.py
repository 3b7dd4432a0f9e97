"""Checks of timers beside descriptors: neither starves the other."""

from __future__ import annotations

from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels, drain
from ..testing.situations import Situation, everywhere
from ..testing.stopwatch import Stopwatch, assert_prompt
from .timer_log import TimerLog, act_in
from .verbs import Direction, Timing, Watching

# A busy callback is called this often at most before something else must have come.
_MOST = 60

# More than any counter of a byte, or of ten bits, holds.
_TURNS = 2500


@everywhere
@pytest.mark.parametrize("direction", ["r", "w"])
@pytest.mark.parametrize("number", [1, 5])
def test_timers_run_beside_descriptors_that_are_always_ready(
    loop: Timing,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    direction: Direction,
    number: int,
) -> None:
    """Each call takes a millisecond: the timers are due after a few calls, without any wait."""
    log = TimerLog(loop, clock)
    calls = 0

    def busy() -> None:
        nonlocal calls
        calls += 1
        clock.advance(0.001)
        if calls == _MOST * number:
            for watch in watches:
                loop.unwatch(watch)

    def set_all() -> None:
        for _ in range(number):
            near, far = channels.pair()
            far.send(b"x")
            watches.append(loop.watch(near.fileno(), direction, loop.calls("busy", busy)))
        for kind in loop.timers:
            log.timer(0.003, kind=kind)
        log.interval(0.003, name="interval")

    watches: list[object] = []
    act_in(loop, situation, set_all)
    loop.run(
        "timers of 3 ms run, and an interval ticks three times",
        lambda: log.live and log.done and log.count("interval") >= 3,
    )
    assert calls < _MOST * number, (
        f"beside {number} descriptors that are always ready, timers of 3 ms ran, and an interval "
        f"ticked three times, only after {calls} calls of a millisecond each"
    )


@pytest.mark.parametrize("direction", ["r", "w"])
@pytest.mark.parametrize("by", ["an interval", "timers that set each other"])
def test_descriptors_are_served_beside_a_timer_always_due(
    loop: Timing, channels: Channels, clock: Clock, direction: Direction, by: str
) -> None:
    """Each call takes longer than the length of the next wait, so that one is always overdue."""
    near, far = channels.pair()
    far.send(b"x")
    log = TimerLog(loop, clock)
    served: list[int] = []
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if by == "an interval":
            if ticks == _MOST:
                log.clear("interval")
        elif ticks < _MOST:
            loop.set_timer(0.001, tick)
        clock.advance(0.003)

    if by == "an interval":
        log.interval(0.001, tick, name="interval")
    else:
        loop.set_timer(0.001, tick)
    loop.watch(near.fileno(), direction, loop.calls("busy", lambda: served.append(ticks)))
    clock.advance(0.002)
    log.timer(0.25, name="end")
    loop.run("a timer runs", lambda: len(served) >= 3 or "end" in log.ran, within=2)
    in_time = [before for before in served if before < _MOST]
    assert len(in_time) >= 3, (
        f"a descriptor that was always ready was served {len(in_time)} times while {by}, one of "
        f"which was always overdue, ran {ticks} times"
    )


@pytest.mark.parametrize("direction", ["r", "w"])
def test_a_ready_descriptor_does_not_wait_for_a_timer(
    loop: Timing, channels: Channels, clock: Clock, direction: Direction
) -> None:
    """The timer is the only one, and due after 300 ms."""

    def lateness() -> float:
        made: Timing = loop.another()
        near, far = channels.pair()
        far.send(b"x")
        since = Stopwatch(clock)
        served: list[float] = []

        def serve() -> None:
            served.append(since.elapsed())
            assert watch is not None, "the watch was called while it was begun"
            made.unwatch(watch)
            made.clear(timer)

        watch: Any = None
        watch = made.watch(near.fileno(), direction, made.calls("ready", serve))
        timer = made.set_timer(0.3, lambda: None)
        made.run("a ready descriptor is served", lambda: served, within=None)
        return served[0]

    assert_prompt(lateness, 0.15)


def test_due_timers_and_a_ready_descriptor_are_all_served(
    loop: Timing, channels: Channels, clock: Clock
) -> None:
    """Nothing else is due for a long while: one that the loop forgets never comes.

    The reader sets a timer, too.
    """
    near, far = channels.pair()
    log = TimerLog(loop, clock)
    for kind in loop.timers:
        log.timer(0.002, kind=kind)

    def on_byte() -> None:
        drain(near)
        log.timer(0.010, name="set by the reader")

    read = loop.calls("reader", on_byte)
    loop.watch(near.fileno(), "r", read)
    far.send(b"x")
    clock.advance(0.004)
    log.timer(0.1, name="later")
    loop.run("all timers run", lambda: read.count and log.done)
    assert read.count == 1, f"a descriptor with a byte was served {read.count} times"
    log.assert_each_ran_once()


def test_a_number_reused_in_a_timers_callback_inherits_nothing(
    loop: Timing, channels: Channels, clock: Clock
) -> None:
    """The timer is due in the turn in which the old descriptor of the number is ready."""
    near, far = channels.pair()
    far.send(b"x")
    log = TimerLog(loop, clock)
    new = loop.calls("new reader")
    early: list[int] = []

    def reuse() -> None:
        number = near.fileno()
        loop.unwatch(watch)
        near.close()
        other, peer = channels.pair_at(number)
        loop.watch(other.fileno(), "r", new)

        def send() -> None:
            early.append(new.count)
            peer.send(b"x")

        log.timer(0.01, send)
        log.timer(0.03, name="end")

    watch = loop.watch(near.fileno(), "r", loop.calls("old reader"))
    log.timer(0.002, reuse)
    clock.advance(0.003)
    loop.run("a later timer runs", lambda: "end" in log.ran)
    assert early == [0], "a reader was called for what its number's old descriptor had"
    assert new.count, "a reader of a reused number was not called for a byte of its own"


def test_a_loop_goes_on_for_thousands_of_turns(loop: Watching, channels: Channels) -> None:
    """A descriptor is ready all the time, and its watch ends itself at last."""
    near, _far = channels.pair()

    def end() -> None:
        if calls.count == _TURNS:
            loop.unwatch(watch)

    calls = loop.calls("writer", end)
    watch = loop.watch(near.fileno(), "w", calls)
    loop.run(f"a watch is called {_TURNS} times", lambda: calls.count >= _TURNS, within=None)
