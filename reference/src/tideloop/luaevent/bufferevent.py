"""luaevent's bufferevent, in Python: `luaevent.bufferevent`.

Thin: names, argument checks and lifetimes.  How bytes move is in
`tideloop.buffered`.

Where the project's document is open, this is what holds here: the object
belongs to the base it was made with; a low watermark that is met exactly
counts as met, in both directions; while the input stays at its high watermark
nobody is called; timeouts may be fractions of a second.  What a callback
raises comes out of `Base.loop`.  Reading is disabled at first, writing is
enabled.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol

from .. import arguments
from ..arguments import Descriptor
from ..buffer import Buffer as Queue
from ..buffered import BufferedEvent
from ..errors import ClosedError, UsageError
from ..loop import Loop
from ..pollers.api import READ, check_directions
from .buffer import Buffer
from .flags import EV_WRITE, EVBUFFER_READ, EVBUFFER_WRITE

__all__ = ["BufferEvent", "Module", "new"]


Callback = Callable[["BufferEvent", int], object]


class _Base(Protocol):
    _loop: Loop


class Module(Protocol):
    """The type of this module, which the entry object calls `bufferevent`."""

    def new(
        self,
        base: _Base,
        fd: Descriptor,
        read: Callback | None,
        write: Callback | None,
        error: Callback,
    ) -> BufferEvent:
        """See `new`."""


class _Part(Buffer):
    """One of the two buffers of a bufferevent."""

    __slots__ = ("_event",)

    def __init__(self, event: BufferedEvent, queue: Queue) -> None:
        super().__init__()
        self._event = event
        self._queue = queue

    def close(self) -> None:
        if self._queue is not None:
            raise UsageError("this buffer is closed by its bufferevent, not alone")


class _Input(_Part):
    __slots__ = ()

    def _to_fill(self) -> Queue:
        self._open()
        raise UsageError("only the loop puts data into the input of a bufferevent")

    def _taken(self) -> None:
        self._event.input_taken()


class _Output(_Part):
    __slots__ = ()

    def _to_fill(self) -> Queue:
        queue = self._open()
        if not self._event.want & READ:  # else it is open, and so is its base
            self._event.check_open()
        return queue

    def _to_take(self) -> Queue:
        self._open()
        raise UsageError("only the loop takes data from the output of a bufferevent")

    def _before_filling(self) -> None:
        self._event.before_output()

    def _filled(self) -> None:
        self._event.output_added()  # luaevent.bufferevent.get_write

    def read(self, fd: Descriptor, length: int) -> int:
        self._to_fill()
        self._before_filling()
        try:
            return super().read(fd, length)
        finally:
            self._event.output_added()


class _Calls:
    """The loop's side of a bufferevent: a weak reference to it, so that it does
    not keep what the program has dropped, and whom to call."""

    __slots__ = ("error", "read", "this", "write")

    def __init__(
        self, this: BufferEvent, read: Callback | None, write: Callback | None, error: Callback
    ) -> None:
        self.this = weakref.ref(this)  # luaevent.bufferevent.gc
        self.read = read
        self.write = write
        self.error = error


class BufferEvent:
    """A bufferevent, as `new` returns it; its callbacks are called while it is referenced."""

    __slots__ = ("__weakref__", "_event", "_input", "_output")

    def __init__(
        self,
        loop: Loop,
        fd: Descriptor,
        read: Callback | None,
        write: Callback | None,
        error: Callback,
    ) -> None:
        self._event: BufferedEvent | None = None
        # made when they are asked for
        self._input: _Input | None = None
        self._output: _Output | None = None
        # luaevent.bufferevent.new
        event = BufferedEvent(
            loop,
            fd,
            None if read is None else loop.registry.guard(_call_read, read),
            None if write is None else loop.registry.guard(_call_write, write),
            loop.registry.guard(_call_error, error),
            subject=_Calls(self, read, write, error),
        )
        event.enable(EV_WRITE, announce=False)
        self._event = event

    def get_read(self) -> Buffer | None:
        """The input buffer, the same each time: for taking from.  None once closed."""
        if self._input is None and self._event is not None:  # luaevent.bufferevent.get_read
            self._input = _Input(self._event, self._event.input)
        return self._input

    def get_write(self) -> Buffer | None:
        """The output buffer, the same each time: for adding to.  None once closed."""
        if self._output is None and self._event is not None:
            self._output = _Output(self._event, self._event.output)
        return self._output

    def set_read_watermarks(self, low: int, high: int) -> None:
        """Read is called at *low* bytes or more; *high* are buffered at most, 0: any number."""
        self._open().set_read_watermarks(low, high)  # luaevent.bufferevent.read-low

    def set_write_watermarks(self, low: int, high: int) -> None:
        """Write is called at *low* bytes or fewer; *high* limits nothing."""
        arguments.size(high, "the high watermark")
        self._open().set_write_watermarks(low, 0)  # luaevent.bufferevent.write-low

    def set_timeouts(self, read: float | None, write: float | None) -> None:
        """How many seconds a direction may stand still; None and 0: for ever."""
        self._open().set_timeouts(_length(read), _length(write))

    def enable(self, event: int) -> int:
        """From now on data moves in these directions, EV_READ or EV_WRITE or both; 0."""
        self._open().enable(_directions(event))
        return 0

    def disable(self, event: int) -> int:
        """No data moves in these directions any more; what is in the buffers stays; 0."""
        self._open().disable(_directions(event))
        return 0

    def close_when_sent(self, limit: float | None = None) -> None:
        """`close()` now for the program; the loop sends the output first.  (An extension.)

        For *limit* seconds at most; None: as long as it takes.  Nothing is
        read.  If the rest cannot be sent, *error* is called, while the
        bufferevent is referenced.  Once closed, it does nothing.
        """
        if limit is not None:
            arguments.seconds(limit, "limit")
        if self._event is not None:
            self._event.close_when_sent(limit)
            self._let_go()

    def close(self) -> None:
        """Nothing is called again, and both buffers are closed.  Twice is harmless."""
        if self._event is not None:
            self._event.close()
            self._let_go()

    def _let_go(self) -> None:
        for part in (self._input, self._output):
            if part is not None:
                part._queue = None
        self._event = self._input = self._output = None

    def _open(self) -> BufferedEvent:
        if self._event is None:
            raise ClosedError("this bufferevent is closed; make a new one")
        return self._event

    def __del__(self) -> None:
        # an instance whose making failed has nothing
        if getattr(self, "_event", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<luaevent.BufferEvent: {self._event or 'closed'!r}>"


def new(
    base: _Base,
    fd: Descriptor,
    read: Callback | None,
    write: Callback | None,
    error: Callback,
) -> BufferEvent:
    """A bufferevent of *base* over *fd*; reading is disabled, writing enabled.

    All callbacks get the bufferevent and EVBUFFER_* flags: EVBUFFER_READ,
    EVBUFFER_WRITE, or for *error* EVBUFFER_EOF, EVBUFFER_ERROR or
    EVBUFFER_TIMEOUT with the direction.  *read* and *write* may be None.
    """
    loop = getattr(base, "_loop", None)
    if not isinstance(loop, Loop):
        raise TypeError(
            f"base must be a base, not {arguments.shown(base)}; pass what luaevent.new() returned"
        )
    loop.registry.check_open("base")
    arguments.maybe_callback(read, "read")
    arguments.maybe_callback(write, "write")
    arguments.callback(error, "error")  # luaevent.bufferevent.new-nil
    return BufferEvent(loop, fd, read, write, error)


def _call_read(calls: _Calls) -> None:
    this = calls.this()
    if this is not None and calls.read is not None:
        # luaevent.bufferevent.callback-input
        calls.read(this, EVBUFFER_READ)  # luaevent.constants.evbuffer-read


def _call_write(calls: _Calls) -> None:
    this = calls.this()
    if this is not None and calls.write is not None:
        # luaevent.bufferevent.what-write
        calls.write(this, EVBUFFER_WRITE)  # luaevent.constants.evbuffer-write


def _call_error(calls: _Calls, what: int) -> None:
    this = calls.this()
    if this is not None:
        calls.error(this, what)  # luaevent.bufferevent.what-error


def _directions(event: object) -> int:
    return check_directions(event, "event", words="EV_READ, EV_WRITE or EV_READ | EV_WRITE")


def _length(timeout: float | None) -> float | None:
    return None if timeout is None or arguments.seconds(timeout, "timeout") == 0 else timeout
