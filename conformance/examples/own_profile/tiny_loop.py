"""A toy loop of the made-up document, and two that are broken."""

from __future__ import annotations

import selectors
from collections.abc import Callable

from looptck import Implementation
from looptck.clocks import Clock

# Callbacks take no argument, and their results are ignored.
Callback = Callable[[], object]


class Timer:
    """The handle of a timer."""

    def __init__(self, due: float, period: float | None, callback: Callback) -> None:
        self.due, self.period, self.callback = due, period, callback


class Loop:
    """Watches descriptors with `selectors`, and keeps its timers in a list."""

    # seconds by which a timer may be early
    slack = 0.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []

    def watch(self, fd: int, callback: Callback) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def ignore(self, fd: int) -> None:
        self._selector.unregister(fd)

    def after(self, seconds: float, callback: Callback) -> Timer:
        return self._set(Timer(self._clock.now() + seconds, None, callback))

    def every(self, seconds: float, callback: Callback) -> Timer:
        return self._set(Timer(self._clock.now() + seconds, seconds, callback))

    def cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)

    def turn(self) -> None:
        due = self._next_due()
        wait = None if due is None else max(due - self._clock.now(), 0)
        for key, _ in self._selector.select(wait):
            key.data()
        now = self._clock.now() + self.slack
        for timer in sorted(self._timers, key=lambda timer: timer.due):
            if timer.due <= now and timer in self._timers:
                if timer.period is None:
                    self._timers.remove(timer)
                else:
                    timer.due += timer.period
                timer.callback()

    def _next_due(self) -> float | None:
        return min((timer.due for timer in self._timers), default=None)

    def _set(self, timer: Timer) -> Timer:
        self._timers.append(timer)
        return timer


class HastyLoop(Loop):
    """Takes a timer that is nearly due for one that is due."""

    slack = 0.002


class LatestLoop(Loop):
    """Sleeps for the timer that was set last, not for the nearest."""

    def _next_due(self) -> float | None:
        return self._timers[-1].due if self._timers else None


class Tiny:
    """The entry object: it makes loops."""

    loop: type[Loop] = Loop

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> Loop:
        return self.loop(self._clock)


class HastyTiny(Tiny):
    """The entry object of the hasty loop."""

    loop = HastyLoop


class LatestTiny(Tiny):
    """The entry object of the loop that sleeps for its latest timer."""

    loop = LatestLoop


implementation = Implementation(name="tiny", version="1", profiles={"tiny": Tiny})
hasty = Implementation(name="hasty", version="1", profiles={"tiny": HastyTiny})
latest = Implementation(name="latest", version="1", profiles={"tiny": LatestTiny})
