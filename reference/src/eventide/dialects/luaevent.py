"""The API of the luaevent document, in Python.

Thin: names, argument checks and lifetimes.  How an event behaves is in
`eventide.events`, how a turn goes in `eventide.loop`.

Where the document is open, this is what holds here: the timeout of a
descriptor's event is delivered as ``EV_TIMEOUT | what is registered``; if the
descriptor is ready in that same turn, readiness wins.  A callback that raises
ends `Base.loop`; the event stays, and so does everything else.
"""

from __future__ import annotations

from collections.abc import Callable

from ..clock import Clock
from ..events import Answer, Descriptor, PersistentEvent, flag_set, seconds
from ..flags import (
    EV_PERSIST,
    EV_READ,
    EV_SIGNAL,
    EV_TIMEOUT,
    EV_WRITE,
    EVBUFFER_EOF,
    EVBUFFER_ERROR,
    EVBUFFER_READ,
    EVBUFFER_TIMEOUT,
    EVBUFFER_WRITE,
    LEAVE,
)
from ..loop import Loop
from ..pollers import BOTH, Poller
from . import luaevent_buffer as buffer
from . import luaevent_bufferevent as bufferevent

__all__ = [
    "EVBUFFER_EOF",
    "EVBUFFER_ERROR",
    "EVBUFFER_READ",
    "EVBUFFER_TIMEOUT",
    "EVBUFFER_WRITE",
    "EV_PERSIST",
    "EV_READ",
    "EV_SIGNAL",
    "EV_TIMEOUT",
    "EV_WRITE",
    "LEAVE",
    "Answer",
    "Base",
    "Core",
    "Descriptor",
    "Event",
    "buffer",
    "bufferevent",
    "core",
    "new",
]


class Event:
    """What `Base.addevent` returns.  While it is referenced, its event lives."""

    __slots__ = ("__weakref__", "_event")

    def __init__(self, event: PersistentEvent) -> None:
        self._event = event

    def close(self) -> None:
        """After this returns, the callback is never called again, not even this turn.

        The descriptor stays open.  Closing twice is harmless.
        """
        self._event.close()

    def __del__(self) -> None:
        self._event.close()

    def __repr__(self) -> str:
        return f"<luaevent.Event: {self._event!r}>"


class Base:
    """An event base: a set of events and the loop that serves them."""

    def __init__(self, poller: str | Poller | None = None, clock: Clock | None = None) -> None:
        self._loop = Loop(poller, clock)

    def addevent(
        self,
        fd: Descriptor | None,
        event: int,
        event_callback: Callable[[int], Answer],
        timeout: float | None = None,
    ) -> Event:
        """The event is active from now on, until LEAVE, `close()` or collection.

        *fd* None makes a pure timer, which needs a *timeout* in seconds.
        *event* says which directions are watched; EV_TIMEOUT and EV_PERSIST in
        it change nothing.  With 0 only the timeout is left.

        *event_callback* gets the flags that occurred.  It returns what to
        register from now on: flags, or LEAVE to end the event, or both flags
        and a new timeout; None for either keeps it as it is.

        A wrong argument raises TypeError, ValueError or (a descriptor that
        cannot be watched) OSError, and leaves nothing registered.
        """
        self._loop.check_open("base")
        want = flag_set(event, "the flags of an event")
        if want == LEAVE:
            raise ValueError("LEAVE is for a callback to return, it cannot be registered")
        if not callable(event_callback):
            raise TypeError(f"event_callback must be callable, not {event_callback!r}")
        if timeout is not None:
            timeout = seconds(timeout, "timeout")
            if timeout < 0:
                raise ValueError(f"timeout must be 0 or more seconds, not {timeout!r}")
        elif fd is None:
            raise ValueError("an event without a descriptor is a timer, and needs a timeout")
        if fd is None:
            want = 0
        return Event(PersistentEvent(self._loop, fd, want & BOTH, event_callback, timeout))

    def loop(self) -> None:
        """Serve events; return when there are none left.

        What a callback raises comes out here.  The base stays usable; what was
        ready and not yet served is served when `loop` is called again.
        """
        self._loop.run()

    def close(self) -> None:
        """Close the base: none of its events is called again.

        Twice is harmless; a base that is collected is closed.  From a callback
        of its own running loop it raises `RunningError`, and the loop goes on.
        """
        self._loop.close()

    def __del__(self) -> None:
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.close()

    def __repr__(self) -> str:
        return f"<luaevent.Base: {self._loop.poller}>"


class Core:
    """The document's `luaevent.core`, for one poller and clock: `new` and the constants."""

    LEAVE: int = LEAVE
    EV_READ: int = EV_READ
    EV_WRITE: int = EV_WRITE
    EV_SIGNAL: int = EV_SIGNAL
    EV_TIMEOUT: int = EV_TIMEOUT
    EV_PERSIST: int = EV_PERSIST
    EVBUFFER_READ: int = EVBUFFER_READ
    EVBUFFER_WRITE: int = EVBUFFER_WRITE
    EVBUFFER_EOF: int = EVBUFFER_EOF
    EVBUFFER_ERROR: int = EVBUFFER_ERROR
    EVBUFFER_TIMEOUT: int = EVBUFFER_TIMEOUT
    buffer: buffer.Module = buffer
    bufferevent: bufferevent.Module = bufferevent

    def __init__(self, poller: str | None = None, clock: Clock | None = None) -> None:
        self._poller = poller
        self._clock = clock

    def new(self) -> Base:
        """A fresh base, independent of every other one."""
        return Base(self._poller, self._clock)


def core(poller: str | None = None, clock: Clock | None = None) -> Core:
    """The document's entry object, whose bases use this *poller* and *clock*."""
    return Core(poller, clock)


def new(poller: str | Poller | None = None, clock: Clock | None = None) -> Base:
    """A fresh base, independent of every other one."""
    return Base(poller, clock)
