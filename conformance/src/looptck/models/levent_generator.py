"""The author of scenarios of levent."""

from __future__ import annotations

from collections.abc import Callable

from .buffered import Callback
from .channel_state import Directions
from .choices import Choices, Feature
from .levent_scenario import EVENT, LeventActor, LeventScenario
from .scenario import Call, Step, step

# How steps are made, and how often in proportion to the others.
_Choice = tuple[int, Callable[[], Step]]

# Numbers of bytes: around the watermarks for the most part, and now and then
# around what loops take or give at once.
_FEW = (1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 9)
_MANY = (100, 1000, 4095, 4097, 20000)

# More than a narrow line takes.
_TOO_MANY = (1000, 3000, 6000)


class LeventGenerator:
    """Writes for levent: buffered events, events, and the running of loops."""

    def __init__(self, chooser: Choices, features: frozenset[Feature], *, is_virtual: bool) -> None:
        self.number, self.pick = chooser.number, chooser.pick
        self._features = features
        self._rounds = self.number(1, 4 if is_virtual else 2)
        buffered, events = self.pick(
            [(1, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (0, 3), (1, 2)]
        )
        self._buffered = ["A", "B", "C"][:buffered]
        self._events = ["D", "E", "F"][:events]
        # {name: whether its line takes a few bytes only}
        self._narrow = {name: not self.number(0, 2) for name in self._buffered}
        # in a scenario of few bytes none is more than a handful
        self._sizes = _FEW if self.number(0, 3) else (*_FEW, *_MANY)
        self._marks = self._make_marks()

    def write(self) -> LeventScenario:
        inner = self._swarm(self._inner())
        outer = self._swarm(self._outer())
        actors = {
            name: LeventActor(is_narrow=is_narrow, calls=self._calls(name, inner))
            for name, is_narrow in self._narrow.items()
        }
        for name in self._events:
            actors[name] = self._event(name, inner)
        steps = []
        for name in actors:
            steps += self._first_marks(name)
            if self.number(0, 7):
                steps.append(step("start", name))
        for _ in range(self._rounds):
            steps += [*self._some(outer, 4), *self._crowd(), self._turn()]
            steps += [*self._flow(), *self._stories()]
        for name in self._buffered:
            steps += self._end(name)
            steps += [step("take all", name), step("receive all", name)]
        return LeventScenario("levent", actors, tuple(steps))

    def _end(self, name: str) -> list[Step]:
        """How it comes to its end: as it is, or with the end of what its peer sends."""
        directions = [[], [step("settle")]]
        if Feature.END in self._features:
            directions += [[step("end", name), step("settle")]]
            directions += [[step("receive all", name), step("leave", name), step("settle")]]
        return self.pick(directions)

    # ---- actors

    def _calls(self, name: str, inner: list[_Choice]) -> tuple[tuple[str, Call], ...]:
        calls: list[tuple[str, Call]] = []
        for callback, most in ((Callback.READ, 4), (Callback.WRITE, 3), (Callback.ERROR, 1)):
            for _ in range(self.number(0, most)):
                do = [*self._usual(callback, name), *self._some(inner, self.pick([0, 1, 2, 3]))]
                if do:
                    calls.append((callback.value, Call(tuple(do), None, self._times())))
        return tuple(calls)

    def _usual(self, callback: Callback, name: str) -> list[Step]:
        """What such a callback is for, more often than not."""
        if callback is Callback.READ and self.number(0, 2):
            return [self.pick([step("take all", name), step("take", self._size(), name)])]
        if callback is Callback.WRITE and Feature.PUT in self._features and self.number(0, 1):
            return [self._put(name)]
        return []

    def _event(self, name: str, inner: list[_Choice]) -> LeventActor:
        directions = [Directions.READ, Directions.READ]
        directions += [Directions.WRITE] * (Feature.EVENT_WRITE in self._features)
        directions += [Directions.BOTH] * (Feature.EVENT_BOTH in self._features)
        line = ""
        if Feature.SAME_FILE in self._features and not self.number(0, 3):
            line = self.pick(self._events)
        calls = [(EVENT, self._event_call(name, inner)) for _ in range(self.number(0, 4))]
        return LeventActor(self.pick(directions), "" if line == name else line, calls=tuple(calls))

    def _event_call(self, name: str, inner: list[_Choice]) -> Call:
        """More often than not it takes what came, and says whether it goes on."""
        do = self._some(inner, self.pick([0, 0, 1, 2]))
        if self.number(0, 2):
            do.insert(0, self.pick([step("take all", name), step("take", 1, name)]))
        ends = ["start", "start", "start", ""]
        ends += ["stop", "stop"] * (Feature.EVENT_STOP in self._features)
        ends += ["delete"] * (Feature.EVENT_DELETE in self._features)
        if end := self.pick(ends):
            do.append(step(end, name))
        return Call(tuple(do or [step("start", name)]), None, self._times())

    def _times(self) -> int:
        return self.pick([1, 1, 1, 2, 16])

    # ---- choices

    def _swarm(self, choices: list[_Choice]) -> list[_Choice]:
        """With weights of this scenario's own: it does some things often and others never."""
        return [(weight * self.pick([0, 1, 1, 3]), make) for weight, make in choices]

    def _some(self, choices: list[_Choice], most: int) -> list[Step]:
        makers = [make for weight, make in choices for _ in range(weight)]
        return [self.pick(makers)() for _ in range(self.number(0, most))] if makers else []

    def _crowd(self) -> list[Step]:
        """What comes before a turn, so that there is something to do in it."""
        steps = []
        for name in (*self._buffered, *self._events):
            if self.number(0, 3):
                lines = Feature.LINES in self._features and not self.number(0, 3)
                steps.append(self._line(name) if lines else step("send", name, self._size()))
        for name in self._buffered:
            if Feature.PUT in self._features and not self.number(0, 2):
                steps.append(self._put(name))
        return steps

    def _flow(self) -> list[Step]:
        """What lets the output of narrow lines go on, in parts and altogether."""
        steps = []
        for name, is_narrow in self._narrow.items():
            if is_narrow and Feature.PUT in self._features and self.number(0, 1):
                for _ in range(self.number(1, 3)):
                    some = step("receive", name, self.pick(_TOO_MANY))
                    steps += [self.pick([some, step("receive all", name)]), step("settle")]
        return steps

    def _stories(self) -> list[Step]:
        """What shows little unless it comes in a row."""
        if not self._buffered:
            return []
        name = self.pick(self._buffered)
        story = self.number(0, 7)
        if story == 0 and Feature.STOP in self._features:
            between = [self._put(name)] if Feature.PUT in self._features else []
            stops = [step("stop", name)] * self.pick([1, 1, 2])
            starts = [step("start", name), step("send", name, self._size()), step("settle")]
            return [*stops, *self.pick([between, [step("settle")]]), *starts]
        if story == 1 and Feature.LINES in self._features:
            part = step("send", name, self._size())
            takes = [step("take line", name), step("take", self.pick((0, *_FEW)), name)]
            asks = [self.pick(takes) for _ in range(self.number(1, 3))]
            lines = [self._line(name) for _ in range(self.number(1, 3))]
            more = [step("take line", name)] * 3
            return [part, step("settle"), *asks, *lines, step("settle"), *more]
        return []

    def _turn(self) -> Step:
        turns = ["turn", "settle", "settle", "settle"]
        turns += ["wait"] * (Feature.WAIT in self._features)
        turns += ["run"] * (Feature.RUN in self._features and Feature.STOP in self._features)
        return step(self.pick(turns))

    def _inner(self) -> list[_Choice]:
        """What callbacks may do."""
        choices: list[_Choice] = [
            (6, self._counted("take")),
            (6, self._named("take all")),
            (2, self._counted("send")),
            (2, self._named("start")),
        ]
        if self._buffered:
            choices += self._inner_of_buffered()
        if self._events:
            choices += [(2, self._named("stuff")), (2, self._named("receive all"))]
        if {Feature.STOP, Feature.EVENT_STOP} <= self._features:
            choices += [(3, self._named("stop"))]
        if {Feature.DELETE, Feature.EVENT_DELETE} <= self._features and not self.number(0, 4):
            choices += [(1, self._named("delete"))]
        if Feature.END in self._features and not self.number(0, 2):
            choices += [(1, self._named("end")), (1, self._named("leave"))]
        return choices

    def _inner_of_buffered(self) -> list[_Choice]:
        choices = [*self._marks]
        if Feature.LINES in self._features:
            choices += [(4, self._named("take line")), (2, lambda: self._line(self._name()))]
        if Feature.PUT in self._features:
            choices += [
                (5, lambda: self._put(self.pick(self._buffered))),
                (2, self._counted("receive")),
                (1, self._named("receive all")),
            ]
        return choices

    def _outer(self) -> list[_Choice]:
        """What is done between turns; more comes than in callbacks."""
        more: list[_Choice] = [(8, self._counted("send")), (2, self._named("start"))]
        if Feature.LINES in self._features:
            more.append((3, lambda: self._line(self._name())))
        if Feature.PUT in self._features:
            more.append((4, self._named("receive all")))
        return [*self._inner(), *more]

    def _make_marks(self) -> list[_Choice]:
        choices: list[_Choice] = []
        if self._buffered and Feature.MARKS in self._features:
            choices.append((2, self._mark_input))
            if Feature.WRITE_MARK in self._features:
                choices.append((2, self._mark_output))
        return choices

    def _first_marks(self, name: str) -> list[Step]:
        """Watermarks that are set before the start, more often than not."""
        if name not in self._buffered or not self._marks:
            return []
        steps = self._some(self._marks, 1)
        if self.number(0, 1):
            steps.append(step("mark input", name, self._low(), 0))
        if Feature.WRITE_MARK in self._features and self.number(0, 1):
            steps.append(self._mark_output_of(name))
        return steps

    # ---- steps

    def _mark_input(self) -> Step:
        low = self._low()
        high = 0
        if Feature.HIGH_MARK in self._features and self.number(0, 1):
            high = max(low, 1) + self.pick([0, 0, 1, 2, 5])
        return step("mark input", self.pick(self._buffered), low, high)

    def _mark_output(self) -> Step:
        return self._mark_output_of(self.pick(self._buffered))

    def _mark_output_of(self, name: str) -> Step:
        """Around what is left when a narrow line takes no more."""
        if self._narrow[name]:
            return step("mark output", name, self.pick([0, 2, 500, 2000, 4000]))
        return step("mark output", name, self._low())

    def _put(self, name: str) -> Step:
        if self._narrow[name] and self.number(0, 1):
            return step("put", self.pick(_TOO_MANY), name)
        return step("put", self._size(), name)

    def _line(self, name: str) -> Step:
        return step("send line", name, self.pick((0, 0, *self._sizes)))

    def _counted(self, verb: str) -> Callable[[], Step]:
        if verb == "take":
            return lambda: step("take", self.pick((0, *self._sizes)), self._name())
        return lambda: step(verb, self._name(), self._size())

    def _named(self, verb: str) -> Callable[[], Step]:
        return lambda: step(verb, self._name())

    def _name(self) -> str:
        return self.pick([*self._buffered, *self._events])

    def _size(self) -> int:
        return self.pick(self._sizes)

    def _low(self) -> int:
        if self._sizes is not _FEW and not self.number(0, 5):
            return self.pick([4097, 5000])
        return self.pick([0, 1, 2, 3, 3, 4, 5, 8])
