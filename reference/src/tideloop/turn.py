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

from collections.abc import Iterator
from math import inf

from . import arguments
from .clock import Clock, MonotonicClock, check_clock
from .errors import RunningError
from .events import Event
from .forks import abandon_in_child
from .inbox import Inbox
from .interest import NobodyCalled, Shared, events_of
from .on_error import Guard, Handler
from .pollers import NOTHING, READ, Notice, Poller, PollerFactory, open_poller
from .pollers.api import DIRECTIONS
from .registry import Registry
from .waker import Waker

# the batch of a loop that is not in the middle of one
_NO_BATCH: list[tuple[Event | Shared, int]] = []


class LoopCore:
    """Keeps the poller, the clock, the registry and the inbox, and takes the turns."""

    def __init__(
        self,
        poller: str | Poller | PollerFactory | None,
        clock: Clock | None,
        on_error: Handler | None,
    ) -> None:
        clock = MonotonicClock() if clock is None else check_clock(clock)
        guard = Guard(arguments.maybe_callback(on_error, "on_error"))
        self._poller = open_poller(poller)
        # {word: directions} -- in an attribute, since a poller of the program may have none
        self._meanings = getattr(self._poller, "meanings", DIRECTIONS)
        try:
            self._wait = clock.pace(self._poller.wait)
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
        # where an exception cut a turn short: the event that raised it, and
        # the events that were found ready and not reached
        self._cut: tuple[Event | None, frozenset[Event]] | None = None
        self._running = self._stopping = False
        # what an event of this loop is made with
        self.registry = Registry(self._poller, self._waker, clock.now, guard)
        self._interest = self.registry.interest
        self._timers = self.registry.timers
        self._watched = self._interest.files
        abandon_in_child(self)

    def abandon(self) -> None:
        """TURN-8.  Nothing is freed, since that would run code of the program in its fork."""
        if self.registry.closed:
            return
        self._stopping = True
        self.registry.abandon()
        self._timers = self.registry.timers
        self._waker.abandon()
        self._poller.close()

    def _enter(self) -> None:
        if self.registry.closed:
            self.registry.check_open()
        if self._running:  # this loop alone: luaevent.loop.nested-other
            raise RunningError("this loop is in the middle of a turn already")
        if self._inbox.calls:  # what an exception left there
            self._waker.wake()
        if self._interest.deferred or self._interest.doubtful:
            self._interest.catch_up()
        # last: if a signal handler raises above, the loop is not running
        self._running = self._waker.asleep = True  # TURN-7

    def _turn(self, timeout: float | None) -> bool:
        if self._cut is not None:
            return self._finish(*self._cut, timeout)
        earliest = None
        if self._timers.live and (earliest := self._timers.begin_turn()) is not None:  # TURN-2
            # luahop.poll.blocks
            # levent.loop.idle
            # luahop.timer.timeout-latency
            budget = max(0.0, earliest - self.registry.now())  # luaevent.loop.idle
            timeout = budget if timeout is None else min(budget, timeout)
        try:
            # luahop.listener.not-ready
            notices = self._wait(None if timeout == inf else timeout)  # TURN-3
        except (OSError, ValueError):  # a signal handler forked, and this is the child
            self.registry.check_open()
            raise
        table, meanings = self._interest.table, self._meanings
        batch: list[tuple[Event | Shared, int]]
        try:
            # luahop.listener.fd-reuse-same-poll
            batch = [(table[fd], meanings[word]) for fd, word in notices]
        except KeyError:  # the waker, or a number that no event watches
            batch = [*self._events_of(notices)]
        return self._serve(batch, earliest)

    def _finish(
        self, raiser: Event | None, unreached: frozenset[Event], timeout: float | None
    ) -> bool:
        """TURN-6: the turn after one that was cut short."""
        self._cut = None
        earliest = self._timers.begin_turn()
        batch = self._events_of(self._wait(0))
        batch.sort(key=lambda pair: pair[0] is raiser)
        called = self._serve([pair for pair in batch if pair[0] in unreached], earliest)
        called |= self._serve([pair for pair in batch if pair[0] not in unreached], None)
        if called:
            return True
        self._waker.asleep = True  # TURN-7
        return self._turn(timeout)

    def _events_of(self, notices: list[Notice]) -> list[tuple[Event | Shared, int]]:
        """The events that *notices* are for: a descriptor may have several, or none."""
        batch: list[tuple[Event | Shared, int]] = []
        if self.registry.closed:  # a signal handler forked, and this is the child
            return batch
        for fd, word in notices:
            if events := self._interest.of(fd):
                batch += [(event, self._meanings[word]) for event in events]
            elif fd == self._waker.fd:
                self._waker.drain()  # before the look: a call posted after it wakes again
                if self._inbox.calls:
                    batch.append((self._inbox, READ))
            else:
                self._interest.drop_unwatched(fd)
        return batch

    def _serve(self, batch: list[tuple[Event | Shared, int]], earliest: float | None) -> bool:
        self._waker.asleep = called = False
        interest = self._interest
        interest.batch = batch
        rest = iter(batch)
        entry = None
        try:
            while True:
                try:
                    for entry, ready in rest:  # TURN-4
                        # luaevent.addevent.close-other-same-turn
                        # luahop.listener.remove-other-ready
                        if hit := ready & entry.want:  # luaevent.flags.only-asked
                            # luaevent.loop.many-ready
                            entry.ready(hit)  # luahop.listener.many-ready
                            called = True
                        elif not ready:
                            called |= self._drop_closed(entry)
                    break
                except NobodyCalled:  # all events of one descriptor were stopped
                    continue
        except BaseException:
            self._note_cut(entry, rest)  # TURN-6
            raise
        finally:
            interest.batch = _NO_BATCH
            if interest.places:
                interest.places = {}
        if earliest is not None:
            now = self.registry.now()
            # luaevent.loop.busy-fd-timer
            # luahop.timer.io-coexist
            while (due := self._timers.first_due(now)) is not None:  # TURN-5
                due.due(now)
                called = True
        return called

    def _drop_closed(self, entry: Event | Shared) -> bool:
        """The descriptor of *entry* was closed under it; whether anybody was called."""
        called = False
        for event in events_of(entry):
            if want := event.want:
                if isinstance(entry, Shared):
                    entry.current = event
                self.registry.unwatch(event)
                called |= event.closed_under(want)
        return called

    def _note_cut(
        self, entry: Event | Shared | None, rest: Iterator[tuple[Event | Shared, int]]
    ) -> None:
        """Remember that serving *entry* raised, and that *rest* was not reached."""
        unreached = {event for other, _ in rest for event in events_of(other)}
        if isinstance(entry, Shared):
            events, current = entry.events, entry.current
            # not there if it paused itself and went on: then all are called again first
            after = events.index(current) + 1 if current in events else 0
            unreached.update(events[after:])
            entry = current
        self._cut = entry, frozenset(unreached)
