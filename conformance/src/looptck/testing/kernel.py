"""Bounded waits until the kernel has done its part.

Kernels differ in when: bytes sent over loopback may be there when `send` returns
(Linux) or a moment later (the BSDs), and a virtual clock does not wait for them.
So a test that sends, closes or connects over TCP waits here, by the machine's
clock, until the other end has it.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import guards

if TYPE_CHECKING:
    from looptck.protocols.descriptors import HasFileno

# The kernel has this long to carry something over loopback, in seconds.
PATIENCE = 5.0


def wait_readable(ends: Iterable[HasFileno]) -> None:
    """Sleep until the kernel has something to read for each of *ends*."""
    for end in ends:
        _wait(end, select.POLLIN)


def wait_writable(end: HasFileno) -> None:
    """Sleep until a write to *end* would not wait, or its connection has failed."""
    _wait(end, select.POLLOUT)


def _wait(end: HasFileno, mask: int) -> None:
    kernel = select.poll()
    kernel.register(end.fileno(), mask)
    assert kernel.poll(guards.guard(PATIENCE) * 1000), "the kernel did not deliver over loopback"


class Courier:
    """A TCP connection over loopback that shows when everything sent before has arrived.

    Loopback delivers in order.  So when a byte has gone there and another one
    back, what was sent on other connections has arrived and is acknowledged.
    """

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self._ends = (socket.create_connection(listening.getsockname()), listening.accept()[0])
        for end in self._ends:
            send_at_once(end)
            end.settimeout(guards.guard(PATIENCE))

    def settle(self) -> None:
        """Wait until everything that this process has sent over loopback has arrived."""
        if os.getpid() != self._process:  # a forked child has bytes of its own to wait for
            self._open()
        for sending, receiving in (self._ends, self._ends[::-1]):
            sending.send(b".")
            wait_readable([receiving])
            receiving.recv(1)

    def close(self) -> None:
        for end in self._ends:
            end.close()


def send_at_once(end: socket.socket) -> None:
    """Have a TCP socket not wait for the acknowledgement of one piece before it sends the next."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class TcpEnd(socket.socket):
    """An end of a TCP connection; what it sends has arrived when the call returns."""

    courier: Courier

    @classmethod
    def of(cls, end: socket.socket, courier: Courier) -> TcpEnd:
        """Return the open file of *end*, which is closed, with this promise."""
        made = cls(end.family, end.type, end.proto, fileno=end.detach())
        made.courier = courier
        send_at_once(made)
        return made

    def send(self, data: Any, flags: int = 0) -> int:
        """Send; a full buffer is found out only once nothing is under way any more."""
        try:
            sent = super().send(data, flags)
        except BlockingIOError:
            self.courier.settle()
            sent = super().send(data, flags)
        self.courier.settle()
        return sent

    def shutdown(self, how: int) -> None:
        super().shutdown(how)
        self.courier.settle()

    def close(self) -> None:
        was_open = self.fileno() >= 0
        super().close()
        if was_open:
            self.courier.settle()
