"""Models what one event of levent may do next.  This module does no I/O.

Why the code is as it is
-----------------------------

1. Whether an event stays active after a call is open.  So after one that
   neither started nor stopped it, it is *perhaps* active: it may be called,
   and need not be.

2. What was ready at any moment of a call of `loop` may be called in it, since
   a loop need not look again before each callback.

3. A loop may be one pass late to notice what is ready, and may serve one of
   two events of a file at a time.  Beyond that, `loop(0)` serves all.
"""

from __future__ import annotations

from enum import Enum

from ..engine.channel_state import ChannelState, Directions
from ..engine.violation import ViolationError

# After so many passes in which a ready event was passed over, it is left out (3).
_LATE = 2


class Active(Enum):
    """Whether an event is active, and why not."""

    NEW = "it was never started"
    YES = "it is active"
    PERHAPS = "it is active, or not since its call"  # (1)
    STOPPED = "it is stopped"
    DELETED = "it is deleted"


# {why it is not active: the rule by which it is not called, and not waited for}
_AT_REST = {
    Active.NEW: "levent.newevent.inactive",
    Active.STOPPED: "levent.event.stop",
    Active.DELETED: "levent.event.delete",
}

_BY_WAY = {
    Directions.READ: "levent.newevent.evtype-r",
    Directions.WRITE: "levent.newevent.evtype-w",
    Directions.BOTH: "levent.newevent.evtype-rw",
}


class EventModel:
    """Tells which calls of one event are allowed."""

    def __init__(self, name: str, directions: Directions, channel: ChannelState) -> None:
        self.name = name
        self.directions = directions
        self.channel = channel
        self.active = Active.NEW
        # calls in this call of `loop`, and those that had to come, ever
        self.calls = 0
        self.calls_due = 0
        # what it was ready for at some moment of this call of `loop` (2)
        self._ready = Directions.NEITHER
        # it was active and ready all the time since that began
        self._is_steady = False
        # passes in a row in which it was passed over
        self._passed_over = 0
        self._was_started_before = False

    @property
    def is_ready(self) -> bool:
        """For certain."""
        return bool(self.channel.readiness().surely & self.directions)

    @property
    def is_due(self) -> bool:
        """Whether a call is to come for certain."""
        return self.active is Active.YES and self.is_ready

    @property
    def rule_if_loop_waits(self) -> str:
        """The rule by which nobody waits for it; empty if it may be active."""
        return _AT_REST.get(self.active, "")

    @property
    def may_call(self) -> bool:
        perhaps = self.channel.readiness().perhaps & self.directions
        return not self.rule_if_loop_waits and bool(perhaps | self._ready)

    # ---- what is asked of it

    def start(self, *, by_other: bool) -> None:
        """Note that the event was started; *by_other* in the callback of another event."""
        if by_other and self.active is not Active.YES:
            self.calls = 0  # it may be called again in this pass
        self._was_started_before |= self.active is not Active.NEW
        self.active = Active.YES

    def stop(self) -> None:
        self.active = Active.STOPPED
        self._is_steady = False

    def delete(self) -> None:
        self.active = Active.DELETED
        self._is_steady = False

    # ---- what the loop does

    def begin_turn(self) -> None:
        self.calls = 0
        self._ready = Directions.NEITHER
        self._is_steady = self.is_due
        self.look()

    def look(self) -> None:
        self._ready |= self.channel.readiness().perhaps & self.directions
        self._is_steady &= self.is_due

    def called(self, rule_of_end: str) -> None:
        """Its callback begins; by that rule not again in this call of `loop`.

        Raises ViolationError.
        """
        what = f"{self.name} called"
        if self.rule_if_loop_waits:
            raise ViolationError(
                self.rule_if_loop_waits,
                f"{what}, although {self.active.value}",
                ["it is not called"],
            )
        if not self._ready:
            what = f"{what}, although its file is not ready to {self.directions.words()}"
            raise ViolationError(_BY_WAY[self.directions], what, ["it is not called"])
        most = 2 if self._ready is Directions.BOTH else 1
        if self.calls >= most:
            what = f"{what} more than {'once' if most == 1 else 'twice'} before loop returned"
            raise ViolationError(rule_of_end, what, ["loop returns"])
        self.calls += 1
        self.calls_due += self.active is Active.YES
        self.active = Active.PERHAPS
        self._is_steady = False

    def end_turn(self, *, is_served: bool) -> None:
        """`loop(0)` returned; events of other files, and only those, were called in it, or not."""
        self.look()
        if not self._is_steady or not is_served:
            self._passed_over = 0
            return
        self._passed_over += 1
        if self._passed_over >= _LATE:
            what = f"loop(0) returned twice without a call of {self.name}, which is ready"
            raise ViolationError("levent.loop.howmany-zero", what, [f"{self.name} called"])

    def missing_call(self) -> ViolationError | None:
        """Return the violation that there is if nothing comes any more, or None."""
        if not self.is_due:
            return None
        rule = "levent.event.start" if self._was_started_before else _BY_WAY[self.directions]
        what = (
            f"{self.name} was not called, although its file is ready to {self.directions.words()}"
        )
        return ViolationError(rule, what, [f"{self.name} called"])
