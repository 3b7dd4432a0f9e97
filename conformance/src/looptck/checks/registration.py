"""Checks of watches: how they begin, end and take each other's place; who is called no more."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.hop_driver import error_of
from ..testing.readiness import ReadinessToggle
from ..testing.situations import Situation, everywhere
from .scenes import Watched, act_in, either_direction, serve_all
from .verbs import Calls, Direction, Script, TimedWatching, Watching, turns, until


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
        yield until("one of the watches is called", partial(_called, watched))
        yield turns()

    loop.play(script())
    called = _called(watched)
    assert called == 1, (
        f"of {number} watches the first to be called ended all, and {called} were called"
    )


def _called(watched: list[Watched]) -> int:
    return sum(each.count for each in watched)


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
    assert _called(ended) == 0, f"two watches were ended, and then {_called(ended)} calls came"


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
def test_a_timer_may_end_a_ready_watch(
    loop: TimedWatching, channels: Channels, clock: Clock, direction: Direction
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


@either_direction
def test_a_number_reused_in_a_timer_inherits_no_readiness(
    loop: TimedWatching, channels: Channels, clock: Clock, direction: Direction
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
            yield until("the watch that is left is called", partial(_reached, left, times))
        assert old.count == 0, f"a watch that had ended was called {old.count} times"

    loop.play(script())


def _reached(calls: Calls, number: int) -> bool:
    return calls.count >= number


@either_direction
@pytest.mark.parametrize("number", [2, 5])
def test_each_watch_of_a_descriptor_is_called(
    loop: Watching, channels: Channels, direction: Direction, number: int
) -> None:
    """The descriptor stays ready, and none of its watches makes way for the others."""
    toggle = ReadinessToggle(channels, direction, on=True)
    calls = [loop.calls(f"watch {at}") for at in range(number)]

    def script() -> Script:
        watches = [loop.watch(toggle.number, direction, each) for each in calls]
        yield until(f"each of {number} watches is called", lambda: all(c.count for c in calls))
        loop.unwatch(watches[0])
        for each in calls:
            each.clear()
        yield until("each that is left is called again", lambda: all(c.count for c in calls[1:]))
        assert calls[0].count == 0, "a watch that had ended was called"

    loop.play(script())


@either_direction
def test_a_watch_begun_in_a_callback_is_served(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Its descriptor is ready already, and nothing else wakes the loop; then it is ready again."""
    toggle = ReadinessToggle(channels, direction, on=True)
    inner = loop.calls("watch begun in a callback", toggle.off)
    outer = Watched(loop, channels, then=lambda: loop.watch(toggle.number, direction, inner))

    def script() -> Script:
        yield from outer.serve()
        outer.unwatch()
        yield until("a watch that a callback began is called", lambda: inner.count)
        yield turns()
        assert inner.count == 1, f"it was ready once, and {inner.count} calls came"
        toggle.on()
        yield until("it is called when it is ready again", lambda: inner.count >= 2)

    loop.play(script())


# Nothing but the descriptors wakes a loop for so many seconds.
_FAR = 1.0


@either_direction
def test_a_watch_begun_in_a_callback_shortens_the_wait(
    loop: Watching, channels: Channels, clock: Clock, direction: Direction
) -> None:
    """Its descriptor is ready, and the only timer is far: the loop must not sleep without it."""
    toggle = ReadinessToggle(channels, direction, on=True)
    moments: list[float] = []

    def note() -> None:
        moments.append(clock.now())
        toggle.off()

    def begin() -> None:
        moments.append(clock.now())
        loop.watch(toggle.number, direction, loop.calls("watch begun in a callback", note))

    outer = Watched(loop, channels, then=begin)

    def script() -> Script:
        outer.end.on()
        yield until("a watch begun in a callback is called", lambda: len(moments) > 1, pace=_FAR)

    loop.play(script())
    waited = moments[1] - moments[0]
    assert waited < 0.9 * _FAR, (
        f"a callback began a watch that was ready, and its call came after {waited:.1f} s, when a "
        "timer woke the loop"
    )


def test_each_callback_of_a_turn_may_begin_watches(loop: Watching, channels: Channels) -> None:
    """Five are ready at once and each begins twelve, so that tables grow under the turn."""
    inner: list[Watched] = []

    def begin() -> None:
        for at in range(12):
            watched = Watched(loop, channels, loop.directions[at % 2])
            watched.end.on()
            inner.append(watched)

    outer = [Watched(loop, channels, then=begin) for _ in range(5)]

    def script() -> Script:
        for each in outer:
            each.end.on()
        yield until(
            "60 watches begun in callbacks are called",
            lambda: len(inner) == 60 and all(each.count for each in inner),
        )
        yield turns()

    loop.play(script())
    assert _called(inner) == 60, f"60 watches were ready once each, and {_called(inner)} calls came"


def test_callbacks_may_begin_watches_in_a_chain(loop: Watching, channels: Channels) -> None:
    """Each callback ends its own watch and begins the next one, of the same descriptor."""
    toggle = ReadinessToggle(channels, "r", on=True)
    toggle.on("w")
    order: list[str] = []
    watches: list[Any] = []

    def begin(number: int) -> None:
        direction = loop.directions[number % 2]
        calls = loop.calls(f"link {number}", lambda: follow(number))
        watches.append(loop.watch(toggle.number, direction, calls))

    def follow(number: int) -> None:
        order.append(str(number))
        loop.unwatch(watches[number])
        if number < 9:
            begin(number + 1)

    def script() -> Script:
        begin(0)
        yield until("the last watch of a chain is called", lambda: "9" in order)
        yield turns()

    loop.play(script())
    assert order == [str(each) for each in range(10)], f"the links were called in the order {order}"


