"""Checks of cancellation: a watch that ended is called no more, and nobody else notices."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.readiness import ReadinessToggle
from ..testing.situations import Situation, everywhere
from .scenes import Watched, act_in, either_direction, reached, serve_all, total
from .verbs import Direction, Script, Timing, Watching, turns, until


@everywhere
@either_direction
def test_a_watch_that_was_not_served_can_be_ended(
    loop: Watching, channels: Channels, situation: Situation, direction: Direction
) -> None:
    """The descriptor is ready all the time, and its number free for another watch."""
    toggle = ReadinessToggle(channels, direction, on=True)
    old, new = loop.calls("ended watch"), loop.calls("new watch")

    def begin_and_end() -> None:
        loop.unwatch(loop.watch(toggle.number, direction, old))

    def script() -> Script:
        yield from act_in(situation, loop, channels, begin_and_end)
        yield turns()
        assert old.count == 0, f"a watch that had ended was called {old.count} times"
        loop.watch(toggle.number, direction, new)
        yield until("a new watch of the descriptor is called", lambda: new.count)

    loop.play(script())


@either_direction
def test_a_watch_that_ended_is_not_called(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """It was called before and its descriptor stays ready.  Watches beside it go on."""
    toggle = ReadinessToggle(channels, direction, on=True)
    calls = loop.calls("ended watch")
    beside = [Watched(loop, channels)]

    def script() -> Script:
        watch = loop.watch(toggle.number, direction, calls)
        beside.append(Watched(loop, channels, direction))
        yield until("the watch is called", lambda: calls.count)
        loop.unwatch(watch)
        calls.clear()
        yield turns()
        yield from serve_all(beside)
        assert calls.count == 0, f"a watch that had ended was called {calls.count} times"

    loop.play(script())


@either_direction
@pytest.mark.parametrize("number", [2, 8])
def test_a_watch_ended_by_another_in_its_turn_is_not_called(
    loop: Watching, channels: Channels, direction: Direction, number: int
) -> None:
    """All are ready at once; the one that is called first ends all of them."""
    watched: list[Watched] = []

    def end_all() -> None:
        for each in watched:
            each.unwatch()

    def script() -> Script:
        watched.extend(Watched(loop, channels, direction, end_all) for _ in range(number))
        for each in watched:
            each.end.on()
        yield until("one of the watches is called", partial(total, watched))
        yield turns()

    loop.play(script())
    called = total(watched)
    assert called == 1, (
        f"of {number} watches the first to be called ended all, and {called} were called"
    )


def test_a_watch_that_ends_the_others_goes_on(loop: Watching, channels: Channels) -> None:
    """Three are ready at once; the one that is called first ends the other two."""
    watched: list[Watched] = []
    ended: list[Watched] = []

    def end_others(me: int) -> None:
        if not ended:
            ended.extend(each for each in watched if each is not watched[me])
            for each in ended:
                each.unwatch()

    def script() -> Script:
        watched.extend(Watched(loop, channels, "r", partial(end_others, me)) for me in range(3))
        for each in watched:
            each.end.on()
        yield until("one of the watches is called", lambda: ended)
        for each in watched:
            each.end.on()
        left = next(each for each in watched if each not in ended)
        yield from left.serve()
        yield turns()

    loop.play(script())
    assert total(ended) == 0, f"two watches were ended, and then {total(ended)} calls came"


@either_direction
@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_callback_may_end_its_own_watch(
    loop: Watching, channels: Channels, direction: Direction, closes: bool, position: int
) -> None:
    """It may close its descriptor too.  The two others that are ready in that turn are called."""
    toggle = ReadinessToggle(channels, direction, on=True)
    number = toggle.number
    watches: list[Any] = []

    def end() -> None:
        loop.unwatch(watches[0])
        if closes:
            toggle.near.close()

    calls = loop.calls("watch that ends itself", end)
    others: list[Watched] = []

    def script() -> Script:
        for at in range(3):
            if at == position:
                watches.append(loop.watch(number, direction, calls))
            else:
                others.append(Watched(loop, channels))
        for each in others:
            each.end.on()
        yield until(
            "three ready watches are called", lambda: calls.count and all(o.count for o in others)
        )
        if closes:
            ReadinessToggle(channels, direction, at=number).on()
        yield turns()
        yield from serve_all(others)
        assert calls.count == 1, f"a watch that ended itself was called {calls.count} times"

    loop.play(script())


@either_direction
def test_ending_a_watch_twice_is_harmless(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Another watch of the descriptor was begun in between, and others are beside it."""
    beside = [Watched(loop, channels), Watched(loop, channels, direction)]
    first = Watched(loop, channels, direction)

    def script() -> Script:
        first.unwatch()
        loop.unwatch_again(first.watch)
        loop.unwatch_again(first.watch)
        yield from serve_all(beside)
        first.end.on()
        yield turns()
        assert first.count == 0, f"a watch that had ended was called {first.count} times"
        calls = loop.calls("new watch")
        loop.watch(first.end.number, direction, calls)
        yield until("a new watch of the descriptor is called", lambda: calls.count)

    loop.play(script())


