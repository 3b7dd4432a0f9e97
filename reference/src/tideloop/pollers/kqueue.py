"""kqueue(2), for macOS and the BSDs.

Why the code is the way it is
-----------------------------

1. An interest is filed under (number, filter).  One descriptor has two: reading
   and writing come as two entries, in any order, and are put together here.

2. The kernel takes EV_ADD of a number for the file that it stands for now, and
   says nothing if it stood for another one before.  EV_ENABLE without EV_ADD
   tells: ENOENT says that the interest is gone, EBADF that the number is free.

3. `close(fd)` removes the interests of the number at once and in silence, even
   if the file lives on under another number.  So there are no ghosts, and
   EV_DELETE may answer that there is nothing to delete, which is no error.

4. The kernels disagree about a pipe whose reader is gone.  To watch it for
   writing is EPIPE on FreeBSD, DragonFly and macOS before 10.15, EBADF on NetBSD
   although the number is open; OpenBSD and newer macOS report EV_EOF.  Somebody
   must say that such a number is ready, so it is done here, without the kernel.
   Before each answer the kernel is asked again: if it takes the number, it stands
   for another file by now.

5. NetBSD never tells the writer of a full pipe that its reader went away: it
   wakes the writer before it marks the end, and the writer finds the pipe full.
   To add the interest again makes it look again.  So while a pipe is watched for
   writing, no sleep is longer than `_LOOK_AGAIN`.

6. A pipe may be refused for the direction that it does not have with EINVAL (some
   versions of NetBSD), or is accepted and silent.  It is silent here.

7. macOS refuses some devices with EINVAL or ENODEV, the BSDs those without a
   readiness of their own.  poll(2) is asked about these numbers, and the kqueue
   itself is watched by poll(2) beside them.

8. EV_EOF comes with the bytes that are left, and with `data` 0 for a pipe that
   cannot be written to; so `data` decides nothing.  Bits of `flags` are looked
   at one by one, since the kernel may leave EV_ADD in them.  A pending error is
   in `fflags` and wakes both directions; to look does not take it.

9. A regular file is ready at most until its end on some systems, and always on
   others.  epoll refuses it; so do we.

10. macOS refuses to sleep for more than 2**31 - 1 seconds, before 10.15 for more
    than 10**8; CPython for more than 292 years.  It rounds up to nanoseconds.

11. A forked child does not get the kqueue: its number is free there, and may soon
    be another file's.  CPython before 3.11.7 and 3.12.1 would close that file, when
    it closes the object or collects it.  So a child keeps the object for ever.

12. Without room for one entry the call does not sleep.

13. Some versions of NetBSD tell another inode of a socket in each fstat, and the
    same one of all pipes.  So the loop must not compare files: 2 does it better.

14. A signal handler may raise in the middle of a change.  So a direction is noted
    before the kernel is told of it, and crossed out after the kernel was told.

15. macOS does not report the end of the last writer of a named FIFO.  Nothing is
    done about it: a FIFO cannot be told from a pipe without asking for its path.

Where a kernel differs is not asked by its name: each answer is taken as it comes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from .api import (
    BOTH,
    DIRECTIONS,
    NOTHING,
    READ,
    WRITE,
    Notice,
    can_be_open,
    check_pollable,
    identify,
)

_LONGEST = 1e8  # 10, in seconds
_LOOK_AGAIN = 0.25  # 5, in seconds

# EV_ADD answers one of these, though the number is open: nobody reads the pipe (4).
_READER_IS_GONE = (errno.EPIPE, errno.EBADF)
# The file has no such direction (6), or no way to tell its readiness (7).
_HAS_NO_FILTER = (errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP, errno.EPERM)

# the pollers of this process, and the kqueues of the parent in a forked child (11)
_pollers: Final[weakref.WeakSet[KqueuePoller]] = weakref.WeakSet()
_kept: Final[list[object]] = []


class KqueuePoller:
    name: ClassVar[str] = "kqueue"
    meanings: ClassVar[Sequence[int]] = DIRECTIONS

    # `kqueue`, `kevent` and their constants; a model of a kernel may take the place
    kernel: ClassVar[Any] = select

    def __init__(self) -> None:
        self._kqueue = self.kernel.kqueue()
        self._process = os.getpid()
        _pollers.add(self)
        # The constants are the system's: NetBSD's are not those of the others.
        self._filter = {READ: self.kernel.KQ_FILTER_READ, WRITE: self.kernel.KQ_FILTER_WRITE}
        self._direction = {filter_: direction for direction, filter_ in self._filter.items()}
        # {fd: directions} -- what the kernel was told
        self._told: dict[int, int] = {}
        # pipes that are watched for writing (5)
        self._pipes: set[int] = set()
        # pipes that are ready to write to without the kernel's help (4)
        self._broken: set[int] = set()
        # {fd: directions} of devices that poll(2) is asked about (7)
        self._devices: dict[int, int] = {}
        # {fd: directions} that a pipe does not have, and is never ready in (6)
        self._silent: dict[int, int] = {}

    def identify(self, fd: int) -> object:
        """OSError if *fd* is no open file; the same for all files: `change` decides (13)."""
        identify(fd)
        return None

    def change(self, fd: int, old: int, new: int) -> None:
        if not new:
            if can_be_open(fd):
                self._forget(fd)  # poller.change.removal
            return
        if old:
            self._check_still_there(fd)  # poller.change.closed
        check_pollable(fd)  # 9
        if not old and self._current(fd):
            self._forget(fd)  # poller.change.reuse
        current = self._current(fd)
        added: list[int] = []
        try:
            for direction in self._filter:
                if new & direction & ~current:
                    added.append(direction)
                    self._add(fd, direction)
        except OSError:
            for direction in added:
                self._remove(fd, direction)
            raise
        for direction in self._filter:
            if current & direction & ~new:
                self._remove(fd, direction)  # poller.change.adds

    def wait(self, timeout: float | None) -> list[Notice]:
        if timeout is not None:
            timeout = min(max(timeout, 0), _LONGEST)  # poller.budget.huge
        if not self._pipes:
            return self._wait_once(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:  # 5
            self._look_at_pipes()
            left = _LOOK_AGAIN if deadline is None else max(deadline - time.monotonic(), 0)
            notices = self._wait_once(min(left, _LOOK_AGAIN))
            if notices or left == 0:
                return notices

    def close(self) -> None:
        # poller.close.child
        if os.getpid() == self._process:  # 11
            self._kqueue.close()  # poller.close.gives-back
        for table in (self._told, self._pipes, self._broken, self._devices, self._silent):
            table.clear()

    def _wait_once(self, timeout: float | None) -> list[Notice]:
        found = {fd: WRITE if is_open else NOTHING for fd, is_open in self._look_at_broken()}
        if found:
            timeout = 0
        if self._devices:
            found.update(self._ask_devices(timeout))
            timeout = 0
        room = 2 * len(self._told) + 1  # 12, and poller.wait.all-ready
        # poller.budget.zero
        # poller.budget.none
        # poller.budget.thread
        for event in self._kqueue.control(None, room, timeout):
            ready = self._direction[event.filter]
            if event.flags & self.kernel.KQ_EV_EOF and event.fflags:
                ready = BOTH  # 8, and poller.wait.error-wakes-both
            # poller.wait.one-entry
            found[event.ident] = found.get(event.ident, NOTHING) | ready  # 1
        return list(found.items())

    def _current(self, fd: int) -> int:
        """The directions in which *fd* is watched, by the kernel or without it."""
        current = self._refused(fd)
        for table in (self._told, self._devices):
            current |= table.get(fd, NOTHING)
        return current

    def _check_still_there(self, fd: int) -> None:
        """FileNotFoundError if *fd* stands for another file than when it was told (2)."""
        told = self._told.get(fd, NOTHING)
        is_other = not self._current(fd)
        for direction in self._filter:
            if told & direction and self._tell(fd, direction, self.kernel.KQ_EV_ENABLE):
                is_other = True
            if self._refused(fd) & direction and self._is_taken(fd, direction):
                is_other = True
        if fd in self._devices:
            is_other |= not stat.S_ISCHR(os.fstat(fd).st_mode)
        if is_other:
            identify(fd)  # a number that stands for no file is another error
            self._forget(fd)
            raise FileNotFoundError(errno.ENOENT, f"descriptor {fd} stands for another file")

    def _add(self, fd: int, direction: int) -> None:
        mode = os.fstat(fd).st_mode
        self._told[fd] = self._told.get(fd, NOTHING) | direction  # 14
        # poller.wait.level
        number = self._tell(fd, direction, self.kernel.KQ_EV_ADD)
        if not number:
            if direction == WRITE and stat.S_ISFIFO(mode):
                self._pipes.add(fd)
            return
        self._cross_out(fd, direction)
        is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if is_pipe and direction == WRITE and number in _READER_IS_GONE:
            self._broken.add(fd)  # 4
        elif stat.S_ISCHR(mode) and number in _HAS_NO_FILTER and hasattr(select, "poll"):
            self._devices[fd] = self._devices.get(fd, NOTHING) | direction  # 7
        elif stat.S_ISFIFO(mode) and number in _HAS_NO_FILTER and not _has(fd, direction):
            self._silent[fd] = self._silent.get(fd, NOTHING) | direction  # 6
        else:
            raise OSError(number, os.strerror(number))

    def _remove(self, fd: int, direction: int) -> None:
        # poller.change.removal-never-raises
        self._tell(fd, direction, self.kernel.KQ_EV_DELETE)  # 3
        self._cross_out(fd, direction)
        if direction == WRITE:
            self._broken.discard(fd)
        _take_away(self._devices, fd, direction)
        _take_away(self._silent, fd, direction)

    def _cross_out(self, fd: int, direction: int) -> None:
        _take_away(self._told, fd, direction)
        if direction == WRITE:
            self._pipes.discard(fd)

    def _forget(self, fd: int) -> None:
        """*fd* is watched no more; of a number that is not known the kernel is told too."""
        current = self._current(fd) or BOTH
        for direction in self._filter:
            if current & direction:
                self._remove(fd, direction)

    def _tell(self, fd: int, direction: int, *flags: int) -> int:
        """The errno with which the kernel refuses the first of some changes; 0 if it takes all."""
        filter_ = self._filter[direction]
        try:
            # Without room for entries, the first error of a change ends the call.
            self._kqueue.control([self.kernel.kevent(fd, filter_, each) for each in flags], 0, 0)
        except OSError as error:
            if error.errno is None:  # the TimeoutError of a signal handler, for one
                raise
            return error.errno
        return 0

    def _look_at_pipes(self) -> None:
        """Add the interest in each pipe again, so that the kernel looks at it (5)."""
        for fd in [*self._pipes]:
            # EV_ENABLE first: EV_ADD alone would watch a new file under the number (2)
            self._tell(fd, WRITE, self.kernel.KQ_EV_ENABLE, self.kernel.KQ_EV_ADD)

    def _look_at_broken(self) -> Iterator[tuple[int, bool]]:
        """(fd, whether it is open) of each broken pipe; without those that are no more (4)."""
        for fd in [*self._broken]:
            if self._is_taken(fd, WRITE):
                self._broken.discard(fd)
                continue
            try:
                identify(fd)
            except OSError:
                yield fd, False
            else:
                yield fd, True

    def _refused(self, fd: int) -> int:
        """The directions in which the kernel refused a pipe (4, 6)."""
        return self._silent.get(fd, NOTHING) | (WRITE if fd in self._broken else NOTHING)

    def _is_taken(self, fd: int, direction: int) -> bool:
        """Whether the kernel takes a number now that it refused before."""
        return not self._tell(fd, direction, self.kernel.KQ_EV_ADD, self.kernel.KQ_EV_DELETE)

    def _ask_devices(self, timeout: float | None) -> Iterator[tuple[int, int]]:
        """Sleep until a device is ready, or the kqueue is (7)."""
        from .poll import MASKS, MEANINGS  # not at the top: a system with kqueue may lack poll(2)

        asked = select.poll()
        asked.register(self._kqueue.fileno(), select.POLLIN)
        for fd, directions in [*self._devices.items()]:
            asked.register(fd, MASKS[directions])
        milliseconds = None if timeout is None else min(timeout * 1000, 2**31 - 1)
        for fd, word in asked.poll(milliseconds):
            if fd != self._kqueue.fileno():
                yield fd, MEANINGS[word]


def _take_away(table: dict[int, int], fd: int, direction: int) -> None:
    if left := table.pop(fd, NOTHING) & ~direction:
        table[fd] = left


def _has(pipe: int, direction: int) -> bool:
    """Whether this end of a pipe is open for *direction*."""
    access = fcntl.fcntl(pipe, fcntl.F_GETFL) & os.O_ACCMODE
    return access in (os.O_RDWR, os.O_RDONLY if direction == READ else os.O_WRONLY)


def _keep_in_child() -> None:
    """The objects of the parent close no file of a forked child (11)."""
    _kept.extend(poller._kqueue for poller in _pollers)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_in_child)
