"""Interrupts calls that must return and do not, and acts from another thread meanwhile.

A loop without timers that sleeps for ever can only be woken from outside.  Here
that is a signal, whose handler raises in the test: so the test can still say
what was expected.  A loop that lets no handler run is left to whoever watches
the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from . import guards

# A call that has nothing to wait for may take this long, in seconds.  It is a guard,
# shorter than that of the process that watches.
_PATIENCE = 1.5

# When another thread acts, in seconds: long enough for a loop to fall asleep.
_MEANWHILE = 0.02


@contextmanager
def must_return(what: str) -> Iterator[None]:
    """Raises AssertionError, which names *what*, if the block does not end by itself."""

    seconds = guards.guard(_PATIENCE)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"{what} does not return: it was given up after {seconds:.1f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def run_beside(*acts: Callable[[], object], after: float = _MEANWHILE) -> Iterator[None]:
    """Another thread does *acts*, each *after* seconds from the last, while the block runs."""
    done = threading.Event()

    def run() -> None:
        # the alarm above has to interrupt the thread that waits, which is the other one
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        for act in acts:
            if done.wait(after):
                return
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
