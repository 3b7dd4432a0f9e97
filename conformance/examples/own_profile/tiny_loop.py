"""A toy loop of the made-up document, and one that is broken."""

from __future__ import annotations

import selectors
from collections.abc import Callable

from looptck import Implementation
from looptck.clocks import Clock

# Callbacks take no argument, and their results are ignored.
Callback = Callable[[], object]


class Loop:
    """Watches descriptors with `selectors`, and keeps its timers in a list."""

    # seconds by which a timer may be early
    slack = 0.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, Callback]] = []

    def watch(self, fd: int, callback: Callback) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def ignore(self, fd: int) -> None:
        self._selector.unregister(fd)

    def after(self, seconds: float, callback: Callback) -> tuple[float, Callback]:
        timer = (self._clock.now() + seconds, callback)
        self._timers.append(timer)
        return timer

    def cancel(self, timer: tuple[float, Callback]) -> None:
        if timer in self._timers:
            self._timers.remove(timer)

    def turn(self) -> None:
        nearest = min((due for due, _ in self._timers), default=None)
        wait = None if nearest is None else max(nearest - self._clock.now(), 0)
        for key, _ in self._selector.select(wait):
            key.data()
        now = self._clock.now() + self.slack
        for timer in sorted(self._timers, key=lambda timer: timer[0]):
            if timer[0] <= now and timer in self._timers:
                self._timers.remove(timer)
                timer[1]()


class HastyLoop(Loop):
    """Takes a timer that is nearly due for one that is due."""

    slack = 0.002


class Tiny:
    """The entry object: it makes loops."""

    loop: type[Loop] = Loop

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> Loop:
        return self.loop(self._clock)


class HastyTiny(Tiny):
    """The entry object of the broken loop."""

    loop = HastyLoop


implementation = Implementation(name="tiny", version="1", profiles={"tiny": Tiny})
hasty = Implementation(name="hasty", version="1", profiles={"tiny": HastyTiny})
