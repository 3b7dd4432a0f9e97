"""The contract with the kernel.  Knows no kernel and no loop.

A poller waits, and only waits.  It has three verbs; the loop remembers what
is wanted, the poller keeps what its kernel call needs and no more.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Sequence
from typing import ClassVar, Protocol

from ..arguments import shown

# Directions: of interest, and of readiness.  Plain ints, since `enum.Flag`
# would cost more than all the rest of a dispatch.  The numbers are those of
# luaevent's EV_READ and EV_WRITE, so that its callbacks get them as they are.
NOTHING = 0
READ = 2
WRITE = 4
BOTH = READ | WRITE

# {word: directions} of a poller whose words are the directions themselves
DIRECTIONS: Sequence[int] = range(BOTH + 1)

# a descriptor, and the poller's word for how it is ready
Notice = tuple[int, int]


class Poller(Protocol):
    """One way of asking the kernel which descriptors are ready.

    A poller whose `wait` replaces what `change` tells the kernel may have a method
    `serialize(exclusively)`: it then replaces by `exclusively(act)` alone, which
    calls *act* while nobody calls `change`.

    A poller whose `change` always notices that a number stands for another file may
    have a method `identify(fd)`, in the place of the function of that name here.
    """

    name: ClassVar[str]

    # {word: directions} -- how the loop reads the words that `wait` returns, by
    # index; a poller that has none returns directions.  So a poller can hand on
    # what its kernel said: to translate a list makes another list, which costs
    # 16 to 23 % of a dispatch.
    meanings: ClassVar[Sequence[int]] = DIRECTIONS

    def change(self, fd: int, old: int, new: int) -> None:
        """Watch *fd* for *new* from now on, where it was watched for *old*.

        Guaranteed: a number that stands for no open file, and a regular file
        or directory (which are never "not ready"), raise `OSError` when *new*
        is not NOTHING, and nothing has changed then.  With *new* NOTHING it
        never raises.

        `FileNotFoundError`, possible only where *old* is not NOTHING: the
        kernel has let go of *fd*, since it was closed and the number reused.
        Start anew from NOTHING.

        With *old* and *new* NOTHING: `wait` reported *fd* though nobody asked; see to it
        that this ends.
        """

    def wait(self, timeout: float | None) -> list[Notice]:
        """Sleep until a descriptor is ready or *timeout* seconds have passed.

        Each notice is a descriptor and a word, and `meanings[word]` is the
        directions in which it is ready; NOTHING says that the number no longer
        stands for an open file.

        None sleeps for ever, 0 not at all.  Hang-up and error count as
        readiness in both directions: whoever waits meets the error in their
        own read or write.

        Guaranteed: readiness is a level; it is reported on each wait for as
        long as it holds.  No descriptor comes twice in one answer.  With
        nothing ready it does not return before *timeout*, unless that is more
        than the kernel can express, a signal came, or a ghost was met: an
        interest that lives on under a number that stands for another file.

        Not guaranteed: that the answer is not empty; that only directions come
        that were asked for; that a pipe is reported in the direction that it
        does not have, when the other end is gone.
        """

    def close(self) -> None:
        """Give back what the poller itself opened.  Twice is harmless."""


def check_directions(
    value: object,
    name: str,
    *,
    pause: bool = False,
    words: str = "READ, WRITE or READ | WRITE",
) -> int:
    """*value*, one direction or both; none at all is allowed to *pause*."""
    words = f"{words}, or 0" if pause else words
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {shown(value)}; pass {words}")
    if value not in (READ, WRITE, BOTH) and (value or not pause):
        raise ValueError(f"{name} must name a direction, not {shown(value)}; pass {words}")
    return int(value)


def identify(fd: int) -> tuple[int, int]:
    """Which file the number stands for; OSError if it is none.

    Two descriptors of one file are equal, and so are all nameless kernel
    objects of some kinds: different means certainly different, equal does not
    mean certainly the same.  (`Poller.change` knows, where the system has epoll.)
    """
    status = _fstat(fd)
    return status.st_dev, status.st_ino


def is_hung_up(fd: int) -> bool:
    """Whether *fd* is ready to write because of a hang-up alone: a write would block.

    A terminal whose other end was closed is so for ever, if its buffer is full.
    """
    if not hasattr(select, "poll"):
        return False
    asked = select.poll()
    asked.register(fd, select.POLLOUT)
    return any(word & select.POLLHUP and not word & select.POLLOUT for _, word in asked.poll(0))


def check_pollable(fd: int) -> None:
    """Raise what epoll would raise, for the kernel calls that do not.

    poll() and select() take anything, report a closed descriptor only when
    they wait, and a regular file as always ready.
    """
    mode = _fstat(fd).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        # poller.change.error-named
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))  # poller.change.regular-file


def can_be_open(fd: int) -> bool:
    """Whether *fd* can be a descriptor: it is not negative, and a C int holds it."""
    return 0 <= fd < 2**31


def _fstat(fd: int) -> os.stat_result:
    try:
        return os.fstat(fd)
    except OverflowError:  # more than a C int: certainly no descriptor (poller.change.invalid)
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
