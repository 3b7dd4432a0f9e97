"""Another process acts, or sends signals, while a test waits.  Knows no loop.

A loop in C may wait without giving Python a chance to run a handler, or another
thread.  So nothing that a test needs may be done by the handler: the process
that sends the signals does it, too.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

# Seconds between two signals, by the machine's clock: also a loop in virtual
# time waits for the kernel when it has no timer.
_EVERY = 0.002

# So many signals arrive before each act, for nothing.
SIGNALS = 3


@contextmanager
def another_process(*acts: Callable[[], object], after: float) -> Iterator[None]:
    """Another process does *acts*, each *after* seconds from the last, while the block runs."""
    child = os.fork()
    if child == 0:
        try:
            for act in acts:
                select.select([], [], [], after)
                act()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def signals_before(
    *acts: Callable[[], object],
    handler: Callable[[], object] = lambda: None,
    siginterrupt: bool = True,
) -> Iterator[None]:
    """Another process sends a few SIGALRM, then does the first of *acts*, and so on.

    Each signal calls *handler* as soon as this process runs Python code.
    *siginterrupt* says whether it ends system calls that the kernel could restart.
    """
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: handler())
    signal.siginterrupt(signal.SIGALRM, siginterrupt)
    send = partial(os.kill, os.getpid(), signal.SIGALRM)
    steps: list[Callable[[], object]] = []
    for act in acts:
        steps += [*[send] * SIGNALS, act]
    try:
        with another_process(*steps, after=_EVERY):
            yield
    finally:
        signal.signal(signal.SIGALRM, before)
