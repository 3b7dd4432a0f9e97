"""The events that a `Loop` makes: `Watcher`, `Timer` and `Interval`.

Knows the loop only by its `Registry`, and no document.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf, nextafter
from typing import Any

from . import arguments
from .arguments import Descriptor
from .errors import ClosedError
from .events import Event
from .pollers.api import check_directions
from .registry import Registry

# From here on a float has no fraction.
_FINEST = 2.0**53


class Watcher(Event):
    """Calls *callback* with the directions in which a descriptor is ready."""

    __slots__ = ("_registry", "callback", "file")

    def __init__(
        self, registry: Registry, fd: Descriptor, want: int, callback: Callable[[int], object]
    ) -> None:
        super().__init__(arguments.descriptor(fd))
        self._registry = registry
        self.callback = callback
        # a socket object closes its descriptor when it is collected
        self.file: object = fd
        registry.watch(self, want)

    def ready(self, ready: int) -> None:
        self.callback(ready)

    def closed_under(self, want: int) -> bool:
        callback = self.callback
        self.close()
        callback(want)
        return True

    def change(self, interest: int) -> None:
        """From now on the callback is called for *interest*; 0 pauses it.

        A paused watcher does not keep `run` going.
        """
        want = check_directions(interest, "interest", pause=True)
        self._registry.check_open()
        if self.callback is _no_callback:
            raise ClosedError("this watcher is closed; watch the descriptor again")
        self._registry.rewatch(self, want)
        if self.callback is _no_callback:  # a signal handler has closed it meanwhile
            self._registry.unwatch(self)

    def close(self) -> None:
        self.callback = _no_callback
        self._registry.unwatch(self)
        self.file = None


class Timer(Event):
    """Calls *fn* once, *delay* seconds from now."""

    __slots__ = ("_args", "_fn", "registry")

    def __init__(
        self, registry: Registry, delay: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__()
        self.registry = registry
        self._fn = fn
        self._args = args
        registry.set_deadline(self, registry.now() + delay)  # luahop.timer.timeout-counts-from-call

    def due(self, now: float) -> None:
        fn, args = self._fn, self._args  # luahop.timer.timeout-once
        # luahop.timer.clear-inside-own-timeout
        self.close()
        fn(*args)  # luahop.timer.clear-self-then-set

    def close(self) -> None:
        self.registry.cancel_deadline(self)
        self._fn = _no_callback  # luahop.timer.clear-timeout
        self._args = ()


class Interval(Timer):
    """Calls *fn* every *period* seconds, on a grid that starts now.

    The n-th point of the grid is start + n * period, however long the calls
    take.  Points missed are not made up for: one call, then the grid goes on.
    """

    __slots__ = ("_period", "_start")

    def __init__(
        self, registry: Registry, period: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__(registry, period, fn, args)
        self._period = period
        self._start = registry.now()
        registry.set_deadline(self, self._start + period)  # luahop.timer.interval-first

    def due(self, now: float) -> None:
        # Before the call, so that it may close the interval or raise.  By the
        # clock, not by the turn's *now*: an earlier call may have taken long.
        # luahop.timer.interval-repeat
        self.registry.set_deadline(self, self._next_point(self.registry.now()))
        self._fn(*self._args)  # luahop.timer.clear-inside-own-interval

    def _next_point(self, now: float) -> float:
        passed = (now - self._start) / self._period
        if passed >= _FINEST:  # the grid is finer than a float of this size
            return nextafter(now, inf)
        passed = floor(passed)  # luahop.timer.interval-missed
        point = self._start + (passed + 1) * self._period
        if point <= now:  # rounded down, or a period finer than the clock
            point = max(self._start + (passed + 2) * self._period, nextafter(now, inf))
        return point


def _no_callback(*args: Any) -> None:
    """Stands where the callback of a closed event was."""
