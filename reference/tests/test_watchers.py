"""Watchers: what is ready is called, once, and on nobody else's word (TURN-3, TURN-4)."""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable

import pytest

import tideloop
from tideloop import READ, WRITE, Loop, VirtualClock

Pair = tuple[socket.socket, socket.socket]


MakePair = Callable[[], Pair]


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


def test_a_watcher_is_called_in_each_turn_that_finds_it_ready(loop: Loop, pair: MakePair) -> None:
    near, far = pair()
    calls: list[int] = []
    watcher = loop.watch(near, READ, calls.append)
    assert loop.turn(0) is False
    far.send(b"x")
    assert loop.turn(0) is True
    assert loop.turn(0) is True
    near.recv(1)
    assert loop.turn(0) is False
    assert calls == [READ, READ]
    watcher.close()


def test_both_directions_of_one_watcher_come_in_one_call(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    calls: list[int] = []
    watcher = loop.watch(near, READ | WRITE, calls.append)
    loop.turn(0)
    assert calls == [READ | WRITE]
    watcher.close()


def test_a_watcher_can_change_its_mind(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    calls: list[int] = []
    watcher = loop.watch(near, READ, calls.append)
    for interest in (WRITE, READ | WRITE, 0, READ):
        watcher.change(interest)
        loop.turn(0)
    assert calls == [WRITE, READ | WRITE, READ]
    watcher.change(0)
    assert not loop.busy
    for wrong in (1, 8, -1):
        with pytest.raises(ValueError):
            watcher.change(wrong)
    watcher.close()
    with pytest.raises(tideloop.UsageError):
        watcher.change(READ)


def test_watchers_of_one_descriptor_get_what_they_asked_for(loop: Loop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[tuple[str, int]] = []
    watchers = [
        loop.watch(near, WRITE, lambda ready: trace.append(("writer", ready))),
        loop.watch(near, READ, lambda ready: trace.append(("reader", ready))),
        loop.watch(near, READ | WRITE, lambda ready: trace.append(("both", ready))),
    ]
    loop.turn(0)
    assert trace == [("reader", READ), ("both", READ | WRITE), ("writer", WRITE)]
    watchers[1].close()
    trace.clear()
    loop.turn(0)
    assert trace == [("both", READ | WRITE), ("writer", WRITE)]


def test_a_watcher_closed_earlier_in_the_turn_is_not_called(loop: Loop, pair: MakePair) -> None:
    """Whichever is called first closes the other."""
    watchers: dict[str, tideloop.Watcher] = {}
    called = []

    def closes_the_other(name: str) -> Callable[[int], None]:
        def callback(ready: int) -> None:
            called.append(name)
            for other, watcher in watchers.items():
                if other != name:
                    watcher.close()

        return callback

    for name in "ab":
        near, _far = ready_pair(pair)
        watchers[name] = loop.watch(near, READ, closes_the_other(name))
    loop.turn(0)
    assert len(called) == 1


def test_a_watcher_made_in_a_turn_waits_for_the_next(loop: Loop, pair: MakePair) -> None:
    first, _ = ready_pair(pair)
    second, _ = ready_pair(pair)
    trace: list[str] = []

    def callback(ready: int) -> None:
        trace.append("first")
        if len(trace) == 1:
            loop.watch(second, READ, lambda ready: trace.append("second"))

    loop.watch(first, READ, callback)
    loop.turn(0)
    assert trace == ["first"]
    loop.turn(0)
    assert sorted(trace) == ["first", "first", "second"]


def test_a_reused_number_does_not_inherit_readiness(
    loop: Loop, pair: MakePair, pipe: Callable[[], tuple[int, int]]
) -> None:
    """Two are ready; the first to be called closes the other and takes its number."""
    ends = {"a": pipe(), "b": pipe()}
    watchers: dict[str, tideloop.Watcher] = {}
    trace: list[str] = []

    def takes_the_number_of(other: str, name: str) -> Callable[[int], None]:
        def callback(ready: int) -> None:
            trace.append(name)
            watchers[name].close()
            watchers[other].close()
            number = ends[other][0]
            os.close(number)
            silent, _write = pipe()
            os.dup2(silent, number)
            watchers["new"] = loop.watch(number, READ, lambda ready: trace.append("new"))

        return callback

    for name, other in (("a", "b"), ("b", "a")):
        os.write(ends[name][1], b"x")
        watchers[name] = loop.watch(ends[name][0], READ, takes_the_number_of(other, name))
    loop.turn(0)
    assert loop.turn(0) is False
    assert len(trace) == 1


def test_an_old_watcher_is_not_taken_for_the_new_file(
    loop: Loop, pipe: Callable[[], tuple[int, int]]
) -> None:
    """The number is closed and reused while the old watcher is left behind."""
    read, _ = pipe()
    other, other_write = pipe()
    trace: list[str] = []
    stale = loop.watch(read, READ, lambda ready: trace.append("stale"))
    os.dup2(other, read)
    loop.watch(read, READ, lambda ready: trace.append("new"))
    os.write(other_write, b"x")
    loop.turn(0)
    assert trace == ["new"]
    stale.close()
    loop.turn(0)
    assert trace == ["new", "new"]


def test_a_nameless_old_file_is_told_from_the_new_by_epoll(clock: VirtualClock) -> None:
    """Kernel objects without an inode of their own look the same to fstat."""
    if not hasattr(os, "eventfd"):
        pytest.skip("this system has no eventfd")
    trace: list[str] = []
    with Loop("epoll", clock) as loop:
        first, second = os.eventfd(0), os.eventfd(1)
        loop.watch(first, READ, lambda ready: trace.append("stale"))
        os.dup2(second, first)
        loop.watch(first, READ, lambda ready: trace.append("new"))
        loop.turn(0)
        os.close(first)
        os.close(second)
    assert trace == ["new"]


def test_a_descriptor_closed_while_watched_does_not_spin(
    loop: Loop, pair: MakePair, pipe: Callable[[], tuple[int, int]]
) -> None:
    """poll and select tell: one call, then the watcher is gone.  epoll and kqueue cannot."""
    is_silent = loop.poller.startswith(("epoll", "kqueue"))
    read, _write = pipe()
    calls: list[int] = []
    watcher = loop.watch(read, READ, calls.append)
    os.close(read)
    for _ in range(3):
        loop.turn(0)
    assert calls == ([] if is_silent else [READ])
    assert loop.busy == is_silent
    watcher.close()
    assert not loop.busy


def test_a_file_that_outlives_its_number_does_not_spin(
    loop: Loop, pipe: Callable[[], tuple[int, int]]
) -> None:
    read, write = pipe()
    ghost = os.dup(read)
    watcher = loop.watch(ghost, READ, lambda ready: None)
    os.close(ghost)
    watcher.close()
    os.write(write, b"x")
    loop.turn(0)
    assert loop._poller.wait(0) == []


def test_a_bad_descriptor_leaves_no_trace(loop: Loop, pipe: Callable[[], tuple[int, int]]) -> None:
    read, _write = pipe()
    os.close(read)
    with pytest.raises(OSError):
        loop.watch(read, READ, lambda ready: None)
    for number in (-1, True, 2**40, None, "0", 1.0):
        with pytest.raises((OSError, ValueError, TypeError)):
            loop.watch(number, READ, lambda ready: None)  # type: ignore[arg-type]  # wrong on purpose
    assert not loop.busy
    loop.run()


def test_a_watcher_keeps_its_socket(loop: Loop) -> None:
    """A socket object closes its descriptor when it is collected."""
    near, far = socket.socketpair()
    number = near.fileno()
    calls: list[int] = []
    watcher = loop.watch(near, READ, calls.append)
    del near
    gc.collect()
    far.send(b"x")
    loop.turn(0)
    assert calls == [READ]
    watcher.close()
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(number)
    far.close()


def test_a_descriptor_is_not_touched(poller: str, pipe: Callable[[], tuple[int, int]]) -> None:
    read, _write = pipe()
    with Loop(poller) as loop:
        loop.watch(read, READ, lambda ready: None)
    assert os.get_blocking(read)
