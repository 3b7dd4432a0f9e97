"""Makes up scenarios: by dice for a search, by hypothesis for a property test.

What is made up leaves out the features that a loop declares it lacks, and
whatever no rule decides: answers of nothing, timeouts of zero, descriptors
closed under their events, callbacks that raise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from looptck.implementation import Implementation

from .scenario import Actor, Answer, Call, Role, Scenario, Step, step
from .world import Kind, Way

T = TypeVar("T")

_NAMES = ("A", "B", "C", "D", "E")


class Feature(Enum):
    """What a loop may lack, by the rules that then do not apply to it."""

    TWO_LOOPS = ("luaevent.new.independent", "luahop.module.new")
    NESTED = ("luaevent.loop.nested-other",)
    CLOSE_BASE = ("luaevent.close.exists", "luaevent.close.not-in-loop")
    DROP = ("luaevent.addevent.gc-erases",)
    SAME_WIRE = ("luaevent.addevent.same-fd",)
    BOTH_WAYS = ("luaevent.constants.ev-or-capture", "luaevent.constants.ev-or-receive")
    CHANGE = ("luaevent.callback.output-change",)
    NEW_TIMEOUT = ("luaevent.callback.newtimeout-value",)
    HANG_UP = ("luaevent.constants.ev-read-disconnect", "luahop.listener.eof-pipe")
    RENEW = ("luahop.listener.fd-reuse-same-poll",)
    INTERVALS = ("luahop.timer.interval-repeat", "luahop.timer.interval-missed")
    POLL_FOR = ("luahop.poll.timeout-vs-timer", "luahop.poll.timeout-arg")
    SECONDS = ("luahop.timer.units-s",)


def features_of(implementation: Implementation) -> frozenset[Feature]:
    """What scenarios may ask of *implementation*."""
    return frozenset(
        feature
        for feature in Feature
        if not any(implementation.why_unsupported(rule_id) for rule_id in feature.value)
    )


class Chooser(Protocol):
    """Where the choices come from."""

    def number(self, low: int, high: int) -> int:
        """From *low* to *high*, both included."""

    def pick(self, choices: Sequence[T]) -> T: ...


class Dice:
    """Choices by chance, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


