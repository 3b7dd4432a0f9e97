"""The deadlines of luaevent events, as far as they can be known from outside.

A deadline lies between two readings of the clock, before and after the call
that set it, plus the timeout.  So two deadlines can be told apart for certain,
or not, however slow the machine was between the calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .luaevent_driver import LuaeventDriver

if TYPE_CHECKING:
    from looptck.clocks import Clock
    from looptck.profiles.luaevent import Event

# Deadlines nearer to each other than this, in seconds, may be told apart or not:
# a loop may count whole milliseconds, or the ticks of a coarse clock.
_APART = 0.005


# Of many names so many are told in a message.
_SHOWN = 20


class Deadlines:
    """Adds events to *stage* and knows in which order their timeouts have to come."""

    def __init__(self, driver: LuaeventDriver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        # {name: (the earliest that its deadline can be, the latest)}
        self._spans: dict[str, tuple[float, float]] = {}

    def add(
        self, name: str, fd: int | None, event: int, timeout: float, then: Callable[[], object]
    ) -> Event:
        """An event that leaves at its first timeout, when *then* is called."""
        before = self._clock.now()

        def on_timeout(_flags: int) -> int:
            then()
            return self._driver.luaevent.LEAVE

        added = self._driver.add(name, fd, event, on_timeout, timeout=timeout)
        self._spans[name] = (before + timeout, self._clock.now() + timeout)
        return added

    def close(self, name: str, event: Event) -> None:
        """Close *event*, called *name*: its timeout is not to come."""
        event.close()
        del self._spans[name]
        self._driver.stop_expecting(name)

    def timer(self, name: str, timeout: float, then: Callable[[], object] = lambda: None) -> Event:
        """A timer that leaves at its first timeout, when *then* is called."""
        return self.add(name, None, self._driver.luaevent.EV_TIMEOUT, timeout, then)

    def assert_in_order(self) -> None:
        """Raises AssertionError unless each timeout came, once, and in the order of deadlines."""
        order = [call.removesuffix(" timeout") for call in self._driver.trace]
        row = ", ".join(order[:_SHOWN]) or "none"
        due = sorted(self._spans)
        assert sorted(order) == due, (
            f"the timeouts of {', '.join(due[:_SHOWN])} were due; called were {row}"
            f"{self._driver.timeout_note}"
        )
        for at, first in enumerate(order):
            for second in order[at + 1 :]:
                early = self._spans[first][0] - self._spans[second][1]
                assert early < _APART, (
                    f"the timeout of {second!r} was due {early * 1000:.1f} ms before that of "
                    f"{first!r}, but they came in the order {row}"
                )
