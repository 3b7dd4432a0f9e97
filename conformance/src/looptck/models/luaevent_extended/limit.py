"""Models the timeout of one direction of a bufferevent.  It does no I/O and reads no clock.

A byte that moved was noticed at some moment and moved at some moment before
that; and a loop may begin to count when the callback that runs is over.  So the
time since which nothing moved is known as an interval: the limit may be told
after the earlier moment, and must be told after the later one.  No rule bounds
how late it is, so it is missed only after a long time.
"""

from __future__ import annotations

from ..buffered.side import Side, Switch
from ..engine.timing import Timing, is_early, units
from ..engine.violation import ViolationError

RULE = "luaevent.bufferevent.set_timeouts"

# A limit that is not told for so many units after its time is missed.
_OVERDUE = 3


class Limit:
    """The timeout of *side*, which is told as *name*; 0 seconds stand for none."""

    def __init__(self, name: str, side: Side, timing: Timing) -> None:
        self._name = name
        self._side = side
        self._timing = timing
        self.length = 0.0
        # since when nothing moved, at the earliest and at the latest
        self._since = self._surely_since = 0.0
        # its time may begin only with the next turn
        self._is_fresh = True
        # how many bytes had moved, and when that was looked at last
        self._moved = 0
        self._looked = 0.0

    def set(self, length: float) -> None:
        """Note that the limit was set; whether its time begins anew is open."""
        self.length = length
        self._is_fresh = True

    def begin(self, now: float) -> None:
        """Its direction was enabled, or has something to send from now on."""
        self._since = now
        self._is_fresh = True

    def begin_turn(self, now: float) -> None:
        """A turn begins in which the loop counts for certain."""
        if self._is_fresh:
            self._surely_since, self._is_fresh = now, False

    def look(self, moved: int, now: float) -> None:
        """Note how many bytes have moved in its direction."""
        if moved != self._moved:
            self._moved = moved
            self._since, self._is_fresh = self._looked, True
        self._looked = now

    def told(self, now: float) -> None:
        """The loop tells that the time is over.  Raises ViolationError."""
        early = self._since + self.length - now
        if not self.length:
            raise ViolationError(RULE, f"{self._name} told, and none is set", ["no such call"])
        if is_early(early, RULE):
            what = f"{self._name} told {units(early, self._timing)} early"
            raise ViolationError(RULE, what, ["no byte moved for the whole time"])
        self._side.loosen()  # whether it is disabled, and told again, is open

    def missing_call(self, now: float) -> ViolationError | None:
        """Return the violation that there is if nothing comes any more, or None."""
        late = now - self._surely_since - self.length
        is_on = self.length and not self._is_fresh and self._side.switch is Switch.ON
        if not is_on or late < _OVERDUE * self._timing.unit or not self._timing.is_virtual:
            return None
        what = f"{self._name} not told, {units(late, self._timing)} after its time"
        return ViolationError(RULE, what, [f"{self._name} told"])
