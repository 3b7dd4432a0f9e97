"""The queue of bytes: growth, lines, memory; beside the bytearray one would write by hand.

python reference/benchmarks/buffer.py [--pairs N] [--quick]
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pairs import report, take_turns

import tideloop
from tideloop import Buffer, BufferedEvent

MIB = 1 << 20


class ByHand:
    """A bytearray, and `del` from the front."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, data: bytes) -> None:
        self._data += data

    def take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def take_line(self) -> bytes | None:
        found = self._data.find(b"\n")
        if found < 0:
            return None
        line = bytes(self._data[:found])
        del self._data[: found + 1]
        return line[:-1] if line.endswith(b"\r") else line


Make = Callable[[], Buffer | ByHand]


def bytes_in_and_out(make: Make, count: int) -> float:
    """Appends and takes of one byte each, for each second of processor time."""
    buffer = make()
    start = time.process_time()
    append = buffer.append
    for _ in range(count):
        append(b"x")
    take = buffer.take
    for _ in range(count):
        take(1)
    return 2 * count / (time.process_time() - start)


def lines(make: Make, size: int, method: str = "take_line") -> float:
    """Lines for each second of processor time; they come in as reads of 64 KiB."""
    buffer = make()
    data = b"a short line of forty bytes or so, here\n" * (size // 40)
    for start in range(0, len(data), 65536):
        buffer.append(data[start : start + 65536])
    count = 0
    take_line = getattr(buffer, method)
    begin = time.process_time()
    while take_line() is not None:
        count += 1
    return count / (time.process_time() - begin)


def peak_memory(*, anew: bool = False) -> int:
    """The most bytes that were ever resident; *anew*: from now on.  Linux only."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    [kib] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kib) * 1024


def growth_through_a_watermark(total: int, high: int) -> int:
    """How many bytes the process grew at its peak while *total* passed through."""
    near, far = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            near.close()
            block, left = bytes(MIB), total
            while left:
                left -= far.send(block[:left])
        finally:
            os._exit(0)
    far.close()
    passed = 0
    highest = 0

    def on_read(event: BufferedEvent) -> None:
        nonlocal passed, highest
        highest = max(highest, len(event.input))
        passed += len(event.take())

    with tideloop.Loop() as loop:
        event = BufferedEvent(loop, near, on_read)
        event.set_read_watermarks(0, high)
        event.enable(tideloop.READ)
        before = peak_memory(anew=True)
        loop.run()
        grown = peak_memory() - before
    near.close()
    os.waitpid(child, 0)
    assert passed == total
    assert highest <= high
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description="The queue of bytes.")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    options = parser.parse_args()
    part = 10 if options.quick else 1

    # first, while the process is small
    grown = growth_through_a_watermark(1024 * MIB // part, 65536)
    print(f"{1024 // part} MiB through a high watermark of 64 KiB: grew {grown / 1024:,.0f} KiB")

    for count in (5_000_000 // part, 10_000_000 // part):
        print(f"{count:,} appends of one byte, then as many takes")
        contenders = {
            "tideloop.Buffer": partial(bytes_in_and_out, Buffer, count),
            "bytearray": partial(bytes_in_and_out, ByHand, count),
        }
        report(take_turns(contenders, options.pairs), "calls/CPU s", against="bytearray")

    print(f"lines out of {100 // part} MiB")
    size = 100 * MIB // part
    contenders = {
        "tideloop.Buffer.take_line": partial(lines, Buffer, size),
        "tideloop.Buffer.take_any_line": partial(lines, Buffer, size, "take_any_line"),
        "bytearray": partial(lines, ByHand, size),
    }
    report(take_turns(contenders, options.pairs), "lines/CPU s", against="bytearray")


if __name__ == "__main__":
    main()
