"""The turn, and `tideloop.Loop` as a program uses it.  Every test on every poller."""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

import tideloop
from tideloop import READ, WRITE, Loop, VirtualClock
from tideloop.events import Event

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


# ---- TURN-5: what is due


def test_timers_fire_by_deadline_then_by_order(loop: Loop, clock: VirtualClock) -> None:
    trace: list[tuple[str, float]] = []
    start = clock.now()
    for name, delay in [("c", 3), ("a", 1), ("b", 2), ("b2", 2)]:
        loop.after(delay, lambda name: trace.append((name, clock.now() - start)), name)
    loop.run()
    assert trace == [("a", 1), ("b", 2), ("b2", 2), ("c", 3)]


def test_all_that_is_overdue_fires_in_one_turn(loop: Loop, clock: VirtualClock) -> None:
    trace: list[int] = []
    for delay in (3, 1, 2):
        loop.after(delay, trace.append, delay)
    clock.advance(10)
    loop.turn(0)
    assert trace == [1, 2, 3]


def test_a_timer_set_in_a_turn_waits_for_the_next(loop: Loop) -> None:
    trace: list[str] = []

    def again() -> None:
        trace.append("x")
        if len(trace) < 100:
            loop.after(0, again)

    loop.after(0, again)
    loop.turn()
    assert trace == ["x"]
    loop.run()
    assert len(trace) == 100


