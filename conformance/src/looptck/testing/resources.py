"""Compares the resources of this process before and after a loop was used.

A snapshot counts open descriptors, threads, and the handlers of signals.  It
collects garbage first, so that only objects that are still held count.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import signal
import stat
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import processes
from .guards import Guard

# Numbers are given out lowest first, so that a leak shows far below this.
_HIGHEST = 4096

# A thread that was told to end may take this long, in seconds.
_SETTLING = 0.5

_KINDS = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISDIR, "a folder"),
)


@dataclass(frozen=True, slots=True)
class ResourceSnapshot:
    """The resources of the process at one moment."""

    # {number: what it is}
    descriptors: dict[int, str]
    threads: frozenset[threading.Thread]
    # of the kernel's, which sees those that Python did not start; 0 except on Linux
    thread_count: int
    # {signal: its handler}
    handlers: dict[int, Any]
    wakeup_fd: int

    @classmethod
    def take(cls) -> ResourceSnapshot:
        collect()
        return cls(
            descriptors=_open_descriptors(),
            threads=frozenset(threading.enumerate()),
            thread_count=processes.thread_count(),
            handlers=_handlers(),
            wakeup_fd=_wakeup_fd(),
        )

    def added_since(self, before: ResourceSnapshot) -> list[str]:
        """Describe the resources that are here and were not there *before*."""
        found = [
            f"descriptor {number} ({kind})"
            for number, kind in self.descriptors.items()
            if before.descriptors.get(number) != kind
        ]
        started = self.threads - before.threads
        found += [f"thread {thread.name!r}" for thread in started]
        unknown = self.thread_count - before.thread_count - len(started)
        if unknown > 0:
            found.append(f"{unknown} threads that Python does not know")
        found += [
            f"a handler for signal {number} ({signal.strsignal(number)})"
            for number, handler in self.handlers.items()
            if before.handlers.get(number) != handler
        ]
        if self.wakeup_fd != before.wakeup_fd:
            found.append("a wake-up descriptor for signals")
        return found


def left_since(before: ResourceSnapshot) -> list[str]:
    """Describe the resources that were not there *before*, once threads had time to end."""
    settling = Guard(_SETTLING)
    while True:
        left = ResourceSnapshot.take().added_since(before)
        if not left or settling.is_over:
            return left
        time.sleep(0.005)


def forget_signals() -> None:
    """Take back what Python handles of signals, so that a snapshot sees it set anew."""
    signal.set_wakeup_fd(-1)
    for number, handler in _handlers().items():
        if callable(handler) and handler is not signal.default_int_handler:
            signal.signal(number, signal.SIG_DFL)


def alive(references: Iterable[weakref.ref[Any]]) -> int:
    """Return how many of the objects behind *references* are still alive."""
    collect()
    return sum(reference() is not None for reference in references)


def collect() -> None:
    """Collect garbage until what finalisers let go of is collected too."""
    for _ in range(3):
        gc.collect()


def open_numbers() -> list[int]:
    """Return the numbers of the open descriptors; /dev/fd does not list them on each system."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [number for number in range(min(soft, _HIGHEST)) if _is_open(number)]


def _open_descriptors() -> dict[int, str]:
    return {number: _kind(number) for number in open_numbers()}


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _kind(number: int) -> str:
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        return "of an unknown kind"
    return next((name for test, name in _KINDS if test(mode)), "an object of the kernel")


def _handlers() -> dict[int, Any]:
    return {int(number): signal.getsignal(number) for number in signal.valid_signals()}


def _wakeup_fd() -> int:
    """Python's wake-up descriptor; it can only be read by being set."""
    number = signal.set_wakeup_fd(-1)
    if number != -1:
        with suppress(OSError, ValueError):  # whoever set it has closed it since
            signal.set_wakeup_fd(number, warn_on_full_buffer=False)
    return number
