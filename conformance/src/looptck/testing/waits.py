"""Waits: calls that are due one timeout after the other, and none of them early."""

from __future__ import annotations

from .stopwatch import Stopwatch, assert_not_early


class TimeoutSequence:
    """Asserts that no call came earlier than its event was told to wait.

    The n-th call after `begin` is due n timeouts after it.  So a loop may go by
    the points of a grid, on which one late call does not make the next one late.
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
