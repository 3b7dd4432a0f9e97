"""Sets timers of a LuaHop loop, records when each ran, and asserts their order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import trace
from .stopwatch import COARSE, Deadline, assert_not_early

if TYPE_CHECKING:
    from looptck.clocks import Clock
    from looptck.protocols.luahop import Hop, Timer

# Deadlines nearer to each other than this, in seconds, may be told apart or not.
_APART = 0.010


@dataclass(eq=False)
class TimerEntry:
    """One timer that was set, and the moments at which its callback ran."""

    name: str
    # counts the timers of one table in the order of their creation
    number: int
    milliseconds: float
    set_after: float
    set_before: float = 0.0
    # the readings of the clock when its callback ran
    ran: list[float] = field(default_factory=list)

    @property
    def deadline(self) -> Deadline:
        """The deadline of a timeout, or the first one of an interval."""
        seconds = self.milliseconds / 1000
        return Deadline(self.set_after + seconds, self.set_before + seconds)


class TimerLog:
    """Sets timers on *hop* and records each run of their callbacks."""

    def __init__(self, hop: Hop, clock: Clock) -> None:
        self._hop = hop
        self._clock = clock
        self._numbers = itertools.count()
        self.entries: list[TimerEntry] = []
        # names in the order in which callbacks ran
        self.ran: list[str] = []

    def timeout(
        self, name: str, milliseconds: float, then: Callable[[], object] | None = None
    ) -> Timer:
        """Set a timeout; *then* is called when it runs."""
        return self._set(self._hop.set_timeout, name, milliseconds, then)

    def interval(
        self, name: str, milliseconds: float, then: Callable[[], object] | None = None
    ) -> Timer:
        """Set an interval; *then* is called at each tick."""
        return self._set(self._hop.set_interval, name, milliseconds, then)

    def times(self, name: str) -> list[float]:
        """When the callback of that timer ran, in seconds since before it was set."""
        (entry,) = (entry for entry in self.entries if entry.name == name)
        return [moment - entry.set_after for moment in entry.ran]

    def assert_none_early(self, *, slack: float = COARSE) -> None:
        """Raises AssertionError if a timer ran too early: for its k-th time before k periods.

        *slack* is what a call may be early, in seconds; it does not grow with k.
        """
        for entry in self.entries:
            for count, moment in enumerate(entry.ran, 1):
                due = count * entry.milliseconds / 1000
                try:
                    assert_not_early(moment - entry.set_after, due, slack=slack)
                except AssertionError as error:
                    raise AssertionError(f"call {count} of timer {entry.name} {error}") from None

    def first_calls(self) -> list[str]:
        """The names of the timers in the order in which each ran for the first time."""
        return list(dict.fromkeys(self.ran))

    def assert_in_order(self) -> None:
        """Raises AssertionError unless all timers ran, for the first time in the order of
        their deadlines; those whose deadlines may be equal, in any order.
        """
        first_calls = self.first_calls()
        order = " ".join(first_calls) or "nothing"
        for entry in self.entries:
            assert entry.ran, f"timer {entry.name} never ran; what ran: {order}"
        for first in self.entries:
            for second in self.entries:
                if first is second or not first.deadline.surely_before(second.deadline, _APART):
                    continue
                assert first_calls.index(first.name) < first_calls.index(second.name), (
                    f"timer {first.name} is due before timer {second.name}, "
                    f"{_when(first, second)}; they ran in the order {order}"
                )

    def _set(
        self,
        set_timer: Callable[[dict[str, float], Callable[[], object]], Timer],
        name: str,
        milliseconds: float,
        then: Callable[[], object] | None,
    ) -> Timer:
        entry = TimerEntry(name, next(self._numbers), milliseconds, set_after=self._clock.now())

        def run() -> None:
            entry.ran.append(self._clock.now())
            self.ran.append(name)
            if trace.recorder is not None:
                trace.recorder.note(f"timer {name}")
            if then is not None:
                then()

        timer = set_timer({"ms": milliseconds}, run)
        entry.set_before = self._clock.now()
        self.entries.append(entry)
        return timer


def _when(first: TimerEntry, second: TimerEntry) -> str:
    """When *second* was set, seen from *first*."""
    later = (second.set_after - first.set_after) * 1000
    if first.number < second.number:
        return f"which was set after it, {later:.3f} ms later"
    return f"which was set before it, {-later:.3f} ms earlier"
