"""luaevent's buffer, in Python: `luaevent.buffer`.

Thin: names, argument checks, and the forms of `get_data`.  How bytes are kept
is in `tideloop.buffer`.

Where the project's document is open, this is what holds here: each of CR LF,
LF CR, CR and LF ends one line, so that there are empty lines; positions before
the first byte mean the first; `read` and `write` return -1 when the system
moved nothing, be it that it would have to wait or that it failed.
"""

from __future__ import annotations

from typing import Protocol

from .. import arguments
from .. import buffer as queue
from ..arguments import Bytes, Descriptor
from ..errors import ClosedError

__all__ = ["Buffer", "Module", "new"]

# what one read asks for when it is not told how much
_MUCH = 65536

# what can be added besides buffers; a tuple, since a union would be made anew
# for each question
_BYTES = (bytes, bytearray, memoryview)


class Module(Protocol):
    """The type of this module, which the entry object calls `buffer`."""

    def new(self) -> Buffer:
        """See `new`."""


class Buffer:
    """A queue of bytes."""

    __slots__ = ("__weakref__", "_queue")

    def __init__(self) -> None:
        self._queue: queue.Buffer | None = queue.Buffer()  # luaevent.buffer.new

    def add(self, first: Bytes | Buffer, *more: Bytes | Buffer) -> int:
        """All arguments are at the end, in order; how many bytes that was.

        A buffer among them is empty afterwards.  A wrong argument raises
        TypeError, ValueError or ClosedError, and nothing has changed.
        """
        mine = self._to_fill()
        parts = [first, *more]
        for place, part in enumerate(parts):  # luaevent.buffer.add-bad
            if isinstance(part, Buffer):
                if part is self:
                    raise ValueError(f"{part!r} cannot be added to itself; pass another buffer")
                part._to_take()
            elif not isinstance(part, _BYTES):
                raise TypeError(
                    f"what is added must be bytes or a buffer, not {arguments.shown(part)};"
                    " encode() makes bytes of text"
                )
            elif type(part) is not bytes:
                parts[place] = arguments.data(part, "what is added")
        self._before_filling()
        added = 0
        for part in parts:
            if isinstance(part, Buffer):
                added += mine.move(part._to_take())  # luaevent.buffer.add-buffer
                part._taken()
            else:
                mine.append(part)  # luaevent.buffer.add
                added += len(part)
        self._filled()
        return added  # luaevent.buffer.add-output

    def length(self) -> int:
        """How many bytes are left."""
        return len(self._open())  # luaevent.buffer.length

    def __len__(self) -> int:
        return len(self._open())

    def __bool__(self) -> bool:
        """A buffer is not nothing because it is empty."""
        return True

    def __bytes__(self) -> bytes:
        return self._open().peek()

    def get_data(self, *begin_and_length: int) -> bytes:
        """A copy of bytes in the buffer, which is unchanged.

        `()` all; `(length)` the first; `(begin, length)` from *begin* on, which
        counts from 1, or from the end if negative.  A negative length is all.
        """
        mine = self._open()
        if not begin_and_length:
            # luaevent.buffer.get_data-copy
            return mine.peek()  # luaevent.buffer.get_data-all
        begin, length = 1, -1
        if len(begin_and_length) == 1:
            [length] = begin_and_length  # luaevent.buffer.get_data-len
        elif len(begin_and_length) == 2:
            begin, length = begin_and_length  # luaevent.buffer.get_data-begin
        else:
            raise TypeError(
                f"get_data takes 2 arguments at most, not {len(begin_and_length)};"
                " pass begin and length"
            )
        begin, length = arguments.whole(begin, "begin"), arguments.whole(length, "length")
        # luaevent.buffer.get_data-negative
        start = max(0, begin - 1 if begin >= 0 else len(mine) + begin)
        return mine.peek(None if length < 0 else length, start)

    def readline(self) -> bytes | None:
        """Remove a line and its break; the line without it.  None if there is no break."""
        # luaevent.buffer.readline-strip
        # luaevent.buffer.readline-split
        line = self._to_take().take_any_line()  # luaevent.buffer.readline
        self._taken()
        return line

    def drain(self, amt: int) -> None:
        """Remove the first *amt* bytes; all, if it is negative or more than there are."""
        amt = arguments.whole(amt, "amt")
        # luaevent.buffer.drain-negative
        self._to_take().drain(None if amt < 0 else amt)  # luaevent.buffer.drain
        self._taken()

    def read(self, fd: Descriptor, length: int) -> int:
        """Append what one read of *fd* gives, *length* bytes at most; how many.

        A negative length: as much as there is.  0 at the end of the file.
        """
        mine = self._to_fill()
        number = arguments.descriptor(fd)
        length = arguments.whole(length, "length")
        try:
            # luaevent.buffer.read
            # luaevent.buffer.read-output
            return mine.read_from(number, _MUCH if length < 0 else length) if length else 0
        except OSError:
            return -1

    def write(self, fd: Descriptor) -> int:
        """Remove as much as *fd* takes; how many bytes."""
        mine = self._to_take()
        number = arguments.descriptor(fd)
        sent = 0
        try:
            while mine.head:  # luaevent.buffer.write
                sent += mine.write_to(number)  # luaevent.buffer.write-drains
        except OSError:
            sent = sent or -1
        self._taken()
        return sent

    def close(self) -> None:
        """The bytes that are left are gone; every other method raises ClosedError from now on."""
        self._queue = None  # luaevent.buffer.close

    def __repr__(self) -> str:
        state = "closed" if self._queue is None else f"{len(self._queue)} bytes"
        return f"<luaevent.Buffer: {state}>"

    # ---- what the buffers of a bufferevent do otherwise

    def _open(self) -> queue.Buffer:
        if self._queue is None:
            raise ClosedError("this buffer is closed; make a new one")
        return self._queue

    # the same function, not a call of it: this is on the way of every byte
    _to_fill = _to_take = _open

    def _before_filling(self) -> None:
        """Something is about to be put in; an OSError refuses it."""

    def _filled(self) -> None:
        """Something was put in."""

    def _taken(self) -> None:
        """Something was taken out."""


def new() -> Buffer:
    """An empty buffer."""
    return Buffer()
