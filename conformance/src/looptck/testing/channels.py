"""Connected descriptors to test with: socket pairs, pipes, TCP on loopback.

Everything is non-blocking and closed at the end of the test.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

from . import guards
from .applicability import NotApplicableError
from .kernel import PATIENCE, Courier, TcpEnd
from .trace import beat

# A test sends at most this many bytes at once; socket pairs of NetBSD have room for 4096 at first.
MOST_AT_ONCE = 100_000

# Enough for every test that wants a number beyond select(2)'s bitmap.
_DESCRIPTORS_WANTED = 4096


@dataclass(eq=False)
class PipeEnd:
    """One end of a pipe, with the names of a socket."""

    fd: int

    def fileno(self) -> int:
        return self.fd

    def send(self, data: bytes) -> int:
        return os.write(self.fd, data)

    def recv(self, size: int) -> bytes:
        return os.read(self.fd, size)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


End = socket.socket | PipeEnd
Sockets = TypeVar("Sockets", bound=tuple[socket.socket, ...])


class Channels:
    """Makes descriptors for one test and closes them after it."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._courier: Courier | None = None

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two connected stream sockets, nothing written yet, with room for what a test sends."""
        ends = socket.socketpair()
        for end in ends:
            widen(end)
        return self._kept(ends)

    def pipe(self) -> tuple[PipeEnd, PipeEnd]:
        """The reading and the writing end of a pipe."""
        ends = os.pipe()
        for fd in ends:
            os.set_blocking(fd, False)
        reading, writing = PipeEnd(ends[0]), PipeEnd(ends[1])
        self._open.callback(reading.close)
        self._open.callback(writing.close)
        return reading, writing

    def one_way_pipe(self) -> tuple[PipeEnd, PipeEnd]:
        """A pipe whose reading end cannot be written to; NotApplicableError where it can."""
        reading, writing = self.pipe()
        with suppress(OSError):
            reading.send(b"")
            raise NotApplicableError("both ends of a pipe can be written to on this system")
        return reading, writing

    def listener(self) -> socket.socket:
        """A TCP socket that listens on a free port of the loopback interface."""
        if self._courier is None:
            self._courier = Courier()
            self._open.callback(self._courier.close)
        listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._kept((listening,))
        return listening

    def connect(self, listening: socket.socket) -> socket.socket:
        """A TCP client on its way to *listening*; the connection is in the backlog."""
        client = self._tcp_end(socket.create_connection(listening.getsockname()))
        client.courier.settle()
        return client

    def tcp_pair(self) -> tuple[socket.socket, socket.socket]:
        """The two ends of a TCP connection over loopback."""
        listening = self.listener()
        client = self.connect(listening)
        served = self.accept(listening)
        return client, served

    def accept(self, listening: socket.socket) -> socket.socket:
        """The next connection of *listening*, which is there or on its way."""
        listening.settimeout(guards.guard(PATIENCE))
        served, _ = listening.accept()
        listening.setblocking(False)
        return self._tcp_end(served)

    def connecting(self, address: tuple[str, int]) -> socket.socket:
        """A non-blocking connect to *address*, begun and perhaps not over."""
        client = socket.socket()
        self._kept((client,))
        client.connect_ex(address)
        return client

    def refused(self) -> socket.socket:
        """A non-blocking connect, begun and perhaps not over, to a port that nobody has.

        A port that is bound and does not listen is no substitute: NetBSD and
        macOS answer nothing for it, and the connect is not over for a minute.
        """
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        return self.connecting(address)

    def numbered(self, end: End, at_least: int) -> socket.socket:
        """A socket for the same open file as *end*, with a number of *at_least* or more."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(_DESCRIPTORS_WANTED, at_least + 64)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        fd = fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, at_least)
        twin = socket.socket(fileno=fd)
        self._kept((twin,))
        return twin

    def pair_at(self, number: int) -> tuple[socket.socket, socket.socket]:
        """A fresh pair whose near end has that number, closed a moment ago.

        Or another one, if somebody else has taken the number meanwhile.
        """
        near, far = self.pair()
        if far.fileno() == number:
            return far, near
        if near.fileno() == number:
            return near, far
        return self.numbered(near, number), far

    def keep(self, close: Callable[[], object]) -> None:
        """Call *close* at the end of the test."""
        self._open.callback(close)

    def close(self) -> None:
        self._open.close()

    def _tcp_end(self, end: socket.socket) -> TcpEnd:
        assert self._courier is not None, "a connection needs a listener of the same test"
        made = TcpEnd.of(end, self._courier)
        self._kept((made,))
        return made

    def _kept(self, sockets: Sockets) -> Sockets:
        for each in sockets:
            each.setblocking(False)
            self._open.callback(each.close)
        return sockets


def widen(end: socket.socket) -> None:
    """Ask the kernel for room for `MOST_AT_ONCE` bytes in each buffer, or else half as much."""
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        room = 2 * MOST_AT_ONCE
        while end.getsockopt(socket.SOL_SOCKET, buffer) < room:
            with suppress(OSError):  # ENOBUFS: more than the system's limit
                end.setsockopt(socket.SOL_SOCKET, buffer, room)
                break
            room //= 2


def fill(end: End) -> int:
    """Write to *end* until it takes no more; the number of bytes it took."""
    total = 0
    # smaller and smaller, so that not even one byte of room is left
    for size in (65536, 4096, 64, 1):
        chunk = b"x" * size
        with suppress(BlockingIOError):
            while True:
                total += end.send(chunk)
                beat()
    return total


def drain(end: End) -> bytes:
    """Everything that can be read from *end* without waiting."""
    chunks: list[bytes] = []
    with suppress(BlockingIOError, ConnectionError):
        while chunk := end.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def as_descriptor_zero(channels: Channels, end: socket.socket) -> int:
    """Have descriptor 0 stand for *end* until the end of the test."""
    saved = os.dup(0)

    def restore() -> None:
        os.dup2(saved, 0)
        os.close(saved)

    channels.keep(restore)
    os.dup2(end.fileno(), 0)
    return 0


def reset(end: socket.socket) -> None:
    """Close a TCP socket so that its peer meets ECONNRESET."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
