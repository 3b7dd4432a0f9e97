"""Memory follows what is alive: no pattern of setting and cancelling leaves anything."""

from __future__ import annotations

import gc
import socket
import tracemalloc
import weakref
from collections.abc import Callable

import pytest

import tideloop
from tideloop import READ, BufferedEvent, Loop, luaevent
from tideloop.timers import Timed, Timers

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]


@pytest.fixture
def poller() -> str:
    """One is enough where nothing is watched, or the same thing all the time."""
    return "poll"


def growth(act: Callable[[], object], rounds: int = 300) -> int:
    """How many bytes a thousand calls of *act* leave, once it has settled."""
    for _ in range(rounds):
        act()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(rounds):
            act()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            act()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


def set_and_cancel(loop: Loop, near: object) -> None:
    loop.after(30, int).close()


def set_turn_and_cancel(loop: Loop, near: object) -> None:
    timer = loop.after(30, int)
    loop.turn(0)
    timer.close()


def move_earlier(loop: Loop, near: object) -> None:
    timer = loop.after(30, int)
    for deadline in range(20, 10, -1):
        loop.registry.set_deadline(timer, loop.registry.now() + deadline)
        loop.turn(0)
    timer.close()


def intervals(loop: Loop, near: object) -> None:
    interval = loop.every(1, int)
    loop.turn(5)
    interval.close()


def posts(loop: Loop, near: object) -> None:
    loop.post(int)
    loop.turn(0)


def timeouts_that_are_hit(loop: Loop, near: Pair) -> None:
    event = BufferedEvent(loop, near[0])
    event.set_timeouts(1, None)
    event.enable(READ)
    loop.turn(1)
    event.close()


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside another timer"])
@pytest.mark.parametrize(
    "act",
    [
        set_and_cancel,
        set_turn_and_cancel,
        move_earlier,
        intervals,
        posts,
        timeouts_that_are_hit,
    ],
)
def test_nothing_piles_up(
    loop: Loop, pair: MakePair, act: Callable[[Loop, object], None], others: bool
) -> None:
    """The heap may keep some dead entries, but a bounded number of them."""
    if others:
        loop.after(1e9, int)
    near = pair()
    assert growth(lambda: act(loop, near)) < 20_000


@pytest.mark.parametrize("poller", tideloop.available())
def test_watching_and_closing_leaves_nothing(loop: Loop, pair: MakePair) -> None:
    near, _far = pair()

    def act() -> None:
        loop.watch(near, READ, int).close()
        loop.turn(0)

    assert growth(act) < 20_000


def test_a_timer_cleared_in_a_callback_leaves_nothing(loop: Loop, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    loop.watch(near, READ, lambda ready: loop.after(30, int).close())
    assert growth(lambda: loop.turn(0)) < 20_000


def test_a_timeout_that_is_hit_again_and_again_leaves_nothing(poller: str, pair: MakePair) -> None:
    base = luaevent.new(poller)
    near, _far = pair()
    event = base.addevent(near, luaevent.EV_READ, lambda flags: (luaevent.EV_READ, 0.0), 0.0)
    assert growth(lambda: base._loop.turn(0)) < 20_000
    event.close()
    base.close()


def test_a_cancelled_timer_is_let_go_at_once() -> None:
    """From the heap as from what is fresh; nobody has to turn for it."""
    timers = Timers()

    class Tracked(Timed):
        __slots__ = ("__weakref__",)

    for in_the_heap in (False, True):
        timed = Tracked()
        timers.set(timed, 1.0)
        if in_the_heap:
            timers.begin_turn()
        timers.set(timed, 0.5)
        timers.cancel(timed)
        gone = weakref.ref(timed)
        del timed
        assert gone() is None


def test_a_closed_buffered_event_is_let_go_at_once(loop: Loop, pair: MakePair) -> None:
    class Tracked(BufferedEvent):
        __slots__ = ("__weakref__",)

    near, _far = pair()
    event = Tracked(loop, near)
    event.set_timeouts(30, None)
    event.enable()
    loop.turn(0)
    event.close()
    gone = weakref.ref(event)
    del event
    assert gone() is None


def test_a_heap_of_many_shrinks_when_they_are_cancelled(loop: Loop) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        many = [loop.after(1000 + number, int) for number in range(5000)]
        loop.turn(0)
        many += [loop.after(1000 + number, int) for number in range(5000)]
        full, _ = tracemalloc.get_traced_memory()
        for timer in many:
            timer.close()
        del many, timer
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < (full - before) / 50
