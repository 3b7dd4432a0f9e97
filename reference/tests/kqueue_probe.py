"""A kqueue of a modelled system, with short words for what the tests of the facts do."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kernels.kqueue import kernel
from kernels.systems import EV_ADD, SYSTEMS, System

MakePair = Callable[[], tuple[socket.socket, socket.socket]]
MakePipe = Callable[[], tuple[int, int]]


class Probe:
    """One kqueue of a system, with short words for what the tests do."""

    def __init__(self, name: str) -> None:
        self.system: System = SYSTEMS[name]
        self.kernel: Any = kernel(name)
        self.queue: Any = self.kernel.kqueue()
        self.read: int = self.kernel.KQ_FILTER_READ
        self.write: int = self.kernel.KQ_FILTER_WRITE

    def change(self, fd: int, filter_: int, flags: int = EV_ADD) -> Any:
        return self.kernel.kevent(fd, filter_, flags)

    def tell(self, fd: int, filter_: int, flags: int = EV_ADD) -> None:
        self.queue.control([self.change(fd, filter_, flags)], 0)

    def answer_to(self, fd: int, filter_: int, flags: int = EV_ADD) -> int:
        """The errno with which the change is refused, or 0."""
        try:
            self.tell(fd, filter_, flags)
        except OSError as error:
            return error.errno or 0
        return 0

    def events(self, room: int = 8, timeout: float | None = 0) -> list[Any]:
        found: list[Any] = self.queue.control(None, room, timeout)
        return found


def fill(fd: int) -> None:
    """Write to *fd* until the kernel takes no more."""
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, bytes(65536))


def is_readable(probe: Probe) -> bool:
    return bool(select.select([probe.queue.fileno()], [], [], 0)[0])
