"""The contract with the kernel: one set of answers, whichever poller is asked."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tideloop import Loop
from tideloop.pollers import (
    BOTH,
    NOTHING,
    READ,
    VARIABLE,
    WRITE,
    Poller,
    available,
    default,
    open_poller,
)
from tideloop.pollers.api import identify

Pair = tuple[socket.socket, socket.socket]


class Asked:
    """A poller whose words are translated, as the loop does it."""

    def __init__(self, poller: Poller) -> None:
        # the kernel lets go of a descriptor that is closed, and says nothing
        self.forgets_closed = poller.name.startswith(("epoll", "kqueue"))
        self.change = poller.change
        self._poller = poller

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        meanings = self._poller.meanings
        return [(fd, meanings[word]) for fd, word in self._poller.wait(timeout)]


@pytest.fixture
def asked(poller: str) -> Iterator[Asked]:
    opened = open_poller(poller)
    yield Asked(opened)
    opened.close()


def test_the_default_is_the_best_available() -> None:
    assert default() == next(iter(available()))
    assert open_poller().name == default()


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"no poller 'iocp'.*select"):
        open_poller("iocp")


def test_the_environment_names_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "select")
    assert Loop().poller == "select"
    assert Loop("poll").poller == "poll"
    monkeypatch.setenv(VARIABLE, "")
    assert default() == next(iter(available()))
    monkeypatch.setenv(VARIABLE, "iocp")
    with pytest.raises(ValueError, match=rf"{VARIABLE} is 'iocp'.*select"):
        Loop()


class Nameless:
    """A poller without a name and without words of its own."""

    def __init__(self) -> None:
        poller = available()["select"]()
        self.change, self.wait, self.close = poller.change, poller.wait, poller.close


@pytest.mark.parametrize("poller", [Nameless, Nameless(), lambda: Nameless()])
def test_a_poller_of_ones_own_serves(poller: Any, pair: Callable[[], Pair]) -> None:
    """A class, an instance, a function that returns one."""
    near, far = pair()
    calls: list[int] = []
    with Loop(poller) as loop:
        assert loop.poller == "Nameless"
        loop.watch(near, READ, calls.append)
        far.send(b"x")
        loop.turn(0)
    assert calls == [READ]


@pytest.mark.parametrize("poller", [object, lambda: None, object()])
def test_a_poller_without_its_methods_is_refused(poller: Any) -> None:
    with pytest.raises(TypeError, match=r"poller must have change\(\), wait\(\) and close\(\)"):
        Loop(poller)


def test_each_direction_is_reported_for_itself(asked: Asked, pair: Callable[[], Pair]) -> None:
    near, far = pair()
    asked.change(near.fileno(), NOTHING, READ)
    assert asked.wait(0) == []
    far.send(b"x")
    assert asked.wait(0) == [(near.fileno(), READ)]
    asked.change(near.fileno(), READ, BOTH)
    assert asked.wait(0) == [(near.fileno(), BOTH)]
    asked.change(near.fileno(), BOTH, WRITE)
    assert asked.wait(0) == [(near.fileno(), WRITE)]
    asked.change(near.fileno(), WRITE, NOTHING)
    assert asked.wait(0) == []


def test_readiness_is_a_level(asked: Asked, pair: Callable[[], Pair]) -> None:
    near, far = pair()
    far.send(b"x")
    asked.change(near.fileno(), NOTHING, READ)
    for _ in range(3):
        assert asked.wait(0) == [(near.fileno(), READ)]
    near.recv(1)
    assert asked.wait(0) == []


def test_a_hang_up_wakes_the_reader(asked: Asked, pipe: Callable[[], tuple[int, int]]) -> None:
    """A pipe whose writer is gone reports a hang-up alone, with no data."""
    read, write = pipe()
    asked.change(read, NOTHING, READ)
    os.close(write)
    [(fd, ready)] = asked.wait(0)
    assert (fd, ready & READ) == (read, READ)


def test_an_error_wakes_the_writer(asked: Asked, pipe: Callable[[], tuple[int, int]]) -> None:
    read, write = pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, bytes(65536))
    asked.change(write, NOTHING, WRITE)
    assert asked.wait(0) == []
    os.close(read)
    [(fd, ready)] = asked.wait(0)
    assert (fd, ready & WRITE) == (write, WRITE)


def test_a_refused_connection_wakes_the_writer(asked: Asked) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = listener.getsockname()
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(address)
        asked.change(client.fileno(), NOTHING, WRITE)
        [(fd, ready)] = asked.wait(5)
        assert (fd, ready & WRITE) == (client.fileno(), WRITE)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


@pytest.mark.parametrize("wanted", [READ, WRITE, BOTH])
def test_a_number_without_a_file_is_refused(asked: Asked, wanted: int) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        asked.change(read, NOTHING, wanted)
    assert asked.wait(0) == []


def test_a_regular_file_is_refused(asked: Asked, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file, pytest.raises(PermissionError):
        asked.change(file.fileno(), NOTHING, READ)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(PermissionError):
            asked.change(folder, NOTHING, READ)
    finally:
        os.close(folder)
    assert asked.wait(0) == []


def test_taking_out_never_raises(asked: Asked, pipe: Callable[[], tuple[int, int]]) -> None:
    read, _write = pipe()
    asked.change(read, NOTHING, READ)
    os.close(read)
    asked.change(read, READ, NOTHING)
    asked.change(read, READ, NOTHING)
    assert asked.wait(0) == []


@pytest.mark.parametrize("number", [-1, 2**31, 2**64])
@pytest.mark.parametrize("old", [NOTHING, READ])
def test_taking_out_what_cannot_be_open_is_harmless(asked: Asked, number: int, old: int) -> None:
    asked.change(number, old, NOTHING)
    assert asked.wait(0) == []


def test_a_descriptor_closed_while_watched_harms_no_other(
    asked: Asked, pipe: Callable[[], tuple[int, int]]
) -> None:
    """epoll and kqueue forget it in silence; the others must not fail for the rest."""
    read, write = pipe()
    other, other_write = pipe()
    asked.change(read, NOTHING, READ)
    asked.change(other, NOTHING, READ)
    os.close(read)
    notices = asked.wait(0)
    assert notices == ([] if asked.forgets_closed else [(read, NOTHING)])
    asked.change(read, READ, NOTHING)
    os.write(other_write, b"x")
    assert asked.wait(0) == [(other, READ)]
    os.close(write)


def test_a_reused_number_starts_anew(asked: Asked, pipe: Callable[[], tuple[int, int]]) -> None:
    """Either the kernel kept the number, or it says that it let go of it."""
    read, _ = pipe()
    other, other_write = pipe()
    asked.change(read, NOTHING, READ)
    os.dup2(other, read)
    try:
        asked.change(read, READ, READ)
    except FileNotFoundError:
        asked.change(read, NOTHING, READ)
    os.write(other_write, b"x")
    assert asked.wait(0) == [(read, READ)]


def test_a_number_that_got_its_old_file_back_can_be_watched(
    asked: Asked, pipe: Callable[[], tuple[int, int]]
) -> None:
    """The kernel kept an interest that nobody could take back (EEXIST)."""
    read, write = pipe()
    keeper = os.dup(read)
    asked.change(read, NOTHING, READ)
    os.close(read)
    asked.change(read, READ, NOTHING)
    os.dup2(keeper, read)
    os.close(keeper)
    asked.change(read, NOTHING, READ)
    os.write(write, b"x")
    assert asked.wait(0) == [(read, READ)]


def test_two_files_are_told_apart(pipe: Callable[[], tuple[int, int]]) -> None:
    (first, _), (second, _) = pipe(), pipe()
    copy = os.dup(first)
    assert identify(copy) == identify(first) != identify(second)
    os.close(copy)


def test_a_ghost_can_be_laid(asked: Asked, pipe: Callable[[], tuple[int, int]]) -> None:
    """The file lives on in a duplicate after the watched number was closed."""
    read, write = pipe()
    other, other_write = pipe()
    ghost = os.dup(read)
    asked.change(other, NOTHING, READ)
    asked.change(ghost, NOTHING, READ)
    os.close(ghost)
    asked.change(ghost, READ, NOTHING)
    os.write(write, b"x")
    if asked.wait(0):
        asked.change(ghost, NOTHING, NOTHING)
    assert asked.wait(0) == []
    os.write(other_write, b"x")
    assert asked.wait(0) == [(other, READ)]


@pytest.mark.parametrize("number", [1023, 1024, 1025, 2000])
def test_large_numbers_are_as_good_as_small_ones(
    asked: Asked, pipe: Callable[[], tuple[int, int]], number: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    read, write = pipe()
    small, small_write = pipe()
    os.dup2(read, number)
    try:
        asked.change(number, NOTHING, READ)
        asked.change(small, NOTHING, READ)
        asked.change(small_write, NOTHING, WRITE)
        assert asked.wait(0) == [(small_write, WRITE)]
        os.write(write, b"x")
        assert sorted(asked.wait(0)) == sorted([(small_write, WRITE), (number, READ)])
        asked.change(small_write, WRITE, NOTHING)
        os.read(number, 1)
        start = time.monotonic()
        assert asked.wait(0.0201) == []
        assert time.monotonic() - start >= 0.0201
        os.close(number)
        if not asked.forgets_closed:
            assert asked.wait(0) == [(number, NOTHING)]
        asked.change(number, READ, NOTHING)
        assert asked.wait(0) == []
    finally:
        with suppress(OSError):
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("timeout", [0.001, 0.0014, 0.0101])
def test_a_wait_is_never_cut_short(asked: Asked, timeout: float) -> None:
    for _ in range(5):
        start = time.monotonic()
        assert asked.wait(timeout) == []
        assert time.monotonic() - start >= timeout


@pytest.mark.parametrize("timeout", [2.0**31 / 1000, 1e7, 1e12, 1e300])
def test_a_timeout_may_be_longer_than_the_kernel_can_express(
    asked: Asked, pair: Callable[[], Pair], timeout: float
) -> None:
    near, far = pair()
    far.send(b"x")
    asked.change(near.fileno(), NOTHING, READ)
    assert asked.wait(timeout) == [(near.fileno(), READ)]


def test_a_signal_does_not_make_a_wait_fail(asked: Asked, pair: Callable[[], Pair]) -> None:
    near, far = pair()
    asked.change(near.fileno(), NOTHING, READ)
    seen: list[int] = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        far.send(b"x")

    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().ident
    assert main is not None
    sender = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGUSR1))
    sender.start()
    try:
        notices: list[tuple[int, int]] = []
        while not notices:
            notices = asked.wait(30)
        assert notices == [(near.fileno(), READ)]
        assert seen == [signal.SIGUSR1]
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_all_of_many_are_reported(asked: Asked, pair: Callable[[], Pair]) -> None:
    pairs = [pair() for _ in range(200)]
    for near, far in pairs:
        asked.change(near.fileno(), NOTHING, READ)
        far.send(b"x")
    assert sorted(asked.wait(0)) == sorted((near.fileno(), READ) for near, _ in pairs)


def test_closing_gives_back_what_was_opened(poller: str) -> None:
    """At once, and not only when the poller is collected."""
    before = os.listdir("/dev/fd")
    opened = open_poller(poller)
    opened.close()
    opened.close()
    assert os.listdir("/dev/fd") == before