@pytest.mark.parametrize("first", ["r", "w"])
@pytest.mark.parametrize("how", ["ended", "replaced"])
def test_one_direction_may_end_the_other_in_its_turn(
    loop: Watching, channels: Channels, first: Direction, how: str
) -> None:
    """The descriptor is ready both ways and stays so; the first call ends the other's watch.

    It may put a new watch in its place, which is called from then on.
    """
    toggle = ReadinessToggle(channels, "r", on=True)
    toggle.on("w")
    second: Direction = "w" if first == "r" else "r"
    watches: dict[Direction, Any] = {}
    called: list[Direction] = []
    new = loop.calls("new watch")

    def on_call(me: Direction) -> None:
        called.append(me)
        if len(called) > 1:
            return
        other: Direction = "w" if me == "r" else "r"
        loop.unwatch(watches[other])
        if how == "replaced":
            loop.watch(toggle.number, other, new)

    def script() -> Script:
        for direction in (first, second):
            calls = loop.calls(f"{direction} watch", partial(on_call, direction))
            watches[direction] = loop.watch(toggle.number, direction, calls)
        yield until("one direction is called again and again", lambda: len(called) >= 4)
        if how == "replaced":
            yield until("the new watch of the other direction is called", lambda: new.count)

    loop.play(script())
    assert len(set(called)) == 1, f"{called[0]!r} ended the other watch; then came {called}"


@either_direction
def test_a_timer_may_end_a_ready_watch(
    loop: Timing, channels: Channels, clock: Clock, direction: Direction
) -> None:
    """Timer and watch are due in one turn, in an order that is open."""
    toggle = ReadinessToggle(channels, direction)
    calls = loop.calls("ended watch")
    ran: list[bool] = []

    def end() -> None:
        ran.append(True)
        loop.unwatch(watches[0])
        calls.clear()

    watches: list[Any] = []

    def script() -> Script:
        watches.append(loop.watch(toggle.number, direction, calls))
        loop.set_timer(0.002, end)
        clock.advance(0.004)
        toggle.on()
        yield until("the timer runs", lambda: ran)
        yield turns()

    loop.play(script())
    assert calls.count == 0, f"a timer ended the watch; then came {calls.count} calls"


first_or_last = pytest.mark.parametrize("ended", ["first", "last"])


@first_or_last
@either_direction
def test_the_end_of_a_watch_leaves_the_other_direction(
    loop: Watching, channels: Channels, ended: str, direction: Direction
) -> None:
    """Neither is ready when one ends, so that the kernel must watch on for the other."""
    _leaves(loop, channels, ended, "w" if direction == "r" else "r", direction)


@first_or_last
@either_direction
def test_the_end_of_a_watch_leaves_others_of_its_direction(
    loop: Watching, channels: Channels, ended: str, direction: Direction
) -> None:
    """Neither is ready when one ends, so that the kernel must watch on for the other."""
    _leaves(loop, channels, ended, direction, direction)


def _leaves(
    loop: Watching, channels: Channels, ended: str, ending: Direction, staying: Direction
) -> None:
    toggle = ReadinessToggle(channels, staying)
    old, left = loop.calls("watch that ends"), loop.calls("watch that is left", toggle.off)

    def script() -> Script:
        if ended == "last":
            loop.watch(toggle.number, staying, left)
        watch = loop.watch(toggle.number, ending, old)
        if ended == "first":
            loop.watch(toggle.number, staying, left)
        yield turns()
        loop.unwatch(watch)
        yield turns()
        for times in (1, 2):
            toggle.on()
            yield until("the watch that is left is called", partial(reached, left, times))
        assert old.count == 0, f"a watch that had ended was called {old.count} times"

    loop.play(script())
