"""A signal handler may change a loop, and raise, between any two steps of a change.

`interrupting` calls a function of the test where a Python signal handler could
run: at the start of a Python function, after a call of a C function, and at the
end of each pass of a loop, in the code of this package.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

import tideloop
from tideloop import (
    READ,
    WRITE,
    BufferedEvent,
    Loop,
    VirtualClock,
)

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]
PACKAGE = os.path.dirname(tideloop.__file__)
# More moments than any act of these tests has.
MOST = 2000


class HandlerError(Exception):
    """Raised by a handler."""


# Python 3.11 now and then turns what a trace function raises into this TypeError,
# raised in the same place or, in one run of a hundred, a moment later.
OF_PYTHON = "'traceback' object is not callable"
RAISED = (HandlerError, TypeError)


def raises() -> None:
    raise HandlerError


def times_out() -> None:
    """An OSError, which no system call has raised."""
    raise TimeoutError


RAISING = (raises, times_out)


class Moments:
    """Calls *handler* in the moment number *chosen* and in the one *later* than that.

    `passed` is how many moments there were.
    """

    def __init__(self, chosen: int, handler: Callable[[], object], later: int) -> None:
        self.raising = handler in RAISING
        self.kinds = {"call"} if self.raising else {"call", "c_return"}
        self.chosen = (chosen, chosen + later)
        self.handler = handler
        self.passed = 0

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in self.kinds or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        if self.raising and frame.f_code.co_name.startswith("<"):
            return
        self.passed += 1
        if self.passed - 1 in self.chosen:
            self.handler()


@contextmanager
def interrupting(chosen: int, handler: Callable[[], object], later: int = 0) -> Iterator[Moments]:
    moments = Moments(chosen, handler, later)
    hook: Any = sys.settrace if moments.raising else sys.setprofile
    before: Any = sys.gettrace() if moments.raising else sys.getprofile()
    hook(moments.profile)
    try:
        yield moments
    finally:
        hook(before)


def each_moment(act: Callable[[int], int]) -> int:
    """*act(chosen)* for each moment, until it passes fewer moments than that; how many."""
    for chosen in range(MOST):
        if undisturbed(act, chosen) <= chosen:
            return chosen
    raise AssertionError("the act never ends")


def undisturbed(act: Callable[[int], int], chosen: int) -> int:
    """*act(chosen)*, again if Python's own TypeError came out of it."""
    for _ in range(5):
        try:
            return act(chosen)
        except TypeError as error:
            if str(error) != OF_PYTHON:
                raise
    raise AssertionError(f"Python raised {OF_PYTHON!r} five times in a row")


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


def served(loop: Loop) -> None:
    loop.turn(0)
    loop.turn(0)


@pytest.mark.parametrize("what", ["its own watcher", "another watcher", "another descriptor"])
def test_a_handler_may_close_in_the_middle_of_a_change(
    poller: str, pair: MakePair, what: str
) -> None:
    near, _far = ready_pair(pair)
    other, _other_far = ready_pair(pair)

    def act(chosen: int) -> int:
        calls: list[str] = []
        with Loop(poller) as loop:
            mine = loop.watch(near, WRITE, lambda ready: calls.append("mine"))
            second = loop.watch(near, READ, lambda ready: calls.append("second"))
            third = loop.watch(other, READ, lambda ready: calls.append("third"))
            closed = {"its own watcher": mine, "another watcher": second}.get(what, third)
            with interrupting(chosen, closed.close) as moments, suppress(tideloop.ClosedError):
                mine.change(READ | WRITE)
                mine.change(READ)
            if moments.passed > chosen:
                names = {mine: "mine", second: "second", third: "third"}
                served(loop)
                assert set(calls) == set(names.values()) - {names[closed]}
            for watcher in (mine, second, third):
                watcher.close()
            assert not loop.busy
        return moments.passed

    assert each_moment(act) > 10


@pytest.mark.parametrize("same", [True, False], ids=["same descriptor", "another"])
@pytest.mark.parametrize("doing", ["watch", "change", "close"])
def test_a_handler_may_watch_in_the_middle_of_a_change(
    poller: str, pair: MakePair, doing: str, same: bool
) -> None:
    near, _far = ready_pair(pair)
    other, _other_far = ready_pair(pair)

    def act(chosen: int) -> int:
        calls: list[str] = []
        with Loop(poller) as loop:
            made = []

            def handler() -> None:
                fd = near if same else other
                made.append(loop.watch(fd, READ, lambda ready: calls.append("handler's")))

            kept = loop.watch(near, READ, lambda ready: calls.append("kept"))
            mine = None if doing == "watch" else loop.watch(near, WRITE, print)
            with interrupting(chosen, handler) as moments:
                if mine is None:
                    mine = loop.watch(near, WRITE, lambda ready: calls.append("mine"))
                elif doing == "change":
                    mine.change(READ | WRITE)
                else:
                    mine.close()
            if doing == "change":
                mine.close()
            served(loop)
            assert "kept" in calls
            assert ("mine" in calls) == (doing == "watch")
            assert ("handler's" in calls) == bool(made)
            for watcher in (kept, mine, *made):
                watcher.close()
            assert not loop.busy
        return moments.passed

    assert each_moment(act) > 3


