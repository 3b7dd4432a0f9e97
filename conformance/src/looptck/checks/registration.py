"""Checks of registration: a watch that begins is served, and one that is refused leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ..clocks import Clock
from ..testing.channels import Channels
from ..testing.hop_driver import error_of
from ..testing.readiness import ReadinessToggle
from ..testing.situations import Situation, everywhere
from .needs import also_needs
from .scenes import Watched, act_in, either_direction, serve_all, total
from .verbs import Direction, Script, Timing, Watching, turns, until


@pytest.mark.parametrize("direction", ["r", "w"])
def test_a_watch_goes_on_after_its_call(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """It is ready five times, with a pause after each, and never watched anew."""
    watched = Watched(loop, channels, direction)

    def script() -> Script:
        for _ in range(5):
            yield from watched.serve()
            yield turns()
            assert watched.count == 1, f"it was ready once, and {watched.count} calls came"

    loop.play(script())


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
            watched = Watched(loop, channels, loop.directions[at % len(loop.directions)])
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
    assert total(inner) == 60, f"60 watches were ready once each, and {total(inner)} calls came"


def test_callbacks_may_begin_watches_in_a_chain(loop: Watching, channels: Channels) -> None:
    """Each callback ends its own watch and begins the next one, of the same descriptor."""
    toggle = ReadinessToggle(channels, "r", on=True)
    toggle.on("w")
    order: list[str] = []
    watches: list[Any] = []

    def begin(number: int) -> None:
        direction = loop.directions[number % len(loop.directions)]
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
    loop: Timing, channels: Channels, direction: Direction, bad: str
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
    old = ReadinessToggle(channels, direction, on=True)
    number = old.number
    first = loop.calls("watch of the old file")
    refused, late = loop.calls("refused watch"), loop.calls("late watch")

    def script() -> Script:
        if known:
            watch = loop.watch(number, direction, first)
            yield until("the old file is called", lambda: first.count)
            loop.unwatch(watch)
        old.near.close()
        if error_of(loop.watch, number, direction, refused) is None:
            return  # the result for a closed descriptor is open
        yield turns()
        new = ReadinessToggle(channels, direction, on=True, at=number)
        yield turns()
        assert refused.count == 0, "a watch that was refused was called once its number was open"
        loop.watch(new.number, direction, late)
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


@also_needs("w")
@pytest.mark.parametrize("first", ["r", "w"])
def test_a_watch_may_be_ended_and_begun_again_by_another(
    loop: Watching, channels: Channels, first: Direction
) -> None:
    """The descriptor is ready both ways: one direction's callback renews the other's watch."""
    second: Direction = "w" if first == "r" else "r"
    toggle = ReadinessToggle(channels, "r", on=True)
    toggle.on("w")
    new = loop.calls(f"new {second} watch")
    old: list[Any] = []

    def renew() -> None:
        if old:
            loop.unwatch(old.pop())
            loop.watch(toggle.number, second, new)

    renewing = loop.calls(f"{first} watch", renew)

    def script() -> Script:
        loop.watch(toggle.number, first, renewing)
        old.append(loop.watch(toggle.number, second, loop.calls(f"old {second} watch")))
        yield until(f"a {second} watch that was ended and begun again is called", lambda: new.count)
        new.clear()
        yield until("it goes on", lambda: new.count >= 3)

    loop.play(script())
