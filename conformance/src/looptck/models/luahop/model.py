"""Models what one loop of LuaHop may do next.  It does no I/O and reads no clock.

The model is told what was asked of a loop and what the loop did, in order and
with the time of each, and refuses what no conforming loop can have done.

Why the code is as it is
-----------------------------

1. One `poll` is one turn.  What was registered inside it may, if its
   descriptor is or was ready in this turn, be called by it: a loop may look up
   whom to call when it calls.  Readiness is kept for the open file, since only
   another file under the same number must not inherit it.
2. On a virtual clock the loop moves the time only when it waits.  If the time
   has moved since the last boundary between two callbacks, the loop found
   nothing ready there: all that must have been ready was missed.
3. A deadline is an interval: when it may be due at the earliest, and when it
   must be at the latest.  An interval may go on by whole periods since it was
   set, or one period after the callback before; where exactly also depends on
   when the loop read the clock, and two calls after a stall are tolerated.
4. A timer that is set inside a callback, and overdue when that ends, may run
   in the same poll, unless this goes on and on.
"""

from __future__ import annotations

from math import floor, inf

from ..engine.channel_state import ChannelState, Directions
from ..engine.timing import RESOLUTION, Timing, is_early, units
from ..engine.violation import ViolationError
from .entries import Boundary, Listener, Timer
from .registrations import Registrations

# After so many polls that served something, what was ready or due all along and
# was passed over is starved.  Rules promise no poll; a fair loop is far below.
_STARVED = 10

# A loop may look at its descriptors more than once in one poll, not for ever.
_MOST_IN_ONE_POLL = 3

# A poll that sets and runs this many timers itself does not return.
_MOST_SET_AND_RUN = 20

# This many polls in a row may return for nothing, without letting time pass, while
# there is work.  On the machine's clock time passes anyway, and nobody counts.
EMPTY_POLLS = 500


