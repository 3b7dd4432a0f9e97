"""Checks of hundreds of things at a time: watches, ends, timers, loops, runs of one loop."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.readiness import ReadinessToggle
from .scenes import Watched, either_direction, grows_to, total
from .timer_log import TimerLog
from .verbs import Calls, Direction, Script, Timing, Watching, turns, until

# More than a counter of one byte holds.
_HUNDREDS = 300

# The most descriptors that select(2) can be asked about, less those of the process.
_DESCRIPTORS = 800

# More than a table of 2**10 has places.
_THOUSAND = 1100


@either_direction
def test_hundreds_of_watches_of_a_descriptor_are_called(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """The descriptor is ready twice, and each watch is called once for that."""
    toggle = ReadinessToggle(channels, direction, on=True)
    called: set[int] = set()
    calls = [loop.calls(f"watch {at}", partial(called.add, at)) for at in range(_HUNDREDS)]

    def script() -> Script:
        for each in calls:
            loop.watch(toggle.number, direction, each)
        for _ in range(2):
            called.clear()
            yield from grows_to(
                _HUNDREDS, lambda: len(called), "each watch of a descriptor is called"
            )

    loop.play(script())


def test_hundreds_that_are_ready_once_are_called_once(loop: Watching, channels: Channels) -> None:
    """Each call ends the readiness of its own descriptor."""
    watched = [Watched(loop, channels) for _ in range(_HUNDREDS)]

    def script() -> Script:
        for times in (1, 2):
            for each in watched:
                each.end.on()
            yield from grows_to(
                times * _HUNDREDS, partial(total, watched), "each ready watch is called"
            )
            yield turns()
            calls = total(watched)
            assert calls == times * _HUNDREDS, (
                f"{_HUNDREDS} watches were ready {times} times, and {calls} calls came"
            )

    loop.play(script())


def test_a_callback_may_end_hundreds_of_watches(loop: Watching, channels: Channels) -> None:
    """All are of duplicates of one socket, which is ready afterwards."""
    toggle = ReadinessToggle(channels)
    twins = [channels.numbered(toggle.near, 0) for _ in range(_DESCRIPTORS)]
    calls = loop.calls("ended watch")
    watches: list[Any] = []

    def end_all() -> None:
        for watch in watches:
            loop.unwatch(watch)

    ender = Watched(loop, channels, then=end_all)

    def script() -> Script:
        for twin in twins:
            watches.append(loop.watch(twin.fileno(), "r", calls))
        yield from ender.serve()
        watches.clear()
        toggle.on()
        yield turns()
        assert calls.count == 0, (
            f"a callback ended {_DESCRIPTORS} watches, and they were called {calls.count} times"
        )

    loop.play(script())


def test_hundreds_of_loops_live_side_by_side(loop: Watching, channels: Channels) -> None:
    """All watch one descriptor, which is ready; the first, the last and some between are run.

    A watch ends itself when it is called, whichever loop calls it.
    """
    toggle = ReadinessToggle(channels, on=True)
    loops: list[Watching] = [loop, *(loop.another() for _ in range(_HUNDREDS))]

    def end(at: int) -> None:
        loops[at].unwatch(watches[at])

    calls = [each.calls(f"watch of loop {at}", partial(end, at)) for at, each in enumerate(loops)]
    watches = [each.watch(toggle.number, "r", own) for each, own in zip(loops, calls, strict=True)]

    def script(at: int) -> Script:
        yield until(f"loop {at} of {_HUNDREDS} calls its watch", lambda: calls[at].count)

    for at in (0, 44, 255, 256, _HUNDREDS):
        loops[at].play(script(at))
        others = sum(each.count for each in calls) - calls[at].count
        assert others == 0, f"loop {at} ran, and watches of other loops were called"
        calls[at].clear()


def test_a_loop_may_be_run_hundreds_of_times(loop: Watching, channels: Channels) -> None:
    """Each run has a watch of its own, which ends itself."""
    toggle = ReadinessToggle(channels, on=True)

    def end() -> None:
        loop.unwatch(watch)

    for at in range(_HUNDREDS):
        calls = loop.calls(f"watch of run {at}", end)
        watch = loop.watch(toggle.number, "r", calls)
        loop.run(f"run {at + 1} of one loop calls a watch", partial(_was_called, calls))


def _was_called(calls: Calls) -> int:
    return calls.count


def test_a_callback_may_set_and_clear_a_thousand_timers(loop: Timing, clock: Clock) -> None:
    """One timer sets them, another clears all but a few, and the others run."""
    log = TimerLog(loop, clock)
    names: list[str] = []

    def set_all() -> None:
        names.extend(log.timer(0.100) for _ in range(_THOUSAND))

    loop.set_timer(0.001, set_all)
    loop.set_timer(0.050, lambda: log.clear(*names[50:-50]))
    loop.run("the timers that were not cleared run", lambda: names and log.done, within=2)
    log.assert_each_ran_once()


def test_a_callback_may_set_timers_that_all_run(loop: Timing, clock: Clock) -> None:
    """A thousand are due at the same time."""
    log = TimerLog(loop, clock)

    def set_all() -> None:
        for _ in range(_THOUSAND):
            log.timer(0.002)

    loop.set_timer(0.001, set_all)
    loop.run(f"{_THOUSAND} timers that a callback set run", lambda: log.live and log.done, within=2)
    log.assert_each_ran_once()


def test_hundreds_of_intervals_tick_side_by_side(loop: Timing, clock: Clock) -> None:
    """Each ends itself in its third tick; one of them ticks more often than a byte can count."""
    log = TimerLog(loop, clock)
    often = log.interval(0.001)
    names = [f"interval {at}" for at in range(_HUNDREDS)]

    def tick(name: str) -> None:
        if log.count(name) == 3:
            log.clear(name)

    for name in names:
        log.interval(0.040, partial(tick, name), name=name)
    loop.run(
        f"{_HUNDREDS} intervals tick 3 times, and one {_HUNDREDS} times",
        lambda: log.count(often) >= _HUNDREDS and not log.live.keys() & names,
        within=2,
    )
    wrong = [name for name in names if log.count(name) != 3]
    assert not wrong, f"{wrong[0]} cleared itself in tick 3, and ticked {log.count(wrong[0])} times"
