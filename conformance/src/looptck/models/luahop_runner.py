"""Plays scenarios of LuaHop."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from looptck.subjects.subject import Subject

from .channel_runner import MOST_TIMES, ChannelRunner, LiveActor
from .channel_state import ChannelState, Directions
from .lockstep import Refused
from .luahop import EMPTY_POLLS, Listener, LuahopModel, Timer
from .scenario import Actor, Role, Scenario
from .violation import ViolationError

_MASKS = {Directions.READ: "r", Directions.WRITE: "w"}


# How long polls may return for nothing while there is work, in seconds of the
# machine's clock: far longer than what a scenario waits for.
_LONGEST = 1.0

# Hidden in the text of a scenario: two ways to have a callback, by name.
_WITH_A_CALLBACK_OF_THEIR_OWN = ("B", "D")


class _Only:
    """Holds a callback that nobody but the loop refers to."""

    def __init__(self, called: Callable[[LiveActor], None], live: LiveActor) -> None:
        self._called = called
        self._live = live

    def callback(self) -> None:
        self._called(self._live)


class LuahopRunner(ChannelRunner[LuahopModel]):
    rule_of_return = "luahop.poll.returns"
    rule_of_data = "luahop.listener.eof"
    rule_of_new = "luahop.module.new"
    may_not_touch = True
    rule_of_descriptors = "luahop.scope.no-sockets"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self._live: dict[str, LiveActor] = {}
        self._times: dict[str, int] = {}
        self._all: list[LiveActor] = []
        # {name: who has one callback for all times, and that callback}
        self._own: dict[str, tuple[LiveActor, Callable[[], None]]] = {}
        self._thread = threading.get_ident()

    def new_model(self) -> LuahopModel:
        return LuahopModel(self.timing)

    def act(
        self, verb: str, subject: int | str, args: tuple[int | str, ...], inside: Any
    ) -> Callable[[], object] | None:
        if isinstance(subject, str):
            return self._act_on_actor(verb, subject)
        if inside is not None:
            return None
        if verb == "poll for":
            return lambda: self._poll_for(subject, int(args[1]))
        if subject not in self.models or self.models[subject].is_stuck:
            return None
        times = int(args[1]) if verb == "poll often" else 1
        return lambda: self._poll_until_called(subject, times)

    def _act_on_actor(self, verb: str, name: str) -> Callable[[], object] | None:
        actor = self.scenario.actors.get(name)
        if actor is None or actor.role in (Role.EVENT, Role.TIMER):
            return None
        if actor.channel:
            if (
                actor.channel not in self.channels
                or actor.directions & ~self.channels[actor.channel].directions
            ):
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
        hop, model = self.loop(actor.loop), self.models[actor.loop]
        live, callback = self._listener_for(name, actor)
        fd, mask = self.open_channels[actor.channel].near, _MASKS[actor.directions]
        self.ask(
            f"set_listener for {name}",
            lambda: hop.set_listener(fd, mask, callback),
            "luahop.listener.create",
        )
        live.modelled = model.set_listener(name, self.channels[actor.channel], actor.directions)
        self._live[name] = live

    def _listener_for(self, name: str, actor: Actor) -> tuple[LiveActor, Callable[[], None]]:
        """Who listens, and the callback: some use one for all their times on stage.

        The others use a method of an object that only the loop knows.
        """
        if name in self._own and self._own[name][0].modelled.gone:
            self._times[name] += 1
            return self._own[name]
        live = self._new_live_actor(name, actor)
        self._all.append(live)
        if name in _WITH_A_CALLBACK_OF_THEIR_OWN:
            return self._own.setdefault(name, (live, self._callback(live)))
        only = _Only(self._called, live)
        live.callback = weakref.ref(only)
        return live, only.callback

    def _remove(self, actor: Actor) -> None:
        self._stop_listening(actor.loop, actor.channel, actor.directions)

    def _stop_listening(self, number: int, channel: int, directions: Directions) -> None:
        hop, model = self.loop(number), self.models[number]
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
        hop, model = self.loop(actor.loop), self.models[actor.loop]
        live = self._new_live_actor(name, actor)
        assert actor.after is not None
        duration = self._duration(actor.after, in_seconds=actor.in_seconds)
        is_interval = actor.role is Role.INTERVAL
        verb = "set_interval" if is_interval else "set_timeout"
        callback = self._callback(live)
        before = self.now()
        live.handle = self.ask(
            f"setting {name}", lambda: getattr(hop, verb)(duration, callback), "luahop.timer.handle"
        )
        length = actor.after * self.timing.unit
        live.modelled = model.set_timer(name, length, before, self.now(), is_interval=is_interval)
        self._live[name] = live

    def _clear(self, live: LiveActor) -> None:
        if live.modelled.is_cleared:
            with suppress(Exception):  # it may raise, or do nothing
                self.entry.clear_timer(live.handle)
            return
        rule = f"luahop.timer.clear-{'twice' if live.modelled.gone else 'timeout'}"
        self.ask(f"clear_timer of {live.name}", lambda: self.entry.clear_timer(live.handle), rule)
        self.models[live.actor.loop].clear_timer(live.modelled)

    def _duration(self, after: int, *, in_seconds: bool) -> dict[str, int]:
        milliseconds = round(after * self.timing.unit * 1000)
        if in_seconds and milliseconds % 1000 == 0:
            return {"s": milliseconds // 1000}
        return {"ms": milliseconds}

    def _poll_until_called(self, number: int, times: int) -> None:
        """Poll until somebody is called, *times* times; some polls may return for nothing."""
        hop, model = self.loops[number], self.models[number]
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
                self.differ(ViolationError("luahop.poll.blocks", what, model.may_happen()))

    def _poll_for(self, number: int, length: int) -> None:
        hop = self.loop(number)
        model = self.models[number]
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
            model = self.models[live.actor.loop]
            model.called(modelled, self.now())
            for each in live.next_call().do:
                self.do(each, live)
            model.finished(modelled, self.now())

    def can_forget(self, channel: ChannelState) -> bool:
        return True

    def forget(self, channel: ChannelState) -> None:
        number = next(number for number, each in self.channels.items() if each is channel)
        for loop in self.loops:
            for directions in channel.directions:
                self._stop_listening(loop, number, directions)

    def check_end(self) -> None:
        for each in self._all:
            if not each.is_held or not self.models[each.actor.loop].must_be_released(each.modelled):
                continue
            gc.collect()
            if each.is_held:
                what = f"the callback of {each.name} is kept, although it was replaced"
                self.differ(ViolationError("luahop.listener.replace", what, ["it is let go of"]))

    def close_loops(self) -> None:
        for loop in self.loops.values():
            close = getattr(loop, "close", None)
            if callable(close):
                with suppress(Exception):
                    close()
        self._live.clear()
