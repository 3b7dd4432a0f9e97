"""The processes that a run has started, wherever they went.

A loop under test may start a process that leaves its group (`setsid`) or its
parent (a daemon, which forks twice).  Linux gives a process that has lost its
parent to the nearest ancestor that asks for such, so that none escapes.  On
other systems those are found whose ancestors still live.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

from .. import processes

_PR_SET_CHILD_SUBREAPER = 36

# How long the killing may take, in seconds: what forks faster than it is
# killed is not followed for ever.
_KILLING = 1.0


class Descendants:
    """The descendants of this process that are started from now on."""

    def __init__(self) -> None:
        # Whoever replaced itself by us (`exec`) may have children of its own.
        self._before = set(_alive())
        _adopt_orphans(True)

    def kill(self) -> None:
        """Every one of them has ended when this returns."""
        until = time.monotonic() + _KILLING
        while (found := self._started()) and time.monotonic() < until:
            for process in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):  # its parent collects it
                    os.waitpid(process.pid, os.WNOHANG)
            time.sleep(0.002)

    def close(self) -> None:
        _adopt_orphans(False)

    def _started(self) -> list[processes.Process]:
        return [process for process in _alive() if process not in self._before]


def _alive() -> list[processes.Process]:
    return processes.descendants_of(os.getpid())


def _adopt_orphans(yes: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)