@pytest.mark.parametrize("later", [1, 2, 3, 5, 8])
def test_a_handler_may_come_while_another_s_change_is_made(pair: MakePair, later: int) -> None:
    ends = [ready_pair(pair)[0] for _ in range(3)]

    def act(chosen: int) -> int:
        calls: list[int] = []
        free = [*ends]
        with Loop("poll") as loop:

            def watch() -> None:
                number = len(free)
                loop.watch(free.pop(), READ, lambda ready: calls.append(number))

            with interrupting(chosen, watch, later) as moments:
                watch()
            served(loop)
            watched = {number for number in (3, 2, 1) if number > len(free)}
            assert set(calls) == watched
        return moments.passed

    assert each_moment(act) > 3


@pytest.mark.parametrize("later", [1, 2, 3, 5, 8])
def test_the_last_of_two_handlers_decides(pair: MakePair, later: int) -> None:
    near, _far = ready_pair(pair)
    other, _other_far = pair()

    def act(chosen: int) -> int:
        calls: list[int] = []
        with Loop("poll") as loop:
            mine = loop.watch(near, READ, calls.append)
            busy = loop.watch(other, READ, print)
            acts = iter([lambda: mine.change(WRITE), mine.close])
            with interrupting(chosen, lambda: next(acts)(), later) as moments:
                busy.change(READ | WRITE)
            if next(acts, None) is None:
                assert loop.registry.watching(near) == ()
                served(loop)
                assert calls == []
        return moments.passed

    assert each_moment(act) > 3


def test_a_deferred_watch_that_is_refused_comes_out(loop: Loop, pair: MakePair) -> None:
    near, _far = pair()
    gone, _gone_far = pair()
    fd = gone.detach()
    os.close(fd)
    outcomes = set()

    def handler() -> None:
        try:
            loop.watch(fd, READ, print)
        except OSError:
            outcomes.add("out of the handler's call")

    def act(chosen: int) -> int:
        with interrupting(chosen, handler) as moments:
            try:
                loop.watch(near, READ, print).close()
            except OSError:
                outcomes.add("out of the call that was interrupted")
        assert not loop.registry.watching(fd)
        for watcher in loop.registry.watching(near):
            watcher.close()
        assert not loop.busy
        return moments.passed

    each_moment(act)
    assert len(outcomes) == 2


def test_a_handler_may_watch_while_ghosts_are_driven_out(poller: str, pair: MakePair) -> None:
    near, _far = ready_pair(pair)

    def act(chosen: int) -> int:
        calls: list[int] = []
        with Loop(poller) as loop:
            read, write = os.pipe()
            os.write(write, b"x")
            kept = os.dup(read)
            ghost = loop.watch(read, READ, print)
            os.close(read)
            ghost.close()
            made = []
            with interrupting(
                chosen, lambda: made.append(loop.watch(near, READ, calls.append))
            ) as moments:
                loop.turn(0)
            loop.turn(0)
            os.close(kept)
            os.close(write)
            loop.turn(0)
            assert bool(calls) == bool(made)
            for watcher in made:
                watcher.close()
            assert not loop.busy
        return moments.passed

    assert each_moment(act) > 5


@pytest.mark.parametrize("doing", ["watch", "change", "close"])
def test_a_handler_that_raises_leaves_no_half_change(
    poller: str, pair: MakePair, doing: str
) -> None:
    near, _far = ready_pair(pair)

    def act(chosen: int) -> int:
        calls: list[str] = []
        with Loop(poller) as loop:
            kept = loop.watch(near, READ, lambda ready: calls.append("kept"))
            mine = None
            if doing != "watch":
                mine = loop.watch(near, WRITE, lambda ready: calls.append("mine"))
            with interrupting(chosen, raises) as moments, suppress(*RAISED):
                if mine is None:
                    mine = loop.watch(near, WRITE, lambda ready: calls.append("mine"))
                elif doing == "change":
                    mine.change(READ | WRITE)
                else:
                    mine.close()
            served(loop)
            assert "kept" in calls
            for watcher in (kept, mine):
                if watcher is not None:
                    watcher.close()
            assert not loop.busy
        return moments.passed

    assert each_moment(act) > 5


