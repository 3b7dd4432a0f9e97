"""Numbers that were closed while the file lives on, and numbers that were given to other files."""

from __future__ import annotations

import array
import errno
import os
import pty
import select
import socket
import subprocess
import time
import tty
from collections.abc import Callable
from contextlib import suppress

import pytest

from tideloop import READ, WRITE, BufferedEvent, Loop, VirtualClock
from tideloop.luaevent.flags import EVBUFFER_ERROR, EVBUFFER_READ, EVBUFFER_WRITE
from tideloop.pollers import NOTHING, open_poller

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]
MakePipe = Callable[[], tuple[int, int]]
Release = Callable[[], None]


EPOLL = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")


def by_duplicate(fd: int) -> Release:
    copy = os.dup(fd)
    return lambda: os.close(copy)


def by_child(fd: int) -> Release:
    child = subprocess.Popen(["sleep", "60"], pass_fds=[fd])

    def release() -> None:
        child.kill()
        child.wait()

    return release


def by_fork(fd: int) -> Release:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(tell)
        os.read(told, 1)
        os._exit(0)
    os.close(told)

    def release() -> None:
        os.close(tell)
        os.waitpid(child, 0)

    return release


def in_flight(fd: int) -> Release:
    """Sent through a socket, and not received yet."""
    near, far = socket.socketpair()
    near.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])

    def release() -> None:
        near.close()
        far.close()

    return release


def make_socket() -> tuple[int, int]:
    near, far = socket.socketpair()
    return near.detach(), far.detach()


def make_terminal() -> tuple[int, int]:
    master, terminal = pty.openpty()
    tty.setraw(terminal)
    return master, terminal


def make_eventfd() -> tuple[int, int]:
    fd = os.eventfd(0)
    return fd, os.dup(fd)


KEEP = pytest.mark.parametrize("keep", [by_duplicate, by_child, by_fork, in_flight])
KINDS = pytest.mark.parametrize("make", [os.pipe, make_socket, make_terminal, make_eventfd])


def make_ready(far: int) -> None:
    os.write(far, b"x" * 7 + b"\1")  # an eventfd takes eight bytes


