"""An epoll object that knows which of its entries are still what they were.

Why the code is the way it is
-----------------------------

The kernel files an interest under (open file, number), not under the number
alone.  This has a use, and a price.

1. Asking to modify an entry tells whether a number still stands for the file
   that it was added with, for every kind of file: ENOENT says that it stands
   for another one, EBADF that it stands for none.  Device and inode do not
   tell: all eventfds, timers and the like share one, and so do all masters of
   terminals.  So poll and select have a set too, that is asked for nothing.

2. `close(fd)` drops the entry only if no other descriptor, here or in another
   process, keeps the file open.  If one does, the entry lives on, is reported
   under a number that no call can reach any more, and is taken for the
   readiness of the number's next owner.  An entry that could not be modified
   or removed may be such a ghost, and its number is suspect from then on.  If
   a suspect number is reported, poll() is asked about it.  If that disagrees,
   or nobody owns the number, there is a ghost, and the one way out is a new
   epoll object that is told only what is still true.

3. Most suspicions are unfounded: the file was closed for good.  Looking at
   each answer costs as much as a new object after as many notices as there are
   entries; then a new object is made, and nobody is suspect.

4. A file that got its old number back is there already: EEXIST.

5. The new epoll object of (2) is made in the middle of a wait, and a signal
   handler or another thread may change something meanwhile.  So the loop lends
   a function that keeps all other changes away.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeAlias

from .api import can_be_open

# The kernel takes an int of milliseconds.
_LONGEST = (2**31 - 1) // 1000

# Answers have room for so many more than there are entries: for ghosts.
_SPARE = 16

Answer = list[tuple[int, int]]
Exclusively: TypeAlias = Callable[[Callable[[], object]], object]


class _Epoll(Protocol):
    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float | None, maxevents: int) -> Answer: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def _open() -> _Epoll:
    epoll: _Epoll = select.epoll()  # type: ignore[attr-defined,unused-ignore]  # others have none
    return epoll


def _at_once(act: Callable[[], object]) -> None:
    act()


class EpollSet:
    def __init__(self) -> None:
        self._epoll = _open()
        # poller.change.duplicate
        # poller.close.apart
        # {fd: mask} -- what the kernel was told
        self._told: dict[int, int] = {}
        # how many notices one answer may have; by default it would be 1023
        self._room = _SPARE
        # numbers under which a ghost may be reported (2), and how many notices
        # were looked at because of them (3)
        self._suspects: set[int] = set()
        self._looked = 0
        # calls its argument while nobody changes anything (5)
        self._exclusively: Exclusively = _at_once

    def serialize(self, exclusively: Exclusively) -> None:
        """Make a new epoll object only by *exclusively* (5)."""
        self._exclusively = exclusively

    def add(self, fd: int, mask: int) -> None:
        """OSError, and nothing has changed, if *fd* cannot be in the set."""
        try:
            self._epoll.register(fd, mask)
        except FileExistsError:  # 4
            self._epoll.modify(fd, mask)
        except OverflowError:  # more than a C int: certainly no descriptor
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
        self._told[fd] = mask
        self._room = len(self._told) + _SPARE  # luahop.platform.epoll

    def modify(self, fd: int, mask: int) -> None:
        """FileNotFoundError if *fd* stands for another file than when it was added (1)."""
        try:
            self._epoll.modify(fd, mask)
        except OSError:
            self._suspects.add(fd)
            raise
        self._told[fd] = mask

    def remove(self, fd: int) -> None:
        """Never raises."""
        self._told.pop(fd, None)
        if not can_be_open(fd):  # and so it was never watched
            return
        try:
            self._epoll.unregister(fd)
        except OSError as error:
            self._suspects.add(fd)
            if error.errno is None:  # the TimeoutError of a signal handler, for one
                raise

    def wait(self, timeout: float | None) -> Answer:
        """The descriptors that are ready, with the kernel's masks: none twice, and no ghost."""
        if timeout is not None and timeout > _LONGEST:
            timeout = _LONGEST
        # select.epoll rounds up to the next millisecond, so rounding never
        # cuts a wait short.
        # poller.budget.not-early
        # poller.budget.spin
        # poller.budget.late
        answer = self._epoll.poll(timeout, self._room)  # luahop.poll.eintr, poller.budget.signal
        return self._without_ghosts(answer) if self._suspects else answer

    def fileno(self) -> int:
        """The number of the epoll object, which changes when there was a ghost."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Give back the epoll object.  Twice is harmless; no entry is touched."""
        self._exclusively = _at_once
        self._epoll.close()  # poller.close.twice
        self._told.clear()
        self._suspects.clear()

    def _without_ghosts(self, answer: Answer) -> Answer:
        seen: dict[int, int] = {}
        ghosts = False
        for fd, mask in answer:
            if fd in self._suspects:
                # twice in one answer: one of the two is a ghost
                mask = 0 if fd in seen else self._by_poll(fd)
                ghosts |= not mask
            if mask:
                seen[fd] = mask
        self._looked += len(answer)
        if ghosts or self._looked > len(self._told):
            self._exclusively(self._start_anew)
        return list(seen.items())

    def _by_poll(self, fd: int) -> int:
        """The answer of poll() about *fd*, whose bits are those of epoll; 0 if nobody owns it."""
        if (mask := self._told.get(fd)) is None:
            return 0
        asked = select.poll()
        asked.register(fd, mask)
        for _, word in asked.poll(0):
            return 0 if word & select.POLLNVAL else word
        return 0

    def _start_anew(self) -> None:
        try:
            fresh = _open()
        except OSError:  # no descriptor to spare; when there is one, the next answer brings us here
            return
        told = {}
        for fd, mask in self._told.items():
            with suppress(OSError):  # closed, not yet noticed
                self._epoll.modify(fd, mask)  # 1: else a stranger would take its place
                fresh.register(fd, mask)
                told[fd] = mask
        # in this order: if a signal handler raises, the old one is still complete
        former = self._epoll
        self._epoll, self._told = fresh, told
        former.close()
        self._suspects.clear()
        self._looked = 0


class ReuseDetector:
    """Tells whether a number still stands for the file that it was added with (1),
    and which numbers are hung up.  On a system without epoll it tells nothing."""

    def __init__(self) -> None:
        self._set = EpollSet() if hasattr(select, "epoll") else None
        # what the set would not take: devices without a readiness of their own
        self._refused: set[int] = set()

    def serialize(self, exclusively: Exclusively) -> None:
        """See `EpollSet.serialize`."""
        if self._set is not None:
            self._set.serialize(exclusively)

    def change(self, fd: int, old: int, new: int) -> None:
        """As `Poller.change`, except that every file will do."""
        if self._set is None:
            return
        if not new:
            if fd in self._refused:
                self._refused.discard(fd)
            else:
                self._set.remove(fd)
        elif not old:
            # of nothing but hang-up and error, which come unasked
            try:
                self._set.add(fd, 0)
            except OSError:
                self._refused.add(fd)
        elif fd not in self._refused:
            self._set.modify(fd, 0)

    def fileno(self) -> int | None:
        """A number that is readable while somebody is hung up; None: nobody would know."""
        return None if self._set is None else self._set.fileno()

    def hung_up(self) -> list[int]:
        """The numbers whose files are hung up or have an error now."""
        return [] if self._set is None else [fd for fd, _ in self._set.wait(0)]

    def close(self) -> None:
        if self._set is not None:
            self._set.close()
