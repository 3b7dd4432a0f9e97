"""Models what one base of luaevent may do next.  It does no I/O and reads no clock.

The model is told what was asked of a base and what the base did, in order and
with the time of each, and refuses what no conforming loop can have done.

Why the code is as it is
-----------------------------

1. Turns cannot be seen from outside; only calls can.  So the model keeps the
   moments at which the loop can have looked at its descriptors: the
   boundaries between two callbacks.  A call for readiness is allowed if its
   flags held at one of the boundaries that the present turn, or the one
   before, can have begun with.
2. Two calls of one event for the same thing belong to two turns.  That is the
   only sign by which a turn is known to have ended.
3. On a virtual clock the loop moves the time only when it waits.  If the time
   has moved since the last boundary, the loop found nothing ready there: all
   that must have been ready was missed.
4. A deadline is an interval: when it may be due at the earliest, and when it
   must be at the latest.  The rules leave open whether a timeout that goes on
   counts from the beginning of the call or from its end.
"""

from __future__ import annotations

from math import inf

from ..engine.channel_state import Directions
from ..engine.timing import RESOLUTION, Timing, is_early, units
from ..engine.violation import ViolationError
from .entries import Answer, Boundary, Event, Flags, Gone
from .registrations import Registrations

# After so many turns in which something ready or due was passed over, it is
# starved.  Rules promise no turn; a fair loop of any kind is far below.
_STARVED = 10

# A timeout may sleep this far past its deadline, in units.  No rule of
# luaevent bounds it; a loop that sleeps longer waits for something else.
_OVERSLEPT = 2.5

# A loop that has nothing to wait for returns before this has passed, in seconds.
_AT_ONCE = 0.05


