"""Signals that arrive while a test waits, sent by another process.  Knows no loop.

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

# Seconds between two signals, by the machine's clock: also a loop in virtual
# time waits for the kernel when it has no timer.
_EVERY = 0.002

# So many signals arrive before each act, for nothing.
SIGNALS = 3


@contextmanager
def signals_before(
    *acts: Callable[[], object], handler: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Another process sends a few SIGALRM, then does the first of *acts*, and so on.

    Each signal calls *handler* as soon as this process runs Python code.
    """
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: handler())
    receiver = os.getpid()
    sender = os.fork()
    if sender == 0:
        try:
            for act in acts:
                for _ in range(SIGNALS):
                    select.select([], [], [], _EVERY)
                    os.kill(receiver, signal.SIGALRM)
                select.select([], [], [], _EVERY)
                act()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(sender, signal.SIGKILL)
        os.waitpid(sender, 0)
        signal.signal(signal.SIGALRM, before)
