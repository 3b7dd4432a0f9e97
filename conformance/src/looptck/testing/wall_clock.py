"""The wall clock as Python code sees it, which a test may set forward and back.

The machine's own clock cannot be set without disturbing everybody else.  So
the functions of `time` that tell the time of day are replaced by ones that
pass through to them, plus an offset, which is zero except inside `stepped`.

Why the code is as it is
-----------------------------

1. `from time import time` keeps what it finds.  So the replacement is made
   once and for ever, before an implementation is imported, and only the
   offset changes.
2. A class may hold the function as an attribute (``clock = time.time``).  A
   built-in is not bound by that, but a function of Python would be: hence an
   object that can be called.

Not reached: what reads the clock without `time`, such as `datetime.now()` and
code in C.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The clocks of clock_gettime(2) that follow the time of day.  Python has no
# name for CLOCK_REALTIME_COARSE, which is 5 on Linux.
_OF_THE_DAY = {
    number
    for name in ("CLOCK_REALTIME", "CLOCK_TAI")
    if (number := getattr(time, name, None)) is not None
} | {5}

_NANOSECONDS = 1_000_000_000

# how far the wall clock is set forward, in nanoseconds
_offset = 0


class _Shifted:
    """A function of `time`, with the offset added to what it tells."""

    def __init__(self, name: str, shift: Callable[..., Any]) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = getattr(time, name).__doc__
        self.__module__ = "time"
        self.looptck_original = getattr(time, name)
        self._shift = shift

    def __call__(self, *args: Any) -> Any:
        real = self.looptck_original(*args)
        return self._shift(real, *args) if _offset else real

    def __reduce__(self) -> str:
        return self.__name__


def install() -> None:
    """From now on the wall clock of this process can be stepped.  Twice is harmless."""
    if isinstance(time.time, _Shifted):
        return
    replacements: dict[str, Callable[..., Any]] = {
        "time": lambda real: real + _offset / _NANOSECONDS,
        "time_ns": lambda real: real + _offset,
        "clock_gettime": lambda real, which: (
            real + _offset / _NANOSECONDS if which in _OF_THE_DAY else real
        ),
        "clock_gettime_ns": lambda real, which: real + _offset if which in _OF_THE_DAY else real,
    }
    for name, shift in replacements.items():
        if hasattr(time, name):
            setattr(time, name, _Shifted(name, shift))


@contextmanager
def stepped() -> Iterator[Callable[[float], None]]:
    """Gives a function that sets the wall clock forward (or back) by some seconds.

    At the end the clock is right again.
    """
    if not isinstance(time.time, _Shifted):
        raise RuntimeError("the wall clock cannot be stepped here; call install() first")

    try:
        yield _step
    finally:
        _set(0)


def _step(seconds: float) -> None:
    _set(_offset + round(seconds * _NANOSECONDS))


def _set(nanoseconds: int) -> None:
    global _offset
    _offset = nanoseconds