class LuaeventModel(Registrations):
    """Tells which calls and returns of one base are allowed."""

    def __init__(self, timing: Timing) -> None:
        super().__init__()
        self._timing = timing
        self._boundaries: list[Boundary] = []
        # the present turn surely began after the first of these; the turn
        # before it, and the one before that, after the others
        self._settled = self._before = self._window = 0
        # turns that surely ended, and the boundary at which the last was seen
        self._turns = self._seen_at = 0

    def enter(self, now: float) -> None:
        """`loop()` is called."""
        self.is_running = True
        for event in self._events:
            if event.fading is not None:
                event.gone = event.gone or Gone.DROPPED
            event.ready_since.clear()
            event.due_since = None
        self._boundaries.clear()
        self._bound(now)
        self._settled = self._before = self._window = self._seen_at = self._number

    # ---- what the base does

    def called(self, event: Event, flags: Flags, now: float) -> None:
        """The callback of *event* begins.  Raises ViolationError."""
        what = f"{event.name} called with {flags.words()}"
        if not self.is_running:
            rule = event.gone.rule if event.gone else "luaevent.addevent.adds"
            raise self._no(rule, f"{what}, outside of loop()")
        if self._inside is not None:
            inside = self._inside.name
            raise self._no("luaevent.addevent.adds", f"{what}, inside the callback of {inside}")
        if event.gone is not None:
            raise self._no(event.gone.rule, f"{what}, although {event.gone.says}")
        self._check_wait(now)
        if flags.strange or not (flags.directions or flags.timeout):
            raise self._no("luaevent.callback.input", what)
        if flags.directions & ~event.directions:
            extra = flags.directions & ~event.directions
            raise self._no(
                event.given_up.get(extra, "luaevent.flags.only-asked"),
                f"{what}, although it is not registered for {extra.words()}",
            )
        if flags.timeout:
            self._check_timeout(event, what, now)
        else:
            self._check_ready(event, flags.directions, what)
        self._check_dropped(event, what)
        self._check_starved(event)
        event.calls += 1
        self._inside = event

    def answered(
        self, event: Event, flags: Flags, answer: Answer, began: float, now: float
    ) -> None:
        """The callback, called at *began*, returns *answer* at *now*."""
        self._inside = None
        self._number += 1  # what follows is after this call
        if flags.timeout:
            event.timed = self._number
        for directions in flags.directions:
            event.served[directions] = self._number
            event.ready_since.pop(directions, None)
        event.due_since = None
        if event.gone is None:
            self._take(event, flags, answer, began, now)
        self._bound(now)

    def _take(self, event: Event, flags: Flags, answer: Answer, began: float, now: float) -> None:
        if answer.flags == "leave":
            event.gone = Gone.LEFT
            return
        if answer.directions:
            is_both = event.directions is Directions.BOTH
            rule = f"luaevent.callback.output-{'narrow' if is_both else 'change'}"
            for directions in event.directions & ~answer.directions:
                event.given_up[directions] = rule
            event.has_changed |= answer.directions is not event.directions
            event.directions = answer.directions
            event.ready_since.clear()
        length = event.timeout
        if answer.timeout is not None and answer.timeout * self._timing.unit != event.timeout:
            length = event.timeout = answer.timeout * self._timing.unit
            event.earliest = now + length
            passed = now - began > RESOLUTION
            event.rule_if_early = f"luaevent.callback.newtimeout-{'from' if passed else 'value'}"
        elif length is not None:
            event.earliest = self._goes_on(event, flags, began) + length
            rule = "timeout-not-early" if flags.timeout else "timeout-reset"
            event.rule_if_early = f"luaevent.addevent.{rule}"
        if length is not None:
            event.latest = now + length
            event.armed = self._number

    def _goes_on(self, event: Event, flags: Flags, began: float) -> float:
        """From when a timeout that goes on may count."""
        if flags.timeout and event.earliest + (event.timeout or 0) > began:
            return event.earliest  # a grid is not forbidden
        if self._timing.is_virtual:
            return began
        # the loop can have read the clock at any time since the callback before
        return max(self._boundaries[-1].time, event.earliest if flags.timeout else -inf)

    def returned(self, now: float) -> None:
        """`loop()` returns.  Raises ViolationError."""
        left = [event.name for event in self._live() if event.is_needed]
        if left:
            raise self._no(
                "luaevent.loop.not-before",
                f"loop() returned although {_row(left)} {'is' if len(left) == 1 else 'are'} left",
            )
        slept = now - self._boundaries[-1].time
        if self._timing.is_virtual and slept > _AT_ONCE:
            rule = (
                "luaevent.loop.no-events"
                if self._number == self._settled
                else ("luaevent.callback.leave-cancels-timeout")
            )
            raise self._no(
                rule,
                f"loop() waited {units(slept, self._timing)} although no event was left",
            )
        self.is_running = False

    # ---- what may happen

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        if not self.is_running:
            return ["nothing: the loop does not run"]
        allowed = [
            f"{event.name} called with {ready.surely.words()}"
            for event in self._live()
            if (ready := event.readiness()).surely
        ]
        last = self._boundaries[-1].time
        for event in sorted(self._live(), key=lambda event: event.earliest):
            if event.earliest < inf:
                wait = max(event.earliest - last, 0)
                allowed.append(
                    f"{event.name} called with TIMEOUT"
                    + (f", {units(wait, self._timing)} later" if wait else "")
                )
        if not any(event.is_needed for event in self._live()):
            allowed.append("loop() returns")
        return allowed or ["nothing: it sleeps"]

    @property
    def is_stuck(self) -> bool:
        """Whether a loop might sleep for ever: nothing must ever happen."""
        live = list(self._live())
        return bool(live) and not any(
            event.is_needed and (event.readiness().surely or event.latest < inf) for event in live
        )

    # ---- inside

    def _no(self, rule: str, happened: str) -> ViolationError:
        return ViolationError(rule, happened, self.may_happen())

    def _bound(self, now: float) -> None:
        """Here the loop may look at its descriptors."""
        self._number += 1
        ready = {event: event.readiness() for event in self._live()}
        self._boundaries.append(Boundary(self._number, now, ready))
        for event, readiness in ready.items():
            for directions in Directions.BOTH:
                if readiness.surely & directions and event.fading is None:
                    event.ready_since.setdefault(directions, self._turns)
                else:
                    event.ready_since.pop(directions, None)
            if event.latest <= now and event.due_since is None and event.fading is None:
                event.due_since = self._turns

    def _check_wait(self, now: float) -> None:
        """3: what the loop passed over when it waited."""
        last = self._boundaries[-1]
        slept = now - last.time
        if not self._timing.is_virtual or slept <= RESOLUTION:
            return
        for event, ready in last.ready.items():
            if slept > self._timing.patience and ready.surely and event.is_needed:
                directions = next(iter(ready.surely))
                raise self._no(
                    _missed(event, directions),
                    f"it waited {units(slept, self._timing)} although {event.name} "
                    f"was ready to {ready.surely.words()}",
                )
        for event in self._live():
            late = now - max(event.latest, last.time)
            if late > _OVERSLEPT * self._timing.unit and event.is_needed:
                raise self._no(
                    "luaevent.addevent.timeout-seconds",
                    f"it slept {units(late, self._timing)} longer than the timeout of {event.name}",
                )
        self._boundaries.clear()
        self._bound(now)
        self._settled = self._before = self._window = self._seen_at = self._number

    def _check_timeout(self, event: Event, what: str, now: float) -> None:
        if event.timeout is None:
            rule = "luaevent.addevent.timeout-missing"
            if event.has_changed:
                rule = "luaevent.callback.change-no-spurious-timeout"
            raise self._no(rule, f"{what}, although it has no timeout")
        early = event.earliest - now
        if is_early(early, event.rule_if_early):
            raise self._no(event.rule_if_early, f"{what}, {units(early, self._timing)} early")
        self._see_turn(event.timed)
        for other in self._live():
            if (
                other.is_needed
                and not self._may_have_seen(other)  # then it may be called for that
                and other.armed < self._settled
                and other.latest < event.earliest - self._timing.apart
            ):
                raise self._no(
                    "luaevent.loop.timer-order",
                    f"{what}, before {other.name}, whose deadline is "
                    f"{units(event.earliest - other.latest, self._timing)} sooner",
                )

    def _may_have_seen(self, event: Event) -> bool:
        """Whether *event* may have been ready when the turn began."""
        return bool(event.readiness().perhaps) or any(
            boundary.ready[event].perhaps
            for boundary in self._boundaries
            if boundary.number >= self._window and event in boundary.ready
        )

    def _check_ready(self, event: Event, directions: Directions, what: str) -> None:
        """1: at some boundary that counts, the flags held."""
        own = max((event.served.get(each, 0) for each in directions), default=0)
        self._see_turn(own)
        looked = [
            boundary
            for boundary in self._boundaries
            if boundary.number >= max(own, self._window) and event in boundary.ready
        ]
        if not any(directions & boundary.ready[event].perhaps == directions for boundary in looked):
            rule = (
                f"luaevent.constants.{'ev-read' if Directions.READ in directions else 'ev-write'}"
            )
            if event.added >= self._window and event.channel is not None and event.channel.renewed:
                rule = "luaevent.addevent.close-other-same-turn"
            raise self._no(
                rule,
                f"{what}, although it is not ready to {directions.words()}",
            )

    def _check_dropped(self, event: Event, what: str) -> None:
        if event.fading is not None and event.fading < self._window:
            raise self._no(
                Gone.DROPPED.rule, f"{what}, although its object is collected since a turn"
            )

    def _check_starved(self, served: Event) -> None:
        for event in self._live():
            if event is served or not event.is_needed:
                continue
            for directions, since in event.ready_since.items():
                if self._turns - since > _STARVED:
                    raise self._no(
                        _missed(event, directions),
                        f"{served.name} called again, although {event.name} is ready to "
                        f"{directions.words()} and was passed over in {self._turns - since} turns",
                    )
            if event.due_since is not None and self._turns - event.due_since > _STARVED:
                raise self._no(
                    "luaevent.loop.busy-fd-timer",
                    f"{served.name} called again, although the timeout of {event.name} is over "
                    f"and was passed over in {self._turns - event.due_since} turns",
                )

    def _see_turn(self, since: int) -> None:
        """2: a turn began after the call that ended at *since*; 0 says nothing."""
        self._settled = max(self._settled, since)
        if since > self._seen_at:
            self._turns += 1
            self._window, self._before = self._before, since
            self._seen_at = self._number


def _missed(event: Event, directions: Directions) -> str:
    if event.calls:
        return "luaevent.loop.level"
    return (
        "luaevent.constants.ev-read"
        if directions is Directions.READ
        else "luaevent.constants.ev-write"
    )


def _row(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
