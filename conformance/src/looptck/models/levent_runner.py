"""Plays scenarios of levent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVarTuple

from looptck.subjects.subject import Subject

from .levent_actors import LiveActor, LiveBufferedEvent
from .levent_event_actor import EventChannel, LiveEvent
from .levent_scenario import LeventActor, LeventScenario
from .lockstep import MOST_CALLS, Runner
from .scenario import Step
from .violation import ViolationError

Ts = TypeVarTuple("Ts")

# So many passes in which nothing moves show that nothing will, and in real
# time they last so long in seconds.
_STILL = 40
_STILL_FOR = 0.4

# So many more are made when nothing is expected, to see what should not come.
_MORE = 3

# The rule of loop(1).
_WAITS = "levent.loop.howmany-positive"


class BaseState:
    """All that is on one base, as the model of what a call of `loop` may do."""

    def __init__(self) -> None:
        self.actors: dict[str, LiveActor] = {}

    def returned(self, now: float) -> None:
        """What is demanded of a call of `loop` depends on how it was called."""

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        return [*(call for each in self.actors.values() for call in each.may_call), "loop returns"]


class LeventRunner(Runner[LeventScenario, BaseState]):
    rule_of_return = "levent.loop.howmany-zero"
    rule_of_end = "levent.loop.howmany-zero-bounded"

    def __init__(self, scenario: LeventScenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self._state = BaseState()
        # {whose it is: a file that events are about}
        self._channels: dict[str, EventChannel] = {}
        self._base: Any = None
        self._still_for = 0.0 if self.timing.is_virtual else _STILL_FOR

    @property
    def _actors(self) -> list[LiveActor]:
        return list(self._state.actors.values())

    def run_steps(self) -> None:
        self._base = self.ask("newbase()", self.entry.newbase, "levent.newbase")
        for name, actor in self.scenario.actors.items():
            live = self._state.actors[name] = self._make_actor(name, actor)
            live.make(self._base)
        super().run_steps()

    def _make_actor(self, name: str, actor: LeventActor) -> LiveActor:
        if actor.is_buffered:
            return LiveBufferedEvent(self, name, actor)
        owner = actor.line or name
        if owner not in self._channels:
            self._channels[owner] = EventChannel(owner)
        return LiveEvent(self, name, actor, self._channels[owner])

    # ---- steps

    def action_for(self, each: Step, inside: Any) -> Callable[[], object] | None:
        if not each.args:
            return None if inside is not None else self._action_for_loop(each.verb)
        names = [arg for arg in each.args if isinstance(arg, str)]
        live = self._state.actors.get(names[0]) if names else None
        if live is None:
            return None
        counts = [arg for arg in each.args if isinstance(arg, int)]
        return live.action_for(each.verb, counts, inside)

    def _action_for_loop(self, verb: str) -> Callable[[], object] | None:
        match verb:
            case "turn":
                return lambda: self._enter("pass", self._turn)
            case "settle":
                return self._settle
            case "wait" if any(live.must_be_called for live in self._actors):
                return self._wait
            case "run" if all(rules := [live.rule_if_loop_waits for live in self._actors]):
                return lambda: self._enter("loop()", lambda: self._base.loop(), max(rules))
            case "run" if all(live.rule_if_loop_waits or live.surely_ends for live in self._actors):
                return self._run_to_the_end
        return None

    def _run_to_the_end(self) -> None:
        rule = "levent.loop.nil"
        self._begin_turn()
        self._enter("loop()", lambda: self._base.loop(), rule)
        if left := [live.name for live in self._actors if live.is_active]:
            what = f"loop() returned, although {left[0]} is active"
            self.differ(ViolationError(rule, what, [f"{left[0]} called"]))

    def _settle(self) -> None:
        self._enter("passes", self._pass_until_still)
        for live in self._actors:
            self.tell(live.settled)

    def _pass_until_still(self) -> None:
        """Pass after pass until nothing moves and nothing is to come, or has come for too long."""
        last: list[object] = []
        still, since = 0, time.monotonic()
        while not self.has_failed:
            self._turn()
            moved: list[object] = [live.moved for live in self._actors]
            if moved != last:
                last, still, since = moved, 0, time.monotonic()
                continue
            still += 1
            if still >= _MORE and not any(live.missing_call() for live in self._actors):
                return
            if still >= _STILL and time.monotonic() - since >= self._still_for:
                return

    def _turn(self) -> None:
        self._begin_turn()
        self._base.loop(0)
        if not self.has_failed:
            is_served = self.calls > 0
            for live in self._actors:
                self.tell(lambda live: live.end_turn(is_served=is_served), live)

    def rule_when_hung(self) -> str:
        """By what it does not call, where it waits for that and called nobody."""
        missing = [owed for live in self._actors if (owed := live.missing_call()) is not None]
        waits = self.rule_of_end == _WAITS and not self.calls
        return missing[0].rule if waits and missing else self.rule_of_return

    def _wait(self) -> None:
        self._begin_turn()
        former, self.rule_of_end = self.rule_of_end, _WAITS
        self._enter("loop(1)", lambda: self._base.loop(1), _WAITS)
        self.rule_of_end = former
        # what counts as an event of a buffered one is open
        if not self.calls and all(isinstance(live, LiveEvent) for live in self._actors):
            what = "loop(1) returned before an event was called"
            self.differ(ViolationError(_WAITS, what, self._state.may_happen()[:-1]))

    def _begin_turn(self) -> None:
        # one for each byte, at most, and what is repeated
        self.calls = 0
        self.most_calls = MOST_CALLS + sum(live.size for live in self._actors)
        for live in self._actors:
            self.tell(live.begin_turn)

    # ---- for the parts

    def look(self) -> None:
        """Tell every model how things look.  Raises RefusedError."""
        for live in self._actors:
            live.look()

    def tell(self, tell: Callable[[*Ts], object], *args: *Ts) -> None:
        """Tell a model; differ if it refuses."""
        try:
            tell(*args)
        except ViolationError as refused:
            self.differ(refused)

    def ask_by(self, rule: str, what: str, call: Callable[[], Any]) -> Any:
        """Call a function of the profile, which by *rule* comes back and does not raise."""
        with self._broken_by(rule):
            return self.ask(what, call, rule)

    # ---- inside

    def _enter(self, what: str, call: Callable[[], Any], rule: str = "") -> None:
        with self._broken_by(rule or self.rule_of_return):
            self.enter(self._state, what, call)
        self.tell(self.look)

    @contextmanager
    def _broken_by(self, rule: str) -> Iterator[None]:
        """What does not come back inside breaks *rule*."""
        former, self.rule_of_return = self.rule_of_return, rule
        yield
        self.rule_of_return = former  # only if it came back

    def close_subject(self) -> None:
        for live in self._actors:
            live.close_subject()
        self._base = None

    def close_own(self) -> None:
        for live in self._actors:
            live.close_own()
