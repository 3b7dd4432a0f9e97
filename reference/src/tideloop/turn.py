"""One turn after the other.  Knows no program: that is `loop`.

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
        ready, then the timers, then all else that is ready, and last the one
        that raised; so that nobody starves behind an event that always raises.
TURN-7  From the decision to go on until the end of the wait, a change that
        comes from outside (a signal handler, another thread) ends the wait, and
        all is looked at again.
TURN-8  In a forked child nobody is called any more, and the kernel, whose
        objects the child shares with its parent, is told nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf

from . import arguments
from .clock import Clock, MonotonicClock, check_clock
from .errors import ClosedError, ForkedError, RunningError
from .events import Event
from .forks import abandon_in_child
from .guarding import Guard, Handler
from .inbox import Inbox
from .interest import Interest
from .pollers import BOTH, NOTHING, READ, Poller, Verbatim, open_poller
from .timers import Timed, Timers
from .waker import Waker

# The words of a poller that has none but directions.
_DIRECTIONS = range(BOTH + 1)


class LoopCore:
    """Keeps the poller, the clock, the interest, the timers and the inbox, and takes the turns.

    It offers the verbs that events need (see `Keeper`).
    """

    def __init__(
        self, poller: str | Poller | None, clock: Clock | None, on_error: Handler | None
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
        try:
            self._waker = Waker()
            try:
                self._poller.change(self._waker.fd, NOTHING, READ)
            except BaseException:
                self._waker.close()
                raise
        except BaseException:
            self._poller.close()
            raise
        self._inbox = Inbox(self._waker)
        self._timers = Timers(self._waker)
        self._interest = Interest(self._poller, self._waker)
        self._watched = self._interest.files

        self.now: Callable[[], float] = clock.now
        self.link: Callable[[Event, int], None] = self._interest.link
        self.rewatch: Callable[[Event, int], None] = self._interest.rewatch
        self.unlink = self._interest.unlink
        self.set_deadline: Callable[[Timed, float], None] = self._timers.set
        self.cancel_deadline = self._timers.cancel

        # where an exception cut a turn short: who raised it, and who was found
        # ready and not reached
        self._cut: tuple[Event | None, frozenset[Event]] | None = None
        self._running = self._stopping = self._forked = False
        self._closed = False
        abandon_in_child(self)

    def check_open(self, noun: str = "loop") -> None:
        """ClosedError if this loop, which its user calls a *noun*, is of no use any more."""
        if self._forked:
            raise ForkedError(
                f"this {noun} belongs to the parent process; make a new one in the child"
            )
        if self._closed:
            raise ClosedError(f"this {noun} is closed; make a new one")

    def abandon(self) -> None:
        """TURN-8.  Nothing is freed, since that would run code of the program in its fork."""
        if self._closed:
            return
        self._closed = self._forked = self._stopping = True
        self._interest.abandon()
        self._waker.abandon()
        self._poller.close()
        self._timers = Timers()  # the old ones are kept by the verbs
        self.link = self.rewatch = self._refuse

    def _refuse(self, *_: object) -> None:
        """Stands where a verb was, once the loop is closed or the process forked."""
        # This may be the cleaning up after a callback that forked and ends the
        # child: then it must end.
        in_flight = sys.exc_info()[1]
        if in_flight is None or isinstance(in_flight, Exception):
            self.check_open()

    def _enter(self) -> None:
        if self._closed:
            self.check_open()
        if self._running:
            raise RunningError("this loop is in the middle of a turn already")
        self._running = True
        self._waker.asleep = True  # TURN-7
        if self._inbox.calls:  # what an exception left there
            self._waker.wake()

    def _turn(self, timeout: float | None) -> bool:
        if self._cut is not None:
            return self._finish(*self._cut, timeout)
        bound = None
        if self._timers.live and (bound := self._timers.bound()) is not None:  # TURN-2
            budget = max(0.0, bound - self.now())
            timeout = budget if timeout is None else min(budget, timeout)
        try:
            notices = self._wait(None if timeout == inf else timeout)  # TURN-3
        except (OSError, ValueError):  # a signal handler forked, and this is the child
            self.check_open()
            raise
        sole, means = self._interest.sole, self._means
        try:
            batch = [(sole[fd], means[word]) for fd, word in notices]
        except KeyError:
            batch = self._events_of(notices)
        return self._serve(batch, bound)

    def _finish(
        self, raiser: Event | None, unreached: frozenset[Event], timeout: float | None
    ) -> bool:
        """TURN-6: the turn after one that was cut short."""
        self._cut = None
        bound = self._timers.bound()
        batch = self._events_of(self._wait(0))
        batch.sort(key=lambda pair: pair[0] is raiser)
        called = self._serve([pair for pair in batch if pair[0] in unreached], bound)
        called |= self._serve([pair for pair in batch if pair[0] not in unreached], None)
        if called:
            return True
        self._waker.asleep = True  # TURN-7
        return self._turn(timeout)

    def _events_of(self, notices: list[tuple[int, int]]) -> list[tuple[Event, int]]:
        """The events that *notices* are for: a descriptor may have several, or none."""
        batch: list[tuple[Event, int]] = []
        if self._closed:  # a signal handler forked, and this is the child
            return batch
        for fd, word in notices:
            if events := self._interest.of(fd):
                batch += [(event, self._means[word]) for event in events]
            elif fd == self._waker.fd:
                self._waker.drain()  # before the look: a call posted after it wakes again
                if self._inbox.calls:
                    batch.append((self._inbox, READ))
            else:
                self._interest.drop_unwatched(fd)
        return batch

    def _serve(self, batch: list[tuple[Event, int]], bound: float | None) -> bool:
        self._waker.asleep = called = False
        rest = iter(batch)
        event = None
        try:
            for event, ready in rest:  # TURN-4
                if hit := ready & event.want:
                    event.ready(hit)
                    called = True
                elif event.want and not ready:
                    want = event.want
                    self.unlink(event)
                    called |= event.lost(want)
        except BaseException:
            self._cut = event, frozenset(event for event, _ in rest)  # TURN-6
            raise
        if bound is not None:
            now = self.now()
            while (due := self._timers.pop_due(now)) is not None:  # TURN-5
                due.due(now)
                called = True
        return called
