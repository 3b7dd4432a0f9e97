"""Runs scenarios of levent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from ..engine.live import BUFFERED, LiveObject, TurnRunner
from ..engine.runner import Action
from ..engine.scenario import Actor, Scenario, Step
from .live_buffer import LiveEvBuf
from .live_event import LiveEvent

# The rule of loop(1).
_WAITS = "levent.loop.howmany-positive"

# The rule of loop().
_RUNS = "levent.loop.nil"


class LeventRunner(TurnRunner):
    rule_of_return = "levent.loop.howmany-zero"
    rule_of_end = "levent.loop.howmany-zero-bounded"
    rule_of_data = "levent.newevent.evtype-r"
    rule_of_descriptors = "levent.newevent.creates"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self._base: Any = None

    def run_steps(self) -> None:
        self.open()
        self._base = self.ask("newbase()", self.entry.newbase, "levent.newbase")
        self.make_objects(self._base)
        for _ in self.script():
            self._enter("pass", self._pass, is_noted=False)

    def new_object(self, name: str, actor: Actor) -> LiveObject:
        return (LiveEvBuf if actor.kind == BUFFERED else LiveEvent)(self, name, actor)

    # ---- steps

    def act(self, each: Step, inside: Any) -> Action:
        if "name" in each:
            return super().act(each, inside)
        if inside is not None:
            return None
        lives = self.objects
        if each.verb == "wait":
            return self._wait if any(live.must_be_called for live in lives) else None
        rules = [live.rule_if_loop_waits for live in lives]
        if rules and all(rules):
            return lambda: self._enter("loop()", lambda: self._base.loop(), max(rules))
        if all(live.rule_if_loop_waits or live.surely_ends for live in lives):
            return self._run_to_the_end
        return None

    def _run_to_the_end(self) -> None:
        self.begin_turn()
        self._enter("loop()", lambda: self._base.loop(), _RUNS)
        if left := [live.name for live in self.objects if live.is_active]:
            what = f"loop() returned, although {left[0]} is active"
            self.refuse(_RUNS, what, f"{left[0]} called")

    def _wait(self) -> None:
        self.begin_turn()
        former, self.rule_of_end = self.rule_of_end, _WAITS
        self._enter("loop(1)", lambda: self._base.loop(1), _WAITS)
        self.rule_of_end = former
        # what counts as an event of a buffered one is open
        if not self.calls and all(isinstance(live, LiveEvent) for live in self.objects):
            what = "loop(1) returned before an event was called"
            self.refuse(_WAITS, what, *self.loop_state.may_happen()[:-1])

    def _pass(self) -> None:
        self.begin_turn()
        self._base.loop(0)
        if not self.has_failed:
            self.end_turn()

    def rule_when_hung(self) -> str:
        """Return the rule of the call that is missing, if `loop(1)` waits and called nobody."""
        missing = [owed for live in self.objects if (owed := live.missing_call()) is not None]
        waits = self.rule_of_end == _WAITS and not self.calls
        return missing[0].rule if waits and missing else self.rule_of_return

    def _enter(
        self, what: str, call: Callable[[], Any], rule: str = "", *, is_noted: bool = True
    ) -> None:
        with self.broken_by(rule or self.rule_of_return):
            self.enter(self.loop_state, what, call, is_noted=is_noted)
        self.tell(self.look)

    def close_subject(self) -> None:
        for live in self.objects:
            with suppress(Exception):
                live.handle.stop()
            live.handle = None
        self._base = None
