"""The part of a loop that its events use: watch, set a deadline, read the time.

Knows no turn.  A `Loop` has one `Registry` and hands it to each event; none of
its methods calls an event or a callback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import repeat, starmap
from typing import Protocol

from . import arguments
from .arguments import Descriptor
from .errors import ClosedError, ForkedError
from .events import NO_FD, Event
from .interest import Interest
from .on_error import Guard
from .pollers import Poller
from .timers import Timed, Timers
from .waker import Waker


class Registry:
    """The methods are those of `Interest` and `Timers` themselves: no call lies between.

    After `close`, `watch`, `rewatch` and `set_deadline` raise ClosedError.
    """

    __slots__ = (
        "cancel_deadline",
        "closed",
        "forked",
        "guard",
        "interest",
        "now",
        "read_args",
        "reads",
        "rewatch",
        "set_deadline",
        "timers",
        "unwatch",
        "watch",
    )

    def __init__(
        self, poller: Poller, waker: Waker, now: Callable[[], float], guard: Guard
    ) -> None:
        self.interest = Interest(poller, waker)
        self.timers = Timers(waker)
        # the time on the loop's clock
        self.now = now
        # wraps a callback of the program, so that the loop's handler gets what it raises
        self.guard = guard
        self.watch: Callable[[Event, int], None] = self.interest.watch
        self.rewatch: Callable[[Event, int], None] = self.interest.rewatch
        self.unwatch = self.interest.unwatch
        self.set_deadline: Callable[[Timed, float], None] = self.timers.set
        self.cancel_deadline = self.timers.cancel
        self.closed = self.forked = False
        # Each step of `reads` is `os.read(*read_args)`.  After a step, unlike after a
        # call, no signal handler runs before the result is stored.
        self.read_args = [NO_FD, 0]
        self.reads = starmap(os.read, repeat(self.read_args))

    def watching(self, fd: Descriptor) -> tuple[Event, ...]:
        """The events that wait for descriptor *fd*, readers first."""
        if self.forked:
            self.check_open()
        return self.interest.of(arguments.descriptor(fd))

    def check_open(self, noun: str = "loop") -> None:
        """Raise ClosedError if the loop, which its user calls a *noun*, is closed."""
        if self.forked:
            raise ForkedError(
                f"this {noun} belongs to the parent process; make a new one in the child"
            )
        if self.closed:
            raise ClosedError(f"this {noun} is closed; make a new one")

    def close(self) -> None:
        """Close every event, and let no event of this loop be watched again."""
        self.closed = True
        self.interest.clear()
        for timed in self.timers.clear():
            timed.close()
        # a paused event may have survived; it must not be served by a dead loop
        self.watch = self.rewatch = self.set_deadline = self._refuse

    def abandon(self) -> None:
        """In a forked child: forget every event, call nobody, tell the kernel nothing."""
        self.closed = self.forked = True
        self.interest.abandon()
        self.timers = Timers()  # the old one is kept by the methods
        self.watch = self.rewatch = self._refuse

    def _refuse(self, *_: object) -> None:
        """Stands where a method was, once the loop is closed or the process forked."""
        # This may be the cleaning up after a callback that forked and ends the
        # child: then it must end.
        in_flight = sys.exc_info()[1]
        if in_flight is None or isinstance(in_flight, Exception):
            self.check_open()


class HasRegistry(Protocol):
    """A loop, as far as an event that is made for it must know."""

    @property
    def registry(self) -> Registry:
        """The registry of the loop."""
