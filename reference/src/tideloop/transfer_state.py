"""The state of a buffered event, its flags and its holds.  Moves no bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import inf
from typing import Any, Final

from . import arguments
from .arguments import Descriptor
from .buffer import Buffer
from .events import Event
from .packets import Packets, kind_of
from .registry import HasRegistry, Registry
from .watchers import Timer

# the most that one read asks for
CHUNK = 65536

# see `TransferState._arrived`
IDLE = b""


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
    """The function to call once all is sent, and the timer of the limit."""

    __slots__ = ("limit", "then")

    def __init__(self, then: Callable[[Any], object] | None) -> None:
        self.then = then
        self.limit: Timer | None = None

    def cancel(self) -> None:
        if self.limit is not None:
            self.limit.close()


class TransferState(Event):
    """All that a `BufferedEvent` knows."""

    __slots__ = (
        "_announce_writable",
        "_arrived",
        "_closing",
        "_file",
        "_has_limits",
        "_on_error",
        "_on_read",
        "_on_write",
        "_packets",
        "_read_held",
        "_read_high",
        "_read_low",
        "_read_size",
        "_read_timeout",
        "_read_until",
        "_registry",
        "_serving",
        "_subject",
        "_write_held",
        "_write_high",
        "_write_low",
        "_write_timeout",
        "_write_until",
        "error",
        "input",
        "output",
    )

    def __init__(
        self,
        loop: HasRegistry,
        fd: Descriptor,
        on_read: Callable[[Any], object] | None = None,
        on_write: Callable[[Any], object] | None = None,
        on_error: Callable[[Any, int], object] | None = None,
        *,
        subject: object = None,
    ) -> None:
        super().__init__(arguments.descriptor(fd))
        arguments.maybe_callback(on_read, "on_read")
        arguments.maybe_callback(on_write, "on_write")
        arguments.maybe_callback(on_error, "on_error")
        registry = getattr(loop, "registry", None)
        if not isinstance(registry, Registry):
            raise TypeError(f"loop must be a loop, not {arguments.shown(loop)}; pass a Loop")
        registry.check_open()
        guard = registry.guard
        os.set_blocking(self.fd, False)
        self._registry = registry
        self._file: object = fd  # a socket object closes its descriptor when it is collected
        self._subject = self if subject is None else subject
        self._on_read = None if on_read is None else guard(on_read)
        self._on_write = None if on_write is None else guard(on_write)
        self._on_error = None if on_error is None else guard(on_error)
        # what has come in and was not taken, what was written and not yet sent
        self.input = Buffer()
        # not 0 if the file keeps messages apart (BUF-11)
        self._packets = kind_of(self.fd)
        self.output = Packets() if self._packets else Buffer()
        # what is to be done once all is sent (BUF-12)
        self._closing: Closing | None = None
        # the last error of the system
        self.error: OSError | None = None
        # sets of `Hold`, without EMPTY
        self._read_held: int = Hold.DISABLED
        self._write_held: int = Hold.DISABLED
        # `on_write` is to be called though there is nothing to send (BUF-4)
        self._announce_writable = False
        # high watermarks: 0 is none
        # levent.newevbuf.watermarks-exist
        self._read_low = self._read_high = self._write_low = self._write_high = 0
        # lengths; None is none
        self._read_timeout: float | None = None
        self._write_timeout: float | None = None
        # points on the loop's clock; while nothing is waited for, never
        self._read_until = self._write_until = inf
        # whether an arrival has to be looked at: watermarks and timeout of reading
        self._has_limits = False
        # how much a read asks for; 0: what `_most_to_read` says
        self._read_size = 0 if self._packets else CHUNK
        # in the middle of `ready` or `due`: interest is settled at its end
        self._serving = False
        # what was read and is not in the input yet; then None, until `on_read` is
        # called, so that it is called even if a signal handler raises (BUF-13)
        self._arrived: bytes | None = IDLE