def test_a_timer_set_by_a_watcher_waits_for_the_next_turn(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    loop.watch(near, READ, lambda ready: loop.after(0, trace.append, "timer") and None)
    loop.after(0, trace.append, "first")
    loop.turn()
    assert trace == ["first"]
    loop.turn()
    assert trace == ["first", "timer"]


def test_a_timer_closed_earlier_in_the_turn_does_not_fire(loop: Loop) -> None:
    timers: list[tideloop.Timer] = []
    trace: list[int] = []

    def fire(number: int) -> None:
        trace.append(number)
        for timer in timers:
            timer.close()

    timers += [loop.after(1, fire, 0), loop.after(1, fire, 1)]
    loop.run()
    assert trace == [0]


def test_an_interval_keeps_its_grid(loop: Loop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[float] = []

    def tick() -> None:
        trace.append(clock.now() - start)
        clock.advance({2: 3.5, 4: 0.25}.get(len(trace), 0.0))
        if len(trace) == 6:
            interval.close()

    interval = loop.every(1.0, tick)
    loop.run()
    # the second call took until 5.5: points 3, 4 and 5 are one call, at once
    assert trace == [1, 2, 5.5, 6, 7, 8]


def test_a_thousand_points_do_not_drift(loop: Loop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[float] = []
    interval = loop.every(0.1, lambda: trace.append(clock.now()))
    while len(trace) < 1000:
        loop.turn()
    interval.close()
    assert trace == [pytest.approx(start + number * 0.1, abs=1e-8) for number in range(1, 1001)]


def test_a_period_finer_than_the_clock_still_ends_its_turn(loop: Loop) -> None:
    ticks: list[None] = []
    interval = loop.every(1e-12, ticks.append, None)
    for _ in range(5):
        loop.turn()
    interval.close()
    assert len(ticks) >= 5


def test_busy_descriptors_and_timers_do_not_starve_each_other(loop: Loop, pair: MakePair) -> None:
    near, _far = pair()
    counts = {"write": 0, "timer": 0}

    def wrote(ready: int) -> None:
        counts["write"] += 1

    def fired() -> None:
        counts["timer"] += 1
        loop.after(0, fired)

    loop.watch(near, WRITE, wrote)
    loop.after(0, fired)
    for _ in range(10):
        loop.turn()
    assert counts == {"write": 10, "timer": 10}


def test_what_is_due_in_a_million_years_is_waited_for(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    loop.after(3e13, print, "a million years have passed")
    forever = loop.after(float("inf"), print, "never")
    watcher = loop.watch(near, READ, lambda ready: loop.stop())
    loop.run()
    watcher.close()
    forever.close()


# ---- TURN-6: exceptions


def test_an_exception_ends_the_turn_and_loses_nothing(loop: Loop, pair: MakePair) -> None:
    trace: list[int] = []
    fail = True

    def callback(number: int) -> Callable[[int], None]:
        def callback(ready: int) -> None:
            trace.append(number)
            if fail:
                raise LookupError(number)

        return callback

    for number in range(3):
        near, _far = ready_pair(pair)
        loop.watch(near, READ, callback(number))
    loop.after(0, trace.append, 99)
    for _ in range(3):
        with pytest.raises(LookupError):
            loop.turn()
    assert sorted(trace) == [0, 1, 2]
    fail = False
    loop.turn()
    assert trace[3] == 99
    assert sorted(trace[4:]) == [0, 1, 2]


def test_what_an_exception_cut_off_is_not_called_on_old_news(loop: Loop, pair: MakePair) -> None:
    """Two are ready, the first to be called raises; the other's data is read meanwhile."""
    ends = [ready_pair(pair)[0] for _ in range(2)]
    called: list[socket.socket] = []

    def watch(near: socket.socket) -> None:
        def callback(ready: int) -> None:
            called.append(near)
            near.recv(1)
            raise LookupError

        loop.watch(near, READ, callback)

    for near in ends:
        watch(near)
    with pytest.raises(LookupError):
        loop.turn(0)
    for near in ends:
        if near not in called:
            near.recv(1)
    for _ in range(3):
        assert loop.turn(0) is False


def test_a_timer_that_raises_does_not_take_the_others_along(loop: Loop) -> None:
    trace: list[str] = []
    loop.after(1, trace.append, "before")
    loop.after(1, lambda: 1 // 0)
    loop.after(1, trace.append, "after")
    with pytest.raises(ZeroDivisionError):
        loop.run()
    assert trace == ["before"]
    loop.run()
    assert trace == ["before", "after"]


def test_an_interval_that_raises_stays(loop: Loop) -> None:
    interval = loop.every(1, lambda: 1 // 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            loop.run()
    interval.close()
    loop.run()


def test_ctrl_c_in_a_callback_comes_out_and_the_loop_goes_on(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    calls: list[int] = []

    def callback(ready: int) -> None:
        calls.append(ready)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        loop.stop()

    loop.watch(near, READ, callback)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    loop.run()
    assert calls == [READ, READ]


# ---- run, stop, post, close


def test_run_returns_when_nothing_is_left(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    watcher = loop.watch(near, READ, lambda ready: watcher.close())
    loop.run()
    loop.run()


def test_stop_ends_run_after_the_turn(loop: Loop, pair: MakePair) -> None:
    trace: list[int] = []

    def callback(ready: int) -> None:
        trace.append(ready)
        loop.stop()

    for _ in range(3):
        near, _far = ready_pair(pair)
        loop.watch(near, READ, callback)
    loop.run()
    assert trace == [READ, READ, READ]


def test_a_stop_before_run_means_nothing(loop: Loop) -> None:
    fired: list[int] = []
    loop.stop()
    loop.after(1, fired.append, 1)
    loop.run()
    assert fired == [1]


def test_a_loop_cannot_be_turned_from_its_own_callback(loop: Loop) -> None:
    refused: list[type] = []

    def callback() -> None:
        for act in (loop.run, loop.turn, loop.close):
            try:
                act()
            except tideloop.RunningError as error:
                refused.append(type(error))

    loop.after(1, callback)
    loop.after(2, refused.append, int)
    loop.run()
    assert refused == [tideloop.RunningError] * 3 + [int]


def test_another_loop_can(loop: Loop, poller: str, clock: VirtualClock) -> None:
    trace: list[str] = []
    with Loop(poller, clock) as inner:
        inner.after(1, trace.append, "inner")
        loop.after(1, lambda: (inner.run(), trace.append("outer")))
        loop.run()
    assert trace == ["inner", "outer"]


def test_a_post_from_another_thread_ends_the_sleep(poller: str) -> None:
    trace: list[object] = []
    with Loop(poller) as loop:
        me = threading.get_ident()

        def posted(word: str) -> None:
            trace.append((word, threading.get_ident() == me))
            loop.stop()

        thread = threading.Timer(0.02, loop.post, (posted, "hello"))
        thread.start()
        loop.run(forever=True)
        thread.join()
    assert trace == [("hello", True)]


def test_close_leaves_nothing(poller: str, no_leak: None) -> None:
    class Callback:
        def __call__(self, *args: object) -> None: ...

    read, write = os.pipe()
    callbacks = [Callback() for _ in range(4)]
    dead = [weakref.ref(callback) for callback in callbacks]
    loop = Loop(poller)
    kept = [
        loop.watch(read, READ, callbacks[0]),
        loop.after(9, callbacks[1]),
        loop.every(9, callbacks[2]),
    ]
    loop.post(callbacks[3])
    loop.close()
    callbacks.clear()
    assert [ref() for ref in dead] == [None] * 4
    del kept
    loop.close()
    os.close(read)
    os.close(write)


def test_a_closed_event_lets_go_of_its_callback_at_once(loop: Loop, pair: MakePair) -> None:
    class Callback:
        def __call__(self, *args: object) -> None: ...

    near, _far = pair()
    callbacks = [Callback() for _ in range(3)]
    dead = [weakref.ref(callback) for callback in callbacks]
    events = [
        loop.watch(near, READ, callbacks[0]),
        loop.after(9, callbacks[1]),
        loop.every(9, callbacks[2]),
    ]
    callbacks.clear()
    for event in events:
        event.close()
        event.close()
    assert [ref() for ref in dead] == [None] * 3


def test_a_collected_loop_is_closed(poller: str, no_leak: None) -> None:
    loop = Loop(poller)
    loop.after(1, print)
    del loop
    gc.collect()


def test_a_program_that_just_ends_is_silent(poller: str) -> None:
    if poller.startswith("kqueue-sim"):
        pytest.skip("the program knows the pollers of this machine alone")
    program = f"""
import socket, tideloop
from tideloop import luaevent, luahop
near, far = socket.socketpair()
loop = tideloop.Loop({poller!r})
loop.watch(near, tideloop.READ, print)
base = luaevent.new({poller!r})
event = base.addevent(near, luaevent.EV_READ, print, 5)
timer = base.addevent(None, 0, lambda flags: luaevent.LEAVE, 0.001)
hop = luahop.new({poller!r})
hop.set_listener(near, 'r', print)
hop.set_interval({{'s': 1}}, lambda: hop)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_repr_tells_the_poller_and_the_state(poller: str) -> None:
    loop = Loop(poller)
    states = [repr(loop)]
    loop.after(0, lambda: states.append(repr(loop)))
    loop.run()
    loop.close()
    states.append(repr(loop))
    assert states == [f"<Loop: {poller}, {state}>" for state in ("idle", "running", "closed")]


class Once(Event):
    """An event of one's own: it notes the first arrival, or that none came in time."""

    def __init__(self, loop: Loop, fd: int, notes: list[str]) -> None:
        super().__init__(fd)
        self.notes = notes
        self.registry = loop.registry
        self.registry.watch(self, READ)
        self.registry.set_deadline(self, self.registry.now() + 10)

    def ready(self, ready: int) -> None:
        self.notes.append("ready")
        self.close()

    def due(self, now: float) -> None:
        self.notes.append("due")
        self.close()

    def close(self) -> None:
        self.registry.unwatch(self)
        self.registry.cancel_deadline(self)


@pytest.mark.parametrize("arrives, notes", [(True, ["ready"]), (False, ["due"])])
def test_an_event_of_your_own(loop: Loop, pair: MakePair, arrives: bool, notes: list[str]) -> None:
    near, far = pair()
    if arrives:
        far.send(b"x")
    noted: list[str] = []
    Once(loop, near.fileno(), noted)
    loop.run()
    assert noted == notes
    assert not loop.busy


def test_an_event_of_your_own_needs_an_open_loop(loop: Loop, pair: MakePair) -> None:
    near, _far = pair()
    loop.close()
    with pytest.raises(tideloop.ClosedError):
        Once(loop, near.fileno(), [])


class Scripted(tideloop.Poller):
    """A scripted kernel: it says *answer* to every question."""

    name: ClassVar[str] = "scripted"

    def __init__(self, answer: list[tuple[int, int]]) -> None:
        self.answer = answer
        self.told: list[tuple[int, int, int]] = []

    def change(self, fd: int, old: int, new: int) -> None:
        self.told.append((fd, old, new))

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        return self.answer

    def close(self) -> None:
        self.told.append((-1, -1, -1))


class WithWords(Scripted):
    meanings: ClassVar[Sequence[int]] = (0, WRITE, READ | WRITE)


@pytest.mark.parametrize(
    "kind, word",
    [
        pytest.param(Scripted, READ | WRITE, id="directions"),
        pytest.param(WithWords, 2, id="words of its own"),
    ],
)
def test_a_poller_of_your_own(kind: type[Scripted], word: int, clock: VirtualClock) -> None:
    poller = kind([(0, word)])
    loop = Loop(poller, clock)
    calls: list[int] = []
    watcher = loop.watch(0, WRITE, calls.append)
    loop.turn()
    watcher.close()
    loop.close()
    assert calls == [WRITE]
    assert [told for told in poller.told if told[0] <= 0][:2] == [(0, 0, WRITE), (0, WRITE, 0)]
    assert poller.told[-1] == (-1, -1, -1)


def test_a_number_that_nobody_watches_is_dropped() -> None:
    poller = Scripted([(9, READ)])
    with Loop(poller) as loop:
        assert loop.turn(0) is False
        assert poller.told[-1] == (9, 0, 0)


def test_a_turn_that_calls_nobody_says_so() -> None:
    """A poller may report a direction that none of the events of a descriptor wants."""
    with Loop(Scripted([(0, WRITE)])) as loop:
        for _ in range(2):
            loop.watch(0, READ, print)
        assert loop.turn(0) is False
        loop.watch(0, WRITE, lambda ready: None)
        assert loop.turn(0) is True


def test_the_rest_is_served_after_a_stopped_descriptor(loop: Loop, pair: MakePair) -> None:
    """The first of three stops the reader and the writer of whichever comes next."""
    calls: list[int] = []
    watchers: dict[int, list[tideloop.Watcher]] = {}

    def called(number: int) -> None:
        calls.append(number)
        if len(calls) == 1:
            for watcher in watchers[(number + 1) % 3]:
                watcher.close()

    def watch_both(number: int) -> None:
        near, far = pair()
        far.send(b"x")
        watchers[number] = [
            loop.watch(near, direction, lambda ready: called(number)) for direction in (READ, WRITE)
        ]

    for number in range(3):
        watch_both(number)
    assert loop.turn(0) is True
    first = calls[0]
    assert sorted(calls) == sorted([first, first, (first + 2) % 3, (first + 2) % 3])


@pytest.mark.parametrize("raises", ["reader", "writer"])
def test_after_an_exception_the_raiser_comes_last(loop: Loop, pair: MakePair, raises: str) -> None:
    """The reader and the writer of one descriptor: each is an event of its own."""
    near, far = pair()
    far.send(b"x")
    calls: list[str] = []

    def called(name: str) -> None:
        calls.append(name)
        if name == raises:
            raise LookupError

    loop.watch(near, READ, lambda ready: called("reader"))
    loop.watch(near, WRITE, lambda ready: called("writer"))
    for _ in range(2):
        with pytest.raises(LookupError):
            loop.turn(0)
    other = {"reader": "writer", "writer": "reader"}[raises]
    first = ["reader"] if raises == "reader" else ["reader", "writer"]
    assert calls == [*first, other, raises]
