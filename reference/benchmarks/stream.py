"""A stream through a buffered event, beside libevent's own in C.

    python reference/benchmarks/stream.py [--mib N] [--pairs N]

Needs libevent 2.1 (Debian: libevent-2.1-7).  As it comes: one call into Python
for each arrival; in blocks: with a low watermark of one block.  What is taken
becomes a `bytes`; what is drained is let go where it lies.  A child process is
the other end.  Counted are bytes for each second of the receiver's (or
sender's) own processor time, and of the wall clock.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import time
from collections.abc import Callable
from functools import partial

from pairs import report, take_turns

import tideloop
from tideloop import BufferedEvent

MIB = 1 << 20
EV_READ, EV_WRITE = 2, 4

DataCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


def load_libevent() -> ctypes.CDLL:
    library = ctypes.CDLL("libevent-2.1.so.7")
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("event_base_new", pointer, []),
        ("event_base_free", None, [pointer]),
        ("event_base_dispatch", ctypes.c_int, [pointer]),
        ("event_base_loopbreak", ctypes.c_int, [pointer]),
        ("bufferevent_socket_new", pointer, [pointer, ctypes.c_int, ctypes.c_int]),
        ("bufferevent_free", None, [pointer]),
        (
            "bufferevent_setcb",
            None,
            [pointer, DataCallback, DataCallback, pointer, pointer],
        ),
        ("bufferevent_setwatermark", None, [pointer, ctypes.c_short, size, size]),
        ("bufferevent_enable", ctypes.c_int, [pointer, ctypes.c_short]),
        ("bufferevent_write", ctypes.c_int, [pointer, ctypes.c_char_p, size]),
        ("bufferevent_get_input", pointer, [pointer]),
        ("evbuffer_get_length", size, [pointer]),
        ("evbuffer_drain", ctypes.c_int, [pointer, size]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def tideloop_receives(
    low: int,
    consume: Callable[[BufferedEvent], bytes | int],
    sock: socket.socket,
    total: int,
) -> None:
    left = total

    def on_read(event: BufferedEvent) -> None:
        nonlocal left
        left -= len(event.input)
        consume(event)
        if not left:
            loop.stop()
        elif left < low:
            event.set_read_watermarks(left, 0)

    with tideloop.Loop() as loop:
        event = BufferedEvent(loop, sock, on_read)
        event.set_read_watermarks(low, 0)
        event.enable(tideloop.READ)
        loop.run()


def tideloop_sends(sock: socket.socket, total: int) -> None:
    block, left = bytes(MIB), total

    def on_write(event: BufferedEvent) -> None:
        nonlocal left
        if left:
            event.write(block)
            left -= MIB
        else:
            loop.stop()

    with tideloop.Loop() as loop:
        BufferedEvent(loop, sock, None, on_write).enable(tideloop.WRITE)
        loop.run()


def libevent_receives(low: int, sock: socket.socket, total: int) -> None:
    library, left = load_libevent(), total

    @DataCallback  # type: ignore[untyped-decorator]  # ctypes types no callback
    def on_read(event: int, _: object) -> None:
        nonlocal left
        incoming = library.bufferevent_get_input(event)
        size = library.evbuffer_get_length(incoming)
        library.evbuffer_drain(incoming, size)
        left -= size
        if not left:
            library.event_base_loopbreak(base)
        elif left < low:
            library.bufferevent_setwatermark(event, EV_READ, left, 0)

    base = library.event_base_new()
    event = library.bufferevent_socket_new(base, sock.fileno(), 0)
    library.bufferevent_setcb(event, on_read, DataCallback(), None, None)
    library.bufferevent_setwatermark(event, EV_READ, low, 0)
    library.bufferevent_enable(event, EV_READ)
    library.event_base_dispatch(base)
    library.bufferevent_free(event)
    library.event_base_free(base)


def libevent_sends(sock: socket.socket, total: int) -> None:
    library, block, left = load_libevent(), bytes(MIB), total

    @DataCallback  # type: ignore[untyped-decorator]  # ctypes types no callback
    def on_write(event: int, _: object) -> None:
        nonlocal left
        if left:
            library.bufferevent_write(event, block, MIB)
            left -= MIB
        else:
            library.event_base_loopbreak(base)

    base = library.event_base_new()
    event = library.bufferevent_socket_new(base, sock.fileno(), 0)
    library.bufferevent_setcb(event, DataCallback(), on_write, None, None)
    library.bufferevent_enable(event, EV_WRITE)
    library.event_base_dispatch(base)
    library.bufferevent_free(event)
    library.event_base_free(base)


def other_end(sock: socket.socket, total: int, *, sends: bool) -> None:
    block, left = memoryview(bytearray(MIB)), total
    while left:
        left -= sock.send(block[:left]) if sends else sock.recv_into(block)


Run = Callable[[socket.socket, int], None]


def transfer(run: Run, total: int, clock: Callable[[], float], *, receives: bool) -> float:
    """MiB for each second of *clock*."""
    near, far = socket.socketpair()
    near.setblocking(False)
    child = os.fork()
    if child == 0:
        try:
            near.close()
            other_end(far, total, sends=receives)
        finally:
            os._exit(0)
    far.close()
    start = clock()
    run(near, total)
    took = clock() - start
    near.close()
    os.waitpid(child, 0)
    return total / MIB / took


def main() -> None:
    parser = argparse.ArgumentParser(description="A stream beside libevent's bufferevent.")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    taken, drained = BufferedEvent.take, lambda event: event.input.drain()
    comparisons: list[tuple[str, bool, dict[str, Run]]] = [
        (
            "receiving, as it comes",
            True,
            {
                "tideloop, taken": partial(tideloop_receives, 0, taken),
                "libevent, drained": partial(libevent_receives, 0),
            },
        ),
        (
            "receiving, in blocks of 1 MiB",
            True,
            {
                "tideloop, taken": partial(tideloop_receives, MIB, taken),
                "tideloop, drained": partial(tideloop_receives, MIB, drained),
                "libevent, drained": partial(libevent_receives, MIB),
            },
        ),
        (
            "sending blocks of 1 MiB",
            False,
            {"tideloop": tideloop_sends, "libevent": libevent_sends},
        ),
    ]
    for title, receives, runs in comparisons:
        for unit, clock in (("MiB/CPU s", time.process_time), ("MiB/s", time.perf_counter)):
            print(f"{title}: {options.mib} MiB")
            contenders = {
                name: partial(transfer, run, options.mib * MIB, clock, receives=receives)
                for name, run in runs.items()
            }
            report(take_turns(contenders, options.pairs), unit, against=list(runs)[-1])


if __name__ == "__main__":
    main()
