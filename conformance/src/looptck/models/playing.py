"""Plays a scenario on a loop and on the model in lockstep.

Only the functions of the profile are used.  The callbacks do what the
scenario says and nothing else, so that a conforming loop can differ from
another only where the rules leave it free; there the model allows both.

The first thing that the model refuses ends the play.
"""

from __future__ import annotations

import gc
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from looptck.bench import Bench
from looptck.clocks import VirtualClock
from looptck.implementation import Implementation
from looptck.probes import trace as traces

from .lines import Line
from .luaevent import Flags, LuaeventModel
from .luahop import EMPTY_POLLS, Listener, LuahopModel, Timer
from .refused import RefusedError
from .scenario import Actor, Answer, Call, Role, Scenario, Step
from .timing import Timing
from .world import Way, Wire

# A scenario lasts milliseconds, or a few units on the machine's clock.
PATIENCE = 2.0

# How long a guard waits before it says for the first time that nothing comes.
_GUARD_UNITS = 3

# Nothing that a scenario asks for makes so many calls.
_MOST_CALLS = 400


def timing(profile: str, *, is_virtual: bool) -> Timing:
    """The length of a unit and what can be judged.

    LuaHop counts in whole milliseconds; luaevent in seconds, of which odd
    fractions show who rounds.
    """
    if is_virtual:
        unit = 0.5 if profile == "luahop" else 0.5003
        return Timing(unit=unit, is_virtual=True, patience=0.2, apart=0.01)
    unit = 0.015 if profile == "luahop" else 0.0153
    return Timing(unit=unit, is_virtual=False, patience=float("inf"), apart=0.01)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a loop did that the model refuses."""

    scenario: Scenario
    rule: str
    happened: str
    expected: tuple[str, ...]
    # (time in units, depth, what), oldest first
    timeline: tuple[tuple[float, int, str], ...]

    def text(self) -> str:
        lines = ["the scenario:", *_indented(self.scenario.text().splitlines())]
        lines += ["", "what happened (time in units):"]
        lines += [f"  {time:7.2f}  {'  ' * depth}{what}" for time, depth, what in self.timeline]
        lines += ["", "expected one of:", *_indented(self.expected)]
        lines += ["happened:", f"    {self.happened}", f"rule: {self.rule}"]
        return "\n".join(lines)


def _indented(lines: list[str] | tuple[str, ...]) -> list[str]:
    return [f"    {line}" for line in lines]


@dataclass(frozen=True, slots=True)
class Played:
    """How a play went."""

    # steps taken, calls made and returns seen
    steps: int
    difference: Difference | None
    hung: bool = False


class _Over(BaseException):
    """The play has ended; nothing more is to be learned."""


class _TooLong(BaseException):
    """The loop did not come back."""


class _Refusal(Exception):  # noqa: N818
    """The loop refused what it need not accept."""


def play(
    scenario: Scenario,
    implementation: Implementation,
    variant: str,
    *,
    patience: float = PATIENCE,
) -> Played:
    """Play *scenario* once, on a fresh loop."""
    kind = _LuahopPlay if scenario.profile == "luahop" else _LuaeventPlay
    return kind(scenario, Bench(implementation, variant), patience).run()


M = TypeVar("M", LuaeventModel, LuahopModel)


class _Play(Generic[M]):
    """What both profiles have in common."""

    # the rule that is broken by not coming back, or by raising
    rule_of_return = ""
    rule_of_descriptors = ""

    def __init__(self, scenario: Scenario, bench: Bench, patience: float) -> None:
        self._scenario = scenario
        self._patience = patience
        self.clock = bench.clock
        is_virtual = isinstance(bench.clock, VirtualClock)
        self.timing = timing(scenario.profile, is_virtual=is_virtual)
        self.entry = bench.entry(scenario.profile)
        self._started = self.clock.now()
        self.wires: dict[int, Wire] = {}
        self.lines: dict[int, Line] = {}
        # {number: the loop}, and its model
        self.loops: dict[int, Any] = {}
        self.models: dict[int, M] = {}
        self._timeline: list[tuple[float, int, str]] = []
        self._depth = 0
        self._steps = 0
        self._calls = 0
        self._difference: Difference | None = None
        self._fault: BaseException | None = None
        # the model whose outcomes are asked for when nothing comes
        self._waiting_for: M | None = None

    def run(self) -> Played:
        hung = False
        try:
            with _alarm(self._patience):
                self._play()
        except (_Over, _TooLong) as ending:
            if isinstance(ending, _TooLong) and self._difference is None:
                hung = True
                self._hung()
        finally:
            with suppress(Exception, _Over):
                self._clean_up()
            for line in self.lines.values():
                line.close()
        if self._fault is not None:
            raise self._fault
        return Played(self._steps, self._difference, hung)

    def _play(self) -> None:
        for number, kind in enumerate(self._scenario.wires, 1):
            self.wires[number] = Wire(kind)
            self.lines[number] = Line(kind)
        for each in self._scenario.steps:
            self.do(each)
        self._check_left_alone()
        self.check_end()

    def do(self, each: Step, inside: Any = None) -> None:
        """Take a step, if it makes sense where it stands."""
        act = self._act(each, inside)
        if act is not None:
            self._steps += 1
            self.note(each.text())
            act()
            if self._difference is not None:
                raise _Over

    def _act(self, each: Step, inside: Any) -> Callable[[], object] | None:
        match each.verb, each.args:
            case "pass", (int() as length,):
                return lambda: self.clock.advance(length * self.timing.unit)
            case verb, (name_or_number, *_) if verb in _OF_PROFILE:
                return self.act(verb, name_or_number, each.args, inside)
            case verb, args:
                return self._act_on_wire(verb, args)

    def _act_on_wire(self, verb: str, args: tuple[int | str, ...]) -> Callable[[], object] | None:
        *counts, number = (int(each) for each in args)
        if number not in self.wires:
            return None
        wire, line = self.wires[number], self.lines[number]
        count = counts[0] if counts else 0

        def write() -> None:
            wire.write(count)
            line.write(count)

        def read() -> None:
            wire.read(count)
            line.read(count)

        def fill() -> None:
            wire.full = True
            line.fill()

        def drain() -> None:
            wire.full = False
            line.drain()

        def finish() -> None:
            wire.ended = True
            line.finish()

        def hang_up() -> None:
            wire.hang_up()
            line.hang_up()

        def renew() -> None:
            self.forget(wire)
            wire.renew()
            line.renew()

        can, act = {
            "write": (wire.can_write(), write),
            "read": (wire.can_read(), read),
            "read all": (wire.can_read(), read),
            "fill": (wire.can_fill(), fill),
            "drain": (wire.can_drain(), drain),
            "finish": (wire.can_finish(), finish),
            "hang up": (wire.can_hang_up(), hang_up),
            "renew": (self.can_forget(wire), renew),
        }[verb]
        return act if can else None

    # ---- for the two profiles

    def act(
        self, verb: str, subject: int | str, args: tuple[int | str, ...], inside: Any
    ) -> Callable[[], object] | None:
        """What to do for a step of the profile, or None where it makes no sense."""
        raise NotImplementedError

    def can_forget(self, wire: Wire) -> bool:
        raise NotImplementedError

    def forget(self, wire: Wire) -> None:
        """Have no loop watch *wire* any more."""
        raise NotImplementedError

    def new_model(self) -> M:
        raise NotImplementedError

    def check_end(self) -> None:
        raise NotImplementedError

    def close_loops(self) -> None:
        raise NotImplementedError

    # ---- parts

    def loop(self, number: int) -> Any:
        if number not in self.loops:
            self.loops[number] = self.ask("new()", self.entry.new)
            self.models[number] = self.new_model()
        return self.loops[number]

    def now(self) -> float:
        return self.clock.now()

    def note(self, what: str) -> None:
        self._timeline.append(((self.now() - self._started) / self.timing.unit, self._depth, what))
        if traces.recorder is not None:
            traces.recorder.note(what)

    def ask(self, what: str, call: Callable[[], Any], *, may_refuse: bool = False) -> Any:
        """Call a function of the profile, which must not raise."""
        try:
            return call()
        except Exception as error:
            if self._difference is not None or self._fault is not None:
                raise _Over from None
            if may_refuse and isinstance(error, (TypeError, ValueError, OSError)):
                raise _Refusal from error
            raised = f"{what} raised {type(error).__name__}: {error}"
            self.differ(RefusedError(self.rule_of_return, raised, [f"{what} does not raise"]))

    def differ(self, refused: RefusedError) -> NoReturn:
        """The play ends with this."""
        if self._difference is None:
            self.note(f"-> {refused.happened}")
            self._difference = Difference(
                self._scenario,
                refused.rule,
                refused.happened,
                tuple(refused.expected),
                tuple(self._timeline),
            )
        raise _Over

    @contextmanager
    def calling(self, what: str) -> Iterator[None]:
        """Inside a callback, which the loop called."""
        if self._difference is not None or self._fault is not None:
            raise _Over
        self._steps += 1
        self._calls += 1
        self.note(what)
        self._depth += 1
        try:
            yield
        except RefusedError as refused:
            self.differ(refused)
        except (_Over, _TooLong):
            raise
        except BaseException as error:
            self._fault = error  # ours, whatever the loop makes of it
            raise
        finally:
            self._depth -= 1
        if self._calls > _MOST_CALLS:
            self.differ(
                RefusedError(self.rule_of_return, f"more than {_MOST_CALLS} calls", ["an end"])
            )

    def enter(self, model: M, what: str, call: Callable[[], Any], *, may_refuse: bool) -> None:
        """Call what runs callbacks, and tell the model of its return."""
        former, self._waiting_for = self._waiting_for, model
        self._depth += 1
        depth = self._depth
        try:
            self.ask(what, call, may_refuse=may_refuse)
        finally:
            self._depth = depth - 1
        self._waiting_for = former
        if self._difference is not None or self._fault is not None:
            raise _Over
        self._steps += 1
        try:
            model.returned(self.now())
        except RefusedError as refused:
            self.differ(refused)
        self.note(f"{what} returned")

    def _hung(self) -> None:
        model = self._waiting_for
        expected = model.may_happen() if model is not None else ["the call returns"]
        what = "nothing came any more: it hangs"
        with suppress(_Over):
            self.differ(RefusedError(self.rule_of_return, what, expected))

    def _check_left_alone(self) -> None:
        for number, line in self.lines.items():
            if not line.is_untouched():
                what = f"the near end of wire {number} was closed or changed by the loop"
                self.differ(RefusedError(self.rule_of_descriptors, what, ["it stays as it was"]))

    def _clean_up(self) -> None:
        with _alarm(self._patience), suppress(_TooLong):
            self.close_loops()
            self.loops.clear()


@dataclass(eq=False)
class _Cast:
    """An actor on stage: one event, listener or timer that was made."""

    name: str
    actor: Actor
    part: Any = None
    handle: Any = None
    calls: int = 0
    callback: weakref.ref[Any] | None = None

    @property
    def is_held(self) -> bool:
        """Whether anybody still refers to its callback."""
        return self.callback is not None and self.callback() is not None

    def next_call(self) -> Call:
        self.calls += 1
        return self.actor.call(self.calls)


_OF_PROFILE = frozenset(
    {"add", "close", "drop", "loop", "loop guarded", "close base"}
    | {"set", "remove", "clear", "poll", "poll for", "poll often"}
)

# How often an actor may come on stage; some bring each other back for ever.
_MOST_TIMES = 4

_GUARD = "Guard"


class _LuaeventPlay(_Play[LuaeventModel]):
    rule_of_return = "luaevent.loop.begins"
    rule_of_descriptors = "luaevent.addevent.close-not-fd"

    def __init__(self, scenario: Scenario, bench: Bench, patience: float) -> None:
        super().__init__(scenario, bench, patience)
        # {name: who played it last}
        self._cast: dict[str, _Cast] = {}
        self._all: list[_Cast] = []
        self._guards: dict[int, _Cast] = {}

    def new_model(self) -> LuaeventModel:
        return LuaeventModel(self.timing)

    def act(
        self, verb: str, subject: int | str, args: tuple[int | str, ...], inside: Any
    ) -> Callable[[], object] | None:
        if isinstance(subject, str):
            actor = self._scenario.actors.get(subject)
            if actor is None:
                return None
            cast = self._cast.get(subject)
            if verb == "add":
                return (lambda: self._add(subject, actor)) if self._can_add(subject) else None
            if cast is None or cast.handle is None:
                return None
            if verb == "close":
                return lambda: self._close(cast)
            return (lambda: self._drop(cast, inside)) if cast.part.gone is None else None
        if verb == "close base":
            return (lambda: self._close_base(subject)) if self._can_close_base(subject) else None
        running = subject in self.models and self.models[subject].is_running
        closed = subject in self.models and self.models[subject].is_closed
        if running or closed:
            return None
        return lambda: self._loop(subject, guarded=verb == "loop guarded")

    def _can_add(self, name: str) -> bool:
        actor = self._scenario.actors[name]
        cast = self._cast.get(name)
        if cast is not None and cast.part.gone is None:
            return False
        if actor.wire and actor.wire not in self.wires:
            return False
        if actor.wire and actor.way & ~self.wires[actor.wire].ways:
            return False
        model = self.models.get(actor.loop)
        if model is not None and model.is_closed:
            return False
        return sum(1 for each in self._all if each.name == name) < _MOST_TIMES

    def _add(self, name: str, actor: Actor) -> _Cast:
        base, model = self.loop(actor.loop), self.models[actor.loop]
        cast = _Cast(name, actor)
        callback = self._callback(cast)
        cast.callback = weakref.ref(callback)
        timeout = None if actor.after is None else actor.after * self.timing.unit
        wire = self.wires.get(actor.wire)
        fd = None if wire is None else self.lines[actor.wire].near
        flags = self._number_of(actor.way) if wire else self.entry.EV_TIMEOUT
        arguments = (fd, flags, callback) if timeout is None else (fd, flags, callback, timeout)
        before = self.now()
        cast.handle = self.ask(f"addevent for {name}", lambda: base.addevent(*arguments))
        cast.part = model.add(name, wire, actor.way, timeout, before, self.now())
        self._cast[name] = cast
        self._all.append(cast)
        return cast

    def _close(self, cast: _Cast) -> None:
        self.ask(f"{cast.name}.close()", cast.handle.close)
        self.models[cast.actor.loop].close(cast.part)

    def _drop(self, cast: _Cast, inside: Any) -> None:
        cast.handle = None
        self.models[cast.actor.loop].drop(cast.part)
        self._collect()

    def _collect(self) -> None:
        """Collect what was dropped, should a cycle still hold it, and tell the models."""
        dropped = [each for each in self._all if each.handle is None and each.part.gone is None]
        if any(each.is_held for each in dropped):
            gc.collect()
        for each in dropped:
            if not each.is_held:
                self.models[each.actor.loop].collected(each.part)

    def _can_close_base(self, number: int) -> bool:
        return number in self.loops and not self.models[number].is_closed

    def _close_base(self, number: int) -> None:
        base, model = self.loops[number], self.models[number]
        if not model.is_running:
            self.ask(f"base {number}.close()", base.close)
            model.close_base()
            return
        try:
            base.close()
        except Exception:
            return
        self.differ(
            RefusedError(
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
        self.enter(model, f"loop {number}", base.loop, may_refuse=False)
        self._guards.pop(number, None)

    # ---- the guard: a timer that ends what would wait for ever

    def _set_guard(self, number: int) -> None:
        if number not in self._guards:
            actor = Actor(Role.TIMER, after=_GUARD_UNITS, loop=number)
            self._guards[number] = self._add(_GUARD, actor)

    def _guard_struck(self, cast: _Cast) -> Answer:
        """The second time it ends everything."""
        if cast.calls < 2:
            return Answer("same")
        for each in self._all:
            if each.actor.loop == cast.actor.loop and each is not cast and each.handle is not None:
                self._close(each)
        return Answer("leave")

    def _see_to_guard(self, number: int) -> None:
        """One is there if the loop needs it, and keeps no loop that has nothing else left."""
        model, guard = self.models[number], self._guards.get(number)
        if model.is_stuck:
            self._set_guard(number)
        elif guard is not None and model.live == [guard.part]:
            self._close(guard)
            del self._guards[number]

    # ---- callbacks

    def _callback(self, cast: _Cast) -> Callable[[Any], Any]:
        def callback(flags: Any) -> Any:
            return self._called(cast, flags)

        return callback

    def _called(self, cast: _Cast, number: Any) -> Any:
        flags = self._flags_of(number)
        with self.calling(f"{cast.name} called with {flags.words()}"):
            if cast.part is None:
                raise RefusedError(
                    "luaevent.addevent.adds", f"{cast.name} called by addevent", ["it returns"]
                )
            model = self.models[cast.actor.loop]
            began = self.now()
            model.called(cast.part, flags, began)
            self._collect()
            answer = self._perform(cast)
            registered: Way = cast.part.way
            model.answered(cast.part, flags, answer, began, self.now())
            if cast.name != _GUARD:
                self._see_to_guard(cast.actor.loop)
            self.note(answer.text())
            return self._as_value(cast, answer, registered)

    def _perform(self, cast: _Cast) -> Answer:
        call = cast.next_call()
        if cast.name == _GUARD:
            return self._guard_struck(cast)
        for each in call.do:
            self.do(each, cast)
        return call.answer or Answer()

    def _as_value(self, cast: _Cast, answer: Answer, registered: Way) -> Any:
        """What the callback returns: flags, or flags and a timeout."""
        if answer.flags == "leave":
            flags = self.entry.LEAVE
        elif not cast.actor.wire:
            flags = self.entry.EV_TIMEOUT
        else:
            flags = self._number_of(answer.way or registered)
        if answer.timeout is not None:
            return flags, answer.timeout * self.timing.unit
        # both are ways to give no timeout
        return flags if cast.calls % 2 else (flags, None)

    def _number_of(self, way: Way) -> int:
        read = self.entry.EV_READ if Way.READ in way else 0
        write = self.entry.EV_WRITE if Way.WRITE in way else 0
        number: int = read | write
        return number

    def _flags_of(self, number: Any) -> Flags:
        entry = self.entry
        if not isinstance(number, int):
            return Flags(strange=True)
        way = Way.READ if number & entry.EV_READ else Way.NEITHER
        way |= Way.WRITE if number & entry.EV_WRITE else Way.NEITHER
        known = entry.EV_READ | entry.EV_WRITE | entry.EV_TIMEOUT
        return Flags(way, bool(number & entry.EV_TIMEOUT), bool(number & ~known))

    # ---- ends

    def can_forget(self, wire: Wire) -> bool:
        return not any(
            each.part.wire is wire and each.part.fading is not None for each in self._all
        )

    def forget(self, wire: Wire) -> None:
        for each in self._all:
            if each.part.wire is wire and each.part.gone is None:
                self._close(each)

    def check_end(self) -> None:
        over = [each for each in self._all if each.part.gone is not None]
        if not any(each.is_held for each in over):
            return
        gc.collect()
        for each in over:
            if each.is_held and not self.models[each.actor.loop].is_closed:
                what = f"the callback of {each.name} is kept, although the event is over"
                self.differ(
                    RefusedError("luaevent.callback.leave-releases", what, ["it is let go of"])
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


class _LuahopPlay(_Play[LuahopModel]):
    rule_of_return = "luahop.poll.returns"
    rule_of_descriptors = "luahop.scope.no-sockets"

    def __init__(self, scenario: Scenario, bench: Bench, patience: float) -> None:
        super().__init__(scenario, bench, patience)
        self._cast: dict[str, _Cast] = {}
        self._times: dict[str, int] = {}
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
        actor = self._scenario.actors.get(name)
        if actor is None or actor.role in (Role.EVENT, Role.TIMER):
            return None
        if actor.wire:
            if actor.wire not in self.wires or actor.way & ~self.wires[actor.wire].ways:
                return None
            if verb == "set":
                return (lambda: self._listen(name, actor)) if self._may(name) else None
            return (lambda: self._remove(actor)) if verb == "remove" else None
        if verb == "set":
            return (lambda: self._time(name, actor)) if self._may(name) else None
        if verb == "clear" and name in self._cast:
            return lambda: self._clear(self._cast[name])
        return None

    def _may(self, name: str) -> bool:
        return self._times.get(name, 0) < 2 * _MOST_TIMES

    def _on_stage(self, name: str, actor: Actor) -> _Cast:
        self._times[name] = self._times.get(name, 0) + 1
        return _Cast(name, actor)

    def _listen(self, name: str, actor: Actor) -> None:
        hop, model = self.loop(actor.loop), self.models[actor.loop]
        cast = self._on_stage(name, actor)
        fd, mask = self.lines[actor.wire].near, _MASKS[actor.way]
        callback = self._callback(cast)
        self.ask(f"set_listener for {name}", lambda: hop.set_listener(fd, mask, callback))
        cast.part = model.set_listener(name, self.wires[actor.wire], actor.way)
        self._cast[name] = cast

    def _remove(self, actor: Actor) -> None:
        self._stop_listening(actor.loop, actor.wire, actor.way)

    def _stop_listening(self, number: int, wire: int, way: Way) -> None:
        hop, model = self.loop(number), self.models[number]
        fd = self.lines[wire].near
        self.ask("remove_listener", lambda: hop.remove_listener(fd, _MASKS[way]))
        model.remove_listener(self.wires[wire], way)

    def _time(self, name: str, actor: Actor) -> None:
        hop, model = self.loop(actor.loop), self.models[actor.loop]
        cast = self._on_stage(name, actor)
        assert actor.after is not None
        duration = self._duration(actor.after, in_seconds=actor.in_seconds)
        is_interval = actor.role is Role.INTERVAL
        make = hop.set_interval if is_interval else hop.set_timeout
        callback = self._callback(cast)
        before = self.now()
        cast.handle = self.ask(f"setting {name}", lambda: make(duration, callback))
        length = actor.after * self.timing.unit
        cast.part = model.set_timer(name, length, before, self.now(), is_interval=is_interval)
        self._cast[name] = cast

    def _clear(self, cast: _Cast) -> None:
        self.ask(f"clear_timer of {cast.name}", lambda: self.entry.clear_timer(cast.handle))
        self.models[cast.actor.loop].clear_timer(cast.part)

    def _duration(self, after: int, *, in_seconds: bool) -> dict[str, int]:
        milliseconds = round(after * self.timing.unit * 1000)
        if in_seconds and milliseconds % 1000 == 0:
            return {"s": milliseconds // 1000}
        return {"ms": milliseconds}

    def _poll_until_called(self, number: int, times: int) -> None:
        """Poll until somebody is called, *times* times; some polls may return for nothing."""
        hop, model = self.loops[number], self.models[number]
        empty = 0
        while times and empty <= EMPTY_POLLS and not model.is_stuck:
            calls = self._calls
            model.enter(self.now(), None)
            self.enter(model, f"poll {number}", hop.poll, may_refuse=False)
            times, empty = (times - 1, 0) if self._calls > calls else (times, empty + 1)

    def _poll_for(self, number: int, length: int) -> None:
        hop = self.loop(number)
        model = self.models[number]
        limit = self._duration(length, in_seconds=False)
        model.enter(self.now(), length * self.timing.unit)
        what = f"poll {number} for {length}"
        try:
            self.enter(model, what, lambda: hop.poll(limit), may_refuse=True)
        except _Refusal:
            model.is_polling = False  # timeouts are the complete library's
            self.note("refuses a timeout")

    def _callback(self, cast: _Cast) -> Callable[[], None]:
        def callback() -> None:
            self._called(cast)

        return callback

    def _called(self, cast: _Cast) -> None:
        with self.calling(f"{cast.name} called"):
            part: Listener | Timer | None = cast.part
            if part is None:
                raise RefusedError(
                    "luahop.timer.only-in-poll",
                    f"{cast.name} called by the function that set it",
                    ["it returns"],
                )
            if threading.get_ident() != self._thread:
                raise RefusedError(
                    "luahop.poll.dispatch-before-return",
                    f"{cast.name} called in another thread",
                    ["it runs in the thread of poll()"],
                )
            model = self.models[cast.actor.loop]
            model.called(part, self.now())
            for each in cast.next_call().do:
                self.do(each, cast)
            model.finished(part, self.now())

    def can_forget(self, wire: Wire) -> bool:
        return True

    def forget(self, wire: Wire) -> None:
        number = next(number for number, each in self.wires.items() if each is wire)
        for loop in self.loops:
            for way in wire.ways:
                self._stop_listening(loop, number, way)

    def check_end(self) -> None:
        pass

    def close_loops(self) -> None:
        self._cast.clear()


_MASKS = {Way.READ: "r", Way.WRITE: "w"}


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raises _TooLong inside when *seconds* have passed, as far as Python can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise _TooLong

    former = signal.signal(signal.SIGALRM, ring)
    # again and again: a loop that catches everything is interrupted anew
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
