"""One turn after the other.  Knows no socket, thread, coroutine or buffer.

The turn
--------

TURN-1  Interest that changed is told to the kernel at once, so that a bad
        descriptor is the caller's error, and so that a number is free for
        reuse as soon as its event is closed.
TURN-2  The budget: nothing if something is due, else until something may be,
        else for ever.
TURN-3  Wait.  Whose readiness it is is settled before the first callback: an
        event registered later in the turn is not called, even if it got the
        number of a closed descriptor that was ready.
TURN-4  Call what is ready.  An event stopped earlier in the turn wants
        nothing any more and is passed over.
TURN-5  Read the clock once and call what is due: by deadline, then by order of
        setting.  What was set during this turn waits for the next.  Never early.
TURN-6  An exception of a callback ends the turn and comes out.  The next turn
        finishes this one: those not reached come first, if they are still
        ready, so that nobody starves behind an event that always raises.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, NoReturn, Self

from . import arguments
from .arguments import Descriptor
from .clock import Clock, MonotonicClock, check_clock
from .errors import ClosedError, RunningError
from .events import Event, Interval, Timer, Watcher
from .guarding import Guard, Handler
from .inbox import Inbox
from .interest import Interest
from .pollers import BOTH, READ, Poller, Verbatim, open_poller
from .timers import Timed, Timers

# What a poller that speaks no other words means by them.
_DIRECTIONS = range(BOTH + 1)


class Loop:
    """Watches descriptors, keeps timers, takes calls from other threads.

    *poller* is the name of one, or one of your own; *clock* the time it goes
    by.  *on_error(error, callback)* is called with each exception that a
    callback raises, and the turn goes on; without it the exception comes out.
    A loop belongs to the thread that turns it; only `post` may be called from
    elsewhere.
    """

    def __init__(
        self,
        poller: str | Poller | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        self._closed = True  # until all below has succeeded
        clock = MonotonicClock() if clock is None else check_clock(clock)
        self.guard = Guard(arguments.maybe_callback(on_error, "on_error"))
        self._poller = open_poller(poller)
        if isinstance(self._poller, Verbatim):
            wait, self._means = self._poller.ask, self._poller.means
        else:
            wait, self._means = self._poller.wait, _DIRECTIONS
        self._wait = clock.pace(wait)
        self._timers = Timers()
        self._interest = Interest(self._poller)
        self._watched = self._interest.files

        # The verbs that events need (see `Keeper`).
        self.now: Callable[[], float] = clock.now
        self.link: Callable[[Event, int], None] = self._interest.link
        self.rewatch: Callable[[Event, int], None] = self._interest.rewatch
        self.unlink = self._interest.unlink
        self.set_deadline: Callable[[Timed, float], None] = self._timers.set
        self.cancel_deadline = self._timers.cancel

        # those that a turn found ready and, cut short, did not reach
        self._unreached: list[Event] | None = None
        self._running = self._stopping = False
        try:
            self._inbox = Inbox()
            self.link(self._inbox, READ)
        except BaseException:
            self._poller.close()
            raise
        self._closed = False

    # ---- for programs

    def watch(self, fd: Descriptor, interest: int, callback: Callable[[int], object]) -> Watcher:
        """*callback* is called in each turn that finds *fd* ready.

        *interest* is `READ`, `WRITE` or `READ | WRITE`; the callback gets
        those of them in which it is ready.  Readiness is a level: what is not
        read is reported again.  `close()` what is returned to end it, before
        you close the descriptor.
        """
        want = arguments.directions(interest, "interest")
        arguments.callback(callback, "callback")
        self.check_open()
        return Watcher(self, fd, want, self.guard(callback))

    def after(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """*fn(*args)* is called once, *delay* seconds from now at the soonest."""
        delay = arguments.seconds(delay, "delay")
        arguments.callback(fn, "fn")
        self.check_open()
        return Timer(self, delay, self.guard(fn), args)

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
        self.check_open()
        return Interval(self, length, self.guard(fn), args)

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """*fn(*args)* is called by the next turn.

        Safe from any thread and from signal handlers; ends a turn's sleep.
        """
        self._inbox.post(self.guard(arguments.callback(fn, "fn")), *args)

    def run(self, *, forever: bool = False) -> None:
        """Turn until `stop()`, or until nothing is left to wait for.

        *forever* goes on without anything to wait for: somebody will post.
        """
        arguments.flag(forever, "forever")
        self._enter()
        try:
            self._stopping = False
            while not self._stopping and (len(self._watched) > 1 or forever or self.busy):
                self._turn(None)
        finally:
            self._running = False

    def turn(self, timeout: float | None = None) -> bool:
        """Wait once, *timeout* seconds at most; whether something was called.

        Not guaranteed: that it waits so long when nothing is called.
        """
        if timeout is not None:
            timeout = arguments.seconds(timeout, "timeout")
        self._enter()
        try:
            return self._turn(timeout)
        finally:
            self._running = False

    def stop(self) -> None:
        """`run` returns after this turn."""
        self._stopping = True

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for."""
        # one descriptor is the inbox's own
        return len(self._watched) > 1 or self._timers.live > 0 or len(self._inbox) > 0

    def watching(self, fd: Descriptor) -> tuple[Event, ...]:
        """The events that wait for descriptor *fd*."""
        return self._interest.of(arguments.descriptor(fd))

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
        self._interest.clear()
        for timed in self._timers.clear():
            timed.close()
        self._unreached = None
        # a paused event may have survived; it must not be served by a dead loop
        self.link = self.rewatch = self.set_deadline = _refuse
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

    # ---- the turn

    def check_open(self) -> None:
        """Raise ClosedError if this loop is closed."""
        if self._closed:
            _refuse()

    def _enter(self) -> None:
        if self._closed:
            self.check_open()
        if self._running:
            raise RunningError("this loop is in the middle of a turn already")
        self._running = True

    def _turn(self, timeout: float | None) -> bool:
        called = False
        timers = self._timers
        bound = timers.bound() if timers.live else None
        batch = iter(self._batch(bound, timeout))
        try:
            for event, ready in batch:  # TURN-4
                if hit := ready & event.want:
                    event.ready(hit)
                    called = True
                elif event.want and not ready:
                    want = event.want
                    self.unlink(event)
                    called |= event.lost(want)
        except BaseException:
            self._unreached = [event for event, _ in batch]  # TURN-6
            raise
        if bound is not None:
            now = self.now()
            while (due := timers.pop_due(now)) is not None:  # TURN-5
                due.due(now)
                called = True
        return called

    def _batch(self, bound: float | None, timeout: float | None) -> list[tuple[Event, int]]:
        """Who is ready, and in which directions."""
        if self._unreached is not None:  # TURN-6
            unreached, self._unreached = self._unreached, None
            still = dict(self._poller.wait(0))
            return [(event, still[event.fd]) for event in unreached if event.fd in still]
        if bound is not None:  # TURN-2
            budget = max(0.0, bound - self.now())
            timeout = budget if timeout is None else min(budget, timeout)
        notices = self._wait(None if timeout == inf else timeout)  # TURN-3
        means, interest = self._means, self._interest
        sole = interest.sole
        try:
            return [(sole[fd], means[word]) for fd, word in notices]
        except KeyError:  # it has several events; or nobody watches it
            notices = interest.exorcise(notices)
            return [(event, means[word]) for fd, word in notices for event in interest.of(fd)]


def _refuse(*_: object) -> NoReturn:
    raise ClosedError("this loop is closed; make a new one")
