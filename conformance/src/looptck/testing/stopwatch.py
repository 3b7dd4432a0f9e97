"""Measures time as a test may judge it: never early, and late only where a rule says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from looptck.clocks import Clock

# Two readings of a clock are subtracted as floats, and a loop may keep whole
# microseconds; nothing shorter than this is called early.
RESOLUTION = 2e-6

# A loop that counts whole milliseconds may be this early, in seconds.  Only the
# rules about being early hold that against it.
COARSE = 2e-3

# A measurement that has an upper bound is tried this often before it counts.
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
        """Return the seconds since the start."""
        return self._clock.now() - self._started


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline, which lies between two moments, in seconds on the loop's clock.

    A loop reads its clock somewhere between the call that sets the deadline and
    the return of that call.  So two deadlines can be told apart for certain, or
    not, however slow the machine was between the calls.
    """

    earliest: float
    latest: float

    def surely_before(self, other: Deadline, apart: float) -> bool:
        """Whether this deadline comes before *other* by at least *apart* seconds."""
        return self.latest + apart <= other.earliest


def assert_not_early(elapsed: float, timeout: float, *, slack: float = 0.0) -> None:
    """Raises AssertionError if *elapsed* is shorter than *timeout* by more than *slack*.

    All are in seconds.
    """
    assert elapsed >= timeout - slack - RESOLUTION, (
        f"came {(timeout - elapsed) * 1000:.3f} ms early: after {elapsed * 1000:.3f} ms, "
        f"due after {timeout * 1000:.3f} ms"
    )


class TimeoutSequence:
    """Asserts that the n-th call after `begin` comes no earlier than n timeouts after it.

    So a loop may call at the points of a grid, on which one late call does not
    make the next one late.
    """

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._timeout = 0.0
        self._calls = 0

    def begin(self, timeout: float) -> None:
        self._timeout = timeout
        self._calls = 0
        self._stopwatch.restart()

    def assert_not_early(self) -> None:
        self._calls += 1
        assert_not_early(self._stopwatch.elapsed(), self._calls * self._timeout)


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
