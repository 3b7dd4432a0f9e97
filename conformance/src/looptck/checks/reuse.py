"""Checks of second lives: a number that stands for another file, a file with another number."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.readiness import ReadinessToggle
from .needs import also_needs
from .scenes import Watched, either_direction
from .verbs import Calls, Direction, Script, Timing, Watching, turns, until


@either_direction
@pytest.mark.parametrize("rounds", [1, 2, 255, 256, 257])
@pytest.mark.parametrize("number", [2, 4])
def test_a_number_reused_in_a_turn_inherits_no_readiness(
    loop: Watching, channels: Channels, direction: Direction, rounds: int, number: int
) -> None:
    """The first callback ends the watch of another one that is ready, and closes its descriptor.

    A silent file gets the number and is watched, several times: a loop that
    tells watches apart by a count of some bits has counted through them.
    """
    watched: list[Watched] = []
    fresh: list[tuple[ReadinessToggle, Calls]] = []

    def swap(me: int) -> None:
        if fresh:
            return
        victim = watched[(me + 1) % number]
        at = victim.end.number
        victim.unwatch()
        victim.end.near.close()
        toggle = ReadinessToggle(channels, direction, at=at)
        calls = loop.calls("watch of the new file", toggle.off)
        fresh.append((toggle, calls))
        for _ in range(rounds - 1):
            loop.unwatch(loop.watch(toggle.number, direction, calls))
        loop.watch(toggle.number, direction, calls)

    def script() -> Script:
        watched.extend(
            Watched(loop, channels, direction, partial(swap, me)) for me in range(number)
        )
        for each in watched:
            each.end.on()
        yield until("one of the watches is called", lambda: fresh)
        yield turns()
        toggle, calls = fresh[0]
        assert calls.count == 0, "a new file was called for the readiness of the one before it"
        toggle.on()
        yield until("the watch of the new file is called when it is ready", lambda: calls.count)
        yield turns()
        assert calls.count == 1, f"the new file was ready once, and {calls.count} calls came"

    loop.play(script())


@pytest.mark.parametrize("first", ["r", "w"])
def test_a_callback_may_reuse_its_own_number(
    loop: Watching, channels: Channels, first: Direction
) -> None:
    """Its descriptor is ready both ways and watched both ways; a silent file takes its place."""
    old = ReadinessToggle(channels, "r", on=True)
    old.on("w")
    at = old.number
    watches: list[Any] = []
    calls: dict[Direction, Calls] = {}

    def swap() -> None:
        if calls:
            return
        for watch in watches:
            loop.unwatch(watch)
        old.near.close()
        new = ReadinessToggle(channels, at=at)
        for direction in loop.directions:
            calls[direction] = loop.calls(f"new {direction} watch", new.off)
        fresh.append(new)
        for direction, each in calls.items():
            loop.watch(new.number, direction, each)

    fresh: list[ReadinessToggle] = []

    def script() -> Script:
        second: Direction = "w" if first == "r" else "r"
        for direction in (first, second):
            watches.append(loop.watch(at, direction, loop.calls(f"old {direction} watch", swap)))
        yield until("one of the two watches is called", lambda: fresh)
        yield turns()
        assert not any(each.count for each in calls.values()), (
            "a new file was called for the readiness of the one that it replaced"
        )
        fresh[0].on()
        yield until("the new file is called when it is readable", lambda: calls["r"].count)
        assert calls["w"].count == 0, "a file without room was called writable"

    loop.play(script())


@either_direction
def test_a_number_reused_in_a_timer_inherits_no_readiness(
    loop: Timing, channels: Channels, clock: Clock, direction: Direction
) -> None:
    """Timer and watch are due in one turn; the timer ends the watch and has a new file watched."""
    watched = Watched(loop, channels, direction)
    at = watched.end.number
    fresh: list[Watched] = []

    def swap() -> None:
        watched.unwatch()
        watched.end.near.close()
        fresh.append(Watched(loop, channels, direction, at=at))

    def script() -> Script:
        loop.set_timer(0.002, swap)
        clock.advance(0.004)
        watched.end.on()
        yield until("the timer runs", lambda: fresh)
        yield turns()
        assert fresh[0].count == 0, "a new file was called for the readiness of the one before it"
        yield from fresh[0].serve()

    loop.play(script())


@pytest.mark.parametrize("held_by", ["duplicate", "child"])
@either_direction
def test_a_file_may_outlive_the_number_that_was_watched(
    loop: Watching, channels: Channels, direction: Direction, held_by: str
) -> None:
    """The watch ends and its descriptor is closed; the open file, which is ready, lives on.

    Another file gets the number: a kernel that was not told still speaks of the old one.
    """
    toggle = ReadinessToggle(channels, direction, on=True)
    number = toggle.number
    calls = loop.calls("watch")
    fresh = loop.calls("watch of the new file")

    def script() -> Script:
        watch = loop.watch(number, direction, calls)
        yield until("the watch is called", lambda: calls.count)
        release = _held(channels, number, held_by)
        loop.unwatch(watch)
        toggle.near.close()
        calls.clear()
        yield turns()
        new = ReadinessToggle(channels, direction, at=number)
        loop.watch(new.number, direction, fresh)
        yield turns()
        assert calls.count == fresh.count == 0, (
            f"the old file, which a {held_by} holds, brought {calls.count} calls to its own watch "
            f"and {fresh.count} to the new file of its number"
        )
        new.on()
        yield until("the new file is called when it is ready", lambda: fresh.count)
        release()

    loop.play(script())


def _held(channels: Channels, number: int, held_by: str) -> Callable[[], object]:
    """Have the open file of *number* held until the function that is returned is called."""
    if held_by == "duplicate":
        twin = os.dup(number)
        return partial(os.close, twin)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # returns at the end of the pipe
        os._exit(0)
    os.close(reading)

    def release() -> None:
        os.close(writing)
        os.waitpid(child, 0)

    return release


@either_direction
@pytest.mark.parametrize("ended", ["original", "duplicate"])
def test_a_duplicate_is_watched_for_itself(
    loop: Watching, channels: Channels, direction: Direction, ended: str
) -> None:
    """Both numbers of a file are watched; one watch ends and its number is closed."""
    toggle = ReadinessToggle(channels, direction)
    twin = channels.numbered(toggle.near, 0)
    number = {"original": toggle.number, "duplicate": twin.fileno()}
    calls = {name: loop.calls(f"watch of the {name}") for name in number}
    left = "duplicate" if ended == "original" else "original"

    def script() -> Script:
        watches = {name: loop.watch(number[name], direction, calls[name]) for name in number}
        yield turns()
        toggle.on()
        yield until("both watches are called", lambda: all(c.count for c in calls.values()))
        loop.unwatch(watches[ended])
        (toggle.near if ended == "original" else twin).close()
        for each in calls.values():
            each.clear()
        yield until("the watch of the other number is called", lambda: calls[left].count)
        yield turns()
        assert calls[ended].count == 0, f"the watch of the {ended} had ended and was called"
        loop.unwatch(watches[left])
        calls[left].clear()
        yield turns()
        assert calls[left].count == 0, f"the watch of the {left} had ended and was called"

    loop.play(script())


@also_needs("w")
def test_a_number_may_be_of_another_kind_of_file_next(loop: Watching, channels: Channels) -> None:
    """It is the reading end of a pipe, then the writing end of another, then a socket."""
    near, far = channels.pipe()
    number = near.fileno()

    def serve(direction: Direction, what: str) -> Script:
        calls = loop.calls(what)
        watch = loop.watch(number, direction, calls)
        yield until(f"{what}, number {number}, is called", lambda: calls.count)
        loop.unwatch(watch)

    def script() -> Script:
        far.send(b"x")
        yield from serve("r", "the reading end of a pipe")
        _reader, writer = channels.pipe()
        near.close()
        os.dup2(writer.fileno(), number)
        yield from serve("w", "the writing end of a pipe")
        os.close(number)
        _socket, peer = channels.pair_at(number)
        peer.send(b"x")
        for direction in loop.directions:
            yield from serve(direction, "a socket")

    loop.play(script())
