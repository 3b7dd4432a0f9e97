"""Drives a levent base by `loop(0)`, and records the calls in their order.

This module knows the profile `levent` and no rule.  The document has no timers, so nothing
inside a loop can end it after a while.  Here each call of `loop` makes one pass
and the test decides whether to make another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from looptck.protocols.levent import Base, EvBuf, Event, File, Levent

from .guards import FEWEST_TURNS, IDLE_TURNS, TURN_PATIENCE, Guard
from .trace import Trace

_Made = TypeVar("_Made", Event, EvBuf)

# A function that a callback calls with its own arguments.
Act = Callable[..., object]

# A call of `loop` that has made so many calls, and then computes for so many
# seconds more, does not end.  A number alone would not do: a loop may move one
# byte for each call, and may call in each pass as long as a level is a reason to.
_MANY = 200
_RUNAWAY = 0.3


class LeventDriver:
    """The events of one test, on one base.

    Each call is noted in `trace` by the name given.  What a callback asserts
    fails the test, whatever the loop does with exceptions.  Everything made
    here is kept until the end of the test.
    """

    def __init__(self, levent: Levent, base: Base | None = None) -> None:
        self.levent = levent
        self.base: Base = levent.newbase() if base is None else base
        self.trace = Trace()
        # in the call of `loop` that is going on, or was last: the calls, and when it has
        # computed for so long that they are a runaway
        self._calls = 0
        self._runaway_at = math.inf
        self._kept: list[Event | EvBuf] = []
        self._error: BaseException | None = None

    def event(self, name: str, file: File, evtype: str = "r", act: Act | None = None) -> Event:
        """A new event, not started, whose calls are noted as *name*."""
        return self.keep(self.base.newevent(file, self.callback(name, act), evtype))

    def evbuf(
        self,
        file: File,
        read: Act | None = None,
        write: Act | None = None,
        error: Act | None = None,
        *,
        name: str = "",
    ) -> EvBuf:
        """A new buffered event, not started; its calls are noted as read, write and error."""
        prefix = f"{name} " if name else ""
        made = self.base.newevbuf(
            file,
            self.callback(f"{prefix}read", read),
            self.callback(f"{prefix}write", write),
            self.callback(f"{prefix}error", error),
        )
        return self.keep(made)

    def keep(self, made: _Made) -> _Made:
        """Hold a reference to *made* until the test is over, and stop it at its end."""
        self._kept.append(made)
        return made

    def callback(self, name: str, act: Act | None = None) -> Callable[..., None]:
        """Return a callback that notes its calls as *name* and then calls *act*."""

        def callback(*arguments: Any) -> None:
            if self._error is not None:
                return
            self.trace(name)
            self._calls += 1
            try:
                if self._calls % _MANY == 0:
                    self._refuse_runaway()
                if act is not None:
                    act(*arguments)
            except Exception as error:
                self._fail(error)
                raise

        return callback

    def _refuse_runaway(self) -> None:
        """Raises AssertionError if this call of `loop` has computed for too long."""
        # process_time is a system call, so it is not made at each loop()
        now = time.process_time()
        if now > self._runaway_at:
            raise AssertionError(
                f"the calls do not end: {', '.join(self.trace[-6:])}, ...; one call of "
                f"loop() has made {self._calls} of them"
            )
        self._runaway_at = min(self._runaway_at, now + _RUNAWAY)

    def run_once(self, howmany: int | None = 0) -> None:
        """Call `loop(howmany)`, and raise what a callback raised."""
        self._calls, self._runaway_at = 0, math.inf
        try:
            self.base.loop(howmany)
        except Exception:
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error

    def until(self, condition: Callable[[], object]) -> bool:
        """Run passes until *condition* holds; return whether it did in time."""
        guard = Guard(TURN_PATIENCE)
        passes = 0
        while not condition():
            if guard.is_over and passes >= FEWEST_TURNS:
                return False
            self.run_once()
            passes += 1
        return True

    def until_count(self, entry: str, count: int = 1) -> bool:
        """Run passes until *entry* is *count* times in the trace; return whether it was in time."""
        return self.until(lambda: self.count(entry) >= count)

    def run_idle(self, passes: int = IDLE_TURNS) -> None:
        """Run this many *passes*, in which a loop may do what it must not."""
        for _ in range(passes):
            self.run_once()

    def count(self, entry: str) -> int:
        """Return how often *entry* is in the trace."""
        return self.trace.count(entry)

    def stop_all(self) -> None:
        """Stop every event that was made here."""
        for made in self._kept:
            with suppress(Exception):
                made.stop()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.stop_all()
