"""Urgent data: a byte that the kernel announces and that no read returns.  Knows no loop."""

from __future__ import annotations

import select
import socket

from .channels import Channels

# How long the kernel has to carry a byte over loopback, in milliseconds.
_PATIENCE = 5_000


def urgent_channel(channels: Channels) -> tuple[socket.socket, socket.socket] | None:
    """Two ends of a TCP connection; an urgent byte from the second has reached the first.

    None where the system puts urgent bytes in line with the others, so that a read returns them.
    """
    near, far = channels.tcp_pair()
    near.setblocking(False)
    far.send(b"!", socket.MSG_OOB)
    kernel = select.poll()
    kernel.register(near.fileno(), select.POLLPRI)
    if not kernel.poll(_PATIENCE):
        return None
    try:
        near.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return near, far
    return None
