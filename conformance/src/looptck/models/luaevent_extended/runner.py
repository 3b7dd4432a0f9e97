"""Runs scenarios of luaevent's bufferevents.

`loop()` does not return while a bufferevent waits.  So the steps are taken
from inside the loop, in the callback of an event that is always ready: between
two of its calls a turn passes.  While a step waits, a timer stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from ..engine.channel_state import Kind
from ..engine.channels import OpenChannel
from ..engine.live import LiveObject, TurnRunner
from ..engine.runner import HangDetected, RunEnded
from ..engine.scenario import Actor, Scenario, Step
from .live import ENABLE, LiveBufferEvent

# How often a callback is called is open; a loop may do so in each of its turns
# while the scenario waits.
_MOST_WHILE_WAITING = 100_000


class BufferEventRunner(TurnRunner):
    # odd fractions of a second show who rounds; short ones, since a loop may repeat a
    # call in each of its turns while a scenario waits
    units = (0.0503, 0.0153)
    rule_of_return = ENABLE
    rule_of_descriptors = "luaevent.bufferevent.new"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self._base: Any = None
        self._script: Iterator[Step | None] = iter(())
        # the near end can always be written to
        self._room = OpenChannel(Kind.PAIR)
        # the events that take the steps
        self._events: list[Any] = []

    def run_steps(self) -> None:
        self.open()
        self._base = self.ask("new()", self.entry.new, "luaevent.new.returns-base")
        self.make_objects(self._base)
        self._script = self.script()
        self._come_back(self._advance())
        self.enter(self.loop_state, "loop()", lambda: self._base.loop())
        if not self.is_over:
            what = "loop() returned, although an event that is always ready was left"
            self.refuse(ENABLE, what, "it goes on")

    def new_object(self, name: str, actor: Actor) -> LiveObject:
        return LiveBufferEvent(self, name, actor)

    def waits(self, each: Step) -> bool:
        return each.verb == "wait"

    def rule_when_hung(self) -> str:
        """Return the rule of a call that is missing, if one is."""
        missing = [owed for live in self.objects if (owed := live.missing_call()) is not None]
        return missing[0].rule if missing else self.rule_of_return

    def _come_back(self, step: Step | None) -> None:
        """Have the loop call back for the next steps: in each turn, or once *step* has waited."""
        if self.is_over:
            return
        entry = self.entry
        if step is not None:
            self.most_calls += _MOST_WHILE_WAITING
            length = step["t"] * self.timing.unit
            event = self._base.addevent(None, entry.EV_TIMEOUT, self._on_time, length)
        else:
            event = self._base.addevent(self._room.near, entry.EV_WRITE, self._on_room)
        self._events.append(event)

    def _on_time(self, _flags: int) -> Any:
        self._come_back(self._advance())
        return self.entry.LEAVE

    def _on_room(self, _flags: int) -> Any:
        """Take some steps; it is called in the next turn again, unless a step waits."""
        step = self._advance()
        if step is None and not self.is_over:
            return self.entry.EV_WRITE
        self._come_back(step)
        return self.entry.LEAVE

    def _advance(self) -> Step | None:
        """Take the steps up to the next turn; return the step that waits, if one does."""
        try:
            if not self.has_failed:
                self.end_turn()
                self.begin_turn()
                return next(self._script)
        except (StopIteration, RunEnded):
            pass
        except HangDetected:
            raise
        except BaseException as error:
            self._fault = error  # ours, whatever the loop makes of it
        self.close_subject()
        return None

    def close_subject(self) -> None:
        """Disable everything, so that the loop returns."""
        self.is_over = True
        both = self.entry.EV_READ | self.entry.EV_WRITE
        for live in self.objects:
            with suppress(Exception):
                live.handle.disable(both)
            live.handle = None
        for event in self._events:
            with suppress(Exception):
                event.close()
        self._events.clear()

    def close_own(self) -> None:
        super().close_own()
        self._room.close()
        self._base = None