def test_a_timeout_of_a_handler_is_no_refusal(poller: str, pair: MakePair) -> None:
    near, _far = pair()

    def act(chosen: int) -> int:
        with Loop(poller) as loop:
            watcher = loop.watch(near, READ, print)
            came_out = False
            with interrupting(chosen, times_out) as moments:
                try:
                    watcher.change(READ | WRITE)
                    watcher.close()
                except (TimeoutError, TypeError):
                    came_out = True
            assert came_out == (moments.passed > chosen)
        return moments.passed

    assert each_moment(act) > 5


def test_a_handler_that_raises_in_a_turn_loses_nothing(poller: str, pair: MakePair) -> None:
    def act(chosen: int) -> int:
        near, far = pair()
        calls: list[object] = []
        clock = VirtualClock()
        with Loop(poller, clock) as loop:
            interval = loop.every(1, calls.append, "interval")
            loop.after(1, calls.append, "timer")
            base_event = tideloop.luaevent.event.PersistentEvent(
                loop.registry, None, 0, lambda flags: calls.append("persistent"), 1
            )
            event = BufferedEvent(loop, near, lambda event: calls.append("read"))
            event.enable(READ)
            far.send(b"first")
            loop.post(calls.append, "post 1")
            loop.post(calls.append, "post 2")
            clock.advance(1)
            with interrupting(chosen, raises) as moments, suppress(*RAISED):
                loop.turn(0)
            for _ in range(4):
                loop.turn(0)
            assert event.take() == b"first"
            for name in ("timer", "post 1", "post 2", "read", "interval"):
                assert calls.count(name) == 1, (chosen, name)
            assert "persistent" in calls
            clock.advance(1)
            loop.turn(0)
            loop.turn(0)
            assert calls.count("interval") == 2
            interval.close()
            base_event.close()
            event.close()
            assert not loop.busy
        near.close()
        far.close()
        return moments.passed

    assert each_moment(act) > 30


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_handler_that_raises_sends_nothing_twice(
    poller: str, pair: MakePair, pieces: int
) -> None:
    def act(chosen: int) -> int:
        near, far = pair()
        written: list[str] = []
        with Loop(poller) as loop:
            event = BufferedEvent(loop, near, None, lambda event: written.append("written"))
            event.enable(WRITE, announce=False)
            data = [bytes([number]) * 2000 for number in range(1, pieces + 1)]
            for piece in data:
                event.write(piece)
            with interrupting(chosen, raises) as moments, suppress(*RAISED):
                loop.turn(0)
            for _ in range(3):
                loop.turn(0)
            assert far.recv(10000) == b"".join(data)
            assert written
            event.close()
        near.close()
        far.close()
        return moments.passed

    assert each_moment(act) > 10


@pytest.mark.parametrize("waiting", [10, 5000])
def test_a_read_that_joins_others_is_not_lost(poller: str, pair: MakePair, waiting: int) -> None:
    def act(chosen: int) -> int:
        near, far = pair()
        arrivals: list[int] = []
        with Loop(poller) as loop:
            event = BufferedEvent(loop, near, lambda event: arrivals.append(1))
            event.enable(READ)
            far.send(b"a")
            loop.turn(0)
            far.send(b"b" * waiting)
            with interrupting(chosen, raises) as moments, suppress(*RAISED):
                loop.turn(0)
            loop.turn(0)
            loop.turn(0)
            assert len(arrivals) >= 2
            assert event.take() == b"a" + b"b" * waiting
            event.close()
        near.close()
        far.close()
        return moments.passed

    assert each_moment(act) > 10


def test_a_timer_survives_tidying_by_another_thread(clock: VirtualClock) -> None:
    """`_tidy` drops dead entries of the heap while another thread's `bound` fills it."""
    loop = Loop(clock=clock)
    fired: list[int] = []
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for timer in [loop.after(100, int) for _ in range(200)]:
                timer.close()

    thread = threading.Thread(target=churn)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for number in range(2000):
            loop.after(0, fired.append, number)
            loop.turn(0)
            loop.turn(0)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
    loop.turn(0)
    assert fired == list(range(2000))
    loop.close()


def test_a_handler_that_raises_leaves_the_loop_usable(poller: str) -> None:
    def act(chosen: int) -> int:
        with Loop(poller) as loop:
            loop.post(loop.stop)
            with interrupting(chosen, raises) as moments, suppress(*RAISED):
                loop.run()
            left = signal.set_wakeup_fd(-1)
            assert left == -1 or chosen < moments.passed
            tideloop.waker.Waker.lent.clear()
            loop.post(loop.stop)
            loop.run(forever=True)
        return moments.passed

    assert each_moment(act) > 10
