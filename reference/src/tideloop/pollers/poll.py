"""poll(2), for every Unix that has it.

Why the code is the way it is
-----------------------------

1. poll() takes any number without a check.  A descriptor that is closed
   while watched comes back with NVAL, at once and on every call, until it is
   taken out.

2. A regular file is always ready.  epoll refuses it; so do we, so that a
   program does not depend on the poller it was tried with.  (A device without
   a readiness of its own, /dev/null for one, cannot be told apart: it is
   taken here and refused by epoll.)

3. poll() does not mind that a number was given to another file.  The detector
   does, as epoll would.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from .api import BOTH, NOTHING, READ, WRITE, Notice, can_be_open, check_pollable
from .epollset import ReuseDetector

# {directions: the mask to ask with}
MASKS = {READ: select.POLLIN, WRITE: select.POLLOUT, BOTH: select.POLLIN | select.POLLOUT}

# ERR and HUP are never asked for and always delivered; they wake both
# directions.  NVAL means neither: the number stands for no file.
_MEANS_READ = select.POLLIN | select.POLLERR | select.POLLHUP
_MEANS_WRITE = select.POLLOUT | select.POLLERR | select.POLLHUP

# {mask that came back: directions}
MEANINGS = tuple(
    (READ if mask & _MEANS_READ else NOTHING) | (WRITE if mask & _MEANS_WRITE else NOTHING)
    for mask in range((_MEANS_READ | _MEANS_WRITE | select.POLLNVAL) + 1)
)

# The kernel takes an int of milliseconds.
_LONGEST = 2**31 - 1


class PollPoller:
    name: ClassVar[str] = "poll"
    meanings: ClassVar[Sequence[int]] = MEANINGS

    def __init__(self) -> None:
        self._poll = select.poll()
        self._reuse = ReuseDetector()
        self.serialize = self._reuse.serialize

    def change(self, fd: int, old: int, new: int) -> None:
        if new:
            check_pollable(fd)  # 1, 2
        self._reuse.change(fd, old, new)  # 3
        if new:
            self._poll.register(fd, MASKS[new])
        elif can_be_open(fd):
            with suppress(KeyError):
                self._poll.unregister(fd)

    def wait(self, timeout: float | None) -> list[Notice]:
        # select.poll rounds up to the next millisecond, so rounding never
        # cuts a wait short.
        milliseconds = None if timeout is None else min(timeout * 1000, _LONGEST)
        return self._poll.poll(milliseconds)

    def close(self) -> None:
        self._poll = select.poll()
        self._reuse.close()
