"""epoll(7), for Linux.

Why the code is the way it is
-----------------------------

The kernel files an interest under (open file, fd number), not under the
number alone.  Four things follow:

1. `close(fd)` drops the interest without telling us, so a later `unregister`
   of that number may fail with ENOENT or EBADF.  And a descriptor closed
   while watched is never reported: whoever waits for it waits for ever.

2. If the number was reused meanwhile, `modify` fails with ENOENT although the
   loop believes the descriptor is watched.  That is passed on: what the loop
   knows of the number is about another file.

3. If the file lives on (a `dup`, a child process), closing the watched
   descriptor leaves the interest alive and nameless: it is reported each time
   under a number that no call can remove.  A new epoll object, told only what
   is still wanted, is the one way out.

4. If such a file gets its old number back, the interest is already there, and
   `register` fails with EEXIST.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from .api import BOTH, NOTHING, READ, WRITE, Notice

# Only type checkers stop here on other systems; running code never comes by.
assert not TYPE_CHECKING or sys.platform == "linux"

_ASK = {READ: select.EPOLLIN, WRITE: select.EPOLLOUT, BOTH: select.EPOLLIN | select.EPOLLOUT}

# ERR and HUP are never asked for and always delivered.  They wake both
# directions, so that each waiter meets the error in its own read or write.
_MEANS_READ = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP
_MEANS_WRITE = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP

# kernel mask -> ours, by index: cheaper for each event than any call.  No bit
# comes that is neither asked for nor one of these.
_MEANS = tuple(
    (READ if mask & _MEANS_READ else NOTHING) | (WRITE if mask & _MEANS_WRITE else NOTHING)
    for mask in range((_MEANS_READ | _MEANS_WRITE) + 1)
)

# The kernel takes an int of milliseconds.
_LONGEST = (2**31 - 1) // 1000


class EpollPoller:
    name: ClassVar[str] = "epoll"
    means: ClassVar[Sequence[int]] = _MEANS

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # {fd: directions} -- what the kernel was told; for 3
        self._told: dict[int, int] = {}

    def change(self, fd: int, old: int, new: int) -> None:
        if not new:
            self._told.pop(fd, None)
            try:
                self._epoll.unregister(fd)
            except OSError:  # 1: already gone
                if not old:  # 3: and still reported
                    self._start_anew()
            return
        try:
            if old:
                self._epoll.modify(fd, _ASK[new])  # 2
            else:
                self._epoll.register(fd, _ASK[new])
        except FileExistsError:  # 4
            self._epoll.modify(fd, _ASK[new])
        self._told[fd] = new

    def wait(self, timeout: float | None) -> list[Notice]:
        return [(fd, _MEANS[mask]) for fd, mask in self.ask(timeout)]

    def ask(self, timeout: float | None) -> list[tuple[int, int]]:
        if timeout is not None and timeout > _LONGEST:
            timeout = _LONGEST
        # select.epoll rounds up to the next millisecond, so rounding never
        # cuts a wait short.
        return self._epoll.poll(timeout)

    def close(self) -> None:
        self._epoll.close()
        self._told.clear()

    def _start_anew(self) -> None:
        self._epoll.close()
        self._epoll = select.epoll()
        for fd, wanted in self._told.items():
            with suppress(OSError):  # 1: closed, not yet noticed
                self._epoll.register(fd, _ASK[wanted])
