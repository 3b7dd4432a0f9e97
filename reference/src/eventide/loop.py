"""One turn after the other.  Knows no socket, thread, coroutine or buffer.

The turn
--------

TURN-1  Interest that changed is told to the kernel at once, so that a bad
        descriptor is the caller's error, and so that a number is free for
        reuse as soon as its event is closed.
TURN-2  The budget: nothing if something is due, else until the next deadline,
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

import errno
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from typing import Any, Self

from .clock import Clock, MonotonicClock
from .errors import ClosedError, RunningError
from .events import Descriptor, Event, Interval, Timer, Watcher, seconds
from .inbox import Inbox
from .pollers import BOTH, NOTHING, READ, Notice, Poller, open_poller
from .pollers.api import identify
from .timers import Timers


class Loop:
    """Watches descriptors, keeps timers, takes calls from other threads.

    *poller* is the name of one, or one of your own; *clock* the time it goes
    by.  A loop belongs to the thread that turns it; only `post` may be called
    from elsewhere.
    """

    def __init__(self, poller: str | Poller | None = None, clock: Clock | None = None) -> None:
        self._closed = True  # until all below has succeeded
        if clock is None:
            clock = MonotonicClock()
        self._poller = open_poller(poller) if poller is None or isinstance(poller, str) else poller
        self._wait = clock.pace(self._poller.wait)
        self.now: Callable[[], float] = clock.now
        self._timers = Timers()
        self.set_deadline = self._timers.set
        self.cancel_deadline = self._timers.cancel
        # {fd: events} -- what is wanted; the kernel knows the union
        self._events: dict[int, tuple[Event, ...]] = {}
        # {fd: file} -- what the number stood for when it was first watched
        self._files: dict[int, tuple[int, int, int]] = {}
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
        if interest not in (READ, BOTH - READ, BOTH):
            raise ValueError(f"interest is READ, WRITE or READ | WRITE, not {interest!r}")
        self._check_open()
        return Watcher(self, fd, interest, _callable(callback))

    def after(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """*fn(*args)* is called once, *delay* seconds from now at the soonest."""
        self._check_open()
        return Timer(self, _length(delay, "delay"), _callable(fn), args)

    def every(self, period: float, fn: Callable[..., object], *args: Any) -> Interval:
        """*fn(*args)* is called at now + *period*, now + 2 * *period*, ...

        Points of that grid that were missed are dropped, not made up for.
        """
        if not _length(period, "period"):
            raise ValueError("a period of 0 seconds would never end")
        self._check_open()
        return Interval(self, float(period), _callable(fn), args)

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """*fn(*args)* is called by the next turn.

        Safe from any thread and from signal handlers; ends a turn's sleep.
        """
        self._inbox.post(_callable(fn), *args)

    def run(self, *, forever: bool = False) -> None:
        """Turn until `stop()`, or until nothing is left to wait for.

        *forever* goes on without anything to wait for: somebody will post.
        """
        self._enter()
        try:
            self._stopping = False
            while not self._stopping and (len(self._events) > 1 or forever or self.busy):
                self._turn(None)
        finally:
            self._running = False

    def turn(self, timeout: float | None = None) -> bool:
        """Wait once, *timeout* seconds at most; whether something was called."""
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
        return len(self._events) > 1 or self._timers.live > 0 or len(self._inbox) > 0

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
        for events in list(self._events.values()):
            for event in events:
                event.close()
        for timed in self._timers.clear():
            timed.close()
        self._events.clear()
        self._files.clear()
        self._unreached = None
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

    # ---- for events

    def link(self, event: Event, want: int) -> None:
        """Serve *event*, which is not watched yet, for *want*.

        Raises OSError, and has changed nothing, if its descriptor cannot be
        watched.
        """
        fd = event.fd
        file = identify(fd)
        others = self._events.get(fd, ())
        if others and self._files[fd] != file:
            others = _retire(others)
        try:
            self._poller.change(fd, _union(others), _union(others) | want)
        except FileNotFoundError:
            if not others:
                raise
            others = _retire(others)
            self._poller.change(fd, NOTHING, want)
        event.want = want
        # readers first: what comes in may decide what goes out
        self._events[fd] = tuple(sorted((*others, event), key=lambda event: event.want))
        self._files[fd] = file

    def rewatch(self, event: Event, want: int) -> None:
        """From now on *event* is served for *want*.

        Raises OSError, and has changed nothing, if a direction is new and the
        descriptor was closed meanwhile, even if the number stands for another
        file now.
        """
        if not want:
            self.unlink(event)
        elif not event.want:
            self.link(event, want)
        else:
            fd, gains = event.fd, want & ~event.want
            if gains and identify(fd) != self._files[fd]:
                raise OSError(errno.EBADF, f"descriptor {fd} was closed while it was watched")
            others = _union(other for other in self._events[fd] if other is not event)
            if others | event.want != others | want:
                try:
                    self._poller.change(fd, others | event.want, others | want)
                except OSError:
                    if gains:
                        raise
            event.want = want

    def unlink(self, event: Event) -> None:
        """After this returns, *event* is not ready any more, not even this turn."""
        want, event.want = event.want, NOTHING
        if not want:
            return
        fd = event.fd
        others = tuple(other for other in self._events[fd] if other is not event)
        left = _union(others)
        if others:
            self._events[fd] = others
        else:
            del self._events[fd], self._files[fd]
        if left != left | want:
            with suppress(OSError):  # closed first: the kernel has taken it back
                self._poller.change(fd, left | want, left)

    def watching(self, fd: int) -> tuple[Event, ...]:
        """The events that wait for *fd*."""
        return self._events.get(fd, ())

    # ---- the turn

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this loop is closed; make a new one")

    def _enter(self) -> None:
        if self._closed:
            self._check_open()
        if self._running:
            raise RunningError("this loop is in the middle of a turn already")
        self._running = True

    def _turn(self, timeout: float | None) -> bool:
        called = False
        timers = self._timers
        deadline = timers.next_deadline() if timers.live else None
        batch = iter(self._batch(deadline, timeout))
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
        if deadline is not None:
            now = self.now()
            while (due := timers.pop_due(now)) is not None:  # TURN-5
                due.due(now)
                called = True
        return called

    def _batch(self, deadline: float | None, timeout: float | None) -> list[tuple[Event, int]]:
        """Who is ready, and in which directions."""
        if self._unreached is not None:  # TURN-6
            unreached, self._unreached = self._unreached, None
            still = dict(self._poller.wait(0))
            return [(event, still[event.fd]) for event in unreached if event.fd in still]
        if deadline is not None:  # TURN-2
            budget = max(0.0, deadline - self.now())
            timeout = budget if timeout is None else min(budget, timeout)
        notices = self._wait(None if timeout == inf else timeout)  # TURN-3
        events = self._events
        try:
            return [(event, ready) for fd, ready in notices for event in events[fd]]
        except KeyError:
            return self._without_ghosts(notices)

    def _without_ghosts(self, notices: list[Notice]) -> list[tuple[Event, int]]:
        """The same, when the kernel spoke of a descriptor that nobody watches."""
        for fd, _ in notices:
            if fd not in self._events:
                self._poller.change(fd, NOTHING, NOTHING)
        return [(event, ready) for fd, ready in notices for event in self._events.get(fd, ())]


def _union(events: Iterable[Event]) -> int:
    want = NOTHING
    for event in events:
        want |= event.want
    return want


def _retire(events: tuple[Event, ...]) -> tuple[()]:
    """Close events whose descriptor was closed under them and used again."""
    for event in events:
        event.close()
    return ()


def _callable(fn: Callable[..., object]) -> Callable[..., object]:
    if not callable(fn):
        raise TypeError(f"a callback must be callable, not {fn!r}")
    return fn


def _length(value: float, what: str) -> float:
    length = seconds(value, what)
    if length < 0:
        raise ValueError(f"{what} must be 0 or more seconds, not {value!r}")
    return length
