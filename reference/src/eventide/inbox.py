"""Calls posted by other threads and by signal handlers.

Knows no loop: it is an event like any other, watched for a pipe, and a posted
call makes the pipe readable.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .errors import ClosedError
from .events import Event


class Inbox(Event):
    """Safe to `post` to from anywhere; all else belongs to the loop's thread."""

    __slots__ = ("_calls", "_read", "_write")

    def __init__(self) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        # File objects rather than numbers: a late `post` must not write to
        # whatever file gets the number after `close`.
        self._read = open(read, "rb", buffering=0)  # noqa: SIM115  # closed by close()
        self._write = open(write, "wb", buffering=0)  # noqa: SIM115  # closed by close()
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        super().__init__(read)

    def __len__(self) -> int:
        return len(self._calls)

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """*fn(*args)* will be called by a later turn of the loop."""
        self._calls.append((fn, args))
        try:
            # None, if the pipe is full: then it is readable all the more
            self._write.write(b"\0")
        except ValueError:
            self._calls.clear()
            raise ClosedError("the loop is closed, nobody will make this call") from None

    def ready(self, ready: int) -> None:
        """Make the calls that are there now; those they post wait for the next turn."""
        self._read.read(65536)
        try:
            for _ in range(len(self._calls)):
                fn, args = self._calls.popleft()
                fn(*args)
        finally:
            if self._calls:
                with suppress(ValueError):
                    self._write.write(b"\0")

    def close(self) -> None:
        self._write.close()
        self._read.close()
        self._calls.clear()
