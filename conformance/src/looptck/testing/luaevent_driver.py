"""Drives a luaevent base: keeps events, records their calls, and ends the loop in time.

This module knows the profile `luaevent` and no rule.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from looptck.protocols.descriptors import Descriptor
from looptck.protocols.luaevent import Answer, Base, Event, Luaevent

from . import guards
from .flag_names import flag_text
from .situations import Situation, luaevent_in
from .trace import Trace

# A callback of the driver answers a value, or the result of a function of the flags.
Reply: TypeAlias = "Answer | Callable[[int], Answer]"

# The end comes after so many timers of `within` seconds each, one after the
# other: a machine that stands still for a while makes one of them late, and
# what should have come before it comes in the turns between.
_ROUNDS = 3


class LuaeventDriver:
    """The events of one test, on one base.

    Each call is noted in `trace`: ``reader read``, ``writer timeout``.  The
    loop is ended, and the test goes on to its assertions, when what is waited
    for does not come in time (`overran`); the test fails when the calls do not
    end.  What a callback asserts fails the test, whatever the loop does with
    exceptions.
    """

    def __init__(
        self, luaevent: Luaevent, base: Base | None = None, *, most: int = 60, within: float = 0.25
    ) -> None:
        self.luaevent = luaevent
        self.base: Base = luaevent.new() if base is None else base
        self.trace = Trace()
        self.overran = False
        self._most = most
        self._within = within
        self._kept: list[Event] = []
        # the descriptors that an event was added for
        self._watched: set[Descriptor | None] = set()
        # names of the events that have not left
        self._live: set[str] = set()
        self._guard: Event | None = None
        self._over = False
        self._error: Exception | None = None

    def add(
        self,
        name: str,
        fd: Descriptor | None,
        event: int,
        *replies: Reply,
        timeout: float | None = None,
    ) -> Event:
        """Register an event; its n-th call gives the n-th reply, and the last one from then on."""
        return self.register(fd, event, self.callback(name, *replies), timeout)

    def register(
        self,
        fd: Descriptor | None,
        event: int,
        callback: Callable[[int], Answer],
        timeout: float | None = None,
    ) -> Event:
        """Register *callback* as it is, and keep its event to the end of the test."""
        rest = (event, callback) if timeout is None else (event, callback, timeout)
        return self.keep(self._addevent(fd, *rest))

    def _addevent(self, fd: Descriptor | None, *rest: Any) -> Event:
        """`addevent`; a loop that refuses a second event on a descriptor gets a duplicate of it.

        Whether it refuses is open, and most tests have several events on a
        descriptor only because one file is ready for both.
        """
        try:
            added = self.base.addevent(fd, *rest)
        except Exception:
            if fd not in self._watched or not isinstance(fd, int):
                raise
            twin = os.dup(fd)
            weakref.finalize(self, os.close, twin)
            return self.base.addevent(twin, *rest)
        self._watched.add(fd)
        return added

    def after(self, name: str, delay: float, then: Callable[[], object]) -> Event:
        """Register a timer that calls *then*, once, after *delay* seconds.

        From a callback, this orders what *then* does after all that the turns
        of the next *delay* seconds bring.
        """

        def over(_flags: int) -> Answer:
            then()
            return self.luaevent.LEAVE

        return self.add(name, None, self.luaevent.EV_TIMEOUT, over, timeout=delay)

    def callback(self, name: str, *replies: Reply) -> Callable[[int], Answer]:
        """Return the callback that `add` would register, for a test that registers it itself."""
        self.expect(name)
        calls = 0

        def callback(flags: int) -> Answer:
            nonlocal calls
            if self._over:
                return self.luaevent.LEAVE
            calls += 1
            try:
                return self._called(name, flags, replies[min(calls, len(replies)) - 1])
            except Exception as error:
                self._fail(error)
                raise

        return callback

    def expect(self, name: str) -> None:
        """Keep `loop()` running until `stop_expecting(name)` is called."""
        self._live.add(name)

    @property
    def waiting(self) -> bool:
        """Whether an event has neither left nor been ended."""
        return bool(self._live)

    def stop_expecting(self, name: str) -> None:
        """Wait no longer for the event *name*, which has left or was closed."""
        self._live.discard(name)
        if not self._live and self._guard is not None:
            with suppress(Exception):
                self._guard.close()

    def close_all(self) -> None:
        """Close every event: `loop()` returns."""
        self._live.clear()
        self._over = True
        for event in (*self._kept, *([self._guard] if self._guard else [])):
            with suppress(Exception):
                event.close()

    def keep(self, event: Event) -> Event:
        """Hold a reference to *event* until the test is over, and close it at the end."""
        self._kept.append(event)
        return event

    def run(
        self, act: Callable[[], object] | None = None, situation: Situation = Situation.FRESH
    ) -> None:
        """Do *act* in that situation, then loop until every event has left.

        Raises what a callback raised.
        """

        def begin() -> None:
            try:
                if act is not None:
                    act()
                if self._live:
                    self._set_guard(_ROUNDS, math.ceil(_ROUNDS * guards.burden()))
            except Exception as error:
                self._fail(error)
                raise

        self._over = False
        try:
            luaevent_in(situation, self.luaevent, self.base, begin)
        except Exception:
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error

    def assert_calls(self, *expected: str) -> None:
        """Raises AssertionError unless exactly the *expected* calls came, in that order."""
        if tuple(self.trace) != expected:
            raise AssertionError(
                f"expected the calls {_row(expected)}; there came "
                f"{_row(self.trace)}{self.timeout_note}"
            )

    @property
    def timeout_note(self) -> str:
        """The end of a message, if the driver had to end the loop."""
        return ", and then nothing more until the test ended the loop" if self.overran else ""

    def count(self, entry: str) -> int:
        """Return how often *entry* is in the trace."""
        return self.trace.count(entry)

    def _called(self, name: str, flags: int, reply: Reply) -> Answer:
        self.trace(f"{name} {flag_text(self.luaevent, flags)}")
        if len(self.trace) > self._most:
            raise AssertionError(f"the calls do not end: {_row(self.trace[:6])}, ...")
        answer = reply(flags) if callable(reply) else reply
        first = answer[0] if isinstance(answer, tuple) else answer
        if first == self.luaevent.LEAVE:
            self.stop_expecting(name)
        return answer

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.close_all()

    def _set_guard(self, rounds: int, silent: int) -> None:
        """The end comes after *rounds* in which something was called, or *silent* without."""
        before = len(self.trace)

        def late(_flags: int) -> Answer:
            called = len(self.trace) > before
            if self._live and (rounds if called else silent) > 1:
                self._set_guard(rounds - 1, silent - 1)
            elif self._live:
                self.overran = True
                self.close_all()
            return self.luaevent.LEAVE

        # a loop without timers has no guard, and may hang where one is needed
        with suppress(Exception):
            event = self.luaevent.EV_TIMEOUT
            self._guard = self.base.addevent(None, event, late, self._within)


def _row(calls: list[str] | tuple[str, ...]) -> str:
    return ", ".join(calls) or "none"
