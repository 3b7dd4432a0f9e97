"""luaevent's base, its events, and the entry object `luaevent.core`.

Thin: names, argument checks and lifetimes.  `event` says how an event behaves,
`tideloop.turn` how a turn goes.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import arguments
from ..arguments import Descriptor
from ..clock import Clock, check_clock
from ..loop import Loop
from ..on_error import Handler
from ..pollers import BOTH, Poller, PollerFactory, check_choice
from ..watchers import Timer
from . import buffer, bufferevent
from .event import Answer, PersistentEvent
from .flags import (
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
    flag_set,
)


class Event:
    """The handle that `Base.addevent` returns; its event lives while it is referenced."""

    __slots__ = ("__weakref__", "_event")

    def __init__(self, event: PersistentEvent) -> None:
        self._event = event

    def close(self) -> None:
        """After this returns, the callback is never called again, not even this turn.

        The descriptor stays open.  Closing twice is harmless.
        """
        # luaevent.addevent.close-not-fd
        self._event.close()  # luaevent.callback.leave-then-close

    def __del__(self) -> None:
        self._event.close()  # luaevent.addevent.gc-erases

    def __repr__(self) -> str:
        return f"<luaevent.Event: {self._event!r}>"


class Base:
    """An event base: a set of events and the loop that serves them."""

    def __init__(
        self,
        poller: str | Poller | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        self._loop = Loop(poller, clock, on_error)  # luaevent.new.independent

    def addevent(
        self,
        fd: Descriptor | None,  # luaevent.addevent.input-order
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
        self._loop.registry.check_open("base")
        want = flag_set(event, "the flags of an event")  # luaevent.addevent.event-flagset
        if want == LEAVE:
            raise ValueError(
                f"the flags of an event must not be LEAVE ({LEAVE}), which is for a callback to"
                " return; pass EV_* flags"
            )
        # luaevent.addevent.callback-any
        arguments.callback(event_callback, "event_callback")  # luaevent.addevent.callback-required
        if timeout is not None:
            timeout = arguments.seconds(timeout, "timeout")  # luaevent.addevent.timeout-seconds
        elif fd is None:
            raise ValueError(
                "timeout must not be None where fd is None: the event is a timer; pass seconds"
            )
        if fd is None:  # luaevent.addevent.fd-nil-timer
            want = 0
        # luaevent.addevent.output
        # luaevent.constants.ev-or-capture
        return Event(PersistentEvent(self._loop.registry, fd, want & BOTH, event_callback, timeout))

    def loop(self) -> None:
        """Serve events; return when there are none left.

        What a callback raises comes out here.  The base stays usable; what was
        ready and not yet served is served when `loop` is called again.
        """
        self._loop.run()

    def loopexit(self, seconds: float = 0) -> None:
        """`loop` returns *seconds* from now; the events stay registered.

        The turn that finds the time passed serves all that is ready and due in
        it; 0 is the next turn.  Called before `loop` it concerns the next one.
        Until then it counts as an event: `loop` does not return before it.
        """
        # past the guard: what stops the loop is no callback of the program
        self._loop.registry.check_open()
        # luaevent.loopexit
        Timer(self._loop.registry, arguments.seconds(seconds, "seconds"), self._loop.stop, ())

    def method(self) -> str:
        """The name of what the base waits with: "epoll", "poll", "select", or your own."""
        return self._loop.poller  # luaevent.method

    def close(self) -> None:
        """Close the base: none of its events is called again.

        Twice is harmless; a base that is collected is closed.  From a callback
        of its own running loop it raises `RunningError`, and the loop goes on.
        """
        self._loop.close()  # luaevent.close.exists

    def __del__(self) -> None:
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.close()  # luaevent.close.gc

    def __repr__(self) -> str:
        return f"<luaevent.Base: {self._loop.poller}>"


class Entry:
    """The document's `luaevent.core`, for one poller and clock: `new` and the constants."""

    LEAVE: int = LEAVE  # luaevent.constants.present
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

    def __init__(
        self,
        poller: str | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        self._poller = check_choice(poller)
        self._clock = None if clock is None else check_clock(clock)
        self._on_error = arguments.maybe_callback(on_error, "on_error")

    def new(self) -> Base:
        """A fresh base, independent of every other one."""
        return Base(self._poller, self._clock, self._on_error)  # luaevent.new.returns-base


def entry(
    poller: str | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Entry:
    """The document's entry object, whose bases use this *poller*, *clock* and *on_error*."""
    return Entry(poller, clock, on_error)


def new(
    poller: str | Poller | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Base:
    """A fresh base, independent of every other one.

    *on_error(error, callback)* gets what a callback raises; without it that
    comes out of `Base.loop`.
    """
    return Base(poller, clock, on_error)
