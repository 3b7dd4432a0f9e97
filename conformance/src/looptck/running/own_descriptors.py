"""Our own descriptors in a process that runs foreign code.

A loop may close numbers, or write to numbers, that were its own a moment ago;
the kernel gives out the lowest that are free.  So ours are moved far above
them, are closed on exec, and those of the parent are closed in a worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
from collections.abc import Collection

# Far above what a loop is given, and low enough for a small table in the kernel.
_OUT_OF_REACH = 16_384

# The open descriptors that are ours, in this process.
_ours: set[int] = set()


def own(fd: int) -> int:
    """*fd* is ours from now on, until `release`; returns it."""
    _ours.add(fd)
    return fd


def release(fd: int) -> None:
    """Close *fd*, which is ours."""
    _ours.discard(fd)
    os.close(fd)


def forget(fd: int) -> None:
    """*fd* is ours no longer; whoever holds it closes it."""
    _ours.discard(fd)


def out_of_reach(fd: int) -> int:
    """Move *fd* above the numbers that a loop is given; returns its new number, which is ours.

    Where the hard limit of open files is lower than that, it keeps its number.
    """
    moved = _moved(fd)
    if moved != fd:
        os.close(fd)
    os.set_inheritable(moved, False)
    return own(moved)


def close_all_but(kept: Collection[int]) -> None:
    """In a new worker: close what is the parent's alone."""
    for fd in _ours - set(kept):
        with contextlib.suppress(OSError):
            os.close(fd)
    _ours.intersection_update(kept)


def _moved(fd: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _OUT_OF_REACH
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    is_low = soft != resource.RLIM_INFINITY and soft < raised
    try:
        # A number may lie above the soft limit, but is not given out above it.
        if is_low:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_REACH)
    except (OSError, ValueError):
        return fd
    finally:
        if is_low:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
