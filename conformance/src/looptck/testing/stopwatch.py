"""Time as a test may judge it: never early, and late only where a rule says so."""

from __future__ import annotations

import time
from collections.abc import Callable

from looptck.clocks import Clock

# Two readings of a clock are subtracted as floats, and a loop may keep whole
# microseconds; nothing shorter than this is called early.
RESOLUTION = 2e-6

# What a loop that counts whole milliseconds may be early, in seconds.  Only the
# rules about being early hold that against it.
COARSE = 2e-3

# How often a measurement that has an upper bound is tried before it counts.
# A busy machine makes one attempt late, not every one of them.
_ATTEMPTS = 4


class Stopwatch:
    """Measures on the clock that the loop under test was given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()

    def restart(self) -> None:
        self._started = self._clock.now()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock.now() - self._started


def assert_not_early(elapsed: float, timeout: float, *, slack: float = 0.0) -> None:
    """Raises AssertionError if *elapsed* is shorter than *timeout* by more than *slack*.

    All are in seconds.
    """
    assert elapsed >= timeout - slack - RESOLUTION, (
        f"came {(timeout - elapsed) * 1000:.3f} ms early: after {elapsed * 1000:.3f} ms, "
        f"due after {timeout * 1000:.3f} ms"
    )


def assert_prompt(lateness: Callable[[], float], bound: float) -> None:
    """Raises AssertionError if *lateness*, measured a few times, never is within *bound*.

    Each call of *lateness* makes a fresh measurement, in seconds.
    """
    best = float("inf")
    for _ in range(_ATTEMPTS):
        best = min(best, lateness())
        if best <= bound:
            return
    raise AssertionError(
        f"{best * 1000:.1f} ms late at best, in {_ATTEMPTS} attempts; "
        f"allowed are {bound * 1000:.0f} ms"
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """The processor time, in seconds, that this process used while *work* ran."""
    before = time.process_time()
    work()
    return time.process_time() - before
