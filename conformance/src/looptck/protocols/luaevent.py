"""The profile of the luaevent document: `luaevent.core`, in Python.

Times are in seconds, as int or float.  Descriptors are an int or an object
with `fileno()`.  Flags are ints made of the constants below; which number
stands for which flag is the implementation's own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .descriptors import Descriptor

# The result of a callback: nothing, the flags to register from now on (or
# LEAVE, which ends the event), or those flags and a new timeout in seconds.
Answer = int | None | tuple[int | None, float | None]

# Called with the flags that occurred, as its only argument.
EventCallback = Callable[[int], Answer]

CONSTANTS = (
    "LEAVE",
    "EV_READ",
    "EV_WRITE",
    "EV_SIGNAL",
    "EV_TIMEOUT",
    "EV_PERSIST",
    "EVBUFFER_READ",
    "EVBUFFER_WRITE",
    "EVBUFFER_EOF",
    "EVBUFFER_ERROR",
    "EVBUFFER_TIMEOUT",
)
ENTRY_NAMES = (*CONSTANTS, "new")
LOOP_NAMES = ("addevent", "loop", "close")


class Event(Protocol):
    """The result of `addevent`.  While it is referenced, its event lives."""

    def close(self) -> None:
        """After this returns, the callback is never called again, not even this turn.

        The descriptor stays open.  Closing twice is harmless.
        """


class Base(Protocol):
    """An event base: a set of events and the loop that serves them."""

    def addevent(
        self,
        fd: Descriptor | None,
        event: int,
        event_callback: EventCallback,
        timeout: float | None = None,
    ) -> Event:
        """The event is active from now on, until LEAVE, `close()` or collection.

        *fd* None makes a pure timer, which needs a *timeout*.  *event* says
        which directions are watched: `EV_READ`, `EV_WRITE` or both.  After
        *timeout* seconds in which nothing happened the callback gets
        `EV_TIMEOUT`; None means no timeout.

        A wrong argument raises (TypeError, ValueError or OSError) and leaves
        nothing registered.
        """

    def loop(self) -> object:
        """Serve events; return when there are none left.

        What becomes of an exception that a callback raises is open, and observed.
        """

    def close(self) -> None:
        """Close the base: none of its events is called again.

        Raises when the base's own loop is running; the loop then goes on.
        """


class Luaevent(Protocol):
    """The entry object: the constants and `new`."""

    LEAVE: int
    EV_READ: int
    EV_WRITE: int
    EV_SIGNAL: int
    EV_TIMEOUT: int
    EV_PERSIST: int
    EVBUFFER_READ: int
    EVBUFFER_WRITE: int
    EVBUFFER_EOF: int
    EVBUFFER_ERROR: int
    EVBUFFER_TIMEOUT: int

    def new(self) -> Base:
        """A fresh base, independent of every other one."""
