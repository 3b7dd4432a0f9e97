"""The files of levent's events, with a peer at the other end of each."""

from __future__ import annotations

import random
import select
import socket
from contextlib import suppress

from looptck.testing.buffer_channels import unread
from looptck.testing.channels import drain

from .buffered import Seen

# What the kernel is asked to hold on a narrow line; it takes a little more.
_NARROW = 2048

# Carriage returns break lines in some loops, line feeds are written on purpose.
# Zero bytes and spaces, which text functions take for an end, are frequent.
_NO_BREAKS = bytes(0 if byte < 16 else ord(" ") if byte < 32 else byte for byte in range(256))


class ByteSource:
    """Bytes that do not repeat, without line breaks; the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def take(self, count: int) -> bytes:
        return self._random.randbytes(count).translate(_NO_BREAKS)


class BufferedChannel:
    """A connected pair of sockets: the file of a buffered event, and its peer."""

    def __init__(self, *, is_narrow: bool) -> None:
        self.near, self.far = socket.socketpair()
        for end in (self.near, self.far):
            end.setblocking(False)
            if is_narrow:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
        self._is_gone = False
        self._sent = self._received = self._left = 0

    def seen(self) -> Seen:
        takes = bool(select.select([], [self.near], [], 0)[1])
        moved = self._sent - unread(self.near)
        if not self._is_gone:
            self._left = self._received + unread(self.far)
        return Seen(moved, self._left, takes)

    def send(self, data: bytes) -> bytes:
        """Send *data*, or what the line takes of it; what that is."""
        sent = 0
        with suppress(BlockingIOError):
            while sent < len(data):
                sent += self.far.send(data[sent:])
        self._sent += sent
        return data[:sent]

    def receive(self, count: int | None) -> bytes:
        """Take up to *count* bytes that are there, or all."""
        if count is None:
            data = drain(self.far)
        else:
            data = b""
            with suppress(BlockingIOError, ConnectionResetError):
                data = self.far.recv(count)
        self._received += len(data)
        return data

    def end(self) -> None:
        self.far.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        self.seen()
        self._is_gone = True
        self.far.close()

    def close(self) -> None:
        self.near.close()
        self.far.close()
