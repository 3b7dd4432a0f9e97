"""Deadlines, soonest first.  Knows no clock: `now` is always an argument.

Why the code is the way it is
-----------------------------

1. A connection with an idle timeout moves its deadline back each time
   something arrives, thousands of times for each time it passes.  So moving a
   deadline *later* only writes it down; the heap keeps the old entry, and
   finds out when that entry comes up.

2. What is set during a turn must wait for the next one, even if it is due
   already.  So what is set goes to a list first, and into the heap when the
   next turn asks how long it may sleep.  `pop_due` looks at the heap alone.

3. A cancelled deadline leaves its entry in the heap, since finding it there
   would cost more than waiting for it to come up.  When the dead entries are
   the majority the heap is rebuilt.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TypeAlias

# deadline, order of setting, whose it is.  The order is unique, so that a
# comparison never reaches the third.
Entry: TypeAlias = "tuple[float, int, Timed]"


class Timed:
    """Something that may have a deadline."""

    __slots__ = ("deadline", "entry", "order")

    def __init__(self) -> None:
        # when it is due, on the loop's clock; None if it is not
        self.deadline: float | None = None
        # counts every `set`: ties go by it, and it tells a moved deadline
        self.order = 0
        # the heap's entry; or () while in the list of the fresh; or None
        self.entry: Entry | tuple[()] | None = None

    def due(self, now: float) -> None:
        """Called by the loop once the deadline has passed and was taken away."""
        raise NotImplementedError

    def close(self) -> None:
        """After this returns, `due` is never called again."""
        raise NotImplementedError


class Timers:
    def __init__(self) -> None:
        self._heap: list[Entry] = []
        # set since the last `bound`, not yet in the heap
        self._fresh: list[Timed] = []
        self._order = 0
        # the order reached when `bound` was last asked: later ones wait
        self._mark = 0
        # how many have a deadline
        self.live = 0
        # how many entries of the heap stand for no deadline any more
        self._dead = 0

    def set(self, timed: Timed, deadline: float) -> None:
        """*timed* is due at *deadline*, and no longer at any other time."""
        self._order = timed.order = self._order + 1
        entry = timed.entry
        if timed.deadline is None:
            self.live += 1
            if entry:
                self._dead -= 1
        timed.deadline = deadline
        if not entry:
            if entry is None:
                timed.entry = ()
                self._fresh.append(timed)
        elif deadline < entry[0]:  # else 1: the entry comes up early enough
            timed.entry = ()
            self._fresh.append(timed)
            self._dead += 1

    def cancel(self, timed: Timed) -> None:
        """*timed* is due no more.  Harmless if it was not."""
        if timed.deadline is None:
            return
        timed.deadline = None
        self.live -= 1
        if timed.entry:
            self._dead += 1
            if self._dead > 64 and self._dead * 2 > len(self._heap):
                self._rebuild()  # 3

    def bound(self) -> float | None:
        """No deadline is sooner than this; None if there is none at all.

        The soonest may be later (1): who sleeps until the bound may find that
        nothing is due, and asks again.  From now on `pop_due` looks at all
        that are set.
        """
        self._mark = self._order
        if self._fresh:
            for timed in self._fresh:
                self._push(timed)
            self._fresh.clear()
        heap = self._heap
        while heap:
            deadline, _, timed = entry = heap[0]
            if entry is timed.entry and timed.deadline is not None:
                return deadline
            self._drop(heappop(heap))
        return None

    def pop_due(self, now: float) -> Timed | None:
        """Take away the soonest deadline that has passed; whose it was, or None.

        What was set after the last `bound` is not looked at.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            timed = entry[2]
            if entry is not timed.entry or timed.deadline is None:
                self._drop(entry)
            elif timed.order > self._mark:  # 2
                timed.entry = ()
                self._fresh.append(timed)
            elif entry[1] != timed.order:  # 1
                self._push(timed)
            else:
                timed.entry = timed.deadline = None
                self.live -= 1
                return timed
        return None

    def clear(self) -> list[Timed]:
        """Take away every deadline; whose they were."""
        known = {id(timed): timed for *_, timed in self._heap}
        known.update((id(timed), timed) for timed in self._fresh)
        pending = [timed for timed in known.values() if timed.deadline is not None]
        for timed in known.values():
            timed.entry = timed.deadline = None
        self._heap.clear()
        self._fresh.clear()
        self.live = self._dead = 0
        return pending

    def _push(self, timed: Timed) -> None:
        if timed.deadline is None:  # cancelled before it came here
            timed.entry = None
        else:
            timed.entry = (timed.deadline, timed.order, timed)
            heappush(self._heap, timed.entry)

    def _drop(self, entry: Entry) -> None:
        """Forget a dead entry that was taken from the heap (3)."""
        self._dead -= 1
        if entry is entry[2].entry:
            entry[2].entry = None

    def _rebuild(self) -> None:
        kept = []
        for entry in self._heap:
            timed = entry[2]
            if entry is not timed.entry:
                continue
            if timed.deadline is None:
                timed.entry = None
            else:
                kept.append(entry)
        heapify(kept)
        self._heap = kept
        self._dead = 0
