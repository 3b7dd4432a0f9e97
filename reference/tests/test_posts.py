"""Calls posted by threads and signal handlers.

`test_loop` has that a post ends a sleep, with every poller.
"""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import os
import signal
import threading

import pytest

import tideloop
from tideloop import Loop


@pytest.fixture
def poller() -> str:
    """One is enough: calls are kept in the inbox, and the poller sees only its pipe."""
    return "poll"


def test_posts_of_many_threads_arrive_each_once_and_in_order(poller: str) -> None:
    got: list[tuple[int, int]] = []
    with Loop(poller) as loop:

        def poster(number: int) -> None:
            for step in range(500):
                loop.post(got.append, (number, step))
            loop.post(done)

        left = [4]

        def done() -> None:
            left[0] -= 1
            if not left[0]:
                loop.stop()

        threads = [threading.Thread(target=poster, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        loop.run(forever=True)
        for thread in threads:
            thread.join()
    for number in range(4):
        assert [step for who, step in got if who == number] == list(range(500))


@pytest.mark.parametrize("act", ["post", "stop"])
def test_calls_that_race_close_are_refused_or_done(poller: str, act: str) -> None:
    """Another file takes the numbers at once; nothing may be written there."""
    raised: list[BaseException] = []

    def call(loop: Loop, over: threading.Event) -> None:
        try:
            while not over.is_set():
                if act == "post":
                    loop.post(int)
                else:
                    loop.stop()
        except BaseException as error:
            raised.append(error)

    for _ in range(10):
        loop, over = Loop(poller), threading.Event()
        threads = [threading.Thread(target=call, args=(loop, over)) for _ in range(3)]
        for thread in threads:
            thread.start()
        loop.turn(0)
        loop.close()
        pairs = [os.pipe() for _ in range(4)]
        if act == "stop":
            over.set()
        for thread in threads:
            thread.join()
        for read, write in pairs:
            os.close(write)
            assert os.read(read, 10) == b""
            os.close(read)
    assert {type(error) for error in raised} <= {tideloop.ClosedError}
    assert act == "stop" or len(raised) == 30


def test_a_post_by_a_posted_call_waits_for_the_next_turn(loop: Loop) -> None:
    trace: list[str] = []

    def again() -> None:
        trace.append("x")
        if len(trace) < 5:
            loop.post(again)

    loop.post(again)
    loop.turn()
    assert trace == ["x"]
    loop.run()
    assert len(trace) == 5


def test_a_post_that_raises_does_not_take_the_others_along(loop: Loop) -> None:
    trace: list[int] = []
    loop.post(lambda: 1 // 0)
    loop.post(trace.append, 1)
    with pytest.raises(ZeroDivisionError):
        loop.run()
    loop.run()
    assert trace == [1]


def test_more_posts_than_the_pipe_holds(loop: Loop) -> None:
    got: list[int] = []
    for number in range(70_000):
        loop.post(got.append, number)
    loop.run()
    assert got == list(range(70_000))


def test_a_signal_handler_may_post(poller: str) -> None:
    trace: list[str] = []
    with Loop(poller) as loop:

        def handler(number: int, frame: object) -> None:
            loop.post(trace.append, "signal")
            loop.post(loop.stop)

        before = signal.signal(signal.SIGUSR1, handler)
        main = threading.main_thread().ident
        assert main is not None
        sender = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGUSR1))
        sender.start()
        try:
            loop.run(forever=True)
        finally:
            sender.join()
            signal.signal(signal.SIGUSR1, before)
    assert trace == ["signal"]
