"""Measures how busy a loop keeps the processor while it should sleep, on a busy machine too.

Processor time alone does not tell: where many processes want the processor, a
loop that spins gets little of it.  So the time in which this thread waited for
a processor is left out, where the kernel tells it (Linux does).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# The file holds, for the calling thread: nanoseconds running, nanoseconds waiting to run, slices.
_SCHEDULER = Path("/proc/thread-self/schedstat")


def cpu_share(work: Callable[[], object], wait: float) -> float:
    """Return the share of the time in which *work* might have slept and computed instead.

    *wait* is how long *work* should sleep, in seconds; a virtual clock passes
    over it in no time, and the share is of *wait* then.
    """
    computed, delayed, began = time.process_time(), _delayed(), time.monotonic()
    work()
    computed = time.process_time() - computed
    elapsed = max(time.monotonic() - began, wait)
    might_have_slept = elapsed - (_delayed() - delayed)
    return computed / max(might_have_slept, computed)


def _delayed() -> float:
    """Seconds in which this thread was ready to run and had no processor, as far as is known."""
    try:
        return int(_SCHEDULER.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
