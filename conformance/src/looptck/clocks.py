"""The two clocks a loop can be judged by: the machine's and a virtual one.

Knows no loop: whoever waits asks the clock how.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The clock that an adapter's factory is given.

    An implementation that declares ``virtual_time=True`` reads the time here
    and nowhere else.  When nothing is ready and the next deadline is *d*
    seconds away, it calls ``advance(d)`` in place of sleeping.
    """

    def now(self) -> float:
        """Seconds since some fixed moment; never goes backwards."""

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass: a virtual clock jumps, the machine's sleeps."""


class MonotonicClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def advance(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """A clock that only moves when it is told to.

    It starts at a large odd number, so that a loop which mixes it with the
    machine's clock, or takes it for a length, is noticed at once.
    """

    def __init__(self, start: float = 5_000_003.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"a clock cannot go back {-seconds} s")
        self._now += seconds
