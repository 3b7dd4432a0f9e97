"""Asserts the order of the timeouts of luaevent events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .luaevent_driver import LuaeventDriver
from .stopwatch import Deadline

if TYPE_CHECKING:
    from looptck.clocks import Clock
    from looptck.protocols.luaevent import Event

# Deadlines nearer to each other than this, in seconds, may be told apart or not:
# a loop may count whole milliseconds, or the ticks of a coarse clock.
_APART = 0.005


# A message lists no more names than this.
_SHOWN = 20


class Deadlines:
    """Adds events by *driver* and asserts that their timeouts come in the order of deadlines."""

    def __init__(self, driver: LuaeventDriver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        self._deadlines: dict[str, Deadline] = {}
        # when the callback that runs began; None between callbacks
        self._began: float | None = None

    def add(
        self, name: str, fd: int | None, event: int, timeout: float, then: Callable[[], object]
    ) -> Event:
        """An event that leaves at its first timeout, when *then* is called."""
        # A loop may read its clock once for all callbacks of a turn, as libevent
        # does; when a timeout begins to count is a rule of its own.
        before = self._clock.now() if self._began is None else self._began

        def on_timeout(_flags: int) -> int:
            self._began = self._clock.now()
            try:
                then()
            finally:
                self._began = None
            return self._driver.luaevent.LEAVE

        added = self._driver.add(name, fd, event, on_timeout, timeout=timeout)
        self._deadlines[name] = Deadline(before + timeout, self._clock.now() + timeout)
        return added

    def close(self, name: str, event: Event) -> None:
        """Close *event*, called *name*: its timeout is not to come."""
        event.close()
        del self._deadlines[name]
        self._driver.stop_expecting(name)

    def timer(self, name: str, timeout: float, then: Callable[[], object] = lambda: None) -> Event:
        """A timer that leaves at its first timeout, when *then* is called."""
        return self.add(name, None, self._driver.luaevent.EV_TIMEOUT, timeout, then)

    def assert_in_order(self) -> None:
        """Raises AssertionError unless each timeout came, once, and in the order of deadlines."""
        order = [call.removesuffix(" timeout") for call in self._driver.trace]
        row = ", ".join(order[:_SHOWN]) or "none"
        due = sorted(self._deadlines)
        assert sorted(order) == due, (
            f"the timeouts of {', '.join(due[:_SHOWN])} were due; called were {row}"
            f"{self._driver.timeout_note}"
        )
        for at, first in enumerate(order):
            for second in order[at + 1 :]:
                was_due, is_due = self._deadlines[second], self._deadlines[first]
                early = is_due.earliest - was_due.latest
                assert not was_due.surely_before(is_due, _APART), (
                    f"the timeout of {second!r} was due {early * 1000:.1f} ms before that of "
                    f"{first!r}, but they came in the order {row}"
                )
