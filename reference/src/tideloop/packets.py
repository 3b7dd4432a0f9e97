"""Sockets that keep messages apart: which do, and a queue that keeps them apart as well.

Knows no event and no loop.
"""

from __future__ import annotations

import os
import select
from fcntl import ioctl
from sys import byteorder
from termios import FIONREAD

from . import arguments
from .arguments import Bytes, Descriptor
from .buffer import Buffer

# How the bytes of a file come: as a stream; in packets, whose end is an empty
# read; in packets of which one may be empty.
STREAM, PACKETS, DATAGRAMS = range(3)

# poll() says so when nothing more can come in, where the system has a word for it
RDHUP: int = getattr(select, "POLLRDHUP", 0)


class Packets(Buffer):
    """A queue of packets: each piece is one, and leaves whole or not at all."""

    __slots__ = ()

    def append(self, data: Bytes) -> None:
        """*data* is one packet, the last.  Without any bytes it is none."""
        if type(data) is not bytes:
            data = arguments.data(data, "data")
        if not self.head:
            self.head = data
        elif data:
            self._put(data, len(data), None)

    def move(self, other: Buffer) -> int:
        """All of *other* is one packet, the last, and *other* is empty; how much it was."""
        if other is self or not isinstance(other, Buffer):
            return super().move(other)  # which refuses it
        data = other.take()
        self.append(data)
        return len(data)

    def write_to(self, fd: Descriptor) -> int:
        """Remove the first packet once one write to *fd* took it; how many bytes.

        Raises what the write raises, and nothing has changed then.
        """
        fd = arguments.descriptor(fd)
        self._remove_sent(0)
        head = memoryview(self.head)[self._pos :]
        size = len(head)
        [sent] = map(os.write, (fd,), (head,))
        self._pos += size  # 6: whole
        self.is_one_piece = False
        self._remove_sent(0)
        return sent


def kind_of(fd: int) -> int:
    """How the bytes of *fd* come."""
    import socket  # here, since a program without sockets has no use for it

    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        # A pipe may keep packets apart, and its reading end does not tell
        # (pipe2 of Linux with O_DIRECT); a device does what it likes.
        return STREAM
    kinds = {socket.SOCK_STREAM: STREAM, socket.SOCK_SEQPACKET: PACKETS}
    kind = kinds.get(sock.type, DATAGRAMS)
    sock.detach()
    return kind


def readable_bytes(fd: int) -> int:
    """How many bytes can be read, of the first message at least; 0 if *fd* does not tell."""
    try:
        return int.from_bytes(ioctl(fd, FIONREAD, bytes(4)), byteorder)
    except OSError:
        return 0


def is_at_end(fd: int, kind: int) -> bool:
    """Whether a read without a byte was the end of *fd*, not a message without bytes."""
    if not RDHUP:
        return kind != DATAGRAMS
    poll = select.poll()
    poll.register(fd, RDHUP)
    over = any(word & (RDHUP | select.POLLHUP) for _, word in poll.poll(0))
    return over and not readable_bytes(fd)
