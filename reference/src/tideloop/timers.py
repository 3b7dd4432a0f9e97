"""Deadlines, soonest first.  Knows no clock: `now` is always an argument.

Why the code is the way it is
-----------------------------

1. A connection with an idle timeout moves its deadline back each time
   something arrives, thousands of times for each time it passes.  So moving a
   deadline *later* only writes it down; the heap keeps the old entry, and
   finds out when that entry comes up.

2. What is set during a turn must wait for the next one, even if it is due
   already.  So what is set goes to the fresh first, and into the heap when the
   next turn asks how long it may sleep.  `first_due` looks at the heap alone.

3. A cancelled deadline leaves its entry in the heap, since finding it there
   would cost more than waiting for it to come up.  The entry no longer knows
   whose it was, and when such entries are the majority they are thrown out.

4. A signal handler may set, cancel and raise where something is called, and
   another thread may set and cancel there.  So the heap is changed in place and
   in one call, a dead entry is known by itself rather than counted, nothing is
   read before a call and trusted after it, and nobody is out of both the fresh
   and the heap when a call is made.  Making a list counts as a call: CPython
   3.11 may collect garbage there, and a finalizer is a program.  For the same
   reason a deadline that has passed stays until its owner moves or cancels it.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from itertools import compress
from operator import itemgetter
from typing import Any, TypeAlias

from .waker import Waker

# [deadline, order of setting, whose it is, or None: 3].  The order is unique,
# so that a comparison never reaches the third.
Entry: TypeAlias = list[Any]

# dead entries that the heap may have at any time
_SLACK = 64

_owner = itemgetter(2)


class Timed:
    """Something that may have a deadline."""

    __slots__ = ("deadline", "entry", "order")

    def __init__(self) -> None:
        # when it is due, on the loop's clock; None if it is not
        self.deadline: float | None = None
        # counts every `set`: ties go by it, and it tells a moved deadline
        self.order = 0
        # the heap's entry; or () while among the fresh; or None
        self.entry: Entry | tuple[()] | None = None

    def due(self, now: float) -> None:
        """Called by the loop once the deadline has passed: it must move or cancel that.

        Before it calls the program, so that an exception there does not come again.
        """
        raise NotImplementedError

    def close(self) -> None:
        """After this returns, `due` is never called again."""
        raise NotImplementedError


class Timers:
    """*waker* ends the sleep of a turn that a change makes too long."""

    def __init__(self, waker: Waker | None = None) -> None:
        self._waker = waker
        self._heap: list[Entry] = []
        # set since the last `begin_turn`, not yet in the heap; a dict, so that what
        # is cancelled in the meantime leaves nothing
        self._fresh: dict[Timed, None] = {}
        self._order = 0
        # the order reached when `begin_turn` was last asked: later ones wait
        self._mark = 0
        # how many have a deadline
        self.live = 0

    def set(self, timed: Timed, deadline: float) -> None:
        """*timed* is due at *deadline*, and no longer at any other time."""
        self._order = timed.order = self._order + 1
        if timed.deadline is None:
            self.live += 1
        timed.deadline = deadline
        entry = timed.entry
        if entry:
            if deadline >= entry[0]:  # 1: the entry comes up early enough
                return
            entry[2] = None
        elif entry is not None:
            return
        timed.entry = ()
        self._fresh[timed] = None
        if entry:
            self._tidy()
        if self._waker is not None and self._waker.asleep:
            self._waker.nudge()

    def cancel(self, timed: Timed) -> None:
        """*timed* is due no more.  Harmless if it was not."""
        if timed.deadline is None:  # luahop.timer.clear-twice
            return
        if timed.entry:
            self._tidy()  # first: after what follows no handler runs before `due` calls
        timed.deadline = None  # luahop.timer.clear-other-ready
        self.live -= 1
        entry, timed.entry = timed.entry, None
        if entry:
            entry[2] = None
        else:
            self._fresh.pop(timed, None)
            if not self._fresh:
                self._fresh.clear()  # an emptied dict keeps its room, a cleared one does not
        if not self.live and self._waker is not None and self._waker.asleep:
            self._waker.nudge()  # there may be nothing left to wait for

    def begin_turn(self) -> float | None:
        """No deadline is sooner than this; None if there is none at all.

        The soonest may be later (1): a sleep until then may end with
        nothing due, and the next turn asks again.  From now on `first_due` looks
        at all that are set.
        """
        self._mark = self._order
        heap = self._heap
        if self._fresh:
            for timed in [*self._fresh]:
                entry: Entry = [None, 0, timed]
                # 4: it may have been cancelled meanwhile, and even set again
                if timed.deadline is not None and not timed.entry:
                    entry[0], entry[1] = timed.deadline, timed.order
                    timed.entry = entry
                    del self._fresh[timed]
                    # luahop.timer.order-deadline
                    heappush(heap, entry)  # luaevent.loop.timer-order
            if not self._fresh:
                self._fresh.clear()  # an emptied dict keeps its room, a cleared one does not
        while heap:
            if heap[0][2] is not None:
                deadline: float = heap[0][0]
                return deadline
            heappop(heap)
        return None

    def first_due(self, now: float) -> Timed | None:
        """Whose deadline is the soonest that has passed, or None.

        It is the same until that deadline is moved or cancelled.  A deadline
        that was set after the last `begin_turn` is not looked at.
        """
        heap = self._heap
        # luahop.timer.timeout-not-early
        while heap and heap[0][0] <= now:  # luaevent.addevent.timeout-not-early
            entry = heap[0]
            timed: Timed | None = entry[2]
            if timed is None:
                heappop(heap)
            # luahop.timer.set-inside-callback
            elif timed.order > self._mark:  # 2
                entry[2] = None
                timed.entry = ()
                self._fresh[timed] = None
            elif entry[1] != timed.order:  # 1
                entry[0], entry[1] = timed.deadline, timed.order
                heapreplace(heap, entry)
            else:
                return timed
        return None

    def clear(self) -> list[Timed]:
        """Take away every deadline; whose they were."""
        pending = [entry[2] for entry in self._heap if entry[2] is not None]
        pending += self._fresh
        for timed in pending:
            timed.entry = timed.deadline = None
        self._heap.clear()
        self._fresh.clear()
        self.live = 0
        return pending

    def _tidy(self) -> None:
        """Throw out dead entries, if they are the majority (3)."""
        heap = self._heap
        alive = self.live - len(self._fresh)
        if len(heap) > 2 * alive + _SLACK:
            heap[:] = compress(heap, map(_owner, heap))
            heapify(heap)
