"""The profile of the LuaHop document: `luahop`, in Python.

A duration is a mapping from unit to number, as in the document's examples:
``{"ms": 100}``, ``{"s": 1}``.  Descriptors are an int or an object with
`fileno()`.  Callbacks take no argument, and what they return is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from .descriptors import Descriptor

ENTRY_NAMES = ("new", "clear_timer")
LOOP_NAMES = ("set_listener", "remove_listener", "set_timeout", "set_interval", "poll")

Duration = Mapping[str, float]
HopCallback = Callable[[], object]

# The result of `set_timeout` and `set_interval`: opaque, unique for the life of
# the loop, and knows its loop.
Timer = object


class Hop(Protocol):
    """A loop: listeners, timers and `poll`."""

    def set_listener(self, fd: Descriptor, mask: str, callback: HopCallback) -> object:
        """*callback* runs in `poll` whenever *fd* is ready in direction *mask*.

        *mask* is ``"r"`` or ``"w"``; each direction of a descriptor has at
        most one callback, and a second call replaces it.  Raises for another
        mask (ValueError or TypeError), for a callback that is not callable
        (TypeError) and for a descriptor that cannot be watched (OSError or
        ValueError); nothing is registered then.
        """

    def remove_listener(self, fd: Descriptor, mask: str) -> object:
        """The callback of that direction is not called again, not even this poll.

        Nothing happens if there is none.
        """

    def set_timeout(self, duration: Duration, callback: HopCallback) -> Timer:
        """*callback* runs once, in the first `poll` after *duration*.

        Raises when *duration* is no mapping or *callback* not callable.
        """

    def set_interval(self, duration: Duration, callback: HopCallback) -> Timer:
        """*callback* runs every *duration*, first after one whole period."""

    def poll(self, timeout: Duration | None = None) -> object:
        """Sleep until something is ready or due, run its callbacks, return.

        With a *timeout*, return after that time at the latest.  Returns True
        when a callback ran, False when the timeout passed (not judged).
        """


class Luahop(Protocol):
    """The entry object: `new` and the free function `clear_timer`."""

    def new(self) -> Hop:
        """A fresh loop, independent of every other one."""

    def clear_timer(self, timer: Timer) -> object:
        """The timer never fires (again).  A spent or cleared timer is left alone."""
