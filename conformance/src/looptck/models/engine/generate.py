"""Generates scenarios; each document has a subclass of the generator.

A scenario leaves out the features that a loop declares it lacks, and whatever
no rule decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeAlias

from .channel_state import Kind
from .choices import Choices, Feature
from .scenario import Call, Grammar, Scenario, Step

# A weight, and the function that makes the steps.
Choice: TypeAlias = tuple[int, Callable[[], list[Step]]]

NAMES = ("A", "B", "C", "D", "E")

_KINDS = [Kind.PAIR] * 6 + [Kind.SOURCE] * 2 + [Kind.SINK, Kind.LISTENER]


class Generator(ABC):
    """Makes the choices of one scenario, and holds those that every document makes."""

    profile: ClassVar[str]
    grammar: ClassVar[Grammar]

    def __init__(self, choices: Choices, features: frozenset[Feature], *, is_virtual: bool) -> None:
        self.number, self.pick = choices.number, choices.pick
        self.features = features
        self.step = self.grammar.step
        self.rounds = self.number(1, 4 if is_virtual else 2)

    @abstractmethod
    def generate(self) -> Scenario:
        """Return a scenario that any conforming loop runs without a difference."""

    def some(self, choices: list[Choice], most: int) -> list[Step]:
        """Return the steps of up to *most* choices, taken by their weights."""
        makers = [make for weight, make in choices for _ in range(weight)]
        if not makers:
            return []
        return [each for _ in range(self.number(0, most)) for each in self.pick(makers)()]

    def swarm(self, choices: list[Choice]) -> list[Choice]:
        """Give the choices weights of this scenario's own.

        A scenario that does without some things does the others often enough
        to matter.
        """
        return [(weight * self.pick([0, 1, 1, 4]), make) for weight, make in choices]

    def one(self, verb: str, *places: Callable[[], int | str]) -> Callable[[], list[Step]]:
        return lambda: [self.step(verb, *(place() for place in places))]


class WatcherGenerator(Generator):
    """The choices of the documents in which events and timers watch bare channels."""

    # the verb that makes an actor
    enters: ClassVar[str]
    # the kinds of actors without a channel
    timers: ClassVar[tuple[str, ...]]
    # whether a number may be renewed, and channels finished and hung up
    renews = hangs_up = has_two_loops = False

    def __init__(self, choices: Choices, features: frozenset[Feature], *, is_virtual: bool) -> None:
        super().__init__(choices, features, is_virtual=is_virtual)
        # in units
        self.longest = 5 if is_virtual else 3
        self.channels = [self.pick(_KINDS) for _ in range(self.pick([1, 1, 2, 2, 3]))]
        self.names = list(NAMES[: self.pick([1, 2, 2, 3, 3, 4, 5] if is_virtual else [1, 2, 3])])
        self.is_crowded = self.number(0, 2) == 0
        # the length of all times, where many things are to come at once
        self.only_length = self.number(1, self.longest) if self.number(0, 3) == 0 else 0
        self.begin()
        # {actor: its kind}, and {actor: the channel that it is on, if it is on any}
        self.kinds = {name: self.kind() for name in self.names}
        on_channel = [name for name, kind in self.kinds.items() if kind not in self.timers]
        self.homes = {
            name: self.channel() if self.number(0, 2) == 0 else at % len(self.channels) + 1
            for at, name in enumerate(on_channel)
        }

    def begin(self) -> None:
        """Choose which features this scenario uses."""

    @abstractmethod
    def kind(self) -> str:
        """Return the kind of the next actor."""

    def crowded_swarm(self, others: list[Choice]) -> list[Choice]:
        """Return choices about channels and *others*, with weights of this scenario's own.

        Where everything is made ready before each turn, callbacks are there to
        get into each other's way.
        """
        world = self._channel_choices()
        if self.is_crowded:
            world = [(weight * self.pick([0, 0, 1]), make) for weight, make in world]
            world.append((4 if self.renews else 0, self._renew))
        return self.swarm([*world, *others])

    def crowd(self) -> list[Step]:
        """Return steps before a turn that give the turn much to do."""
        if not self.is_crowded:
            return []
        late = [self.step("let pass", self.length())] if self.number(0, 1) else []
        return [*self._write_everywhere(), *late]

    def channel(self) -> int:
        return self.number(1, len(self.channels))

    def name(self) -> str:
        return self.pick(self.names)

    def loop(self) -> int:
        return self.number(1, 2) if self.has_two_loops else 1

    def length(self) -> int:
        return self.only_length or self.number(1, self.longest)

    def does(self, inner: list[Choice], channel: int) -> list[Step]:
        """Return the steps of a callback; more often than not it first reads what came."""
        do = self.some(inner, self.pick([0, 1, 2, 3]))
        if channel and (how := self.number(0, 2)):
            one = self.step("read", 1, channel)
            do.insert(0, one if how == 1 else self.step("read all", channel))
        return do

    def calls(self, do: Callable[[], list[Step]]) -> tuple[Call, ...]:
        times = [*[1] * 12, 2, 2, 3, 16]
        return tuple(
            Call(tuple(do()), self.pick(times)) for _ in range(self.pick([0, 1, 1, 2, 3, 4]))
        )

    def _channel_choices(self) -> list[Choice]:
        one, few, channel = self.one, lambda: self.number(1, 2), self.channel
        choices: list[Choice] = [
            (4, one("write", few, channel)),
            (2, self._write_everywhere),
            (1, one("read", few, channel)),
            (3, one("read all", channel)),
            (2, one("fill", channel)),
            (2, one("drain", channel)),
            (3, one("let pass", self.length)),
        ]
        if self.hangs_up:
            choices += [(1, one("finish", channel)), (2, one("hang up", channel))]
        if self.renews:
            choices += [(3, self._renew)]
        return choices

    def _write_everywhere(self) -> list[Step]:
        return [self.step("write", 1, channel) for channel in range(1, len(self.channels) + 1)]

    def _renew(self) -> list[Step]:
        """A number is used again, and more often than not watched again at once."""
        channel = self.channel()
        at_home = [name for name, home in self.homes.items() if home == channel]
        steps = [self.step("renew", channel)]
        if at_home and self.number(0, 3):
            steps.append(self.step(self.enters, self.pick(at_home)))
        return steps
