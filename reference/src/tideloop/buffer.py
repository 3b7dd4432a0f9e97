"""A queue of bytes: in at the end, out at the front.  Knows no event and no loop.

Why the code is the way it is
-----------------------------

1. What comes from the kernel is a `bytes`, and what most programs take is all
   of it, or a slice.  So the front of the queue is one `bytes`, the head, with
   a mark how far it was taken: taking all of it copies nothing, and a slice is
   copied once.  What comes later waits behind it as it is.

2. Many small pieces would cost more than their bytes: some fifty bytes for
   each.  So small ones that follow each other are gathered in one bytearray.
   Each byte is gathered once and made part of a head once.

3. A head that is nearly used up would keep all of its memory.  When more is
   taken than left, and it is worth it, the rest is copied; so each byte is
   copied less than once more, and memory is twice the contents at most.

4. Who asks for a line after each arrival must not pay for the bytes that were
   searched before.  So it is remembered up to where there is certainly no line
   break.  Positions are counted from the first byte of the head, taken or not:
   taking does not move them until the next piece becomes the head.

5. Mostly all that is there came in at once, and goes out at once.  Then there
   is a head and nothing else to know, and `is_one_piece` says so: who finds it True
   may put a `bytes` into the empty head, or take all of the head, by himself.

6. A signal handler may raise after any call.  So `append` makes its calls first
   and then stores all, and `_remove_sent` first says what is gone, by a mark that
   may be beyond the head, and then moves the pieces.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from itertools import islice

from . import arguments
from .arguments import Bytes, Descriptor
from .search import position_of

# less than this is gathered with its neighbours (2)
_SMALL = 1024
# what is gathered becomes one piece when it has grown to this
_PIECE_FULL = 65536
# a head is copied to give memory back if at least so much was taken of it (3)
_SHRINK_FROM = 65536
# how many pieces are handed to the kernel at once
_PIECES = 64
# the most that one read is asked for: the memory for it is taken at once
_MOST = 2**30

_CR = 13


class Buffer:
    """Bytes that came in and were not taken yet."""

    __slots__ = (
        "_behind",
        "_gathering",
        "_no_cr",
        "_no_lf",
        "_pos",
        "_rest",
        "head",
        "is_one_piece",
    )

    def __init__(self) -> None:
        # the front (1); empty only if all is empty, which is the cheap way to ask
        self.head = b""
        # how much of the head was taken
        self._pos = 0
        # what follows the head, and () rather than an empty deque: that is
        # half a kilobyte, and an idle connection has two buffers
        self._rest: deque[bytes | bytearray] | tuple[()] = ()
        # how many bytes are in the rest
        self._behind = 0
        # the last of the rest, if small pieces may still be added to it (2)
        self._gathering: bytearray | None = None
        # before these positions there is no line feed, no carriage return (4)
        self._no_lf = self._no_cr = 0
        # all of the above is as it is here, but for the head (5)
        self.is_one_piece = True

    def __len__(self) -> int:
        return len(self.head) - self._pos + self._behind

    # ---- in

    def append(self, data: Bytes) -> None:
        """*data* is at the end.  A `bytes` is kept as it is, all else copied."""
        if type(data) is not bytes:
            data = arguments.data(data, "data")
        if not self.head:
            self.head = data
            return
        size = len(data)
        gathering = self._gathering
        if size >= _SMALL:
            self._put(data, size, None)
        elif gathering is None:
            if size:
                gathering = bytearray(data)
                self._put(gathering, size, gathering)
        else:
            full = len(gathering) + size >= _PIECE_FULL
            gathering += data  # luaevent.buffer.linear
            self._behind += size
            if full:
                self._gathering = None

    def move(self, other: Buffer) -> int:
        """All of *other* is at the end of this, and *other* is empty; how much it was."""
        if not isinstance(other, Buffer):
            raise TypeError(f"other must be a Buffer, not {arguments.shown(other)}; append() bytes")
        if other is self:
            raise ValueError(f"other must not be {self!r} itself; pass another Buffer")
        if other.is_one_piece:
            head, other.head = other.head, b""
            self.append(head)
            return len(head)
        moved = len(other)
        for piece in other._pieces():
            self.append(piece)
        other.drain()
        return moved

    def read_from(self, fd: Descriptor, size: int) -> int:
        """Append what one read of *fd* gives, *size* bytes at most; how many.

        0 is the end of the file.  Raises what the read raises, and nothing has
        changed then.
        """
        size = arguments.size(size, "size", 1)
        data = os.read(arguments.descriptor(fd), min(size, _MOST))
        self.append(data)
        return len(data)

    # ---- out

    def take(self, size: int | None = None) -> bytes:
        """Remove and return the first *size* bytes, all if there are fewer or for None."""
        head, pos = self.head, self._pos
        if size is None:
            size = len(self)  # levent.bufevent.read-all
        elif type(size) is not int or size < 0:
            size = arguments.size(size, "size")
        end = pos + size
        if end < len(head):
            data = head[pos:end]
            self._pos = end
            self.is_one_piece = False
            if end > _SHRINK_FROM and end * 2 > len(head):
                self._shrink()
            return data
        if not self._rest:
            self._clear()
            return head[pos:] if pos else head
        return self._take_across(size)

    def drain(self, size: int | None = None) -> int:
        """Remove the first *size* bytes, all if there are fewer or for None; how many."""
        if size is not None and (type(size) is not int or size < 0):
            size = arguments.size(size, "size")
        there = len(self.head) - self._pos + self._behind
        if size is None or size >= there:
            self._clear()
            return there
        left = size
        while left >= (here := len(self.head) - self._pos):
            left -= here
            self._next()
        self._pos += left
        self.is_one_piece = False
        if self._pos > _SHRINK_FROM and self._pos * 2 > len(self.head):
            self._shrink()
        return size

    def take_line(self) -> bytes | None:
        """Remove a line with its break and return it without; None if there is no break.

        A line ends with a line feed, or with carriage return and line feed.
        However the bytes came in, the lines are the same.
        """
        head, pos, known = self.head, self._pos, self._no_lf
        found = head.find(b"\n", known if known > pos else pos)
        if found < 0:
            return self._take_line_across()  # levent.bufevent.readline-none
        end = found + 1
        if end == len(head):
            self._next()
        else:
            self._pos = end
            self.is_one_piece = False
            if end > _SHRINK_FROM and end * 2 > len(head):
                self._shrink()
        if found > pos and head[found - 1] == _CR:
            found -= 1
        return head[pos:found]

    def take_any_line(self) -> bytes | None:
        """As `take_line`, where each of LF, CR, CR LF and LF CR is one break.

        A break at the very end counts at once; if the other half of a pair
        comes in later, that is an empty line.
        """
        head, pos, known = self.head, self._pos, self._no_lf
        found = head.find(b"\n", known if known > pos else pos)
        end = found + 1
        if not 0 < end < len(head):
            return self._take_any_line_across()  # luaevent.buffer.readline-none
        returned = head.find(b"\r", pos, found)
        if returned < 0:
            if head[end] == _CR:
                end += 1
        elif end == returned + 2:
            found = returned
        else:
            return self._take_any_line_across()
        if end == len(head):
            self._next()
        else:
            self._pos = end
            self.is_one_piece = False
            if end > _SHRINK_FROM and end * 2 > len(head):
                self._shrink()
        return head[pos:found]

    def write_to(self, fd: Descriptor) -> int:
        """Remove what one write to *fd* took of the front; how many bytes.

        Raises what the write raises, and nothing has changed then.
        """
        fd = arguments.descriptor(fd)
        self._remove_sent(0)
        first = memoryview(self.head)[self._pos :]
        if self._rest:
            pieces = [first, *islice(self._rest, _PIECES - 1)]
            [sent] = map(os.writev, (fd,), (pieces,))
        else:
            [sent] = map(os.write, (fd,), (first,))
        self._pos += sent  # 6
        self.is_one_piece = False
        self._remove_sent(0)
        return sent

    def _remove_sent(self, size: int) -> None:
        """Remove the first *size* bytes, of which the descriptor has taken each."""
        if size:
            self._pos += size
            self.is_one_piece = False
        while self.head and self._pos >= (used := len(self.head)):
            if not self._rest:
                self._clear()
                return
            piece = bytes(self._rest[0])
            behind = self._behind - len(piece)
            del self._rest[0]
            self._pos -= used
            self._behind = behind
            self.head = piece
            self._no_lf = self._no_cr = 0
            if not self._rest:
                self._rest = ()
                self._gathering = None
        if self._pos > _SHRINK_FROM and self._pos * 2 > len(self.head):
            self._shrink()

    # ---- looking

    def peek(self, size: int | None = None, start: int = 0) -> bytes:
        """A copy of *size* bytes from index *start* on; nothing is removed.

        Fewer if there are fewer, all for None.
        """
        if size is None and start == 0 and type(start) is int and self.is_one_piece:
            return self.head
        start = arguments.size(start, "start")
        if size is not None:
            size = arguments.size(size, "size")
        available = max(0, len(self) - start)
        size = available if size is None else min(size, available)
        if start + size <= len(self.head) - self._pos:
            return self.head[self._pos + start : self._pos + start + size]
        parts: list[memoryview] = []
        for piece in self._pieces():
            if start >= len(piece):
                start -= len(piece)
                continue
            parts.append(piece[start : start + size])
            start = 0
            size -= len(parts[-1])
            if not size:
                break
        return b"".join(parts)

    def find(self, byte: bytes, start: int = 0) -> int:
        """The index of the first *byte*, a single one, from index *start* on; or -1."""
        byte = arguments.data(byte, "byte")
        if len(byte) != 1:
            raise ValueError(f"byte must be a single one, not {arguments.shown(byte)}; pass one")
        start = arguments.size(start, "start")
        position = self._seek(byte, self._pos + start)
        return position - self._pos if position < len(self.head) + self._behind else -1

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} bytes>"

    # ---- inside

    def _put(self, piece: bytes | bytearray, size: int, gathering: bytearray | None) -> None:
        rest = self._rest or deque()
        rest += (piece,)  # 6: no call from here on
        self._rest = rest
        self.is_one_piece = False
        self._behind += size
        self._gathering = gathering

    def _next(self) -> None:
        """The head is used up: the next piece takes its place."""
        if not self._rest:
            self._clear()
            return
        self._forget(len(self.head))
        piece = self._rest.popleft()
        if not self._rest:
            self._rest = ()
            self._gathering = None
        self._behind -= len(piece)
        self.head = bytes(piece)

    def _clear(self) -> None:
        self.head = b""
        if not self.is_one_piece:
            self._pos = self._behind = self._no_lf = self._no_cr = 0
            self._rest = ()
            self._gathering = None
            self.is_one_piece = True

    def _shrink(self) -> None:
        self.head = self.head[self._pos :]
        self._forget(self._pos)

    def _forget(self, size: int) -> None:
        """The first *size* bytes of the head, all of them taken, are no part of it any more."""
        self._pos = 0
        self._no_lf = max(0, self._no_lf - size)
        self._no_cr = max(0, self._no_cr - size)

    def _pieces(self) -> Iterator[memoryview]:
        if self.head:
            yield memoryview(self.head)[self._pos :]
            for piece in self._rest:
                yield memoryview(piece)

    def _take_across(self, size: int) -> bytes:
        size = min(size, len(self))
        taken = self.peek(size)
        self.drain(size)
        return taken

    def _take_line_across(self) -> bytes | None:
        # None of it is in the head, or what is left of the head begins after it.
        self.is_one_piece = False
        position = self._no_lf = self._seek(b"\n", max(self._pos, self._no_lf))
        if position >= len(self.head) + self._behind:
            return None
        line = self.take(position + 1 - self._pos)
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _take_any_line_across(self) -> bytes | None:
        self.is_one_piece = False
        self._no_lf = self._seek(b"\n", max(self._pos, self._no_lf))
        self._no_cr = self._seek(b"\r", max(self._pos, self._no_cr))
        position = min(self._no_lf, self._no_cr)
        if position >= len(self.head) + self._behind:
            return None
        line = self.take(position - self._pos)
        pair = self.peek(2)
        self.drain(2 if pair in (b"\r\n", b"\n\r") else 1)
        return line

    def _seek(self, byte: bytes, since: int) -> int:
        """The position of the first *byte* at or after *since*; the end if there is none."""
        return position_of(byte, since, self._pos, self.head, self._rest, self._behind)