def turn_until(loop: Loop, true: Callable[[], object]) -> None:
    """A terminal hands on what was written a moment later, when the kernel has time."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        loop.turn(0)


@pytest.fixture
def loop(poller: str) -> Loop:
    return Loop(poller, VirtualClock())


@KEEP
@KINDS
def test_the_next_owner_of_a_number_is_not_called_for_the_ghost(
    loop: Loop,
    pipe: MakePipe,
    keep: Callable[[int], Release],
    make: Callable[[], tuple[int, int]],
) -> None:
    """The descriptor is closed before the event, and its file lives on."""
    calls: list[object] = []
    other, other_far = pipe()
    loop.watch(other, READ, lambda ready: calls.append("other"))
    number, far = make()
    old = loop.watch(number, READ, lambda ready: calls.append("old"))
    release = keep(number)
    silent, silent_far = make()
    os.dup2(silent, number)
    old.close()
    new = loop.watch(number, READ, lambda ready: calls.append("new"))
    make_ready(far)
    for _ in range(3):
        loop.turn(0)
    assert calls == []
    make_ready(silent_far)
    turn_until(loop, lambda: calls)
    assert calls == ["new"]
    make_ready(other_far)
    loop.turn(0)
    assert sorted(map(str, calls)) == ["new", "new", "other"]
    new.close()
    release()
    for fd in (number, far, silent, silent_far):
        os.close(fd)
    loop.close()


@KEEP
def test_a_ghost_under_a_number_of_nobody_does_not_spin(
    loop: Loop, pipe: MakePipe, keep: Callable[[int], Release]
) -> None:
    number, far = os.pipe()
    release = keep(number)
    watcher = loop.watch(number, READ, print)
    os.close(number)
    watcher.close()
    os.write(far, b"x")
    loop.turn(0)
    assert loop._poller.wait(0) == []
    release()
    os.close(far)
    loop.close()


@pytest.mark.parametrize("direction", [READ, WRITE])
def test_a_ghost_of_either_direction_is_none_of_the_next_owner_s(
    loop: Loop, pair: MakePair, direction: int
) -> None:
    ours, theirs = socket.socketpair()
    number = ours.detach()
    calls: list[int] = []
    watcher = loop.watch(number, direction, calls.append)
    copy = os.dup(number)
    silent, full = pair()
    silent.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            silent.send(bytes(65536))
    os.dup2(silent.fileno(), number)
    watcher.close()
    loop.watch(number, direction, calls.append)
    theirs.send(b"x")
    for _ in range(3):
        loop.turn(0)
    assert calls == []
    full.setblocking(False)
    with suppress(BlockingIOError):
        while full.recv(1 << 20):
            pass
    full.send(b"x")
    loop.turn(0)
    assert calls == [direction]
    loop.close()
    theirs.close()
    os.close(copy)
    os.close(number)


def test_a_number_is_closed_and_reused_in_a_callback(loop: Loop, pair: MakePair) -> None:
    ours, theirs = socket.socketpair()
    number = ours.detach()
    silent, _far = pair()
    calls: list[str] = []
    copies: list[int] = []

    def callback(ready: int) -> None:
        calls.append("old")
        copies.append(os.dup(number))
        os.dup2(silent.fileno(), number)
        watcher.close()
        loop.watch(number, READ, lambda ready: calls.append("new"))

    watcher = loop.watch(number, READ, callback)
    theirs.send(b"x")
    for _ in range(4):
        loop.turn(0)
    assert calls == ["old"]
    loop.close()
    theirs.close()
    for fd in (number, *copies):
        os.close(fd)


def test_a_narrowed_watcher_of_a_closed_number_does_not_spin(loop: Loop, pair: MakePair) -> None:
    """The kernel would go on telling of a direction that the watcher does not want."""
    ours, theirs = socket.socketpair()
    number = ours.detach()
    copy = os.dup(number)
    watcher = loop.watch(number, READ | WRITE, lambda ready: None)
    silent, _far = pair()
    os.dup2(silent.fileno(), number)
    watcher.change(READ)
    loop.turn(0)
    loop.turn(0)
    assert loop._poller.wait(0) == []
    loop.close()
    theirs.close()
    os.close(copy)
    os.close(number)


@pytest.mark.parametrize("make", [make_eventfd, make_terminal, make_socket, os.pipe])
def test_an_old_watcher_is_not_taken_for_a_new_file_of_its_kind(
    loop: Loop, make: Callable[[], tuple[int, int]]
) -> None:
    """Device and inode of all eventfds are the same, and of all masters of terminals."""
    trace: list[str] = []
    first, first_far = make()
    second, second_far = make()
    make_ready(second_far)
    select.select([second], [], [], 10)
    stale = loop.watch(first, READ, lambda ready: trace.append("stale"))
    os.dup2(second, first)
    with pytest.raises(OSError, match="closed while it was watched"):
        stale.change(READ | WRITE)
    loop.watch(first, READ, lambda ready: trace.append("new"))
    loop.turn(0)
    assert trace == ["new"]
    loop.close()
    for fd in (first, first_far, second, second_far):
        os.close(fd)


def test_a_file_on_a_watched_number_is_refused_without_trace(loop: Loop, pipe: MakePipe) -> None:
    """The old watcher is closed, the new one not made: there is nothing to run for."""
    read, _ = pipe()
    loop.watch(read, READ, print)
    with open(__file__, "rb") as file:
        os.dup2(file.fileno(), read)
    with pytest.raises(PermissionError):
        loop.watch(read, READ, print)
    assert not loop.busy
    loop.run()


def test_other_nameless_files_are_told_apart_too(loop: Loop) -> None:
    first, second, third = select.epoll(), select.epoll(), os.eventfd(1)
    second.register(third, select.EPOLLIN)
    trace: list[str] = []
    loop.watch(first, READ, lambda ready: trace.append("stale"))
    os.dup2(second.fileno(), first.fileno())
    loop.watch(first.fileno(), READ, lambda ready: trace.append("new"))
    loop.turn(0)
    assert trace == ["new"]
    loop.close()
    first.close()
    second.close()
    os.close(third)


def test_suspicions_are_forgotten_after_a_while(loop: Loop, pair: MakePair) -> None:
    """A program that closes in the wrong order pays for it a while, not for ever."""
    near, far = pair()
    far.send(b"x")
    loop.watch(near, READ, lambda ready: None)
    for _ in range(20):
        ours, theirs = socket.socketpair()
        watcher = loop.watch(ours, READ, print)
        ours.close()
        watcher.close()
        theirs.close()
    for _ in range(50):
        assert loop.turn(0)
    assert not getattr(loop._poller, "_suspects", None)
    loop.close()


@EPOLL
def test_a_ghost_is_laid_by_the_first_answer(
    pipe: MakePipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or by the first after which a descriptor is to spare."""

    def refuse() -> None:
        raise OSError(errno.EMFILE, "")

    read, write = pipe()
    number = os.dup(read)
    with Loop("epoll", VirtualClock()) as loop:
        for _ in range(10):
            loop.watch(pipe()[0], READ, print)
        watcher = loop.watch(number, READ, print)
        os.close(number)
        watcher.close()
        os.write(write, b"x")
        with monkeypatch.context() as patch:
            patch.setattr("tideloop.pollers.epollset._open", refuse)
            loop.turn(0)
        assert loop._poller.wait(0) == []
        assert not getattr(loop._poller, "_suspects")  # noqa: B009  (not of every poller)


