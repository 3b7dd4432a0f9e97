"""The loop as a program uses it.  Knows no socket, thread, coroutine or buffer.

How a turn goes, and what is promised of it, is in `turn`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from .clock import Clock
from .errors import RunningError
from .events import Descriptor, Event, Interval, Timer, Watcher, seconds
from .pollers import BOTH, READ, WRITE, Poller
from .turn import LoopCore


class Loop(LoopCore):
    """Watches descriptors, keeps timers, takes calls from other threads.

    *poller* is the name of one, or one of your own; *clock* the time it goes
    by.  A loop belongs to the thread that turns it; only `post` and `stop` may
    be called from elsewhere, but a signal handler may call all but `close`.
    And it belongs to the process that made it: a forked child can only close it.
    """

    def __init__(self, poller: str | Poller | None = None, clock: Clock | None = None) -> None:
        super().__init__(poller, clock)

    def watch(self, fd: Descriptor, interest: int, callback: Callable[[int], object]) -> Watcher:
        """*callback* is called in each turn that finds *fd* ready.

        *interest* is `READ`, `WRITE` or `READ | WRITE`; the callback gets
        those of them in which it is ready.  Readiness is a level: what is not
        read is reported again.  `close()` what is returned to end it, before
        you close the descriptor.
        """
        if interest not in (READ, WRITE, BOTH):
            raise ValueError(f"interest is READ, WRITE or READ | WRITE, not {interest!r}")
        self.check_open()
        return Watcher(self, fd, interest, _callable(callback))

    def after(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """*fn(*args)* is called once, *delay* seconds from now at the soonest."""
        self.check_open()
        return Timer(self, _length(delay, "delay"), _callable(fn), args)

    def every(self, period: float, fn: Callable[..., object], *args: Any) -> Interval:
        """*fn(*args)* is called at now + *period*, now + 2 * *period*, ...

        Points of that grid that were missed are dropped, not made up for.
        """
        if not _length(period, "period"):
            raise ValueError("a period of 0 seconds would never end")
        self.check_open()
        return Interval(self, float(period), _callable(fn), args)

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """*fn(*args)* is called by the next turn.

        Safe from any thread and from signal handlers; ends a turn's sleep.
        """
        if not self._inbox.post(_callable(fn), *args):
            self.check_open()

    def run(self, *, forever: bool = False, until_called: bool = False) -> None:
        """Turn until `stop()`, or until nothing is left to wait for.

        *forever* goes on without anything to wait for: somebody will post.
        *until_called* returns after the first turn that called somebody.
        """
        self._enter()
        try:
            self._stopping = False
            waker = self._waker
            catching = waker.catch_signals()
            try:
                while not self._stopping and (self._watched or forever or self.busy):
                    if self._turn(None) and until_called:
                        break
                    waker.asleep = True  # TURN-7
            finally:
                if catching:
                    waker.release_signals()
        finally:
            self._running = self._waker.asleep = False
        if self._closed:  # a callback forked, and this is the child
            self.check_open()

    def turn(self, timeout: float | None = None) -> bool:
        """Wait once, *timeout* seconds at most; whether something was called.

        Not guaranteed: that it waits so long when nothing is called.
        """
        self._enter()
        try:
            called = self._turn(timeout)
        finally:
            self._running = self._waker.asleep = False
        if self._closed:  # a callback forked, and this is the child
            self.check_open()
        return called

    def stop(self) -> None:
        """`run` returns after this turn; if it sleeps, at once.

        Safe from any thread and from signal handlers.
        """
        if self._forked:
            self.check_open()
        self._stopping = True
        self._waker.nudge()

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for."""
        return bool(self._watched or self._timers.live or self._inbox.calls)

    def watching(self, fd: int) -> tuple[Event, ...]:
        """The events that wait for descriptor *fd*."""
        if self._forked:
            self.check_open()
        return self._interest.of(fd)

    @property
    def poller(self) -> str:
        """The name of the poller."""
        return self._poller.name

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Give back every descriptor and let go of every callback.

        Twice is harmless.  What was watched stays open: it is not ours.
        """
        if self._closed:
            return
        if self._running:
            raise RunningError("a loop cannot be closed from its own callback; stop() it first")
        self._closed = True
        self._inbox.close()  # first: a `post` that comes now is refused, not forgotten
        self._interest.clear()
        for timed in self._timers.clear():
            timed.close()
        self._cut = None
        self._poller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._running else "idle"
        return f"<{type(self).__name__}: {self._poller.name}, {state}>"


def _callable(fn: Callable[..., object]) -> Callable[..., object]:
    if not callable(fn):
        raise TypeError(f"a callback must be callable, not {fn!r}")
    return fn


def _length(value: float, what: str) -> float:
    length = seconds(value, what)
    if length < 0:
        raise ValueError(f"{what} must be 0 or more seconds, not {value!r}")
    return length
