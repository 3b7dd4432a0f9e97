"""Opens the descriptors of the channels on which a scenario runs."""

from __future__ import annotations

import os
import random
import select
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from looptck.testing.buffer_channels import unread
from looptck.testing.channels import PipeEnd, drain, fill

from .channel_state import Kind

# The kernel is asked to hold this many bytes on a narrow channel; it takes a little more.
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


class OpenChannel:
    """A channel made of descriptors.  Its far end is non-blocking."""

    def __init__(self, kind: Kind, number: int = 0) -> None:
        self.kind = kind
        self._source = ByteSource(f"to {number}")
        # what the far end sent and took
        self.sent = bytearray()
        self.received = bytearray()
        # how many bytes went into the near end, as long as that can be seen
        self._left = 0
        self._folder = ""
        # clients that connect, and those that were accepted
        self._guests: list[socket.socket] = []
        # how it can be told that the near end is left alone
        self._identity: tuple[object, ...] = ()
        # False if somebody else still held the near end when it was renewed
        self.was_closed = True
        self.near = -1
        self._far: socket.socket | PipeEnd | None = None
        self._make()

    def write(self, count: int, end: bytes = b"") -> int:
        """Send *count* bytes and *end*, or let clients connect; return how many there was room for.

        The bytes never repeat.
        """
        if self.kind is Kind.LISTENER:
            for _ in range(count):
                client = socket.socket(socket.AF_UNIX)
                self._guests.append(client)
                client.connect(self._address)
            return count
        assert self._far is not None
        data, before = self._source.take(count) + end, len(self.sent)
        with suppress(BlockingIOError):
            while data:
                taken = self._far.send(data)
                self.sent += data[:taken]
                data = data[taken:]
        return len(self.sent) - before

    def read(self, count: int) -> int:
        """Take *count* bytes or clients, which are there, or the end of what is sent.

        Returns how many it got.
        """
        if self.kind is Kind.LISTENER:
            with socket.socket(fileno=os.dup(self.near)) as listener:
                for _ in range(count):
                    self._guests.append(listener.accept()[0])
            return count
        with suppress(ConnectionResetError):
            return len(os.read(self.near, count or 1))
        return count

    def fill(self) -> None:
        fill(PipeEnd(self.near))

    def drain(self, count: int | None = None) -> None:
        """Take *count* bytes from the far end, or all that are there."""
        assert self._far is not None
        if count is None:
            self.received += drain(self._far)
        else:
            with suppress(BlockingIOError, ConnectionResetError):
                self.received += self._far.recv(count)

    def moved(self) -> int:
        """Return how many of the bytes that the far end sent are no longer in the file."""
        return len(self.sent) - unread(PipeEnd(self.near))

    def left(self) -> int:
        """Return how many bytes went into the near end, as far as the far end can tell."""
        if isinstance(self._far, socket.socket) and self._far.fileno() >= 0:
            self._left = len(self.received) + unread(self._far)
        return self._left

    def takes(self) -> bool:
        """Whether the near end has room for more."""
        return bool(select.select([], [self.near], [], 0)[1])

    def finish(self) -> None:
        assert isinstance(self._far, socket.socket)
        self._far.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        assert self._far is not None
        self.left()
        self._far.close()

    def renew(self) -> None:
        """Close the near end and give its number to the near end of a new channel."""
        number = self.near
        fresh = OpenChannel(self.kind)
        os.close(number)
        self.was_closed = self._sees_the_end()
        self._close_all_but_near()
        os.dup2(fresh.near, number, inheritable=self.kind is Kind.SOURCE)
        os.close(fresh.near)
        self._far, self._guests, self._folder = fresh._far, fresh._guests, fresh._folder
        self.near = number
        self.sent, self.received, self._left = bytearray(), bytearray(), 0
        self._identity = self._identify()

    def _sees_the_end(self) -> bool:
        """Whether the far end notices that the near one is closed."""
        if self.kind in (Kind.SOURCE, Kind.LISTENER) or self._far is None or self._far.fileno() < 0:
            return True
        try:
            drain(self._far)
            return self._far.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def is_open(self) -> bool:
        """Whether the near end is still the same open file."""
        with suppress(OSError):
            return self._identify()[:2] == self._identity[:2]
        return False

    def is_untouched(self) -> bool:
        """Whether it is open, with the flags that it had."""
        return self.is_open() and self._identify() == self._identity

    def close(self) -> None:
        """Close both ends."""
        self._close_all_but_near()
        with suppress(OSError):
            os.close(self.near)

    @property
    def _address(self) -> str:
        return str(Path(self._folder) / "socket")

    def _make(self) -> None:
        near: int
        match self.kind:
            case Kind.PAIR | Kind.NARROW:
                here, there = socket.socketpair()
                if self.kind is Kind.NARROW:
                    for end in (here, there):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
                near, self._far = here.detach(), there
                there.setblocking(False)
            case Kind.SOURCE:
                near, far = os.pipe()
                self._far = PipeEnd(far)
                os.set_blocking(far, False)
            case Kind.SINK:
                far, near = os.pipe()
                self._far = PipeEnd(far)
                os.set_blocking(far, False)
            case Kind.LISTENER:
                self._folder = tempfile.mkdtemp(prefix="looptck")
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(self._address)
                listener.listen(64)
                near = listener.detach()
        # what is handed to the loop differs in what it must leave alone
        os.set_blocking(near, self.kind in (Kind.SOURCE, Kind.LISTENER))
        os.set_inheritable(near, self.kind is Kind.SOURCE)
        self.near = near
        self._identity = self._identify()

    def _identify(self) -> tuple[object, ...]:
        # NetBSD gives some sockets another inode each time, and others none: those are all the same
        status, again = os.fstat(self.near), os.fstat(self.near)
        inode = status.st_ino if status.st_ino == again.st_ino else 0
        flags = os.get_blocking(self.near), os.get_inheritable(self.near)
        return status.st_dev, inode, *flags

    def _close_all_but_near(self) -> None:
        for end in (self._far, *self._guests):
            if end is not None:
                with suppress(OSError):
                    end.close()
        self._guests = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
