"""A signal handler's changes take effect at once, in every window around the wait."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tideloop import READ, Clock, Loop, MonotonicClock, levent, luahop
from tideloop.clock import Wait
from tideloop.waker import Waker

Pair = tuple[socket.socket, socket.socket]
T = TypeVar("T")
MakePair = Callable[[], Pair]
# A wait that nothing ended would last so long; then the test fails.
LONG = 20.0


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Sets what SIGUSR1's handler does."""
    before = signal.getsignal(signal.SIGUSR1)

    def set_handler(act: Callable[[], object]) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: act())

    yield set_handler
    signal.signal(signal.SIGUSR1, before)


OnSignal = Callable[[Callable[[], object]], None]


class SignalBeforeTheWait(MonotonicClock):
    """The handler runs in the last Python code before the kernel is asked."""

    def __init__(self) -> None:
        self.armed = True

    def pace(self, wait: Wait[T]) -> Wait[T]:
        def paced(timeout: float | None) -> list[T]:
            if self.armed and timeout != 0:
                self.armed = False
                signal.raise_signal(signal.SIGUSR1)
            return wait(timeout)

        return paced


def kill_soon() -> threading.Timer:
    """A signal while the kernel waits."""
    sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    sender.start()
    return sender


@pytest.mark.parametrize("window", ["before the wait", "in the wait"])
@pytest.mark.parametrize(
    "act", ["stop", "post", "after", "watch", "change", "close the watcher", "close the timer"]
)
@pytest.mark.parametrize("foreign", [False, True], ids=["", "with a wakeup fd of the program"])
def test_a_handler_s_change_takes_effect_at_once(
    poller: str, on_signal: OnSignal, pair: MakePair, window: str, act: str, foreign: bool
) -> None:
    clock: Clock = SignalBeforeTheWait() if window == "before the wait" else MonotonicClock()
    own, theirs = socket.socketpair()
    theirs.setblocking(False)
    near, far = pair()
    far.send(b"x")
    with Loop(poller, clock) as loop:
        if act == "close the watcher":
            idle = loop.watch(pair()[0], READ, print)
        else:
            timer = loop.after(LONG, print)
        if act == "change":
            paused = loop.watch(near, READ, lambda ready: loop.stop())
            paused.change(0)
        acts: dict[str, Callable[[], object]] = {
            "stop": loop.stop,
            "post": lambda: loop.post(loop.stop),
            "after": lambda: loop.after(0, loop.stop),
            "watch": lambda: loop.watch(near, READ, lambda ready: loop.stop()),
            "change": lambda: paused.change(READ),
            "close the watcher": lambda: idle.close(),
            "close the timer": lambda: timer.close(),
        }
        on_signal(acts[act])
        if foreign:
            signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        sender = kill_soon() if window == "in the wait" else None
        start = time.monotonic()
        try:
            loop.run()
        finally:
            if foreign:
                assert signal.set_wakeup_fd(-1) == theirs.fileno()
            if sender is not None:
                sender.join()
        assert time.monotonic() - start < LONG / 2
        if foreign:
            assert own.recv(10) == bytes([signal.SIGUSR1])
    own.close()
    theirs.close()


@pytest.mark.parametrize("window", ["before the wait", "in the wait"])
def test_the_documents_that_stop_do_so_at_once(
    poller: str, on_signal: OnSignal, pair: MakePair, window: str
) -> None:
    clock: Clock = SignalBeforeTheWait() if window == "before the wait" else MonotonicClock()
    hop = luahop.new(poller, clock)
    hop.set_timeout({"s": LONG}, print)
    on_signal(hop.stop)
    sender = kill_soon() if window == "in the wait" else None
    start = time.monotonic()
    hop.loop()
    assert time.monotonic() - start < LONG / 2
    if sender is not None:
        sender.join()
    hop.close()


def test_levent_s_loop_ends_when_a_handler_ends_its_last_event(
    poller: str, on_signal: OnSignal, pair: MakePair
) -> None:
    base = levent.newbase(poller, SignalBeforeTheWait())
    event = base.newevent(pair()[0].fileno(), print).start()
    on_signal(event.stop)
    base.loop(1)
    base.close()


