"""Calls posted by other threads and by signal handlers.

Knows no loop: it is an event that the loop calls when its waker was readable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .events import Event
from .pollers.api import READ
from .waker import Waker


class Inbox(Event):
    """Safe to `post` to from anywhere; all else belongs to the loop's thread."""

    __slots__ = ("_waker", "calls")

    def __init__(self, waker: Waker) -> None:
        super().__init__(waker.fd)
        self._waker = waker
        # posted and not yet made
        self.calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.want = READ

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """*fn(*args)* will be called by a later turn of the loop; False if it is closed."""
        waker = self._waker
        with waker.lock:  # or `close` might forget this call, and nobody would know
            if waker.closed:
                return False
            self.calls.append((fn, args))
            if not waker.pending:
                waker.wake()
        return True

    def ready(self, ready: int) -> None:
        """Make the calls that are there now; those they post wait for the next turn."""
        for _ in range(len(self.calls)):
            # Between these no signal handler runs; one that raises before them
            # finds the call in place, and after them it is the call that raises.
            fn, args = self.calls[0]
            del self.calls[0]
            fn(*args)

    def close(self) -> None:
        self._waker.close()
        # in two steps: letting go of the calls may run code of theirs
        calls, self.calls = self.calls, deque()
        calls.clear()
