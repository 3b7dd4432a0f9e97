"""Objects that a forked child must not use.  Knows no loop.

After a fork the child has a copy of everything in memory, and the same open
files: what it takes out of an epoll set is out of its parent's set, and what
it writes into a pipe wakes the parent.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    def abandon(self) -> None:
        """Called in a forked child, before anything else runs there."""


_kept: WeakSet[Forkable] = WeakSet()


def abandon_in_child(owner: Forkable) -> None:
    """`owner.abandon` is called in each child that is forked while *owner* is alive."""
    _kept.add(owner)


def _abandon_all() -> None:
    for owner in list(_kept):
        owner.abandon()
    _kept.clear()


os.register_at_fork(after_in_child=_abandon_all)