@EPOLL
def test_a_number_that_is_closed_again_calls_nobody(pipe: MakePipe) -> None:
    """Its first file was closed before its watcher; its second lives on elsewhere."""
    read, write = pipe()
    number = os.dup(read)
    calls: list[int] = []
    with Loop("epoll", VirtualClock()) as loop:
        first = loop.watch(number, READ, print)
        os.close(number)
        first.close()
        os.dup2(read, number)
        loop.watch(number, READ, calls.append)
        os.close(number)
        os.write(write, b"x")
        for _ in range(3):
            loop.turn(0)
    assert calls == []


def test_a_ghost_and_the_owner_of_its_number_are_one_call(loop: Loop, pipe: MakePipe) -> None:
    number, far = os.pipe()
    copy = os.dup(number)
    calls: list[int] = []
    watcher = loop.watch(number, READ, print)
    owner, owner_far = pipe()
    os.dup2(owner, number)
    watcher.close()
    loop.watch(number, READ, calls.append)
    os.write(far, b"x")
    os.write(owner_far, b"x")
    loop.turn(0)
    assert calls == [READ]
    loop.turn(0)
    assert calls == [READ, READ]
    loop.close()
    for fd in (number, far, copy):
        os.close(fd)


# ---- hang-ups


def reading_end() -> tuple[int, int]:
    return os.pipe()


def writing_end() -> tuple[int, int]:
    read, write = os.pipe()
    return write, read


def full_terminal() -> tuple[int, int]:
    master, terminal = make_terminal()
    os.set_blocking(master, False)
    with suppress(BlockingIOError):
        while True:
            os.write(master, bytes(4096))
    return master, terminal


@pytest.mark.parametrize("interest", [READ, WRITE])
@pytest.mark.parametrize("make", [reading_end, writing_end, full_terminal, make_socket])
def test_a_hang_up_wakes_either_direction(
    loop: Loop, make: Callable[[], tuple[int, int]], interest: int
) -> None:
    if "kqueue" in repr(loop) and (make, interest) in ((reading_end, WRITE), (writing_end, READ)):
        pytest.skip("kqueue does not report a pipe in the direction that it does not have")
    near, far = make()
    calls: list[int] = []
    watcher = loop.watch(near, interest, calls.append)
    loop.turn(0)
    calls.clear()
    os.close(far)
    loop.turn(0)
    loop.turn(0)
    assert calls == [interest, interest]
    watcher.close()
    assert loop.turn(0) is False
    loop.close()
    os.close(near)


def test_a_hang_up_wakes_who_has_input_left(loop: Loop) -> None:
    """Input that nobody reads must neither spin nor hide the hang-up."""
    if "kqueue" in repr(loop):
        pytest.skip("kqueue does not report a pipe in the direction that it does not have")
    near, far = os.pipe()
    os.write(far, b"left")
    calls: list[int] = []
    loop.watch(near, WRITE, calls.append)
    assert loop.turn(0) is False
    os.close(far)
    assert loop.turn(0) is True
    assert calls == [WRITE]
    loop.close()
    os.close(near)


def test_a_hang_up_of_a_reused_number_is_nobody_s(poller: str, pipe: MakePipe) -> None:
    asked = open_poller(poller)
    number, far = os.pipe()
    copy = os.dup(number)
    asked.change(number, NOTHING, WRITE)
    silent, _write = pipe()
    os.dup2(silent, number)
    asked.change(number, WRITE, NOTHING)
    asked.change(number, NOTHING, WRITE)
    os.close(far)
    asked.wait(0)
    assert asked.wait(0) == []
    asked.close()
    os.close(number)
    os.close(copy)


def test_a_hung_up_terminal_with_output_left_is_told_once(loop: Loop) -> None:
    """The kernel says hang-up for ever, and a write would have to wait for ever."""
    master, terminal = full_terminal()
    told: list[int] = []
    event = BufferedEvent(loop, master, None, None, lambda event, what: told.append(what))
    event.enable()
    event.write(bytes(1_000_000))
    loop.turn(0)
    os.close(terminal)
    turn_until(loop, lambda: len(told) == 2)
    assert sorted(told) == [EVBUFFER_ERROR | EVBUFFER_READ, EVBUFFER_ERROR | EVBUFFER_WRITE]
    assert event.output
    assert loop._poller.wait(0) == []
    event.close()
    loop.close()
    os.close(master)


# ---- many


@pytest.mark.parametrize("many", [1023, 1024, 1500])
def test_one_turn_calls_all_that_are_ready(loop: Loop, many: int) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    read, write = os.pipe()
    os.write(write, b"x")
    copies = [os.dup(read) for _ in range(many)]
    called: set[int] = set()
    for fd in copies:
        loop.watch(fd, READ, lambda ready, fd=fd: called.add(fd))  # type: ignore[misc]  # a default names it
    loop.turn(0)
    loop.close()
    for fd in (read, write, *copies):
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(called) == many