def test_a_loop_of_another_thread_is_stopped_at_once(poller: str, on_signal: OnSignal) -> None:
    with Loop(poller) as loop:
        loop.after(LONG, print)
        on_signal(loop.stop)
        thread = threading.Thread(target=loop.run)
        thread.start()
        while not loop._waker.asleep:
            pass
        signal.raise_signal(signal.SIGUSR1)
        thread.join(LONG / 2)
        assert not thread.is_alive()


def test_a_wake_up_alone_is_no_event(poller: str, on_signal: OnSignal) -> None:
    """A handler that changes something the turn need not tell of."""
    with Loop(poller, SignalBeforeTheWait()) as loop:
        on_signal(lambda: loop.after(LONG, print))
        assert loop.turn(LONG) is False
        loop.post(int)
        assert loop.turn(LONG) is True
        assert loop.turn(0) is False


def test_the_wakeup_fd_is_given_back(poller: str, on_signal: OnSignal) -> None:
    on_signal(int)
    inside: list[int] = []
    with Loop(poller) as outer, Loop(poller) as inner:

        def nested() -> None:
            inner.post(int)
            inner.run()
            fd = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(fd)
            inside.append(fd)

        outer.post(nested)
        outer.run()
        assert inside == [outer._waker._write]
    assert signal.set_wakeup_fd(-1) == -1


def test_many_signals_around_the_wait_lose_no_stop(poller: str, on_signal: OnSignal) -> None:
    """A signal that comes between the last look at handlers and the system call counts too."""
    with Loop(poller) as loop:
        on_signal(loop.stop)
        main = threading.main_thread().ident
        assert main is not None
        for number in range(300):
            sender = threading.Timer(number * 1e-6, signal.pthread_kill, (main, signal.SIGUSR1))
            loop.post(sender.start)
            start = time.monotonic()
            loop.run(forever=True)
            assert time.monotonic() - start < LONG / 2
            sender.join()


def test_after_a_handler_raises_what_is_ready_is_served(
    poller: str, on_signal: OnSignal, pair: MakePair
) -> None:
    near, far = pair()
    calls: list[object] = []

    def handler() -> None:
        far.send(b"x")
        loop.post(calls.append, "posted")
        raise LookupError

    on_signal(handler)
    with Loop(poller, SignalBeforeTheWait()) as loop:
        loop.watch(near, READ, calls.append)
        loop.after(0.0, calls.append, "due")
        loop.after(LONG, print)
        loop.turn()
        assert calls == ["due"]
        with pytest.raises(LookupError):
            loop.turn()
        loop.turn(0)
    assert sorted(map(str, calls)) == ["2", "due", "posted"]


def test_after_a_callback_raises_what_is_ready_is_served(loop: Loop, pair: MakePair) -> None:
    """Nothing was left unreached, but somebody else became ready; and the one that raised."""
    calls: list[str] = []
    first, first_far = pair()
    second, second_far = pair()

    def raises(ready: int) -> None:
        calls.append("first")
        if len(calls) == 1:
            raise LookupError

    loop.watch(first, READ, raises)
    loop.watch(second, READ, lambda ready: calls.append("second"))
    first_far.send(b"x")
    with pytest.raises(LookupError):
        loop.turn(0)
    second_far.send(b"x")
    assert loop.turn(0) is True
    assert calls == ["first", "second", "first"]


def test_posts_that_an_exception_cut_off_are_made(loop: Loop) -> None:
    calls: list[int] = []

    def fail() -> None:
        raise LookupError

    loop.post(fail)
    loop.post(calls.append, 1)
    with pytest.raises(LookupError):
        loop.turn(0)
    assert loop.turn(0) is True
    assert calls == [1]


def test_a_waker_closes_its_pipe_once() -> None:
    waker = Waker()
    waker.close()
    read, write = os.pipe()
    waker.close()
    os.write(write, b"x")
    assert os.read(read, 1) == b"x"
    os.close(read)
    os.close(write)


def test_a_wakeup_descriptor_that_is_gone_harms_nothing() -> None:
    """Signals that came while it was replaced are handed on to it."""
    waker = Waker()
    os.write(waker._write, bytes([signal.SIGUSR1]))
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    waker._hand_on(write)
    waker.close()
