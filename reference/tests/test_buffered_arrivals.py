"""One read takes all of an arrival up to 64 KiB, and never a part of a packet."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from tideloop import READ, BufferedEvent, Loop
from tideloop.luaevent.flags import EVBUFFER_EOF, EVBUFFER_ERROR, EVBUFFER_READ
from tideloop.transfer_state import CHUNK

Pairs = Callable[[], tuple[socket.socket, socket.socket]]

SIZES = [1, 256, 1000, CHUNK - 1, CHUNK]


@pytest.fixture
def told() -> list[object]:
    return []


def watched(loop: Loop, sock: socket.socket, told: list[object]) -> BufferedEvent:
    event = BufferedEvent(
        loop,
        sock,
        lambda event: told.append(len(event.take())),
        None,
        lambda event, what: told.append(what),
    )
    event.enable(READ)
    return event


@pytest.mark.parametrize("size", SIZES)
def test_an_arrival_is_told_once_however_large(
    poller: str, pair: Pairs, told: list[object], size: int
) -> None:
    """Each in one turn, small ones after large ones too."""
    near, far = pair()
    with Loop(poller) as loop:
        watched(loop, near, told)
        for _ in range(3):
            far.sendall(bytes(size))
            loop.turn(0)
        for _ in range(2):
            far.sendall(b"x")
            loop.turn(0)
    assert told == [size, size, size, 1, 1]


def test_a_turn_reads_64_kib_at_most(loop: Loop, pair: Pairs, told: list[object]) -> None:
    near, far = pair()
    watched(loop, near, told)
    far.sendall(bytes(CHUNK + 2))
    loop.turn(0)
    loop.turn(0)
    assert told == [65536, 2]


@pytest.mark.parametrize("high", [1, 256, 1000])
def test_a_read_stops_at_the_high_watermark(
    poller: str, pair: Pairs, told: list[object], high: int
) -> None:
    near, far = pair()
    with Loop(poller) as loop:
        event = watched(loop, near, told)
        event.set_read_watermarks(0, high)
        far.sendall(bytes(3 * high))
        for _ in range(3):
            loop.turn(0)
        event.set_read_watermarks(0, 0)
        far.sendall(bytes(5000))
        loop.turn(0)
    assert told == [high, high, high, 5000]


@pytest.mark.parametrize("size", SIZES[:-2])
def test_a_packet_is_read_whole(poller: str, told: list[object], size: int) -> None:
    """The kernel drops the rest of a packet that a read leaves."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with Loop(poller) as loop, near, far:
        watched(loop, near, told)
        for _ in range(2):
            far.send(bytes(size))
            loop.turn(0)
    assert told == [size, size]


@pytest.mark.parametrize("size", SIZES)
def test_the_end_comes_after_a_large_first_arrival(
    poller: str, pair: Pairs, told: list[object], size: int
) -> None:
    near, far = pair()
    with Loop(poller) as loop:
        watched(loop, near, told)
        far.sendall(bytes(size))
        far.close()
        for _ in range(3):
            loop.turn(0)
    assert told == [size, EVBUFFER_READ | EVBUFFER_EOF]


@pytest.mark.parametrize("size", [1, 256, 1000])
def test_a_reset_is_told_after_what_came_before_it(
    poller: str, told: list[object], size: int
) -> None:
    """The kernel tells the reset to one read only: the one after the data."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    with Loop(poller) as loop, near:
        watched(loop, near, told)
        far.sendall(bytes(size))
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        for _ in range(3):
            loop.turn(0)
    assert told == [size, EVBUFFER_READ | EVBUFFER_ERROR]
