"""Tideloop: a small, readable, fast event loop in pure Python.

`Loop` is the loop itself; `levent`, `luaevent` and `luahop` are the same loop
under the names, defaults and errors of those documents.
"""

from __future__ import annotations

import sys

from .buffer import Buffer
from .buffered import BufferedEvent, Hold
from .clock import Clock, MonotonicClock, VirtualClock
from .dialects import levent, luaevent, luahop
from .errors import ClosedError, ForkedError, RunningError, UsageError
from .events import Interval, Timer, Watcher
from .loop import Loop
from .pollers import READ, WRITE, Poller, available, default

__version__ = "0.1.0"

__all__ = [
    "READ",
    "WRITE",
    "Buffer",
    "BufferedEvent",
    "Clock",
    "ClosedError",
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

# `import tideloop.luaevent` finds the one module that there is.
sys.modules[f"{__name__}.levent"] = levent
sys.modules[f"{__name__}.luaevent"] = luaevent
sys.modules[f"{__name__}.luaevent.buffer"] = luaevent.buffer
sys.modules[f"{__name__}.luaevent.bufferevent"] = luaevent.bufferevent
sys.modules[f"{__name__}.luahop"] = luahop
