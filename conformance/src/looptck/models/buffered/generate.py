"""The choices of scenarios with buffered events, which their documents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from ..engine.channel_state import Kind
from ..engine.choices import Choices, Feature
from ..engine.generate import Choice, Generator
from ..engine.scenario import Call, Step

# Numbers of bytes: around the watermarks for the most part, and now and then
# around what loops take or give at once.
_FEW = (1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 9)
_MANY = (100, 1000, 4095, 4097, 20000)

# More bytes than a narrow channel takes.
TOO_MANY = (1000, 3000, 6000)


class BufferGenerator(Generator):
    """Makes the choices about buffered events, each of which is alone on its channel."""

    # the names of the callbacks for reading, for writing, and for what went wrong
    callbacks: ClassVar[tuple[str, str, str]]
    # which features this scenario uses
    marks = has_high = has_low_output = writes = has_lines = ends = False

    def __init__(self, choices: Choices, features: frozenset[Feature], *, is_virtual: bool) -> None:
        super().__init__(choices, features, is_virtual=is_virtual)
        # the names of the buffered events; others may be on channels beside them
        self.buffered: list[str] = []
        self.begin()
        # {name: the number of its channel}
        self.homes = {name: at for at, name in enumerate(self.buffered, 1)}
        self.channels = [self.pick([Kind.NARROW, Kind.PAIR, Kind.PAIR]) for _ in self.buffered]
        # in a scenario of few bytes none is more than a handful
        self.sizes = _FEW if self.number(0, 3) else (*_FEW, *_MANY)
        self._mark_choices = self._make_mark_choices()

    @abstractmethod
    def begin(self) -> None:
        """Choose the actors, and which features this scenario uses."""

    def names(self) -> list[str]:
        """All actors that may be acted on."""
        return self.buffered

    # ---- calls

    def calls(self, name: str, inner: list[Choice]) -> tuple[Call, ...]:
        calls: list[Call] = []
        for callback, most, usual in zip(
            self.callbacks, (4, 3, 1), (self._usual_read, self._usual_write, None), strict=True
        ):
            for _ in range(self.number(0, most)):
                do = usual(name) if usual else []
                do += self.some(inner, self.pick([0, 1, 2, 3]))
                if do:
                    calls.append(Call(tuple(do), self.times(), callback))
        return tuple(calls)

    def times(self) -> int:
        return self.pick([1, 1, 1, 2, 16])

    def _usual_read(self, name: str) -> list[Step]:
        """Take something, more often than not."""
        if not self.number(0, 2):
            return []
        some = [self.step("take", self.size(), name)]
        return self.pick([self.take_all(name), some])

    def _usual_write(self, name: str) -> list[Step]:
        return self.write(name) if self.writes and self.number(0, 1) else []

    # ---- choices

    def crowd(self) -> list[Step]:
        """Return steps before a turn that give the turn something to do."""
        steps: list[Step] = []
        for name in self.names():
            if self.number(0, 3):
                lines = self.has_lines and not self.number(0, 3)
                steps += self.line(name) if lines else self.send(name)
        for name in self.buffered:
            if self.writes and not self.number(0, 2):
                steps += self.write(name)
        return steps

    def flow(self) -> list[Step]:
        """Return steps that let the output of narrow channels go on, in parts or altogether."""
        steps: list[Step] = []
        for name in self.buffered:
            if self.is_narrow(name) and self.writes and self.number(0, 1):
                for _ in range(self.number(1, 3)):
                    home = self.homes[name]
                    some = self.step("drain some", self.pick(TOO_MANY), home)
                    steps += [self.pick([some, self.step("drain", home)]), self.step("settle")]
        return steps

    def buffer_choices(self) -> list[Choice]:
        """Return the steps about buffered events that callbacks may take."""
        choices = [*self._mark_choices]
        if self.has_lines:
            choices += [(4, self.named("take line")), (2, lambda: self.line(self.name()))]
        if self.writes:
            choices += [
                (5, lambda: self.write(self.pick(self.buffered))),
                (2, lambda: [self.step("drain some", self.size(), self.home())]),
                (1, lambda: [self.step("drain", self.home())]),
            ]
        return choices

    def first_marks(self, name: str) -> list[Step]:
        """Watermarks that are set before anything else, more often than not."""
        if name not in self.buffered or not self.marks:
            return []
        steps = self.some(self._mark_choices, 1)
        if self.number(0, 1):
            steps.append(self.step("mark input", name, self.low(), 0))
        if self.has_low_output and self.number(0, 1):
            steps += self._mark_output(name)
        return steps

    def end(self, name: str) -> list[Step]:
        """End the scenario for *name*: with or without the end of what its peer sends."""
        home, settle = self.homes[name], self.step("settle")
        endings = [[], [settle]]
        if self.ends:
            endings += [[self.step("finish", home), settle]]
            endings += [[self.step("drain", home), self.step("hang up", home), settle]]
        return self.pick(endings)

    def _make_mark_choices(self) -> list[Choice]:
        choices: list[Choice] = []
        if self.buffered and self.marks:
            choices.append((2, self._mark_input))
            if self.has_low_output:
                choices.append((2, lambda: self._mark_output(self.pick(self.buffered))))
        return choices

    # ---- steps

    def _mark_input(self) -> list[Step]:
        low, high = self.low(), 0
        if self.has_high and self.number(0, 1):
            high = max(low, 1) + self.pick([0, 0, 1, 2, 5])
        return [self.step("mark input", self.pick(self.buffered), low, high)]

    def _mark_output(self, name: str) -> list[Step]:
        """Set a low watermark near the number of bytes left when a narrow channel is full."""
        low = self.pick([0, 2, 500, 2000, 4000]) if self.is_narrow(name) else self.low()
        high = 0 if self.number(0, 2) else max(low, 1)
        return [self.step("mark output", name, low, high)]

    def write(self, name: str) -> list[Step]:
        is_much = self.is_narrow(name) and self.number(0, 1)
        return [self.step("write to buffer", self.pick(TOO_MANY) if is_much else self.size(), name)]

    def line(self, name: str) -> list[Step]:
        return [self.step("write line", self.pick((0, 0, *self.sizes)), self.homes[name])]

    def send(self, name: str) -> list[Step]:
        return [self.step("write", self.size(), self.homes[name])]

    def take_all(self, name: str) -> list[Step]:
        return [self.step("take all", name)]

    def named(self, verb: str) -> Callable[[], list[Step]]:
        return self.one(verb, self.name)

    def at_home(self, verb: str) -> Callable[[], list[Step]]:
        return self.one(verb, self.home)

    def name(self) -> str:
        return self.pick(self.names())

    def home(self) -> int:
        return self.homes[self.name()]

    def size(self) -> int:
        return self.pick(self.sizes)

    def low(self) -> int:
        if self.sizes is not _FEW and not self.number(0, 5):
            return self.pick([4097, 5000])
        return self.pick([0, 1, 2, 3, 3, 4, 5, 8])

    def few_or_none(self) -> int:
        return self.pick((0, *_FEW))

    def is_narrow(self, name: str) -> bool:
        return self.channels[self.homes[name] - 1] is Kind.NARROW
