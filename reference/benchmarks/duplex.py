"""One descriptor with a reader and a writer, beside two descriptors with one each.

    python reference/benchmarks/duplex.py [--calls N] [--rounds N]

Every turn finds all of them ready.  A ratio of 1 says that an event costs the
same, whether or not it shares its descriptor.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pairs import report, take_turns

import tideloop
from tideloop import READ, WRITE

Watched = list[tuple[socket.socket, int]]


@contextmanager
def ready_sockets(count: int) -> Iterator[list[socket.socket]]:
    """*count* sockets that can be read and written for ever, since nobody does."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            near, far = (stack.enter_context(end) for end in socket.socketpair())
            far.send(b"x")
            found.append(near)
        yield found


def serve(watched: Watched, calls: int) -> float:
    """Nanoseconds of processor time for each call."""
    left = calls

    def callback(ready: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    with tideloop.Loop() as loop:
        for sock, direction in watched:
            loop.watch(sock, direction, callback)
        start = time.process_time()
        loop.run()
        return (time.process_time() - start) / calls * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description="A shared descriptor beside two.")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    def contender(watched: Watched) -> Callable[[], float]:
        return lambda: serve(watched, options.calls)

    for pairs in (1, 10, 100):
        with ready_sockets(2 * pairs) as sockets:
            shared = [(sock, way) for sock in sockets[:pairs] for way in (READ, WRITE)]
            apart = [(sock, (READ, WRITE)[n % 2]) for n, sock in enumerate(sockets)]
            print(f"{2 * pairs} events in each turn, median of {options.rounds} rounds")
            contenders = {"two descriptors": contender(apart), "one descriptor": contender(shared)}
            figures = take_turns(contenders, options.rounds)
            report(figures, "ns an event", against="two descriptors")


if __name__ == "__main__":
    main()
