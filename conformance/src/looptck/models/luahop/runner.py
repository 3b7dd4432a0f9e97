"""Runs scenarios of LuaHop."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from ..engine.channel_runner import MOST_TIMES, ChannelRunner, HeldByLoop, LiveActor
from ..engine.channel_state import Directions
from ..engine.runner import Action, Refused
from ..engine.scenario import Actor, Scenario, Step
from ..engine.violation import ViolationError
from .entries import Listener, Timer
from .model import EMPTY_POLLS, LuahopModel

_MASKS = {Directions.READ: "r", Directions.WRITE: "w"}

# {kind of an actor: the direction in which it listens}
_LISTENS = {"reader": Directions.READ, "writer": Directions.WRITE}

# Polls may return for nothing this long while there is work, in seconds of the
# machine's clock: far longer than what a scenario waits for.
_LONGEST = 1.0


class _Held(HeldByLoop):
    def callback(self) -> None:
        self.called(self.live)


class LuahopRunner(ChannelRunner):
    # LuaHop counts in whole milliseconds
    units = (0.5, 0.015)
    rule_of_return = "luahop.poll.returns"
    rule_of_data = "luahop.listener.eof"
    may_not_touch = True
    rule_of_descriptors = "luahop.scope.no-sockets"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        # {number: the loop}, and its model
        self._loops: dict[int, Any] = {}
        self._models: dict[int, LuahopModel] = {}
        self._live: dict[str, LiveActor] = {}
        self._times: dict[str, int] = {}
        self._all: list[LiveActor] = []
        # {name: who has one callback for all times, and that callback}
        self._own: dict[str, tuple[LiveActor, Callable[[], None]]] = {}
        self._thread = threading.get_ident()

    def run_steps(self) -> None:
        super().run_steps()
        self._check_end()

    def _loop(self, number: int) -> Any:
        if number not in self._loops:
            self._loops[number] = self.ask("new()", self.entry.new, "luahop.module.new")
            self._models[number] = LuahopModel(self.timing)
        return self._loops[number]

    def act(self, each: Step, inside: Any) -> Action:
        if "name" in each:
            return self._act_on_actor(each.verb, each["name"])
        if inside is not None:
            return None
        number = each["loop"]
        if each.verb == "poll for":
            return lambda: self._poll_for(number, each["t"])
        if number not in self._models or self._models[number].is_stuck:
            return None
        return lambda: self._poll_until_called(number, each.get("n", 1))

    def _act_on_actor(self, verb: str, name: str) -> Action:
        actor = self.scenario.actors.get(name)
        if actor is None:
            return None
        if actor.channel:
            if not self.can_watch(actor, _LISTENS[actor.kind]):
                return None
            if verb == "set":
                return (lambda: self._listen(name, actor)) if self._may(name) else None
            return (lambda: self._remove(actor)) if verb == "remove" else None
        if verb == "set":
            return (lambda: self._time(name, actor)) if self._may(name) else None
        if verb == "clear" and name in self._live:
            return lambda: self._clear(self._live[name])
        return None

    def _may(self, name: str) -> bool:
        return self._times.get(name, 0) < 2 * MOST_TIMES

    def _new_live_actor(self, name: str, actor: Actor) -> LiveActor:
        self._times[name] = self._times.get(name, 0) + 1
        return LiveActor(name, actor)

    def _listen(self, name: str, actor: Actor) -> None:
        hop, model = self._loop(_number(actor)), self._models[_number(actor)]
        live, callback = self._listener_for(name, actor)
        fd, mask = self.open_channels[actor.channel].near, _MASKS[_LISTENS[actor.kind]]
        self.ask(
            f"set_listener for {name}",
            lambda: hop.set_listener(fd, mask, callback),
            "luahop.listener.create",
        )
        live.modelled = model.set_listener(name, self.channels[actor.channel], _LISTENS[actor.kind])
        self._live[name] = live

    def _listener_for(self, name: str, actor: Actor) -> tuple[LiveActor, Callable[[], None]]:
        """Return the actor that listens and its callback.

        An actor that reuses its callback passes one function each time that it
        is set.  Another one passes a method of a new object, to which only the
        loop refers.
        """
        if name in self._own and self._own[name][0].modelled.gone:
            self._times[name] += 1
            return self._own[name]
        live = self._new_live_actor(name, actor)
        self._all.append(live)
        if "one callback for all" in actor:
            return self._own.setdefault(name, (live, self._callback(live)))
        return live, _Held(self._called, live).callback

    def _remove(self, actor: Actor) -> None:
        self._stop_listening(_number(actor), actor.channel, _LISTENS[actor.kind])

    def _stop_listening(self, number: int, channel: int, directions: Directions) -> None:
        hop, model = self._loop(number), self._models[number]
        fd = self.open_channels[channel].near
        if not model.listens(self.channels[channel], directions):
            with suppress(Exception):  # it may raise, or do nothing
                hop.remove_listener(fd, _MASKS[directions])
            return
        self.ask(
            "remove_listener",
            lambda: hop.remove_listener(fd, _MASKS[directions]),
            "luahop.listener.remove",
        )
        model.remove_listener(self.channels[channel], directions)

    def _time(self, name: str, actor: Actor) -> None:
        hop, model = self._loop(_number(actor)), self._models[_number(actor)]
        live = self._new_live_actor(name, actor)
        duration = self._duration(actor["after"], in_seconds="in seconds" in actor)
        is_interval = actor.kind == "interval"
        verb = "set_interval" if is_interval else "set_timeout"
        callback = self._callback(live)
        before = self.now()
        live.handle = self.ask(
            f"setting {name}", lambda: getattr(hop, verb)(duration, callback), "luahop.timer.handle"
        )
        length = actor["after"] * self.timing.unit
        live.modelled = model.set_timer(name, length, before, self.now(), is_interval=is_interval)
        self._live[name] = live

    def _clear(self, live: LiveActor) -> None:
        if live.modelled.is_cleared:
            with suppress(Exception):  # it may raise, or do nothing
                self.entry.clear_timer(live.handle)
            return
        rule = f"luahop.timer.clear-{'twice' if live.modelled.gone else 'timeout'}"
        self.ask(f"clear_timer of {live.name}", lambda: self.entry.clear_timer(live.handle), rule)
        self._models[_number(live.actor)].clear_timer(live.modelled)

    def _duration(self, after: int, *, in_seconds: bool) -> dict[str, int]:
        milliseconds = round(after * self.timing.unit * 1000)
        if in_seconds and milliseconds % 1000 == 0:
            return {"s": milliseconds // 1000}
        return {"ms": milliseconds}

    def _poll_until_called(self, number: int, times: int) -> None:
        """Poll until somebody is called, *times* times; some polls may return for nothing."""
        hop, model = self._loops[number], self._models[number]
        empty, began = 0, time.monotonic()
        while times and not model.is_stuck:
            calls = self.calls
            model.enter(self.now(), None)
            self.enter(model, f"poll {number}", lambda: hop.poll())
            if self.calls > calls:
                times, empty, began = times - 1, 0, time.monotonic()
                continue
            empty += 1
            if empty > EMPTY_POLLS and time.monotonic() - began > _LONGEST:
                what = f"poll() returned again and again for {_LONGEST:.0f} s and called nobody"
                self.refuse("luahop.poll.blocks", what, *model.may_happen())

    def _poll_for(self, number: int, length: int) -> None:
        hop = self._loop(number)
        model = self._models[number]
        limit = self._duration(length, in_seconds=False)
        model.enter(self.now(), length * self.timing.unit)
        what = f"poll {number} for {length}"
        try:
            self.enter(model, what, lambda: hop.poll(limit), may_refuse=True)
        except Refused:
            model.is_polling = False  # timeouts are the complete library's
            self.note("refuses a timeout")

    def _callback(self, live: LiveActor) -> Callable[[], None]:
        def callback() -> None:
            self._called(live)

        return callback

    def _called(self, live: LiveActor) -> None:
        with self.calling(f"{live.name} called"):
            modelled: Listener | Timer | None = live.modelled
            if modelled is None:
                raise ViolationError(
                    "luahop.timer.only-in-poll",
                    f"{live.name} called by the function that set it",
                    ["it returns"],
                )
            if threading.get_ident() != self._thread:
                raise ViolationError(
                    "luahop.poll.dispatch-before-return",
                    f"{live.name} called in another thread",
                    ["it runs in the thread of poll()"],
                )
            model = self._models[_number(live.actor)]
            model.called(modelled, self.now())
            for each in live.next_steps():
                self.do(each, live)
            model.finished(modelled, self.now())

    # ---- ends

    def can_forget(self, number: int) -> bool:
        return True

    def forget(self, number: int) -> None:
        for loop in self._loops:
            for directions in self.channels[number].directions:
                self._stop_listening(loop, number, directions)

    def _check_end(self) -> None:
        """Differ if a callback is kept that was replaced."""
        for each in self._all:
            model = self._models[_number(each.actor)]
            if not each.is_held or not model.must_be_released(each.modelled):
                continue
            gc.collect()
            if each.is_held:
                what = f"the callback of {each.name} is kept, although it was replaced"
                self.refuse("luahop.listener.replace", what, "it is let go of")

    def close_subject(self) -> None:
        for loop in self._loops.values():
            close = getattr(loop, "close", None)
            if callable(close):
                with suppress(Exception):
                    close()
        self._loops.clear()
        self._live.clear()


def _number(actor: Actor) -> int:
    """The number of the loop that *actor* belongs to."""
    number: int = actor.get("loop", 1)
    return number
