"""How fast a ready descriptor reaches its callback, beside stdlib asyncio.

    python reference/benchmarks/dispatch.py [--calls N] [--pairs N]

Each contender watches the same number of readable descriptors that nobody
reads, so that every turn finds all of them ready, and counts the calls.  The
contenders take turns, so that a change of the machine's mood meets all of
them; the figure is the median of the ratios within a round, not the ratio of
two medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tideloop
from tideloop import luaevent, luahop

Contender = Callable[[list[int], int], float]


def asyncio_add_reader(fds: list[int], calls: int) -> float:
    left = calls
    loop = asyncio.new_event_loop()

    def callback() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    for fd in fds:
        loop.add_reader(fd, callback)
    start = time.perf_counter()
    loop.run_forever()
    took = time.perf_counter() - start
    for fd in fds:
        loop.remove_reader(fd)
    loop.close()
    return took


def asyncio_with_timeout(fds: list[int], calls: int) -> float:
    """The same with an idle timeout for each descriptor, restarted by each call."""
    left = calls
    loop = asyncio.new_event_loop()
    timeouts: dict[int, asyncio.TimerHandle] = {}

    def restart(fd: int) -> None:
        timeouts[fd] = loop.call_later(60.0, callback, fd)

    def callback(fd: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()
        timeouts[fd].cancel()
        restart(fd)

    for fd in fds:
        loop.add_reader(fd, callback, fd)
        restart(fd)
    start = time.perf_counter()
    loop.run_forever()
    took = time.perf_counter() - start
    for fd in fds:
        loop.remove_reader(fd)
    loop.close()
    return took


def tideloop_watch(fds: list[int], calls: int) -> float:
    left = calls

    def callback(ready: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    with tideloop.Loop() as loop:
        for fd in fds:
            loop.watch(fd, tideloop.READ, callback)
        start = time.perf_counter()
        loop.run()
        return time.perf_counter() - start


def tideloop_luaevent(fds: list[int], calls: int, timeout: float | None = None) -> float:
    left = calls
    base = luaevent.new()

    def callback(flags: int) -> int:
        nonlocal left
        left -= 1
        if left <= 0:
            return luaevent.LEAVE
        return luaevent.EV_READ

    events = [base.addevent(fd, luaevent.EV_READ, callback, timeout) for fd in fds]
    start = time.perf_counter()
    base.loop()
    took = time.perf_counter() - start
    for event in events:
        event.close()
    base.close()
    return took


def tideloop_luaevent_with_timeout(fds: list[int], calls: int) -> float:
    return tideloop_luaevent(fds, calls, timeout=60.0)


def tideloop_luahop(fds: list[int], calls: int) -> float:
    left = calls
    hop = luahop.new()

    def callback() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            hop.stop()

    for fd in fds:
        hop.set_listener(fd, "r", callback)
    start = time.perf_counter()
    hop.loop()
    took = time.perf_counter() - start
    hop.close()
    return took


PAIRS: list[tuple[Contender, Contender]] = [
    (tideloop_watch, asyncio_add_reader),
    (tideloop_luaevent, asyncio_add_reader),
    (tideloop_luahop, asyncio_add_reader),
    (tideloop_luaevent_with_timeout, asyncio_with_timeout),
]


@contextmanager
def readable_pipes(count: int) -> Iterator[list[int]]:
    pipes = [os.pipe() for _ in range(count)]
    for _, write in pipes:
        os.write(write, b"x")
    try:
        yield [read for read, _ in pipes]
    finally:
        for ends in pipes:
            for fd in ends:
                os.close(fd)


def main() -> None:
    parser = argparse.ArgumentParser(description="Dispatch rate beside asyncio's add_reader.")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    for ready in (1, 10, 100):
        print(f"{ready} ready in each turn, {options.calls} calls, median of {options.pairs} pairs")
        with readable_pipes(ready) as fds:
            for ours, theirs in PAIRS:
                rounds = [
                    (ours(fds, options.calls), theirs(fds, options.calls))
                    for _ in range(options.pairs)
                ]
                rate = options.calls / statistics.median(took for took, _ in rounds)
                ratio = statistics.median(other / own for own, other in rounds)
                names = f"{ours.__name__} / {theirs.__name__}".replace("_", " ")
                print(f"  {names:56} {rate / 1e6:5.2f} million/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
