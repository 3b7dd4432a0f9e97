"""Tideloop: a small, readable, fast event loop in pure Python.

`Loop` is the loop itself; `levent`, `luaevent` and `luahop` are the same loop
under the names, defaults and errors of those documents.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("tideloop runs on Linux, macOS and the BSDs; on Windows, install it in WSL")

from . import levent, luaevent, luahop
from .buffer import Buffer
from .buffered import BufferedEvent, ErrorFlag, Hold
from .clock import Clock, MonotonicClock, VirtualClock
from .errors import ClosedError, ForkedError, RunningError, UsageError
from .loop import Loop
from .pollers import READ, WRITE, Poller, available, default
from .watchers import Interval, Timer, Watcher

__version__ = "0.1.0"

__all__ = [
    "READ",
    "WRITE",
    "Buffer",
    "BufferedEvent",
    "Clock",
    "ClosedError",
    "ErrorFlag",
    "ForkedError",
    "Hold",
    "Interval",
    "Loop",
    "MonotonicClock",
    "Poller",
    "RunningError",
    "Timer",
    "UsageError",
    "VirtualClock",
    "Watcher",
    "available",
    "default",
    "levent",
    "luaevent",
    "luahop",
]
