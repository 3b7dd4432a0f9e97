"""Tiny periods, refused writes, and the order and the moment of calls."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest

import tideloop
from tideloop import READ, WRITE, BufferedEvent, Loop, VirtualClock, luaevent, luahop

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


@pytest.mark.parametrize("period", [5e-324, 1e-310, 1e-300, 1e-17])
@pytest.mark.parametrize("start", [0.0, 1e9])
def test_a_tiny_period_is_one_call_in_each_turn(poller: str, period: float, start: float) -> None:
    clock = VirtualClock(start)
    calls: list[int] = []
    with Loop(poller, clock) as loop:
        loop.every(period, calls.append, 1)
        for _ in range(5):
            clock.advance(1)
            loop.turn(0)
    assert len(calls) == 5


def test_a_tiny_period_of_luahop_works(poller: str) -> None:
    hop = luahop.new(poller)
    calls: list[int] = []
    hop.set_interval({"us": 1e-310}, lambda: calls.append(1))
    while len(calls) < 3:
        hop.poll(0.1)
    hop.close()


@contextmanager
def closed_under(loop: Loop, pair: MakePair, directions: int) -> Iterator[BufferedEvent]:
    """A buffered event that is enabled, and whose descriptor was closed."""
    near, _far = pair()
    event = BufferedEvent(loop, near)
    event.enable(directions)
    loop.turn(0)
    os.close(near.detach())
    yield event
    event.close()


@pytest.mark.parametrize("data", [b"q", bytearray(b"q")], ids=["bytes", "bytearray"])
@pytest.mark.parametrize("directions", [READ, WRITE, READ | WRITE])
def test_a_write_that_is_refused_queues_nothing(
    loop: Loop, pair: MakePair, directions: int, data: bytes
) -> None:
    with closed_under(loop, pair, directions) as event:
        for _ in range(3):
            if directions & WRITE:
                with pytest.raises(OSError):
                    event.write(data)
                assert len(event.output) == 0


@pytest.mark.parametrize("how", ["add", "read"])
def test_what_luaevent_refuses_to_queue_is_not_queued(
    poller: str, pair: MakePair, how: str
) -> None:
    base = luaevent.new(poller)
    near, _far = pair()
    source, _source_far = ready_pair(pair)
    event = luaevent.bufferevent.new(base, near, None, None, print)
    os.close(near.detach())
    output = event.get_write()
    assert output is not None
    with pytest.raises(OSError):
        output.add(b"q") if how == "add" else output.read(source, 5)
    assert output.length() == 0
    assert source.recv(5) == b"x"
    event.close()
    base.close()


@pytest.mark.parametrize("action", ["enable", "write"])
def test_a_descriptor_closed_in_a_callback_is_told(
    poller: str, pair: MakePair, action: str
) -> None:
    told: list[int] = []
    failed: list[Exception] = []
    near, far = pair()
    with Loop(poller, on_error=lambda error, callback: failed.append(error)) as loop:

        def received(event: BufferedEvent) -> None:
            os.close(near.detach())
            event.enable(WRITE)
            if action == "write":
                event.write(b"answer")

        event = BufferedEvent(
            loop, near, received, lambda event: None, lambda event, what: told.append(what)
        )
        event.enable(READ)
        far.send(b"1")
        loop.turn(0)
        assert luaevent.EVBUFFER_WRITE | luaevent.EVBUFFER_ERROR in told
        assert not failed
        event.close()
        assert not loop.busy


def test_of_one_descriptor_readers_come_first(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    calls: list[str] = []
    loop.watch(near, WRITE, lambda ready: calls.append("writer"))
    loop.watch(near, READ | WRITE, lambda ready: calls.append("both"))
    changed = loop.watch(near, WRITE, lambda ready: calls.append("changed"))
    changed.change(READ)
    loop.turn(0)
    assert calls == ["both", "changed", "writer"]


def test_a_watcher_that_wants_again_waits_for_the_next_turn(loop: Loop, pair: MakePair) -> None:
    pairs = [ready_pair(pair) for _ in range(3)]
    calls: list[int] = []
    watchers: list[tideloop.Watcher] = []

    def pause_the_others(number: int) -> None:
        calls.append(number)
        for other, watcher in enumerate(watchers):
            if other != number:
                watcher.change(0)
                watcher.change(READ)

    for number, (near, _far) in enumerate(pairs):
        watchers.append(
            loop.watch(near, READ, partial(lambda n, ready: pause_the_others(n), number))
        )
    loop.turn(0)
    assert len(calls) == 1
    assert not loop.registry.interest.places
    loop.turn(0)
    assert len(calls) == 2


def test_another_wakeup_fd_does_not_warn(capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        with Loop() as loop:
            loop.post(loop.stop)
            loop.run()
            signal.raise_signal(signal.SIGUSR1)
    finally:
        assert signal.set_wakeup_fd(-1) == write
        signal.signal(signal.SIGUSR1, before)
        os.close(read)
        os.close(write)
    assert capfd.readouterr().err == ""


def test_a_signal_of_the_moment_between_is_handed_on() -> None:
    own, theirs = socket.socketpair()
    own.setblocking(False)
    with Loop() as loop:
        waker = loop._waker
        os.write(waker._write, bytes([signal.SIGUSR1]))
        waker._hand_on(theirs.fileno())
        assert own.recv(10) == bytes([signal.SIGUSR1])
        assert waker.pending
    own.close()
    theirs.close()


def test_a_resumed_watcher_of_a_shared_descriptor_waits(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    calls: list[str] = []

    def resume_both(ready: int) -> None:
        calls.append("first")
        for watcher in (first, second):
            watcher.change(0)
            watcher.change(READ)

    first = loop.watch(near, READ, resume_both)
    second = loop.watch(near, READ, lambda ready: calls.append("second"))
    loop.turn(0)
    assert calls == ["first"]
    second.change(READ)
    first.close()
    loop.turn(0)
    assert calls == ["first", "second"]
