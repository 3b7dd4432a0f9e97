"""Alarms: a signal that arrives every few milliseconds while a test waits.  Knows no loop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds between two signals, by the machine's clock: also a loop in virtual
# time waits for the kernel when it has no timer.
_EVERY = 0.005


@contextmanager
def alarms(handler: Callable[[], object]) -> Iterator[None]:
    """SIGALRM arrives again and again, and calls *handler*."""
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: handler())
    signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
    try:
        yield
    finally:
        stop_alarms()
        signal.signal(signal.SIGALRM, before)


def stop_alarms() -> None:
    """For a handler that has seen enough."""
    signal.setitimer(signal.ITIMER_REAL, 0)
