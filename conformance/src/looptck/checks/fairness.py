"""Checks of numbers: many watches, many that are ready at once, and high descriptors."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

import pytest

from ..testing.channels import Channels
from ..testing.readiness import ReadinessToggle
from ..testing.resources import alive
from .scenes import Watched, either_direction, grows_to, reached, serve_all, total
from .verbs import Calls, Direction, Script, Watching, turns, until

# The most descriptors that select(2) can be asked about, less those of the process.
_HUNDREDS = 800


@pytest.mark.parametrize("number", [4, _HUNDREDS])
@pytest.mark.parametrize("leaves", [True, False], ids=["leaving", "taking"])
@either_direction
def test_each_of_many_ready_watches_is_called(
    loop: Watching, channels: Channels, direction: Direction, number: int, leaves: bool
) -> None:
    """A loop that serves a part of them in a turn must not begin at the same end each time."""
    called: set[int] = set()
    ends = [channels.pipe() for _ in range(number)]

    def on_ready(at: int) -> None:
        called.add(at)
        if not leaves:
            loop.unwatch(watches[at])

    watches: list[Any] = []

    def script() -> Script:
        for at, (near, far) in enumerate(ends):
            end = near if direction == "r" else far
            if direction == "r":
                far.send(b"x")
            calls = loop.calls(f"watch {at}", partial(on_ready, at))
            watches.append(loop.watch(end.fileno(), direction, calls))
        yield from grows_to(number, lambda: len(called), "each ready watch is called")

    loop.play(script())


@either_direction
def test_each_of_two_thousand_ready_watches_is_called(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """They are duplicates of one socket, which is ready both ways and stays so."""
    toggle = ReadinessToggle(channels, direction, on=True)
    twins = [channels.numbered(toggle.near, 0) for _ in range(2000)]
    called: set[int] = set()
    calls = [loop.calls(f"watch {at}", partial(called.add, at)) for at in range(len(twins))]

    def script() -> Script:
        for twin, each in zip(twins, calls, strict=True):
            loop.watch(twin.fileno(), direction, each)
        yield from grows_to(len(twins), lambda: len(called), "each ready watch is called")

    loop.play(script())


@either_direction
def test_a_watch_is_called_a_thousand_times(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """It is ready 1100 times, and called once for each: more than a count of ten bits."""
    watched = Watched(loop, channels, direction)

    def script() -> Script:
        for _ in range(1100):
            yield from watched.serve()
            assert watched.count == 1, f"it was ready once, and {watched.count} calls came"

    loop.play(script())


def test_a_busy_watch_does_not_starve_the_others(loop: Watching, channels: Channels) -> None:
    """Ten descriptors are always writable, five watched before a reader and five after it."""
    busy = [loop.calls(f"busy watch {at}") for at in range(10)]

    def script() -> Script:
        for at, calls in enumerate(busy):
            if at == 5:
                reader = Watched(loop, channels)
            loop.watch(channels.pair()[0].fileno(), "w", calls)
        for _ in range(3):
            yield from reader.serve()
        for calls in busy:
            calls.clear()
        yield until("each busy watch is called", lambda: all(calls.count for calls in busy))

    loop.play(script())


@either_direction
def test_only_the_watch_that_is_ready_is_called(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Of twenty descriptors every third is made ready, one after the other."""
    watched = [Watched(loop, channels, direction) for _ in range(20)]

    def script() -> Script:
        for at in range(0, 20, 3):
            watched[at].end.on()
            yield until("a watch is called", lambda: total(each.calls for each in watched))
            yield turns()
            counts = [each.count for each in watched]
            for each in watched:
                each.calls.clear()
            assert sum(counts) == counts[at] == 1, (
                f"watch {at} of 20 was ready once; the calls of each are {counts}"
            )

    loop.play(script())


@either_direction
@pytest.mark.parametrize("number", [1023, 1024, 1025, 2000])
def test_a_high_number_is_watched_like_any_other(
    loop: Watching, channels: Channels, direction: Direction, number: int
) -> None:
    """It is called, ends, is watched again and ends again, beside the other direction."""
    toggle = ReadinessToggle(channels, direction)
    high = channels.numbered(toggle.near, number)
    other: Direction = "w" if direction == "r" else "r"
    calls, silent = loop.calls("high watch", toggle.off), loop.calls("other direction")

    def script() -> Script:
        watch = loop.watch(high.fileno(), direction, calls)
        loop.watch(high.fileno(), other, silent)
        for times in (1, 2):
            toggle.on()
            yield until("the high number is called", partial(reached, calls, times))
            loop.unwatch(watch)
            toggle.on()
            yield turns()
            toggle.off()
            assert calls.count == times, "the watch of a high number had ended and was called"
            watch = loop.watch(high.fileno(), direction, calls)
        assert silent.count == 0, "the other direction, which was never ready, was called"

    loop.play(script())


@either_direction
def test_watches_may_follow_one_another_without_end(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Three thousand begin and end, a hundred in each turn, and none of them is ready.

    The last one is served, and no callback of the others is held any more.
    """
    toggle = ReadinessToggle(channels, direction)
    beside = Watched(loop, channels)
    references: list[weakref.ref[Calls]] = []

    def script() -> Script:
        for _ in range(30):
            for _ in range(100):
                calls = loop.calls("ended watch")
                references.append(weakref.ref(calls))
                loop.unwatch(loop.watch(toggle.number, direction, calls))
            del calls
            yield turns(1)
        last = Watched(loop, channels, direction)
        yield from serve_all([last, beside, last])
        held = alive(references)
        assert held <= 100, f"3000 watches have ended, and {held} of their callbacks are held"

    loop.play(script())
