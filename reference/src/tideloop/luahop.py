"""The API of the LuaHop document, in Python.

Thin: names, masks, durations, and what becomes of an exception.  How a turn
goes is in `tideloop.loop`.

Where the document is open, this is what holds here: an exception of a
callback lets the rest of the batch finish, then the first one comes out of
`poll`; intervals stay armed.  `poll` inside a callback is refused.  A
descriptor closed without `remove_listener` is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import fsum

from . import arguments
from .arguments import Descriptor
from .clock import Clock, check_clock
from .events import Event
from .loop import Loop
from .on_error import Handler
from .pollers import BOTH, READ, WRITE, Poller, PollerFactory, check_choice
from .watchers import Interval, Timer

# luahop.module.names
__all__ = ["Descriptor", "Duration", "Entry", "Hop", "clear_timer", "entry", "new"]

# unit -> number, as in {"s": 1, "ms": 500}; the units add up
Duration = Mapping[str, float]
HopCallback = Callable[[], object]

_MASK_WORDS = "pass 'r', 'w' or 'rw'"
_MASKS = {"r": READ, "w": WRITE, "rw": BOTH}

# How many make a second, and how many seconds it makes: a division by a whole
# number rounds once, a product with 0.001 rounds twice.
# luahop.timer.units-s
_PER_SECOND = {"us": 1_000_000, "ms": 1000, "s": 1}  # luahop.timer.units-ms
_SECONDS = {"m": 60, "h": 3600}
# Beyond this a sum could leave the range of a float.
_TOO_LONG = 1e300


class _Listener(Event):
    """The callback of one direction of a descriptor, or of both."""

    __slots__ = ("_callback", "_errors", "_file", "_loop")

    def __init__(
        self,
        loop: Loop,
        fd: Descriptor,
        want: int,
        callback: HopCallback,
        errors: list[Exception],
    ) -> None:
        super().__init__(arguments.descriptor(fd))
        self._loop = loop
        # luahop.listener.callback-any
        self._callback = callback  # luahop.listener.strong-ref
        self._errors = errors
        self._file: object = fd  # a socket object closes its descriptor when collected
        loop.registry.watch(self, want)  # luahop.listener.create

    def ready(self, ready: int) -> None:
        try:
            # luahop.listener.write
            self._callback()  # luahop.listener.read
        except Exception as error:
            self._errors.append(error)
            self._loop.stop()  # `Hop.loop` raises it after this batch

    def closed_under(self, want: int) -> bool:
        self.close()
        return False

    def close(self) -> None:
        self._loop.registry.unwatch(self)
        self._callback = _nobody  # luahop.listener.remove
        self._file = None  # luahop.scope.no-sockets


class Hop:
    """A loop: listeners, timers and `poll`."""

    def __init__(
        self,
        poller: str | Poller | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        self._loop = Loop(poller, clock, on_error)  # luahop.module.new
        # what the callbacks of this poll raised
        self._errors: list[Exception] = []

    def set_listener(self, fd: Descriptor, mask: str, callback: HopCallback) -> None:
        """*callback* runs in `poll` whenever *fd* is ready in direction *mask*.

        *mask* is "r", "w", or "rw": one callback for both directions, which
        runs once if both are ready.  Each direction of a descriptor has at
        most one callback; setting it again replaces it, from the next poll on.

        A wrong argument raises TypeError, ValueError or (a descriptor that
        cannot be watched) OSError, and nothing has changed.
        """
        want = _direction(mask)
        guarded = self._guarded(callback)
        listener = _Listener(self._loop, fd, want, guarded, self._errors)
        for other in self._loop.registry.watching(listener.fd):
            if other is not listener:
                # luahop.listener.replace-inside
                self._stop_listening(other, want)  # luahop.listener.replace

    def remove_listener(self, fd: Descriptor, mask: str) -> None:
        """The callback of that direction is not called again, not even this poll.

        The other direction is left as it is.  Nothing happens if there is none.
        """
        want = _direction(mask)
        for listener in self._loop.registry.watching(fd):
            self._stop_listening(listener, want)  # luahop.listener.remove-inside-self

    def set_timeout(self, duration: Duration, callback: HopCallback) -> Timer:
        """*callback* runs once, in the first `poll` after *duration*.

        A *duration* of 0 is the next poll.
        """
        delay = _seconds(duration)
        # luahop.timer.handle
        return Timer(
            self._loop.registry,
            delay,
            _keep_error,
            (self._loop, self._errors, self._guarded(callback)),
        )

    def set_interval(self, duration: Duration, callback: HopCallback) -> Interval:
        """*callback* runs every *duration*, first after one whole period.

        The calls keep their grid, however long they take; points that were
        missed are not made up for.
        """
        period = _seconds(duration)
        if not period:
            raise ValueError(
                f"duration must be more than 0, not {arguments.shown(duration)}, which would"
                " never end; pass {'ms': 1} or more"
            )
        return Interval(
            self._loop.registry,
            period,
            _keep_error,
            (self._loop, self._errors, self._guarded(callback)),
        )

    def clear_timer(self, timer: object) -> None:
        """The timer never fires again.  A spent or cleared one is left alone."""
        # luahop.timer.stale-handle
        if isinstance(timer, Timer) and timer.registry is not self._loop.registry:
            raise ValueError(
                f"timer must be one of this loop, not {timer!r}; call clear_timer of its own loop"
            )
        clear_timer(timer)

    def poll(self, timeout: Duration | float | None = None) -> bool:
        """Sleep until something is ready or due, run its callbacks, return True.

        With a *timeout*, a duration or a number of seconds, return False if
        nothing happened in that time; 0 only looks.  Without one and with
        nothing to wait for it sleeps for ever.

        If callbacks raise, the others of this batch run nevertheless, and the
        first exception comes out.
        """
        loop = self._loop
        limit = None if timeout is None else _seconds(timeout, number=True)
        deadline = None if limit is None else loop.registry.now() + limit
        while True:
            # luahop.poll.dispatch-before-return
            # luahop.timer.only-in-poll
            called = loop.turn(limit)  # luahop.poll.returns
            self._raise_first()
            if called:
                return True
            if deadline is not None:
                limit = deadline - loop.registry.now()  # luahop.poll.timeout-vs-timer
                if limit <= 0:
                    return False

    def loop(self) -> None:
        """Poll until `stop()` is called.  (An extension.)"""
        self._loop.run(forever=True)
        self._raise_first()

    def stop(self) -> None:
        """`loop` returns after the batch that is running; if it sleeps, at once.

        Safe from any thread and from signal handlers.  (An extension.)
        """
        self._loop.stop()

    def close(self) -> None:
        """Forget all listeners and timers, give back what the loop opened.  (An extension.)

        Twice is harmless; a loop that is collected is closed.  The descriptors
        stay open: they are not ours.
        """
        self._loop.close()

    def __del__(self) -> None:
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.close()

    def __repr__(self) -> str:
        return f"<Hop Loop: {self._loop.poller}>"

    def _stop_listening(self, listener: Event, want: int) -> None:
        left = listener.want & ~want
        if left:
            self._loop.registry.rewatch(listener, left)  # luahop.listener.remove-half-of-rw
        else:
            listener.close()

    def _guarded(self, callback: HopCallback) -> HopCallback:
        arguments.callback(callback, "callback")  # luahop.listener.callable
        self._loop.registry.check_open()
        return self._loop.registry.guard(callback)

    def _raise_first(self) -> None:
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error


class Entry:
    """The document's entry object for one poller and clock: `new` and `clear_timer`."""

    def __init__(
        self,
        poller: str | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        self._poller = check_choice(poller)
        self._clock = None if clock is None else check_clock(clock)
        self._on_error = arguments.maybe_callback(on_error, "on_error")

    def new(self) -> Hop:
        """A fresh loop, independent of every other one."""
        return Hop(self._poller, self._clock, self._on_error)

    def clear_timer(self, timer: object) -> None:
        """The timer never fires again.  A spent or cleared one is left alone."""
        clear_timer(timer)


def entry(
    poller: str | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Entry:
    """The document's entry object, whose loops use this *poller*, *clock* and *on_error*."""
    return Entry(poller, clock, on_error)


def new(
    poller: str | Poller | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Hop:
    """A fresh loop, independent of every other one.

    *on_error(error, callback)* gets what a callback raises; without it that
    comes out of `Hop.poll`.
    """
    return Hop(poller, clock, on_error)


def clear_timer(timer: object) -> None:
    """The timer, of whichever loop, never fires again.  A spent or cleared one is left alone."""
    if not isinstance(timer, Timer):  # luahop.timer.clear-vs-listener
        raise TypeError(
            f"timer must be a timer, not {arguments.shown(timer)}; pass what set_timeout or"
            " set_interval returned"
        )
    # luahop.timer.clear-interval
    timer.close()  # luahop.timer.clear-free-function


def _keep_error(loop: Loop, errors: list[Exception], callback: HopCallback) -> None:
    try:
        callback()
    except Exception as error:
        errors.append(error)
        loop.stop()


def _direction(mask: str) -> int:
    if not isinstance(mask, str):
        raise TypeError(f"mask must be a text, not {arguments.shown(mask)}; {_MASK_WORDS}")
    if mask not in _MASKS:
        # luahop.listener.mask-domain
        raise ValueError(f"mask must name a direction, not {arguments.shown(mask)}; {_MASK_WORDS}")
    return _MASKS[mask]


def _seconds(duration: object, *, number: bool = False) -> float:
    """The length of a duration; of a plain *number* of seconds too, if allowed."""
    if number and not isinstance(duration, Mapping):
        return arguments.seconds(duration, "timeout")
    shown = arguments.shown(duration)
    if not isinstance(duration, Mapping):
        # luahop.timer.spec-not-table
        raise TypeError(f"duration must be a mapping, not {shown}; pass one such as {{'ms': 100}}")
    if not duration:
        raise ValueError(
            f"duration must have a unit, not be {shown}; pass one such as {{'ms': 100}}"
        )
    parts = []
    for unit, count in duration.items():
        if isinstance(count, bool) or not isinstance(count, (int, float)):
            raise TypeError(
                f"in {shown}, {arguments.shown(unit)} must be a number; pass an int or a float"
            )
        if not 0 <= count < _TOO_LONG:  # NaN is refused here too
            raise ValueError(
                f"in {shown}, {arguments.shown(unit)} must be finite, and 0 or more; pass 0 or more"
            )
        if unit in _PER_SECOND:
            parts.append(count / _PER_SECOND[unit])
        elif unit in _SECONDS:
            parts.append(float(count * _SECONDS[unit]))
        else:
            raise ValueError(
                f"in {shown}, {arguments.shown(unit)} is no unit; pass us, ms, s, m or h"
            )
    return fsum(parts)


def _nobody() -> None:
    """Stands where the callback of a closed listener was."""
