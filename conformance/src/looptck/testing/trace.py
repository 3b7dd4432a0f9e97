"""Records what happened in a test, in order.

A trace is a list of short texts, compared as a whole.  Each entry is also left
in memory shared with the parent, so that the last ones can be read after the
process hung or died.
"""

from __future__ import annotations

import mmap
import struct
import time

_SLOTS = 32
_WIDTH = 120
_MOMENT = struct.Struct("d")


class Recorder:
    """The last entries of a trace, in memory that outlives the process.

    Made before the fork; written by the child, read by the parent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _WIDTH + _MOMENT.size)
        self._count = 0

    def note(self, text: str) -> None:
        line = f"{self._count}:{text}".encode()[: _WIDTH - 1]
        at = (self._count % _SLOTS) * _WIDTH
        self._memory[at : at + _WIDTH] = line.ljust(_WIDTH, b"\0")
        self._count += 1
        self.beat()

    def beat(self) -> None:
        """Record that something happened just now: a call, a callback, or bytes that moved."""
        _MOMENT.pack_into(self._memory, _SLOTS * _WIDTH, time.monotonic())

    def last_beat(self) -> float:
        """Return the moment of the last `beat` on the monotonic clock, or 0."""
        moment: float = _MOMENT.unpack_from(self._memory, _SLOTS * _WIDTH)[0]
        return moment

    def forget(self) -> None:
        self._memory[: _SLOTS * _WIDTH] = bytes(_SLOTS * _WIDTH)
        self._count = 0

    def last(self) -> tuple[str, ...]:
        """The entries that are left, oldest first."""
        entries: list[tuple[int, str]] = []
        for at in range(0, _SLOTS * _WIDTH, _WIDTH):
            line = self._memory[at : at + _WIDTH].rstrip(b"\0").decode(errors="replace")
            number, colon, text = line.partition(":")
            if colon and number.isdigit():
                entries.append((int(number), text))
        return tuple(text for _, text in sorted(entries))

    def close(self) -> None:
        self._memory.close()


# Set in a worker process; elsewhere traces are plain lists.
recorder: Recorder | None = None


def beat() -> None:
    """Tell the process that watches this one that something happened."""
    if recorder is not None:
        recorder.beat()


class Trace(list[str]):
    """``trace("read a")`` notes an event; ``trace == [...]`` compares them all."""

    def __call__(self, text: str) -> None:
        self.append(text)
        if recorder is not None:
            recorder.note(text)
