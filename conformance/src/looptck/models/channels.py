"""Real wires: the descriptors that a scenario is played with."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from looptck.testing.channels import PipeEnd, drain, fill

from .channel_state import Kind


class OpenChannel:
    """A wire made of descriptors.  Its far end is non-blocking."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._folder = ""
        # clients on their way, and those who were let in
        self._guests: list[socket.socket] = []
        # how it can be told that the near end is left alone
        self._identity: tuple[object, ...] = ()
        # False if somebody else still held the near end when it was renewed
        self.was_closed = True
        self.near = -1
        self._far: socket.socket | PipeEnd | None = None
        self._make()

    def write(self, count: int) -> None:
        if self.kind is not Kind.LISTENER:
            assert self._far is not None
            self._far.send(b"x" * count)
            return
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            self._guests.append(client)
            client.connect(self._address)

    def read(self, count: int) -> int:
        """Take *count* bytes or clients, which are there, or the end of what is sent.

        Returns how many it got.
        """
        if self.kind is Kind.LISTENER:
            with socket.socket(fileno=os.dup(self.near)) as door:
                for _ in range(count):
                    self._guests.append(door.accept()[0])
            return count
        with suppress(ConnectionResetError):
            return len(os.read(self.near, count or 1))
        return count

    def fill(self) -> None:
        fill(PipeEnd(self.near))

    def drain(self) -> None:
        assert self._far is not None
        drain(self._far)

    def finish(self) -> None:
        assert isinstance(self._far, socket.socket)
        self._far.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        assert self._far is not None
        self._far.close()

    def renew(self) -> None:
        """Close the near end and give its number to that of a fresh line."""
        number = self.near
        fresh = OpenChannel(self.kind)
        os.close(number)
        self.was_closed = self._sees_the_end()
        self._close_all_but_near()
        os.dup2(fresh.near, number, inheritable=self.kind is Kind.SOURCE)
        os.close(fresh.near)
        self._far, self._guests, self._folder = fresh._far, fresh._guests, fresh._folder
        self.near = number
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
        self._close_all_but_near()
        with suppress(OSError):
            os.close(self.near)

    @property
    def _address(self) -> str:
        return str(Path(self._folder) / "door")

    def _make(self) -> None:
        near: int
        match self.kind:
            case Kind.PAIR:
                here, there = socket.socketpair()
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
                door = socket.socket(socket.AF_UNIX)
                door.bind(self._address)
                door.listen(64)
                near = door.detach()
        # what is handed to the loop differs in what it must leave alone
        os.set_blocking(near, self.kind in (Kind.SOURCE, Kind.LISTENER))
        os.set_inheritable(near, self.kind is Kind.SOURCE)
        self.near = near
        self._identity = self._identify()

    def _identify(self) -> tuple[object, ...]:
        status = os.fstat(self.near)
        flags = os.get_blocking(self.near), os.get_inheritable(self.near)
        return status.st_dev, status.st_ino, *flags

    def _close_all_but_near(self) -> None:
        for end in (self._far, *self._guests):
            if end is not None:
                with suppress(OSError):
                    end.close()
        self._guests = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
