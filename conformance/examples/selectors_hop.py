"""A small loop over `selectors`, and all it takes to have it certified.

    looptck certify selectors_hop:implementation

The loop (class `Hop`) offers the API of the LuaHop document; the last lines
plug it in.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import selectors
import stat
import time
from collections.abc import Callable, Mapping

from looptck import Clock, Implementation

Callback = Callable[[], object]
MASKS = {"r": selectors.EVENT_READ, "w": selectors.EVENT_WRITE}
SECONDS = {"ms": 0.001, "s": 1.0}

# The longest sleep in seconds: selectors refuse more than an int of milliseconds.
LONGEST = 86_400.0


def _nothing() -> None:
    """Stands in place of a callback that is over."""


class Timer:
    """A handle: knows its loop, and is spent once it fired or was cleared."""

    def __init__(self, hop: Hop, callback: Callback, due: float, period: float | None) -> None:
        self.hop, self.callback, self.due, self.period = hop, callback, due, period
        self.live = True

    def clear(self) -> None:
        self.callback = _nothing
        self.live = False


class Listener:
    """One registration: a later one of the same callback is another listener."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback


class Hop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # {fd: {mask: listener}}
        self._listeners: dict[int, dict[str, Listener]] = {}
        # (deadline, order of creation, timer), soonest first
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def set_listener(self, fd: int, mask: str, callback: Callback) -> None:
        if mask not in MASKS or not callable(callback):
            raise TypeError(f"need 'r' or 'w' and a function, not {mask!r}, {callback!r}")
        if stat.S_ISREG(os.fstat(fd).st_mode):  # raises OSError for a closed one
            raise OSError(f"descriptor {fd} is a regular file, which is always ready")
        listeners = {**self._listeners.get(fd, {}), mask: Listener(callback)}
        self._watch(fd, listeners)

    def remove_listener(self, fd: int, mask: str) -> None:
        if mask not in MASKS:
            raise ValueError(f"need 'r' or 'w', not {mask!r}")
        listeners = dict(self._listeners.get(fd, {}))
        if listeners.pop(mask, None):
            self._watch(fd, listeners)

    def _watch(self, fd: int, listeners: dict[str, Listener]) -> None:
        if fd in self._listeners:
            self._selector.unregister(fd)
            del self._listeners[fd]
        if listeners:
            events = sum(MASKS[mask] for mask in listeners)
            self._selector.register(fd, events)
            self._listeners[fd] = listeners

    def set_timeout(self, duration: Mapping[str, float], callback: Callback) -> Timer:
        return self._start(duration, callback, repeat=False)

    def set_interval(self, duration: Mapping[str, float], callback: Callback) -> Timer:
        return self._start(duration, callback, repeat=True)

    def _start(self, duration: Mapping[str, float], callback: Callback, *, repeat: bool) -> Timer:
        if not isinstance(duration, Mapping) or not callable(callback):
            raise TypeError(f"need a duration such as {{'ms': 100}}, not {duration!r}")
        seconds = sum(SECONDS[unit] * number for unit, number in duration.items())
        timer = Timer(self, callback, time.monotonic() + seconds, seconds if repeat else None)
        self._push(timer)
        return timer

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))

    def poll(self) -> None:
        while not self._poll_once():
            pass

    def _poll_once(self) -> int:
        while self._timers and not self._timers[0][2].live:
            heapq.heappop(self._timers)
        budget = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        if budget is not None:
            budget = min(budget, LONGEST)
        called = 0
        ready = [
            (fd, mask, self._listeners[fd].get(mask))
            for fd, events in ((key.fd, events) for key, events in self._selector.select(budget))
            for mask in MASKS
            if events & MASKS[mask]
        ]
        # What is due is settled before any callback runs, so that a timer which
        # a callback sets waits for the next poll.
        now = time.monotonic()
        due: list[Timer] = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for fd, mask, listener in ready:
            # an earlier callback may have removed or replaced this one
            if listener and self._listeners.get(fd, {}).get(mask) is listener:
                called += 1
                listener.callback()
        for timer in due:
            if timer.live:
                called += 1
                if timer.period is None:
                    timer.live = False
                else:
                    missed = math.floor((now - timer.due) / timer.period)
                    timer.due += (missed + 1) * timer.period
                    self._push(timer)
                callback = timer.callback
                if not timer.live:
                    timer.callback = _nothing
                callback()
        return called


class Module:
    """What `import luahop` gives: `new` and `clear_timer`."""

    new = staticmethod(Hop)

    @staticmethod
    def clear_timer(timer: Timer) -> None:
        timer.clear()


def make(_clock: Clock) -> Module:
    return Module()


implementation = Implementation(name="selectors_hop", version="1", profiles={"luahop": make})