# Objects that cannot be called.
_NO_CALLBACKS = pytest.mark.parametrize(
    "callback", ["print", 42, [print], {}], ids=["text", "number", "list", "mapping"]
)


@everywhere
@either_direction
@_NO_CALLBACKS
def test_a_callback_that_cannot_be_called_is_refused(
    loop: Watching, channels: Channels, situation: Situation, direction: Direction, callback: Any
) -> None:
    """The descriptor is ready: a watch that was begun nevertheless would be called."""
    toggle = ReadinessToggle(channels, direction, on=True)
    calls = loop.calls("good watch")
    raised: list[BaseException | None] = []

    def refuse() -> None:
        raised.append(error_of(loop.watch, toggle.number, direction, callback))

    def script() -> Script:
        yield from act_in(situation, loop, channels, refuse)
        assert raised[0] is not None, f"{callback!r} was accepted for a callback"
        yield turns()
        loop.watch(toggle.number, direction, calls)
        yield until("the descriptor can be watched after the refusal", lambda: calls.count)
        refuse()
        calls.clear()
        yield until("the watch goes on after another refusal", lambda: calls.count)

    loop.play(script())


def _closed(channels: Channels) -> int:
    near, _ = channels.pair()
    number = near.fileno()
    near.close()
    return number


_NO_DESCRIPTORS: dict[str, Any] = {
    "negative": -1,
    "very negative": -(2**31),
    "never opened": 3998,
    "beyond the table": 10**6,
    "the largest": 2**31 - 1,
    "beyond an int": 2**31,
    "beyond 64 bits": 2**64 + 1,
    "an object": object(),
    "a text": "fd",
    "a list": [0],
}


@everywhere
@either_direction
@pytest.mark.parametrize("bad", _NO_DESCRIPTORS)
def test_a_bad_descriptor_does_no_harm_to_others(
    loop: Watching, channels: Channels, situation: Situation, direction: Direction, bad: str
) -> None:
    """Whether the call raises is open; watches begun before it and after it are served."""
    before = Watched(loop, channels, direction)
    calls = loop.calls("bad watch")
    accepted: list[Any] = []

    def begin() -> None:
        error_of(lambda: accepted.append(loop.watch(_NO_DESCRIPTORS[bad], direction, calls)))

    def script() -> Script:
        yield from act_in(situation, loop, channels, begin)
        for watch in accepted:
            error_of(loop.unwatch, watch)
        after = Watched(loop, channels)
        yield from serve_all([before, after, before])
        yield turns()
        refused = not accepted
        assert not (refused and calls.count), f"{bad} was refused, and yet its callback was called"

    loop.play(script())


@either_direction
@pytest.mark.parametrize("bad", _NO_DESCRIPTORS)
def test_a_bad_descriptor_that_stays_does_no_harm(
    loop: TimedWatching, channels: Channels, direction: Direction, bad: str
) -> None:
    """If it is accepted it stays watched.  A turn that sleeps for a timer shows no other work."""
    watched = [Watched(loop, channels, direction)]
    calls = loop.calls("bad watch")
    ran: list[bool] = []

    def script() -> Script:
        for _ in range(3):
            error_of(loop.watch, _NO_DESCRIPTORS[bad], direction, calls)
            watched.append(Watched(loop, channels))
            yield from serve_all(watched)
        loop.set_timer(0.002, lambda: ran.append(True))
        yield until("a timer runs", lambda: ran)

    loop.play(script())


@either_direction
@pytest.mark.parametrize("known", [False, True], ids=["new", "watched-before"])
def test_a_closed_number_that_was_refused_leaves_no_trace(
    loop: Watching, channels: Channels, direction: Direction, known: bool
) -> None:
    """Afterwards the number belongs to another file, which is ready and not watched yet."""
    old = Watched(loop, channels, direction)
    number = old.end.number
    refused, late = loop.calls("refused watch"), loop.calls("late watch")

    def script() -> Script:
        if known:
            yield from old.serve()
        old.unwatch()
        old.end.near.close()
        if error_of(loop.watch, number, direction, refused) is None:
            return  # the result for a closed descriptor is open
        yield turns()
        ReadinessToggle(channels, direction, at=number).on()
        yield turns()
        assert refused.count == 0, "a watch that was refused was called once its number was open"
        loop.watch(number, direction, late)
        yield until("the number can be watched once it is open", lambda: late.count)
        assert refused.count == 0, "a watch that was refused was called beside another"

    loop.play(script())


@either_direction
@pytest.mark.parametrize("active", [True, False], ids=["begun-last", "ended-last"])
def test_one_number_may_be_watched_many_times_in_a_turn(
    loop: Watching, channels: Channels, direction: Direction, active: bool
) -> None:
    """A callback begins and ends the watch of a ready descriptor 300 times."""
    toggle = ReadinessToggle(channels, direction, on=True)
    old = loop.calls("ended watch")
    last = loop.calls("last watch", toggle.off)

    def churn() -> None:
        for _ in range(300):
            loop.unwatch(loop.watch(toggle.number, direction, old))
        if active:
            loop.watch(toggle.number, direction, last)

    def script() -> Script:
        yield from act_in(Situation.INSIDE, loop, channels, churn)
        if active:
            yield until("the last watch is called", lambda: last.count)
        yield turns()
        assert old.count == 0, f"watches that had ended were called {old.count} times"
        assert last.count == active, f"the last watch was called {last.count} times, not {active:d}"

    loop.play(script())
