"""The event: a descriptor, the directions it is watched for, a deadline.  Knows no loop.

An event of your own is a subclass of `Event`.  It keeps the `Registry` of its
loop (`Loop.registry`) and asks it for everything:

    class Once(Event):
        def __init__(self, loop: Loop, fd: int) -> None:
            super().__init__(fd)
            self._registry = loop.registry
            self._registry.watch(self, READ)
            self._registry.set_deadline(self, self._registry.now() + 10)

        def ready(self, ready: int) -> None:
            self.close()
            ...

        def due(self, now: float) -> None:
            self.close()

        def closed_under(self, want: int) -> bool:
            self.close()
            return False

        def close(self) -> None:
            self._registry.unwatch(self)
            self._registry.cancel_deadline(self)
"""

from __future__ import annotations

from .pollers.api import NOTHING
from .timers import Timed

NO_FD = -1


class Event(Timed):
    """One entry of a loop.  A subclass says what happens: the loop calls its four methods."""

    __slots__ = ("fd", "told", "want")

    def __init__(self, fd: int = NO_FD) -> None:
        super().__init__()
        self.fd = fd
        # the directions it is watched for; kept by the loop.  An event with
        # NOTHING here is not called, not even in a turn that found it ready:
        # the loop needs no other sign that it was stopped.
        self.want = NOTHING
        # those that the loop's tables and the poller know of; kept by `Interest`
        self.told = NOTHING

    def ready(self, ready: int) -> None:
        """Called by the loop: *fd* is ready in these of the wanted directions."""
        raise NotImplementedError

    def closed_under(self, want: int) -> bool:
        """Called by the loop: *fd* was closed while watched for *want*.

        The loop has forgotten the descriptor, not the deadline.  Returns
        whether anybody was called.
        """
        raise NotImplementedError

    def close(self) -> None:
        """After this returns, nothing of this event is called again, not even
        this turn, and what it would have called is let go."""
        raise NotImplementedError
