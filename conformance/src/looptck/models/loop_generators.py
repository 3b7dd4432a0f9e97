"""Authors of scenarios about loops: luaevent and luahop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from .channel_state import Directions, Kind
from .choices import Choices, Feature
from .scenario import Actor, Answer, Call, Role, Scenario, Step, step

_TIMERS = (Role.TIMER, Role.TIMEOUT, Role.INTERVAL)

_NAMES = ("A", "B", "C", "D", "E")

# How steps are made, and how often in proportion to the others.
_Choice = tuple[int, Callable[[], list[Step]]]


class _LoopGenerator(ABC):
    """What both profiles have in common."""

    # how an actor comes on stage
    enters = ""

    def __init__(self, chooser: Choices, features: frozenset[Feature], *, is_virtual: bool) -> None:
        self.number, self.pick = chooser.number, chooser.pick
        self.features = features
        # in units
        self.longest = 5 if is_virtual else 3
        self.rounds = self.number(1, 4 if is_virtual else 2)
        kinds = [Kind.PAIR] * 6 + [Kind.SOURCE] * 2 + [Kind.SINK, Kind.LISTENER]
        self.channels = [self.pick(kinds) for _ in range(self.pick([1, 1, 2, 2, 3]))]
        self.names = list(_NAMES[: self.pick([1, 2, 2, 3, 3, 4, 5] if is_virtual else [1, 2, 3])])
        self.is_crowded = self.number(0, 2) == 0
        # the length of all times, where many things are to come at once
        self.only_length = self.number(1, self.longest) if self.number(0, 3) == 0 else 0
        self.has_two_loops = Feature.TWO_LOOPS in features and self.number(0, 4) == 0
        # {actor: what it is}, and {actor: the wire that it is on, if it is on any}
        self.roles = {name: self.role() for name in self.names}
        on_channel = [name for name, role in self.roles.items() if role not in _TIMERS]
        self.homes = {
            name: self.channel() if self.number(0, 2) == 0 else at % len(self.channels) + 1
            for at, name in enumerate(on_channel)
        }

    @abstractmethod
    def role(self) -> Role:
        """What the next actor is."""

    @abstractmethod
    def write(self) -> Scenario:
        """A scenario of the profile."""

    def some(self, choices: list[_Choice], most: int) -> list[Step]:
        """What *most* choices by their weights give, or less."""
        makers = [make for weight, make in choices for _ in range(weight)]
        if not makers:
            return []
        return [each for _ in range(self.number(0, most)) for each in self.pick(makers)()]

    def swarm(self, world: list[_Choice], others: list[_Choice]) -> list[_Choice]:
        """Both kinds of choices, with weights of this scenario's own.

        Where everything happens at once little goes far; a scenario that does
        without some things does the others often enough to matter.  Where
        everything is made ready before each turn, callbacks are there to get
        into each other's way.
        """
        if self.is_crowded:
            world = [(weight * self.pick([0, 0, 1]), make) for weight, make in world]
            world.append((4 if Feature.RENEW in self.features else 0, self._renew))
        return [(weight * self.pick([0, 1, 1, 4]), make) for weight, make in [*world, *others]]

    def crowd(self) -> list[Step]:
        """What comes before a turn, so that there is much to do in it."""
        if not self.is_crowded:
            return []
        late = [step("pass", self.length())] if self.number(0, 1) else []
        return [*self._write_everywhere(), *late]

    def one(self, verb: str, *places: Callable[[], int | str]) -> Callable[[], list[Step]]:
        return lambda: [step(verb, *(place() for place in places))]

    def few(self) -> int:
        return self.number(1, 2)

    def channel(self) -> int:
        return self.number(1, len(self.channels))

    def name(self) -> str:
        return self.pick(self.names)

    def loop(self) -> int:
        return self.number(1, 2) if self.has_two_loops else 1

    def length(self) -> int:
        return self.only_length or self.number(1, self.longest)

    def channel_choices(self) -> list[_Choice]:
        one, few, channel = self.one, self.few, self.channel
        choices: list[_Choice] = [
            (4, one("write", few, channel)),
            (2, self._write_everywhere),
            (1, one("read", few, channel)),
            (3, one("read all", channel)),
            (2, one("fill", channel)),
            (2, one("drain", channel)),
            (3, one("pass", self.length)),
        ]
        if Feature.HANG_UP in self.features:
            choices += [(1, one("finish", channel)), (2, one("hang up", channel))]
        if Feature.RENEW in self.features:
            choices += [(3, self._renew)]
        return choices

    def _write_everywhere(self) -> list[Step]:
        return [step("write", 1, channel) for channel in range(1, len(self.channels) + 1)]

    def _renew(self) -> list[Step]:
        """A number is used again, and more often than not watched again at once."""
        channel = self.channel()
        at_home = [name for name, home in self.homes.items() if home == channel]
        steps = [step("renew", channel)]
        if at_home and self.number(0, 3):
            steps.append(step(self.enters, self.pick(at_home)))
        return steps

    def does(self, inner: list[_Choice], channel: int) -> tuple[Step, ...]:
        """What a callback does; more often than not it first reads what came."""
        do = self.some(inner, self.pick([0, 1, 2, 3]))
        if channel and (how := self.number(0, 2)):
            do.insert(0, step("read", 1, channel) if how == 1 else step("read all", channel))
        return tuple(do)

    def calls(self, make: Callable[[], Call]) -> tuple[Call, ...]:
        return tuple(make() for _ in range(self.pick([0, 1, 1, 2, 3, 4])))

    def times(self) -> int:
        return self.pick([*[1] * 12, 2, 2, 3, 16])


class LuaeventGenerator(_LoopGenerator):
    """Writes for luaevent: events, timers, and the running of loops."""

    enters = "add"

    def role(self) -> Role:
        return self.pick([Role.EVENT, Role.EVENT, Role.EVENT, Role.TIMER])

    def _part_events(self) -> None:
        """Where two events cannot share a descriptor, each has its own."""
        if Feature.SAME_CHANNEL not in self.features:
            self.homes = {name: at for at, name in enumerate(self.homes, 1)}
            self.channels += [Kind.PAIR] * (len(self.homes) - len(self.channels))

    def write(self) -> Scenario:
        self._part_events()
        inner = self._inner()
        actors = {name: self._actor(name, inner) for name in self.names}
        outer = self._outer(inner)
        steps = [step("add", name) for name in self.names if self.number(0, 3)]
        for _ in range(self.rounds):
            steps += [*self.some(outer, 3), *self.crowd()]
            steps.append(step(self.pick(["loop guarded", "loop guarded", "loop"]), 1))
        if any(actor.loop == 2 for actor in actors.values()):
            steps.append(step("loop guarded", 2))
        return Scenario("luaevent", tuple(self.channels), actors, tuple(steps))

    def _inner(self) -> list[_Choice]:
        """What callbacks may do."""
        choices = [(3, self.one("add", self.name)), (5, self.one("close", self.name))]
        if Feature.DROP in self.features:
            choices += [(1, self.one("drop", self.name))]
        if Feature.CLOSE_BASE in self.features:
            choices += [(1, self.one("close base", lambda: 1))]
        if Feature.NESTED in self.features and Feature.TWO_LOOPS in self.features:
            choices += [(1, self.one("loop guarded", lambda: self.number(1, 2)))]
        return self.swarm(self.channel_choices(), choices)

    def _outer(self, inner: list[_Choice]) -> list[_Choice]:
        return [*inner, (5, self.one("add", self.name))]

    def _actor(self, name: str, inner: list[_Choice]) -> Actor:
        loop = self.loop()
        after = self.length()
        if self.roles[name] is Role.TIMER:
            calls = self.calls(lambda: self._call(inner, ["same", "same", "leave"], 0))
            return Actor(Role.TIMER, after=after, loop=loop, calls=calls)
        channel = self.homes[name]
        flags = ["same", "same", "same", "leave"]
        if Feature.CHANGE in self.features and self.channels[channel - 1] is Kind.PAIR:
            flags += ["read", "write", "read", "write"]
            flags += ["read and write"] * 2 if Feature.BOTH_DIRECTIONS in self.features else []
        calls = self.calls(lambda: self._call(inner, flags, channel))
        timeout = after if self.number(0, 1) else None
        return Actor(Role.EVENT, channel, self._way(channel), timeout, loop, calls=calls)

    def _call(self, inner: list[_Choice], flags: list[str], channel: int) -> Call:
        timeout = None
        if Feature.NEW_TIMEOUT in self.features and not self.number(0, 3):
            timeout = self.length()
        return Call(self.does(inner, channel), Answer(self.pick(flags), timeout), self.times())

    def _way(self, channel: int) -> Directions:
        kind = self.channels[channel - 1]
        if kind is not Kind.PAIR:
            return Directions.WRITE if kind is Kind.SINK else Directions.READ
        both = [Directions.BOTH] * 2 if Feature.BOTH_DIRECTIONS in self.features else []
        return self.pick([Directions.READ, Directions.READ, Directions.WRITE, *both])


class LuahopGenerator(_LoopGenerator):
    """Writes for luahop: listeners, timeouts, intervals, and polls."""

    enters = "set"

    def role(self) -> Role:
        roles = [Role.READER, Role.READER, Role.READER, Role.WRITER, Role.TIMEOUT, Role.TIMEOUT]
        if Feature.INTERVALS in self.features:
            roles.append(Role.INTERVAL)
        return self.pick(roles)

    def write(self) -> Scenario:
        inner = self._inner()
        actors = {name: self._actor(name, inner) for name in self.names}
        steps = [step("set", name) for name in self.names if self.number(0, 3)]
        for _ in range(3 * self.rounds):
            steps += [*self.some(inner, 2), *self.crowd(), self._poll()]
        return Scenario("luahop", tuple(self.channels), actors, tuple(steps))

    def _successor(self, timers: list[str]) -> list[Step]:
        """A timer is set before or after another one is cleared, or until it is overdue."""
        fresh, old = step("set", self.pick(timers)), step("clear", self.pick(timers))
        late = step("pass", self.longest)
        return self.pick([[fresh, old], [old, fresh], [fresh, late]])

    def _poll(self) -> Step:
        if Feature.POLL_FOR in self.features and not self.number(0, 5):
            return step("poll for", self.loop(), self.length())
        if not self.number(0, 5):
            return step("poll often", self.loop(), self.pick([2, 2, 2, 3, 3, 16]))
        return step("poll", self.loop())

    def _inner(self) -> list[_Choice]:
        """What callbacks, and the steps between polls, may do."""
        choices = [(6, self.one("set", self.name))]
        listeners = list(self.homes)
        timers = [name for name in self.names if name not in self.homes]
        if listeners:
            choices.append((4, self.one("remove", lambda: self.pick(listeners))))
        if timers:
            choices.append((3, self.one("clear", lambda: self.pick(timers))))
            choices.append((2, lambda: self._successor(timers)))
        return self.swarm(self.channel_choices(), choices)

    def _actor(self, name: str, inner: list[_Choice]) -> Actor:
        loop = self.loop()
        role = self.roles[name]
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
        channel = self.homes[name]
        kind = self.channels[channel - 1]
        if kind is not Kind.PAIR:
            role = Role.WRITER if kind is Kind.SINK else Role.READER
        directions = Directions.READ if role is Role.READER else Directions.WRITE
        calls = self.calls(lambda: self._call(inner, channel))
        return Actor(role, channel, directions, None, loop, calls=calls)

    def _call(self, inner: list[_Choice], channel: int) -> Call:
        return Call(self.does(inner, channel), None, self.times())
