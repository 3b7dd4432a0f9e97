"""select(2), for every Unix.

Why the code is the way it is
-----------------------------

1. `select.select` refuses numbers from FD_SETSIZE (1024) up, because the
   `fd_set` of the C library has that many bits.  The kernels have no such
   limit: on Linux as on the BSDs they take bitmaps as long as the first
   argument says (macOS: under the name select$DARWIN_EXTSN).  So while a large
   number is watched we make the bitmaps ourselves and call the C library's
   `select` with them, through ctypes.

2. One closed descriptor fails the whole call with EBADF and does not say
   which it was.  We look at each then.

3. A regular file is always ready.  epoll refuses it; so do we, so that a
   program does not depend on the poller it was tried with.

4. The BSDs refuse a timeout of more than 10**8 seconds.

5. select() does not mind that a number was given to another file.  The detector
   does, as epoll would.

6. On Linux a hang-up wakes readers alone (the BSDs wake both).  The detector is
   readable while anybody is hung up, and says who; so it is asked as well.

7. A signal handler may watch and stop watching between any two lines, so what
   is walked through in Python is a copy.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from math import ceil
from typing import ClassVar

from .api import BOTH, DIRECTIONS, NOTHING, READ, WRITE, Notice, check_pollable, identify
from .epollset import ReuseDetector

_FD_SETSIZE = 1024
_LONGEST = 10.0**8  # 4

_WideSelect = Callable[
    [Collection[int], Collection[int], float | None], tuple[Iterable[int], Iterable[int]]
]


class SelectPoller:
    name: ClassVar[str] = "select"
    meanings: ClassVar[Sequence[int]] = DIRECTIONS

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        # those that `select.select` refuses
        self._large: set[int] = set()
        self._reuse = ReuseDetector()
        self.serialize = self._reuse.serialize

    def change(self, fd: int, old: int, new: int) -> None:
        if new:
            check_pollable(fd)  # 2, 3
        self._reuse.change(fd, old, new)  # 5
        if new:
            if fd >= _FD_SETSIZE:
                _wide_select()  # a system without it says so here
                self._large.add(fd)
        else:
            self._large.discard(fd)
        for direction, fds in ((READ, self._readers), (WRITE, self._writers)):
            if new & direction:
                fds.add(fd)
            else:
                fds.discard(fd)

    def wait(self, timeout: float | None) -> list[Notice]:
        if timeout is not None and timeout > _LONGEST:
            timeout = _LONGEST
        readers, writers = set(self._readers), set(self._writers)  # 7
        if (detector := self._reuse.fileno()) is not None:
            readers.add(detector)  # 6
        readable: Iterable[int]
        writable: Iterable[int]
        try:
            # poller.wait.large-number
            if self._large or (detector or 0) >= _FD_SETSIZE:
                readable, writable = _wide_select()(readers, writers, timeout)
            else:
                # rounds up to the next microsecond
                readable, writable, _ = select.select(readers, writers, (), timeout)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            return [(fd, NOTHING) for fd in readers | writers if _is_closed(fd)]  # 2
        notices = dict.fromkeys(readable, READ)
        for fd in writable:
            notices[fd] = notices.get(fd, NOTHING) | WRITE
        if detector is not None and notices.pop(detector, NOTHING):
            notices.update(dict.fromkeys(self._reuse.hung_up(), BOTH))
        return list(notices.items())

    def close(self) -> None:
        for fds in (self._readers, self._writers, self._large):
            fds.clear()
        self._reuse.close()


def _is_closed(fd: int) -> bool:
    try:
        identify(fd)
    except OSError:
        return True
    return False


@cache
def _wide_select() -> _WideSelect:
    """`select.select` for numbers of any size (1)."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        libc_select = libc["select$DARWIN_EXTSN"]
    except AttributeError:
        libc_select = libc["select"]

    # `long` is the word of an fd_set everywhere but on macOS, whose shorter
    # words make the same bitmap, since all its machines are little-endian.
    word = ctypes.c_ulong
    word_bits = 8 * ctypes.sizeof(word)

    class Timeval(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("microseconds", ctypes.c_long)]

    def wide_select(
        readers: Collection[int], writers: Collection[int], timeout: float | None
    ) -> tuple[list[int], list[int]]:
        length = max((*readers, *writers)) + 1
        bitmap = word * (length // word_bits + 1)

        def bits(fds: Collection[int]) -> ctypes.Array[ctypes.c_ulong]:
            array = bitmap()
            for fd in fds:
                array[fd // word_bits] |= 1 << fd % word_bits
            return array

        read_bits, write_bits = bits(readers), bits(writers)
        limit = None
        if timeout is not None:
            seconds, microseconds = divmod(ceil(timeout * 1_000_000), 1_000_000)
            limit = ctypes.byref(Timeval(seconds, microseconds))
        if libc_select(length, read_bits, write_bits, None, limit) < 0:
            number = ctypes.get_errno()
            if number == errno.EINTR:  # its Python handler runs when we return
                return [], []
            raise OSError(number, os.strerror(number))

        def marked(fds: Collection[int], array: ctypes.Array[ctypes.c_ulong]) -> list[int]:
            return [fd for fd in fds if array[fd // word_bits] >> fd % word_bits & 1]

        return marked(readers, read_bits), marked(writers, write_bits)

    return wide_select