class LuahopModel(Registrations):
    """Tells which calls and returns of one loop are allowed."""

    def __init__(self, timing: Timing) -> None:
        super().__init__()
        self._timing = timing
        self._boundaries: list[Boundary] = []
        # {(channel, life, direction): the boundary after the last call for it}
        self._told: dict[tuple[ChannelState, int, Directions], int] = {}
        self._number = 0
        self._limit = inf
        self._began = 0.0
        self._called_in_poll = 0
        # timers that the present poll both set and ran
        self._set_and_run = 0
        self._empty = 0
        # polls that served something
        self._served = 0

    # ---- what the loop does

    def enter(self, now: float, limit: float | None) -> None:
        """`poll` is called, with a timeout of *limit* seconds or without one."""
        self.is_polling = True
        self._poll += 1
        self._began = now
        self._limit = inf if limit is None else limit
        self._called_in_poll = self._set_and_run = 0
        self._boundaries.clear()
        self._bound(now)

    def called(self, whose: Listener | Timer, now: float) -> None:
        """The callback of *whose* begins.  Raises ViolationError."""
        what = f"{whose.name} called"
        if not self.is_polling:
            rule = "luahop.timer.only-in-poll"
            if isinstance(whose, Listener):
                rule = "luahop.listener.create"
            raise self._no(rule, f"{what}, outside of poll()")
        if self._inside is not None:
            raise self._no(
                "luahop.poll.dispatch-before-return",
                f"{what}, inside the callback of {self._inside.name}",
            )
        if whose.gone:
            raise self._no(whose.rule_if_called, f"{what}, although {whose.gone}")
        self._check_wait(now)
        if isinstance(whose, Listener):
            self._check_ready(whose, what)
        else:
            self._check_due(whose, what, now)
        self._check_starved(whose)
        whose.calls += 1
        self._called_in_poll += 1
        self._inside = whose
        if isinstance(whose, Listener):
            whose.called_often = whose.called_often + 1 if whose.called_in == self._poll else 1
            whose.called_in = self._poll
        elif not whose.is_interval:
            whose.gone = "it ran already"
            whose.rule_if_called = "luahop.timer.timeout-once"

    def finished(self, whose: Listener | Timer, now: float) -> None:
        """The callback of *whose* is over."""
        self._inside = None
        if isinstance(whose, Listener):
            whose.ready_since = None
            self._told[whose.channel, whose.life, whose.directions] = self._number + 1
        elif whose.is_interval and not whose.gone:
            self._arm_again(whose, now)
        self._bound(now)

    def _arm_again(self, timer: Timer, now: float) -> None:
        """3: the next point of the grid, as early and as late as it may be."""
        low, high = timer.set_between
        read = max(self._began, timer.earliest)
        if self._timing.is_virtual:
            read = max(read, self._woke)
        following = low + _points(read - low, timer.length) * timer.length
        resumes, timer.resumes = timer.resumes, None
        timer.stalled = following > timer.earliest + 1.5 * timer.length
        if resumes is not None and read < resumes - RESOLUTION:
            following = max(resumes, timer.earliest + timer.length)  # it was the tolerated one
        elif timer.stalled:
            timer.resumes, following = following, timer.earliest + timer.length
        timer.earliest = following
        timer.latest = max(now + timer.length, following) + high - low
        timer.armed_in = self._poll
        timer.due_since = None

    def returned(self, now: float) -> None:
        """`poll` returns.  Raises ViolationError."""
        self._check_wait(now, must_return=True)
        if self._called_in_poll:
            self._served += 1
            self._empty = 0
        elif self._limit == inf:
            waited = not self._timing.is_virtual or now - self._began > RESOLUTION
            self._empty = 0 if waited else self._empty + 1
            if self._empty > EMPTY_POLLS and not self.is_stuck:
                raise self._no(
                    "luahop.poll.blocks",
                    "poll() returned without having waited or called anybody, "
                    f"{self._empty} times in a row",
                )
        self.is_polling = False

    # ---- what may happen

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        if not self.is_polling:
            return ["nothing: poll() is not called"]
        allowed = [
            f"{listener.name} called"
            for listener in self._listeners.values()
            if listener.readiness().surely
        ]
        last = self._boundaries[-1].time
        for timer in sorted(self._live(), key=lambda timer: timer.earliest):
            wait = max(timer.earliest - last, 0)
            allowed.append(
                f"{timer.name} called" + (f", {units(wait, self._timing)} later" if wait else "")
            )
        if self._called_in_poll:
            allowed.append("poll() returns")
        if self._limit < inf:
            wait = max(self._began + self._limit - last, 0)
            allowed.append(f"poll() returns, {units(wait, self._timing)} later")
        return allowed or ["nothing: it sleeps"]

    @property
    def is_stuck(self) -> bool:
        """Whether a poll without a timeout might sleep for ever."""
        if any(True for _ in self._live()):
            return False
        return not any(each.readiness().surely for each in self._listeners.values())

    # ---- inside

    @property
    def _woke(self) -> float:
        return self._boundaries[0].time

    def _no(self, rule: str, happened: str) -> ViolationError:
        return ViolationError(rule, happened, self.may_happen())

    def _bound(self, now: float) -> None:
        """Here the loop may look at its descriptors and at the clock."""
        ready = {listener: listener.readiness() for listener in self._listeners.values()}
        files = {(each.channel, each.life): each.channel.readiness() for each in ready}
        self._number += 1
        self._boundaries.append(Boundary(self._number, now, ready, files))
        for listener, readiness in ready.items():
            if not readiness.surely:
                listener.ready_since = None
            elif listener.ready_since is None:
                listener.ready_since = self._served
        for timer in self._live():
            if timer.latest <= now and timer.due_since is None:
                timer.due_since = self._served

    def _check_wait(self, now: float, *, must_return: bool = False) -> None:
        """2: what the loop passed over when it waited."""
        last = self._boundaries[-1]
        slept = now - last.time
        if not self._timing.is_virtual or slept <= RESOLUTION:
            return
        patience = self._timing.patience
        if slept > patience:
            if must_return and self._called_in_poll:
                raise self._no(
                    "luahop.poll.returns",
                    f"poll() waited {units(slept, self._timing)} more after it had called somebody",
                )
            for listener, ready in last.ready.items():
                if ready.surely and not listener.gone and listener.called_in != self._poll:
                    raise self._no(
                        _missed(listener),
                        f"it waited {units(slept, self._timing)} although the channel of "
                        f"{listener.name} was ready to {listener.directions.words()}",
                    )
        for timer in self._live():
            if timer.armed_in == self._poll:
                continue
            late = now - max(timer.latest, last.time)
            if late > patience:
                ticked = timer.is_interval and timer.calls
                raise self._no(
                    f"luahop.timer.{'interval-repeat' if ticked else 'timeout-latency'}",
                    f"it slept {units(late, self._timing)} past the deadline of {timer.name}",
                )
        over = now - self._began - self._limit
        if over > patience and any(True for _ in self._live()):
            raise self._no(
                "luahop.poll.timeout-vs-timer",
                f"poll() lasted {units(over, self._timing)} longer than its timeout",
            )
        self._boundaries.clear()
        self._bound(now)

    def _check_ready(self, listener: Listener, what: str) -> None:
        if listener.called_in == self._poll and listener.called_often >= _MOST_IN_ONE_POLL:
            raise self._no("luahop.poll.returns", f"{what} again and again in one poll")
        file = listener.channel, listener.life
        told = self._told.get((*file, listener.directions), 0)
        looked = [
            boundary.files[file]
            for boundary in self._boundaries
            if boundary.number >= told and file in boundary.files
        ]
        if not any(listener.directions in ready.perhaps for ready in looked):
            rule = "read" if listener.called_in == self._poll else "not-ready"
            if listener.follows and listener.set_in == self._poll:
                rule = "replace-inside"
            elif listener.life and listener.set_in == self._poll:
                rule = "fd-reuse-same-poll"
            raise self._no(
                f"luahop.listener.{rule}",
                f"{what}, although its channel is not ready to {listener.directions.words()}",
            )

    def _check_due(self, timer: Timer, what: str, now: float) -> None:
        early = timer.earliest - now
        rule = "luahop.timer.timeout-not-early"
        if timer.stalled:
            rule = "luahop.timer.interval-missed"
        elif timer.is_interval:
            rule = f"luahop.timer.interval-{'repeat' if timer.calls else 'first'}"
        if is_early(early, rule):
            raise self._no(rule, f"{what}, {units(early, self._timing)} early")
        if timer.armed_in == self._poll:
            self._set_and_run += 1
            if self._set_and_run > _MOST_SET_AND_RUN:
                raise self._no(
                    "luahop.timer.set-inside-callback",
                    f"{what}, the timer number {self._set_and_run} that one poll set and ran",
                )
        for other in self._live():
            if other is timer or other.armed_in == self._poll:
                continue
            if other.latest < timer.earliest - self._timing.apart:
                raise self._no(
                    "luahop.timer.order-deadline",
                    f"{what}, before {other.name}, whose deadline is "
                    f"{units(timer.earliest - other.latest, self._timing)} sooner",
                )

    def _check_starved(self, served: Listener | Timer) -> None:
        for listener in self._listeners.values():
            since = listener.ready_since
            if listener is not served and since is not None and self._served - since > _STARVED:
                raise self._no(
                    _missed(listener),
                    f"{served.name} called again, although the channel of {listener.name} is ready "
                    f"and was passed over in {self._served - since} polls",
                )
        for timer in self._live():
            since = timer.due_since
            if timer is not served and since is not None and self._served - since > _STARVED:
                raise self._no(
                    "luahop.timer.io-coexist",
                    f"{served.name} called again, although {timer.name} is due and was passed "
                    f"over in {self._served - since} polls",
                )


def _points(passed: float, length: float) -> int:
    """The number of the first point of a grid that lies ahead."""
    return max(floor(passed / length + 1e-9) + 1, 1)


def _missed(listener: Listener) -> str:
    if listener.calls:
        return "luahop.listener.level-triggered"
    return (
        "luahop.listener.read"
        if listener.directions is Directions.READ
        else "luahop.listener.write"
    )
