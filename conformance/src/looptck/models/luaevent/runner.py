"""Runs scenarios of luaevent."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from ..engine.channel_runner import MOST_TIMES, ChannelRunner, HeldByLoop, LiveActor
from ..engine.channel_state import Directions
from ..engine.runner import Action, RunEnded
from ..engine.scenario import Actor, Scenario, Step
from ..engine.violation import ViolationError
from .entries import Answer, Flags
from .generator import GRAMMAR
from .model import LuaeventModel

# A guard waits this many units before it first finds that nothing comes.
_GUARD_UNITS = 3

# No actor of a scenario can have this name.
_GUARD = "the guard"


class _Held(HeldByLoop):
    def callback(self, flags: Any) -> Any:
        return self.called(self.live, flags)


class LuaeventRunner(ChannelRunner):
    # odd fractions of a second show who rounds
    units = (0.5003, 0.0153)
    rule_of_return = "luaevent.loop.begins"
    rule_of_data = "luaevent.loop.data-before-eof"
    rule_of_descriptors = "luaevent.addevent.close-not-fd"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        # {number: the base}, and its model
        self._bases: dict[int, Any] = {}
        self._models: dict[int, LuaeventModel] = {}
        # {name: the actor that was made last under that name}
        self._live: dict[str, LiveActor] = {}
        self._all: list[LiveActor] = []
        self._guards: dict[int, LiveActor] = {}

    def run_steps(self) -> None:
        super().run_steps()
        self._check_end()

    def _base(self, number: int) -> Any:
        if number not in self._bases:
            self._bases[number] = self.ask("new()", self.entry.new, "luaevent.new.returns-base")
            self._models[number] = LuaeventModel(self.timing)
        return self._bases[number]

    def act(self, each: Step, inside: Any) -> Action:
        if each.verb == "answer":
            return None  # it is taken when the callback returns
        if "name" in each:
            return self._act_on_actor(each.verb, each["name"])
        number = each["loop"]
        if each.verb == "close base":
            return (lambda: self._close_base(number)) if self._can_close_base(number) else None
        model = self._models.get(number)
        if model is not None and model.is_running:
            return None
        if model is not None and model.is_closed:
            return lambda: self._loop_closed(number)
        return lambda: self._loop(number, guarded=each.verb == "loop guarded")

    def _act_on_actor(self, verb: str, name: str) -> Action:
        actor = self.scenario.actors.get(name)
        if actor is None:
            return None
        live = self._live.get(name)
        if verb == "add":
            return (lambda: self._add(name, actor)) if self._can_add(name, actor) else None
        if live is None or live.handle is None:
            return None
        if verb == "close":
            return lambda: self._close(live)
        return lambda: self._drop(live)

    def _can_add(self, name: str, actor: Actor) -> bool:
        live, model = self._live.get(name), self._models.get(_number(actor))
        if live is not None and live.modelled.gone is None:
            return False
        if actor.channel and not self.can_watch(actor, _directions(actor)):
            return False
        if model is not None and model.is_closed:
            return False
        return sum(1 for each in self._all if each.name == name) < MOST_TIMES

    def _add(self, name: str, actor: Actor) -> LiveActor:
        base, model = self._base(_number(actor)), self._models[_number(actor)]
        live = LiveActor(name, actor)
        callback = self._callback(live)
        timeout = actor["after"] * self.timing.unit if "after" in actor else None
        channel, directions = self.channels.get(actor.channel), _directions(actor)
        fd = self.open_channels[actor.channel].near if channel else None
        flags = self._flag_number(directions) if channel else self.entry.EV_TIMEOUT
        left_out = timeout is None and "all arguments given" not in actor
        arguments = (fd, flags, callback) if left_out else (fd, flags, callback, timeout)
        before = self.now()
        live.handle = self.ask(
            f"addevent for {name}", lambda: base.addevent(*arguments), "luaevent.addevent.adds"
        )
        live.modelled = model.add(name, channel, directions, timeout, before, self.now())
        self._live[name] = live
        self._all.append(live)
        return live

    def _close(self, live: LiveActor) -> None:
        rule = "close-idempotent" if live.modelled.gone else "close-erases"
        self.ask(f"{live.name}.close()", lambda: live.handle.close(), f"luaevent.addevent.{rule}")
        self._models[_number(live.actor)].close(live.modelled)

    def _drop(self, live: LiveActor) -> None:
        live.handle = None
        self._models[_number(live.actor)].drop(live.modelled)
        self._collect()

    def _collect(self) -> None:
        """Collect what was dropped, should a cycle still hold it, and tell the models."""
        dropped = [each for each in self._all if each.handle is None and each.modelled.gone is None]
        if any(each.is_held for each in dropped):
            gc.collect()
        for each in dropped:
            if not each.is_held:
                self._models[_number(each.actor)].collected(each.modelled)

    def _can_close_base(self, number: int) -> bool:
        return number in self._bases and not self._models[number].is_closed

    def _close_base(self, number: int) -> None:
        base, model = self._bases[number], self._models[number]
        if not model.is_running:
            self.ask(f"base {number}.close()", lambda: base.close(), "luaevent.close.exists")
            model.close_base()
            return
        try:
            base.close()
        except Exception:
            return
        self.refuse(
            "luaevent.close.not-in-loop",
            f"base {number} was closed while its loop ran",
            "close() raises",
        )

    def _loop(self, number: int, *, guarded: bool) -> None:
        base = self._base(number)
        model = self._models[number]
        if model.is_stuck or (guarded and model.live):
            self._set_guard(number)
        model.enter(self.now())
        nested = "luaevent.loop.nested-other" if self.is_inside else ""
        self.enter(model, f"loop {number}", lambda: base.loop(), rule=nested)
        self._guards.pop(number, None)

    def _loop_closed(self, number: int) -> None:
        """Run the loop of a closed base, which may do anything but call somebody."""
        with suppress(Exception):
            self._bases[number].loop()
        if self.has_failed:
            raise RunEnded

    # ---- the guard: a timer that ends what would wait for ever

    def _set_guard(self, number: int) -> None:
        if number not in self._guards:
            actor = GRAMMAR.actor("timer", after=_GUARD_UNITS, loop=number)
            self._guards[number] = self._add(_GUARD, actor)

    def _guard_struck(self, live: LiveActor) -> Answer:
        """The second time it ends everything."""
        if live.calls < 2:
            return Answer("same")
        for each in self._all:
            if (
                _number(each.actor) == _number(live.actor)
                and each is not live
                and each.handle is not None
            ):
                self._close(each)
        return Answer("leave")

    def _see_to_guard(self, number: int) -> None:
        """Set a guard if the loop needs one; close it if the loop has nothing else left."""
        model, guard = self._models[number], self._guards.get(number)
        if model.is_stuck:
            self._set_guard(number)
        elif guard is not None and model.live == [guard.modelled]:
            self._close(guard)
            del self._guards[number]

    # ---- callbacks

    def _callback(self, live: LiveActor) -> Callable[[Any], Any]:
        """Return a function, or a method of an object that only the loop refers to."""
        if "callback a method" in live.actor:
            return _Held(self._called, live).callback

        def callback(flags: Any) -> Any:
            return self._called(live, flags)

        live.callback = weakref.ref(callback)
        return callback

    def _called(self, live: LiveActor, number: Any) -> Any:
        flags = self._flags_of(number)
        with self.calling(f"{live.name} called with {flags.words()}"):
            if live.modelled is None:
                raise ViolationError(
                    "luaevent.addevent.adds", f"{live.name} called by addevent", ["it returns"]
                )
            model = self._models[_number(live.actor)]
            began = self.now()
            model.called(live.modelled, flags, began)
            self._collect()
            answer = self._perform(live)
            registered: Directions = live.modelled.directions
            model.answered(live.modelled, flags, answer, began, self.now())
            if live.name != _GUARD:
                self._see_to_guard(_number(live.actor))
            said = "" if answer.timeout is None else f", timeout {answer.timeout}"
            self.note(f"answer {answer.flags}{said}")
            return self._as_value(live, answer, registered)

    def _perform(self, live: LiveActor) -> Answer:
        """Take the steps of a call; its last answer counts, and without one it answers leave."""
        do = live.next_steps()
        if live.name == _GUARD:
            return self._guard_struck(live)
        answer = Answer()
        for each in do:
            if each.verb == "answer":
                answer = Answer(each["flags"], each.get("t"))
            self.do(each, live)
        return answer

    def _as_value(self, live: LiveActor, answer: Answer, registered: Directions) -> Any:
        """Return the value of *answer*: flags, or flags and a timeout."""
        if answer.flags == "leave":
            flags = self.entry.LEAVE
        elif not live.actor.channel:
            flags = self.entry.EV_TIMEOUT
        else:
            flags = self._flag_number(answer.directions or registered)
        if answer.timeout is not None:
            return flags, answer.timeout * self.timing.unit
        return (flags, None) if "all arguments given" in live.actor else flags

    def _flag_number(self, directions: Directions) -> int:
        read = self.entry.EV_READ if Directions.READ in directions else 0
        write = self.entry.EV_WRITE if Directions.WRITE in directions else 0
        number: int = read | write
        return number

    def _flags_of(self, number: Any) -> Flags:
        entry = self.entry
        if not isinstance(number, int):
            return Flags(strange=True)
        directions = Directions.READ if number & entry.EV_READ else Directions.NEITHER
        directions |= Directions.WRITE if number & entry.EV_WRITE else Directions.NEITHER
        known = entry.EV_READ | entry.EV_WRITE | entry.EV_TIMEOUT
        return Flags(directions, bool(number & entry.EV_TIMEOUT), bool(number & ~known))

    # ---- ends

    def can_forget(self, number: int) -> bool:
        return not any(each.modelled.fading is not None for each in self._on_channel(number))

    def forget(self, number: int) -> None:
        for each in self._on_channel(number):
            if each.modelled.gone is None:
                self._close(each)

    def _on_channel(self, number: int) -> list[LiveActor]:
        return [each for each in self._all if each.actor.channel == number]

    def _check_end(self) -> None:
        """Differ if a callback is kept whose event is over."""
        over = [each for each in self._all if each.modelled.gone is not None]
        if not any(each.is_held for each in over):
            return
        gc.collect()
        for each in over:
            if each.is_held and not self._models[_number(each.actor)].is_closed:
                what = f"the callback of {each.name} is kept, although the event is over"
                self.refuse("luaevent.callback.leave-releases", what, "it is let go of")

    def close_subject(self) -> None:
        for each in self._all:
            if each.handle is not None:
                with suppress(Exception):
                    each.handle.close()
        for base in self._bases.values():
            with suppress(Exception):
                base.close()
        for each in self._all:
            each.handle = None
        self._bases.clear()


def _number(actor: Actor) -> int:
    """The number of the base that *actor* belongs to."""
    number: int = actor.get("loop", 1)
    return number


def _directions(actor: Actor) -> Directions:
    """The directions that *actor* is registered for."""
    return Directions.of(actor.get("way", ""))
