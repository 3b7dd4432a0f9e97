"""Acts on one event of levent, on a channel that it may share with others."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..engine.channel_state import Directions
from ..engine.live import LiveObject, TurnRunner
from ..engine.runner import Action
from ..engine.scenario import Actor, Step
from ..engine.violation import ViolationError
from .event_model import Active, EventModel

_EVTYPES = {Directions.READ: "r", Directions.WRITE: "w", Directions.BOTH: "rw"}

# A callback may take these steps and then stop its event; it is still called for certain.
_HARMLESS = ("read", "read all", "write", "drain")


class LiveEvent(LiveObject):
    """One event that was made, and its model."""

    def __init__(self, runner: TurnRunner, name: str, actor: Actor) -> None:
        super().__init__(runner, name, actor)
        self._directions = Directions.of(actor["way"])
        self.model = EventModel(name, self._directions, self.state)
        self._count = 0

    def make(self, base: Any) -> None:
        way, number = _EVTYPES[self._directions], self.opened.near
        self.handle = self.ask(
            "levent.newevent.creates",
            "newevent()",
            lambda: base.newevent(number, self._called, way),
        )

    # ---- steps

    def action_for(self, each: Step, inside: LiveObject | None) -> Action:
        verb = each.verb
        if self.model.active is Active.DELETED and verb in ("start", "stop"):
            return lambda: self._check_invalid(verb)
        match verb:
            case "start":
                return lambda: self._start(inside)
            case "stop":
                return self._stop
            case "delete" if self.model.active is not Active.DELETED:
                return self._delete
        return None

    def _start(self, inside: LiveObject | None) -> None:
        self.ask("levent.event.start", "start()", self.handle.start)
        self.model.start(by_other=inside is not None and inside is not self)

    def _stop(self) -> None:
        self.ask("levent.event.stop", "stop()", self.handle.stop)
        if self.model.active is not Active.NEW:
            self.model.stop()

    def _delete(self) -> None:
        self.ask("levent.event.delete", "delete()", self.handle.delete)
        self.model.delete()

    def _check_invalid(self, verb: str) -> None:
        try:
            getattr(self.handle, verb)()
        except Exception:
            return
        what = f"{self.name}.{verb}() did not raise, although it is deleted"
        self.runner.refuse("levent.event.delete-invalid", what, "it raises")

    # ---- the loop

    def look(self) -> None:
        self.model.look()

    def begin_turn(self) -> None:
        self.model.begin_turn()

    def end_turn(self, *, is_served: bool) -> None:
        same_file = any(each.model.calls for each in self._users)
        self.model.end_turn(is_served=is_served and not same_file)

    def settled(self) -> None:
        if (missing := self.model.missing_call()) is not None:
            raise missing

    def missing_call(self) -> ViolationError | None:
        return self.model.missing_call()

    @property
    def moved(self) -> Hashable:
        return self.model.calls_due

    @property
    def rule_if_loop_waits(self) -> str:
        return self.model.rule_if_loop_waits

    @property
    def may_call(self) -> list[str]:
        return [f"{self.name} called"] if self.model.may_call else []

    @property
    def must_be_called(self) -> bool:
        return self.model.is_due

    @property
    def _users(self) -> list[Any]:
        """The events of its channel, itself among them."""
        return self.runner.on_channel(self.actor.channel)

    @property
    def surely_ends(self) -> bool:
        do = self.actor.steps_of(self._count + 1)
        if not self.must_be_called or not do or len(self._users) > 1:
            return False
        *others, last = do
        is_own = all(self.name in each.actors or each.channel == self.actor.channel for each in do)
        stops = last.verb in ("stop", "delete")
        return is_own and stops and all(each.verb in _HARMLESS for each in others)

    @property
    def is_active(self) -> bool:
        return self.model.active is Active.YES

    def _called(self, *arguments: object) -> None:
        with self.runner.calling(f"{self.name} called"):
            self.runner.look()
            self.model.called(self.runner.rule_of_end)
            if arguments != (self.opened.near,):
                what = f"{self.name} called with {len(arguments)} arguments, or another file"
                raise ViolationError("levent.newevent.callback-arg", what, ["the file alone"])
            self._count += 1
            for each in self.actor.steps_of(self._count):
                self.runner.do(each, self)
            self.runner.look()
