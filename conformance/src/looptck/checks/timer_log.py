"""A log of timers: when each was set and ran, and what may be said of that."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..clocks import Clock
from ..testing import trace
from ..testing.situations import Situation
from ..testing.stopwatch import COARSE, Deadline, assert_not_early
from .verbs import Timing

# Deadlines nearer to each other than this, in seconds, may be told apart or not.
_APART = 0.010

# A message lists no more names than this.
_SHOWN = 12


@dataclass(eq=False)
class LoggedTimer:
    """One timer, and the readings of the clock when its callback ran."""

    name: str
    seconds: float
    set_after: float
    # a loop may read its clock once for all callbacks of a turn: when the callback began that
    # set the timer, and when the call that sets it had returned
    deadline: Deadline
    handle: Any = None
    ran: list[float] = field(default_factory=list)


class TimerLog:
    """Sets timers on a loop, and asserts what holds of all of them."""

    def __init__(self, loop: Timing, clock: Clock) -> None:
        self._loop, self._clock = loop, clock
        # when the callback that runs began; None between callbacks
        self._began: float | None = None
        self._numbers = itertools.count(1)
        # {name: timer} of those that were not cleared
        self.live: dict[str, LoggedTimer] = {}
        # names in the order of the calls
        self.ran: list[str] = []

    @property
    def has_intervals(self) -> bool:
        """Whether the document has timers that repeat."""
        return bool(self._loop.intervals)

    def timer(
        self,
        seconds: float,
        then: Callable[[], object] | None = None,
        *,
        kind: str = "",
        name: str = "",
    ) -> str:
        """Set a timer, which does *then*; return its name."""
        return self._set(self._loop.set_timer, seconds, then, kind, name)

    def interval(
        self,
        seconds: float,
        then: Callable[[], object] | None = None,
        *,
        kind: str = "",
        name: str = "",
    ) -> str:
        """Set an interval, which does *then* at each tick; return its name."""
        return self._set(self._loop.set_interval, seconds, then, kind, name)

    def _set(
        self,
        set_it: Callable[..., Any],
        seconds: float,
        then: Callable[[], object] | None,
        kind: str,
        name: str,
    ) -> str:
        number = next(self._numbers)
        name = name or f"{kind or 'timer'} {number} of {seconds * 1000:g} ms"
        before = self._clock.now()
        handle = set_it(seconds, partial(self._run, name, then), kind)
        began = before if self._began is None else self._began
        deadline = Deadline(began + seconds, self._clock.now() + seconds)
        self.live[name] = LoggedTimer(name, seconds, before, deadline, handle)
        return name

    def _run(self, name: str, then: Callable[[], object] | None) -> None:
        now = self._clock.now()
        self.ran.append(name)
        if name in self.live:
            self.live[name].ran.append(now)
        if trace.recorder is not None:
            trace.recorder.note(name)
        outer, self._began = self._began, now
        try:
            if then is not None:
                then()
        finally:
            self._began = outer

    def clear(self, *names: str) -> None:
        """Clear timers; from now on their calls are wrong."""
        for name in names:
            assert name in self.live, f"{name} had been cleared, and its callback ran again"
            self._loop.clear(self.live.pop(name).handle)

    def count(self, name: str) -> int:
        """How often the callback of that timer has run."""
        return self.ran.count(name)

    @property
    def done(self) -> bool:
        """Whether every timer that was not cleared has run."""
        return all(each.ran for each in self.live.values())

    def run(self, *, within: float | None = 0.5) -> None:
        """Run the loop until every timer that was not cleared has run."""
        self._loop.run(f"all of {len(self.live)} timers run", lambda: self.done, within=within)

    def lateness(self) -> float:
        """How late the latest timer ran for the first time, in seconds."""
        return max(each.ran[0] - each.set_after - each.seconds for each in self.live.values())

    def assert_none_early(self, *, slack: float = COARSE) -> None:
        """Raises AssertionError if a timer ran for the n-th time before n times its length.

        *slack* is what a call may be early, in seconds.
        """
        for each in self.live.values():
            for count, moment in enumerate(each.ran, 1):
                try:
                    assert_not_early(moment - each.set_after, count * each.seconds, slack=slack)
                except AssertionError as error:
                    raise AssertionError(f"call {count} of {each.name} {error}") from None

    def assert_each_ran_once(self) -> None:
        """Raises AssertionError unless every live timer ran once, and no other did."""
        often = [name for name, each in self.live.items() if len(each.ran) > 1]
        assert not often, f"ran more than once: {_row(often)}"
        cleared = [name for name in self.ran if name not in self.live]
        assert not cleared, f"ran although they had been cleared: {_row(cleared)}"
        missing = [name for name, each in self.live.items() if not each.ran]
        assert not missing, f"never ran: {_row(missing)}"

    def assert_in_order(self) -> None:
        """Raises AssertionError unless timers ran, at first, in the order of their deadlines.

        Those whose deadlines may be equal ran in any order.
        """
        latest: LoggedTimer | None = None
        for name in dict.fromkeys(name for name in self.ran if name in self.live):
            each = self.live[name]
            if latest is not None and each.deadline.surely_before(latest.deadline, _APART):
                before = latest.deadline.earliest - each.deadline.latest
                raise AssertionError(
                    f"{name} was due {before * 1000:.1f} ms before {latest.name}, and ran after "
                    f"it; the order was {_row(self.ran)}"
                )
            if latest is None or each.deadline.earliest > latest.deadline.earliest:
                latest = each


def act_in(loop: Timing, situation: Situation, act: Callable[[], object]) -> None:
    """Do *act* in that situation of *loop*, which the check runs afterwards."""
    if situation is Situation.INSIDE:
        loop.set_timer(0.001, act)
        return
    if situation is Situation.AGAIN:
        ran: list[bool] = []
        loop.set_timer(0.001, lambda: ran.append(True))
        loop.run("a first timer runs", lambda: ran)
    act()


def _row(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
