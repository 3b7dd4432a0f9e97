"""The profile of what luaevent's complete library adds to its document, in Python.

The entry object is that of `luaevent` with two more names: `buffer`, which
makes byte queues, and `bufferevent`, which makes buffered events.  Each of the
two is an object, or a module, with `new`.  Data is bytes, times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from . import luaevent
from .descriptors import Descriptor

ENTRY_NAMES = (*luaevent.ENTRY_NAMES, "buffer", "bufferevent")
LOOP_NAMES = luaevent.LOOP_NAMES

# Called with the bufferevent and EVBUFFER_* flags.
BufferEventCallback = Callable[[Any, int], object]


class Buffer(Protocol):
    """A queue of bytes."""

    def add(self, first: Any, *more: Any) -> int:
        """All arguments, bytes or buffers, are at the end, in order; how many bytes that was.

        A buffer among them is empty afterwards.  No argument, the buffer
        itself or anything else raises, and nothing has changed.
        """

    def length(self) -> int:
        """How many bytes there are."""

    def __len__(self) -> int:
        """The same."""

    def get_data(self, *begin_and_length: int) -> bytes:
        """A copy of bytes in the buffer.

        ``()`` all; ``(length)`` the first; ``(begin, length)`` from *begin* on,
        which counts from 1, or from the end if it is negative.
        """

    def __bytes__(self) -> bytes:
        """All of it: what `tostring` is in the library."""

    def readline(self) -> bytes | None:
        r"""Remove a line and its ``\r\n``, ``\n\r``, ``\r`` or ``\n``; the line, or None."""

    def drain(self, amt: int) -> object:
        """Remove the first *amt* bytes; all of them if that is negative or more than there are."""

    def read(self, fd: Descriptor, length: int) -> int:
        """Append what one read of *fd* gives, *length* bytes at most; how many, 0 at the end.

        Negative when nothing could be read.
        """

    def write(self, fd: Descriptor) -> int:
        """Remove as much as *fd* takes; how many bytes, or negative when it takes none."""

    def close(self) -> object:
        """Every other method raises from now on.  Twice is harmless."""


class Buffers(Protocol):
    def new(self) -> Buffer:
        """An empty buffer."""


class BufferEvent(Protocol):
    """A buffered event: at first reading is disabled and writing is enabled.

    Once it is collected nothing is called again, and its two buffers are closed.
    """

    def get_read(self) -> Buffer | None:
        """The input buffer, the same each time, to take from.  None once closed, or it raises."""

    def get_write(self) -> Buffer | None:
        """The output buffer, the same each time, to add to.  None once closed, or it raises."""

    def set_read_watermarks(self, low: int, high: int) -> object:
        """`read` needs *low* bytes of input; *high* are buffered at most, 0: any number."""

    def set_write_watermarks(self, low: int, high: int) -> object:
        """`write` is called below *low* bytes of output, or at none; *high* limits nothing."""

    def set_timeouts(self, read: float, write: float) -> object:
        """After how many seconds without a byte a direction is told EVBUFFER_TIMEOUT; 0: never."""

    def enable(self, event: int) -> object:
        """From now on bytes move in these directions: EV_READ, EV_WRITE or both."""

    def disable(self, event: int) -> object:
        """No bytes move in these directions any more; what is in the buffers stays."""


class BufferEvents(Protocol):
    def new(
        self,
        base: Any,
        fd: Descriptor,
        read: BufferEventCallback | None,
        write: BufferEventCallback | None,
        error: BufferEventCallback,
    ) -> BufferEvent:
        """A bufferevent of *base* over *fd*.  While it is referenced, it lives."""


class LuaeventExtended(luaevent.Luaevent, Protocol):
    """The entry object: that of luaevent, and the two modules."""

    @property
    def buffer(self) -> Buffers:
        """Byte queues."""

    @property
    def bufferevent(self) -> BufferEvents:
        """Buffered events."""
