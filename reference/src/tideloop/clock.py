"""Clocks: the time, and how a wait passes on each.  Knows no poller and no timer.

A loop does not sleep by itself: it hands its poller's `wait` to the clock
and uses the function that it gets back.  The machine's clock gives it back
as it is; a virtual one replaces the sleeping by a jump.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from . import arguments

T = TypeVar("T")

# Given the longest time to wait in seconds (None: for ever), returns what
# became ready.
Wait = Callable[[float | None], list[T]]


class Clock(Protocol):
    """Where a loop reads the time.

    Guaranteed: `now` never goes backwards, and knows nothing of the wall
    clock.

    Not guaranteed: where it starts.
    """

    def now(self) -> float:
        """Seconds since some fixed moment."""

    def pace(self, wait: Wait[T]) -> Wait[T]:
        """A function like *wait* whose timeouts pass on this clock."""


class MonotonicClock:
    """The machine's monotonic clock."""

    # As an attribute rather than a method: reading the time is then one call
    # into C, and a loop reads it on every turn that has a deadline.
    now = staticmethod(time.monotonic)  # luahop.timer.monotonic

    def pace(self, wait: Wait[T]) -> Wait[T]:
        return arguments.callback(wait, "wait")


class VirtualClock:
    """A clock that stands still, except that it jumps when nothing is ready.

    A wait with a timeout asks the kernel without sleeping; if nothing is
    ready the clock advances by exactly the timeout.  A wait without one
    really sleeps: only another thread or process can end it.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = arguments.moment(start, "start")

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, at once."""
        self._now = arguments.moment(self._now + arguments.seconds(seconds, "seconds"), "the time")

    def pace(self, wait: Wait[T]) -> Wait[T]:
        arguments.callback(wait, "wait")

        def wait_or_jump(timeout: float | None) -> list[T]:
            if timeout is None:
                return wait(None)
            ready = wait(0)
            if not ready and timeout:
                self.advance(timeout)
            return ready

        return wait_or_jump


def check_clock(clock: Clock) -> Clock:
    """*clock*, which has the two functions of a `Clock`."""
    complete = callable(getattr(clock, "now", None)) and callable(getattr(clock, "pace", None))
    if isinstance(clock, type) or not complete:
        raise TypeError(
            f"clock must have now() and pace(), not be {arguments.shown(clock)};"
            " pass MonotonicClock() or VirtualClock()"
        )
    arguments.moment(clock.now(), "what clock.now() returns")
    return clock
