"""The flags, holds and the pending close of a buffered event.  Moves no bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .watchers import Timer

# the most that one read asks for
CHUNK = 65536


class ErrorFlag:
    """The flags that `on_error` gets: what happened, and in which direction.

    The numbers are those of libevent's EVBUFFER_* constants, so that the
    documents pass them on as they are.
    """

    READ: Final = 1
    WRITE: Final = 2
    EOF: Final = 16
    ERROR: Final = 32
    TIMEOUT: Final = 64


class Hold:
    """Why a direction is not watched.  Bits of a set: it may be several."""

    DISABLED: Final = 1  # the program did not enable it
    FULL: Final = 2  # the input is at its high watermark
    EMPTY: Final = 4  # there is nothing to send
    ENDED: Final = 8  # its end, error or timeout was reported
    CLOSED: Final = 16


class Closing:
    """What is to be done once all is sent, and the timer of the limit."""

    __slots__ = ("limit", "then")

    def __init__(self, then: Callable[[Any], object] | None) -> None:
        self.then = then
        self.limit: Timer | None = None

    def cancel(self) -> None:
        if self.limit is not None:
            self.limit.close()