class _Drawn:
    """Choices by hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def pick(self, choices: Sequence[T]) -> T:
        return self._draw(st.sampled_from(choices))


@st.composite
def scenarios(
    draw: st.DrawFn, profile: str, features: frozenset[Feature], *, is_virtual: bool = True
) -> Scenario:
    """Scenarios that any conforming loop plays without a difference."""
    return made_up(_Drawn(draw), profile, features, is_virtual=is_virtual)


def made_up(
    chooser: Chooser, profile: str, features: frozenset[Feature], *, is_virtual: bool
) -> Scenario:
    """A scenario that any conforming loop plays without a difference."""
    kind = _HopAuthor if profile == "luahop" else _EventAuthor
    return kind(chooser, features, is_virtual=is_virtual).write()


# How steps are made, and how often in proportion to the others.
_Choice = tuple[int, Callable[[], list[Step]]]


class _Author:
    """What both profiles have in common."""

    # how an actor comes on stage
    enters = ""

    def __init__(self, chooser: Chooser, features: frozenset[Feature], *, is_virtual: bool) -> None:
        self.number, self.pick = chooser.number, chooser.pick
        self.features = features
        # in units
        self.longest = 5 if is_virtual else 3
        self.rounds = self.number(1, 4 if is_virtual else 2)
        kinds = [Kind.PAIR] * 6 + [Kind.SOURCE, Kind.SINK, Kind.DOOR]
        self.wires = [self.pick(kinds) for _ in range(self.pick([1, 1, 2, 2, 3]))]
        self.names = list(_NAMES[: self.pick([1, 2, 2, 3, 3, 4, 5] if is_virtual else [1, 2, 3])])

    def write(self) -> Scenario:
        raise NotImplementedError

    def some(self, choices: list[_Choice], most: int) -> list[Step]:
        """What *most* choices by their weights give, or less."""
        makers = [make for weight, make in choices for _ in range(weight)]
        if not makers:
            return []
        return [each for _ in range(self.number(0, most)) for each in self.pick(makers)()]

    def swarm(self, choices: list[_Choice]) -> list[_Choice]:
        """The same with weights of this scenario's own.

        Where everything happens at once little goes far; a scenario that does
        without some things does the others often enough to matter.
        """
        return [(weight * self.pick([0, 1, 1, 4]), make) for weight, make in choices]

    def one(self, verb: str, *places: Callable[[], int | str]) -> Callable[[], list[Step]]:
        return lambda: [step(verb, *(place() for place in places))]

    def few(self) -> int:
        return self.number(1, 2)

    def wire(self) -> int:
        return self.number(1, len(self.wires))

    def name(self) -> str:
        return self.pick(self.names)

    def loop(self) -> int:
        return self.pick([1, 1, 1, 1, 1, 2]) if Feature.TWO_LOOPS in self.features else 1

    def length(self) -> int:
        return self.number(1, self.longest)

    def on_wires(self) -> list[_Choice]:
        one, few, wire = self.one, self.few, self.wire
        choices: list[_Choice] = [
            (4, one("write", few, wire)),
            (2, self._write_everywhere),
            (1, one("read", few, wire)),
            (3, one("read all", wire)),
            (2, one("fill", wire)),
            (2, one("drain", wire)),
            (3, one("pass", self.length)),
        ]
        if Feature.HANG_UP in self.features:
            choices += [(1, one("finish", wire)), (1, one("hang up", wire))]
        if Feature.RENEW in self.features:
            choices += [(3, self._renew)]
        return choices

    def _write_everywhere(self) -> list[Step]:
        return [step("write", 1, wire) for wire in range(1, len(self.wires) + 1)]

    def _renew(self) -> list[Step]:
        """A number is used again, and more often than not watched again at once."""
        steps = [step("renew", self.wire())]
        return [*steps, step(self.enters, self.name())] if self.number(0, 3) else steps

    def does(self, inner: list[_Choice], wire: int) -> tuple[Step, ...]:
        """What a callback does; more often than not it first reads what came."""
        do = self.some(inner, self.pick([0, 1, 1, 2, 3]))
        if wire and (how := self.number(0, 2)):
            do.insert(0, step("read", 1, wire) if how == 1 else step("read all", wire))
        return tuple(do)

    def calls(self, make: Callable[[], Call]) -> tuple[Call, ...]:
        return tuple(make() for _ in range(self.pick([0, 1, 1, 2, 3, 4])))

    def times(self) -> int:
        return self.pick([1, 1, 1, 1, 1, 1, 2, 16])


class _EventAuthor(_Author):
    """Writes for luaevent: events, timers, and the running of loops."""

    enters = "add"

    def write(self) -> Scenario:
        inner = self._inner()
        actors = {name: self._actor(inner) for name in self.names}
        outer = self._outer(inner)
        steps = [step("add", name) for name in self.names if self.number(0, 4)]
        for _ in range(self.rounds):
            steps += self.some(outer, 3)
            steps.append(step(self.pick(["loop guarded", "loop guarded", "loop"]), 1))
        if any(actor.loop == 2 for actor in actors.values()):
            steps.append(step("loop guarded", 2))
        return Scenario("luaevent", tuple(self.wires), actors, tuple(steps))

    def _inner(self) -> list[_Choice]:
        """What callbacks may do."""
        choices = self.on_wires()
        choices += [(3, self.one("add", self.name)), (5, self.one("close", self.name))]
        if Feature.DROP in self.features:
            choices += [(1, self.one("drop", self.name))]
        if Feature.CLOSE_BASE in self.features:
            choices += [(1, self.one("close base", lambda: 1))]
        if Feature.NESTED in self.features and Feature.TWO_LOOPS in self.features:
            choices += [(1, self.one("loop guarded", lambda: self.number(1, 2)))]
        return self.swarm(choices)

    def _outer(self, inner: list[_Choice]) -> list[_Choice]:
        return [*inner, (5, self.one("add", self.name))]

    def _actor(self, inner: list[_Choice]) -> Actor:
        loop = self.loop()
        after = self.length()
        if self.number(0, 3) == 3:
            calls = self.calls(lambda: self._call(inner, ["same", "same", "leave"], 0))
            return Actor(Role.TIMER, after=after, loop=loop, calls=calls)
        wire = self.wire()
        flags = ["same", "same", "same", "leave"]
        if Feature.CHANGE in self.features and self.wires[wire - 1] is Kind.PAIR:
            flags += ["read", "write", "read", "write"]
            flags += ["read and write"] * 2 if Feature.BOTH_WAYS in self.features else []
        calls = self.calls(lambda: self._call(inner, flags, wire))
        timeout = after if self.number(0, 1) else None
        return Actor(Role.EVENT, wire, self._way(wire), timeout, loop, calls=calls)

    def _call(self, inner: list[_Choice], flags: list[str], wire: int) -> Call:
        timeout = None
        if Feature.NEW_TIMEOUT in self.features and not self.number(0, 3):
            timeout = self.length()
        return Call(self.does(inner, wire), Answer(self.pick(flags), timeout), self.times())

    def _way(self, wire: int) -> Way:
        kind = self.wires[wire - 1]
        if kind is not Kind.PAIR:
            return Way.WRITE if kind is Kind.SINK else Way.READ
        both = [Way.BOTH] * 2 if Feature.BOTH_WAYS in self.features else []
        return self.pick([Way.READ, Way.READ, Way.WRITE, *both])


class _HopAuthor(_Author):
    """Writes for luahop: listeners, timeouts, intervals, and polls."""

    enters = "set"

    def write(self) -> Scenario:
        inner = self._inner()
        actors = {name: self._actor(inner) for name in self.names}
        steps = [step("set", name) for name in self.names if self.number(0, 4)]
        for _ in range(3 * self.rounds):
            steps += self.some(inner, 2)
            steps.append(self._poll())
        return Scenario("luahop", tuple(self.wires), actors, tuple(steps))

    def _poll(self) -> Step:
        if Feature.POLL_FOR in self.features and not self.number(0, 5):
            return step("poll for", self.loop(), self.length())
        if not self.number(0, 5):
            return step("poll often", self.loop(), self.pick([2, 3, 16]))
        return step("poll", self.loop())

    def _inner(self) -> list[_Choice]:
        """What callbacks, and the steps between polls, may do."""
        choices = self.on_wires()
        choices += [
            (6, self.one("set", self.name)),
            (4, self.one("remove", self.name)),
            (3, self.one("clear", self.name)),
        ]
        return self.swarm(choices)

    def _actor(self, inner: list[_Choice]) -> Actor:
        loop = self.loop()
        roles = [Role.READER, Role.READER, Role.WRITER, Role.TIMEOUT, Role.TIMEOUT]
        if Feature.INTERVALS in self.features:
            roles.append(Role.INTERVAL)
        role = self.pick(roles)
        if role not in (Role.READER, Role.WRITER):
            after = self.length()
            in_seconds = Feature.SECONDS in self.features and not after % 2
            calls = self.calls(lambda: self._call(inner, 0))
            return Actor(
                role,
                after=after,
                loop=loop,
                in_seconds=in_seconds and bool(self.number(0, 1)),
                calls=calls,
            )
        wire = self.wire()
        kind = self.wires[wire - 1]
        if kind is not Kind.PAIR:
            role = Role.WRITER if kind is Kind.SINK else Role.READER
        way = Way.READ if role is Role.READER else Way.WRITE
        calls = self.calls(lambda: self._call(inner, wire))
        return Actor(role, wire, way, None, loop, calls=calls)

    def _call(self, inner: list[_Choice], wire: int) -> Call:
        return Call(self.does(inner, wire), None, self.times())
