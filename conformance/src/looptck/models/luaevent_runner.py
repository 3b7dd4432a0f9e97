"""Plays scenarios of luaevent."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from .channel_runner import MOST_TIMES, ChannelRunner, LiveActor
from .channel_state import ChannelState, Directions
from .lockstep import RunEnded
from .luaevent import Flags, LuaeventModel
from .scenario import Actor, Answer, Role, Scenario
from .violation import ViolationError

# How long a guard waits before it says for the first time that nothing comes.
_GUARD_UNITS = 3

_GUARD = "Guard"


# Hidden in the text of a scenario: other ways to say the same, by name.
_WITH_ALL_ARGUMENTS = ("B", "D")
_WITH_A_METHOD = ("A", "D")


class _Only:
    """Holds a callback that nobody but the loop refers to."""

    def __init__(self, called: Callable[[LiveActor, Any], Any], live: LiveActor) -> None:
        self._called = called
        self._live = live

    def callback(self, flags: Any) -> Any:
        return self._called(self._live, flags)


class LuaeventRunner(ChannelRunner[LuaeventModel]):
    rule_of_return = "luaevent.loop.begins"
    rule_of_data = "luaevent.loop.data-before-eof"
    rule_of_new = "luaevent.new.returns-base"
    rule_of_descriptors = "luaevent.addevent.close-not-fd"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        # {name: who played it last}
        self._live: dict[str, LiveActor] = {}
        self._all: list[LiveActor] = []
        self._guards: dict[int, LiveActor] = {}

    def new_model(self) -> LuaeventModel:
        return LuaeventModel(self.timing)

    def act(
        self, verb: str, subject: int | str, args: tuple[int | str, ...], inside: Any
    ) -> Callable[[], object] | None:
        if isinstance(subject, str):
            actor = self.scenario.actors.get(subject)
            if actor is None:
                return None
            live = self._live.get(subject)
            if verb == "add":
                return (lambda: self._add(subject, actor)) if self._can_add(subject) else None
            if live is None or live.handle is None:
                return None
            if verb == "close":
                return lambda: self._close(live)
            return lambda: self._drop(live)
        if verb == "close base":
            return (lambda: self._close_base(subject)) if self._can_close_base(subject) else None
        model = self.models.get(subject)
        if model is not None and model.is_running:
            return None
        if model is not None and model.is_closed:
            return lambda: self._loop_closed(subject)
        return lambda: self._loop(subject, guarded=verb == "loop guarded")

    def _can_add(self, name: str) -> bool:
        actor = self.scenario.actors[name]
        live = self._live.get(name)
        if live is not None and live.modelled.gone is None:
            return False
        if actor.channel and actor.channel not in self.channels:
            return False
        if actor.channel and actor.directions & ~self.channels[actor.channel].directions:
            return False
        model = self.models.get(actor.loop)
        if model is not None and model.is_closed:
            return False
        return sum(1 for each in self._all if each.name == name) < MOST_TIMES

    def _add(self, name: str, actor: Actor) -> LiveActor:
        base, model = self.loop(actor.loop), self.models[actor.loop]
        live = LiveActor(name, actor)
        callback = self._callback(live)
        timeout = None if actor.after is None else actor.after * self.timing.unit
        channel = self.channels.get(actor.channel)
        fd = None if channel is None else self.open_channels[actor.channel].near
        flags = self._number_of(actor.directions) if channel else self.entry.EV_TIMEOUT
        left_out = timeout is None and name not in _WITH_ALL_ARGUMENTS
        arguments = (fd, flags, callback) if left_out else (fd, flags, callback, timeout)
        before = self.now()
        live.handle = self.ask(
            f"addevent for {name}", lambda: base.addevent(*arguments), "luaevent.addevent.adds"
        )
        live.modelled = model.add(name, channel, actor.directions, timeout, before, self.now())
        self._live[name] = live
        self._all.append(live)
        return live

    def _close(self, live: LiveActor) -> None:
        rule = "close-idempotent" if live.modelled.gone else "close-erases"
        self.ask(f"{live.name}.close()", lambda: live.handle.close(), f"luaevent.addevent.{rule}")
        self.models[live.actor.loop].close(live.modelled)

    def _drop(self, live: LiveActor) -> None:
        live.handle = None
        self.models[live.actor.loop].drop(live.modelled)
        self._collect()

    def _collect(self) -> None:
        """Collect what was dropped, should a cycle still hold it, and tell the models."""
        dropped = [each for each in self._all if each.handle is None and each.modelled.gone is None]
        if any(each.is_held for each in dropped):
            gc.collect()
        for each in dropped:
            if not each.is_held:
                self.models[each.actor.loop].collected(each.modelled)

    def _can_close_base(self, number: int) -> bool:
        return number in self.loops and not self.models[number].is_closed

    def _close_base(self, number: int) -> None:
        base, model = self.loops[number], self.models[number]
        if not model.is_running:
            self.ask(f"base {number}.close()", lambda: base.close(), "luaevent.close.exists")
            model.close_base()
            return
        try:
            base.close()
        except Exception:
            return
        self.differ(
            ViolationError(
                "luaevent.close.not-in-loop",
                f"base {number} was closed while its loop ran",
                ["close() raises"],
            )
        )

    def _loop(self, number: int, *, guarded: bool) -> None:
        base = self.loop(number)
        model = self.models[number]
        if model.is_stuck or (guarded and model.live):
            self._set_guard(number)
        model.enter(self.now())
        nested = "luaevent.loop.nested-other" if self.is_inside else ""
        self.enter(model, f"loop {number}", lambda: base.loop(), rule=nested)
        self._guards.pop(number, None)

    def _loop_closed(self, number: int) -> None:
        """What a closed base does is open, but it calls nobody."""
        with suppress(Exception):
            self.loops[number].loop()
        if self._difference is not None or self._fault is not None:
            raise RunEnded

    # ---- the guard: a timer that ends what would wait for ever

    def _set_guard(self, number: int) -> None:
        if number not in self._guards:
            actor = Actor(Role.TIMER, after=_GUARD_UNITS, loop=number)
            self._guards[number] = self._add(_GUARD, actor)

    def _guard_struck(self, live: LiveActor) -> Answer:
        """The second time it ends everything."""
        if live.calls < 2:
            return Answer("same")
        for each in self._all:
            if each.actor.loop == live.actor.loop and each is not live and each.handle is not None:
                self._close(each)
        return Answer("leave")

    def _see_to_guard(self, number: int) -> None:
        """One is there if the loop needs it, and keeps no loop that has nothing else left."""
        model, guard = self.models[number], self._guards.get(number)
        if model.is_stuck:
            self._set_guard(number)
        elif guard is not None and model.live == [guard.modelled]:
            self._close(guard)
            del self._guards[number]

    # ---- callbacks

    def _callback(self, live: LiveActor) -> Callable[[Any], Any]:
        """A function, or a method of an object that only the loop knows."""
        if live.name in _WITH_A_METHOD:
            only = _Only(self._called, live)
            live.callback = weakref.ref(only)
            return only.callback

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
            model = self.models[live.actor.loop]
            began = self.now()
            model.called(live.modelled, flags, began)
            self._collect()
            answer = self._perform(live)
            registered: Directions = live.modelled.directions
            model.answered(live.modelled, flags, answer, began, self.now())
            if live.name != _GUARD:
                self._see_to_guard(live.actor.loop)
            self.note(answer.text())
            return self._as_value(live, answer, registered)

    def _perform(self, live: LiveActor) -> Answer:
        call = live.next_call()
        if live.name == _GUARD:
            return self._guard_struck(live)
        for each in call.do:
            self.do(each, live)
        return call.answer or Answer()

    def _as_value(self, live: LiveActor, answer: Answer, registered: Directions) -> Any:
        """What the callback returns: flags, or flags and a timeout."""
        if answer.flags == "leave":
            flags = self.entry.LEAVE
        elif not live.actor.channel:
            flags = self.entry.EV_TIMEOUT
        else:
            flags = self._number_of(answer.directions or registered)
        if answer.timeout is not None:
            return flags, answer.timeout * self.timing.unit
        # both are ways to give no timeout
        return (flags, None) if live.name in _WITH_ALL_ARGUMENTS else flags

    def _number_of(self, directions: Directions) -> int:
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

    def can_forget(self, channel: ChannelState) -> bool:
        return not any(
            each.modelled.channel is channel and each.modelled.fading is not None
            for each in self._all
        )

    def forget(self, channel: ChannelState) -> None:
        for each in self._all:
            if each.modelled.channel is channel and each.modelled.gone is None:
                self._close(each)

    def check_end(self) -> None:
        over = [each for each in self._all if each.modelled.gone is not None]
        if not any(each.is_held for each in over):
            return
        gc.collect()
        for each in over:
            if each.is_held and not self.models[each.actor.loop].is_closed:
                what = f"the callback of {each.name} is kept, although the event is over"
                self.differ(
                    ViolationError("luaevent.callback.leave-releases", what, ["it is let go of"])
                )

    def close_loops(self) -> None:
        for each in self._all:
            if each.handle is not None:
                with suppress(Exception):
                    each.handle.close()
        for base in self.loops.values():
            with suppress(Exception):
                base.close()
        for each in self._all:
            each.handle = None
