"""Ctrl-C, and the signals that ask a run to stop.

Until a run begins, such a signal ends the command at once: nothing was made that would
be left behind, and modules are still being imported, which a KeyboardInterrupt
would leave through a traceback.  During a run a signal is noticed only where
the run allows it, so that nothing is half done.

This module is imported before all others: it may import little.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, Self, TypeVar

_T = TypeVar("_T")

# 128 and the number of the signal, as shells have it.
INTERRUPTED = 128 + signal.SIGINT


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop."""


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_at_once() -> None:
    """From now on a signal that asks to stop prints one line and ends the process."""
    for number in _STOPPING:
        _replace(number, _end)


def ignore() -> None:
    """The command is through: a late Ctrl-C must not disturb the end of the process."""
    _replace(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Within it, a signal that asks to stop ends the process; its handler is restored after."""
    former = {number: signal.getsignal(number) for number in _STOPPING}
    end_at_once()
    try:
        yield
    finally:
        for number, handler in former.items():
            _replace(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"looptck: stopped before anything was judged\n")
    os._exit(128 + number)


class Interruption:
    """Within it, SIGINT, SIGTERM and SIGHUP raise `Stopped`, but only where that is allowed.

    One that comes elsewhere is kept until it is allowed.
    """

    def __init__(self) -> None:
        self._allowed = False
        # the signal that came, 0 for none
        self._pending = 0
        self._former: dict[int, Any] = {}
        self.exit_status = INTERRUPTED

    def __enter__(self) -> Self:
        for number in _STOPPING:
            self._former[number] = signal.getsignal(number)
            _replace(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            _replace(number, former)

    def allowed(self, call: Callable[[], _T]) -> _T:
        """Return the result of *call*; raise Stopped if a signal came before or comes meanwhile."""
        try:
            self._allowed = True
            if self._pending:
                self._stop()
            return call()
        finally:
            self._allowed = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._pending = number
        if self._allowed:
            self._stop()

    def _stop(self) -> NoReturn:
        self.exit_status = 128 + self._pending
        self._allowed, self._pending = False, 0
        raise Stopped


def _replace(number: int, handler: Any) -> None:
    """Signals that whoever started us had ignored (`nohup`) stay ignored."""
    if signal.getsignal(number) in (signal.SIG_IGN, None):
        return
    with suppress(ValueError):  # not the main thread: its signals are not ours
        signal.signal(number, handler)
