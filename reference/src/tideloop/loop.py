"""The loop as a program uses it.  Knows no socket, thread, coroutine or buffer.

How a turn goes, and what is promised of it, is in `turn`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from . import arguments
from .arguments import Descriptor
from .clock import Clock
from .errors import RunningError
from .on_error import Handler
from .pollers import Poller, PollerFactory
from .pollers.api import check_directions
from .turn import LoopCore
from .watchers import Interval, Timer, Watcher


class Loop(LoopCore):
    """Watches descriptors, keeps timers, takes calls from other threads.

    *poller* is the name of one, one of your own or a class of yours (None: that
    of TIDELOOP_POLLER, else the best of the machine); *clock* the time it goes
    by.  *on_error(error, callback)* is called with each exception that a
    callback raises, and the turn goes on; without it the exception comes out.

    A loop belongs to the thread that turns it; only `post` and `stop` may be
    called from elsewhere, but a signal handler may call all but `close`.  And
    it belongs to the process that made it: a forked child can only close it.
    """

    def __init__(
        self,
        poller: str | Poller | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        super().__init__(poller, clock, on_error)

    def watch(self, fd: Descriptor, interest: int, callback: Callable[[int], object]) -> Watcher:
        """*callback* is called in each turn that finds *fd* ready.

        *interest* is `READ`, `WRITE` or `READ | WRITE`; the callback gets
        those of them in which it is ready.  Readiness is a level: what is not
        read is reported again.  `close()` what is returned to end it, before
        you close the descriptor.
        """
        want = check_directions(interest, "interest")
        arguments.callback(callback, "callback")
        self.registry.check_open()
        return Watcher(self.registry, fd, want, self.registry.guard(callback))

    def after(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """*fn(*args)* is called once, *delay* seconds from now at the soonest."""
        delay = arguments.seconds(delay, "delay")
        arguments.callback(fn, "fn")
        self.registry.check_open()
        return Timer(self.registry, delay, self.registry.guard(fn), args)

    def every(self, period: float, fn: Callable[..., object], *args: Any) -> Interval:
        """*fn(*args)* is called at now + *period*, now + 2 * *period*, ...

        Points of that grid that were missed are dropped, not made up for.
        """
        length = arguments.seconds(period, "period")
        if not length:
            raise ValueError(
                f"period must be more than 0 seconds, not {period!r}; pass 0.001 or more"
            )
        arguments.callback(fn, "fn")
        self.registry.check_open()
        return Interval(self.registry, length, self.registry.guard(fn), args)

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """*fn(*args)* is called by the next turn.

        Safe from any thread and from signal handlers; ends a turn's sleep.
        """
        if not self._inbox.post(self.registry.guard(arguments.callback(fn, "fn")), *args):
            self.registry.check_open()

    def run(self, *, forever: bool = False, until_called: bool = False) -> None:
        """Turn until `stop()`, or until nothing is left to wait for.

        *forever* goes on without anything to wait for: somebody will post.
        *until_called* returns after the first turn that called somebody.
        """
        arguments.flag(forever, "forever")
        arguments.flag(until_called, "until_called")
        self._enter()
        try:
            self._stopping = False  # luaevent.loop.again
            waker = self._waker
            try:
                waker.catch_signals()
                # luaevent.loop.begins
                # luaevent.loop.no-events
                while not self._stopping and (self._watched or forever or self.busy):
                    if self._turn(None) and until_called:
                        break
                    waker.asleep = True  # TURN-7
            finally:
                waker.release_signals()
        finally:
            self._running = self._waker.asleep = False
        if self.registry.closed:  # a callback forked, and this is the child
            self.registry.check_open()

    def turn(self, timeout: float | None = None) -> bool:
        """Wait once, *timeout* seconds at most; whether something was called.

        Not guaranteed: that it waits so long when nothing is called.
        """
        if timeout is not None:
            timeout = arguments.seconds(timeout, "timeout")
        self._enter()
        try:
            called = self._turn(timeout)
        finally:
            self._running = self._waker.asleep = False
        if self.registry.closed:  # a callback forked, and this is the child
            self.registry.check_open()
        return called

    def stop(self) -> None:
        """`run` returns after this turn; if it sleeps, at once.

        Safe from any thread and from signal handlers.
        """
        if self.registry.forked:
            self.registry.check_open()
        self._stopping = True
        self._waker.nudge()

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for."""
        # luaevent.loop.not-before
        return bool(self._watched or self._timers.live or self._inbox.calls)

    @property
    def poller(self) -> str:
        """The name of the poller."""
        return getattr(self._poller, "name", type(self._poller).__name__)

    @property
    def closed(self) -> bool:
        return self.registry.closed

    def close(self) -> None:
        """Give back every descriptor and let go of every callback.

        Twice is harmless.  What was watched stays open: it is not ours.
        """
        if self.registry.closed:
            return
        if self._running:
            # luaevent.close.not-in-loop
            raise RunningError("a loop cannot be closed from its own callback; stop() it first")
        self.registry.closed = True
        self._inbox.close()  # first: a `post` that comes now is refused, not forgotten
        self.registry.close()
        self._cut = None
        # luahop.scope.nothing-left
        self._poller.close()  # luaevent.close.nothing-left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "registry"):  # else making it failed
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "running" if self._running else "idle"
        return f"<{type(self).__name__}: {self.poller}, {state}>"
