"""epoll(7), for Linux.

Why the code is the way it is
-----------------------------

1. A descriptor closed while watched is never reported: whoever waits for it
   waits for ever.

2. If the number was reused meanwhile, a change of what is watched fails with
   ENOENT although the loop believes the descriptor is watched.  That is passed
   on: what the loop knows of the number is about another file.

The rest, and the worst, is in `epollset`.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from .api import BOTH, NOTHING, READ, WRITE
from .epollset import EpollSet

# Only type checkers stop here on other systems; running code never comes by.
assert not TYPE_CHECKING or sys.platform == "linux"

# poller.wait.ready
# poller.wait.not-ready
# luaevent.constants.ev-read-accept
# luaevent.constants.ev-write-connect
# luahop.listener.accept
_ASK = {READ: select.EPOLLIN, WRITE: select.EPOLLOUT, BOTH: select.EPOLLIN | select.EPOLLOUT}

# ERR and HUP are never asked for and always delivered.  They wake both
# directions, so that each waiter meets the error in its own read or write.
# luaevent.constants.ev-read-disconnect
# luahop.listener.eof
# luahop.listener.eof-pipe
# poller.wait.end
# poller.change.terminal
_MEANS_READ = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP
# luaevent.constants.ev-write-connect-failed
_MEANS_WRITE = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP

# kernel mask -> ours, by index: cheaper for each event than any call.  No bit
# comes that is neither asked for nor one of these.
_MEANS = tuple(
    (READ if mask & _MEANS_READ else NOTHING) | (WRITE if mask & _MEANS_WRITE else NOTHING)
    for mask in range((_MEANS_READ | _MEANS_WRITE) + 1)
)


class EpollPoller(EpollSet):
    name: ClassVar[str] = "epoll"
    meanings: ClassVar[Sequence[int]] = _MEANS

    def change(self, fd: int, old: int, new: int) -> None:
        if not new:
            self.remove(fd)
        elif old:
            self.modify(fd, _ASK[new])  # 2
        else:
            # luahop.listener.level-triggered
            self.add(fd, _ASK[new])  # luaevent.loop.level
