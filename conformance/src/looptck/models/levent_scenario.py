"""Scenarios about buffered events, as data and as text.  Does no I/O.

A scenario names its buffered events, with what their callbacks do, call by
call, and the steps that are taken from outside.  Each one has a line of its
own, with a peer at the other end.  Written out:

    levent
    A: buffered event on a narrow line
        readcb: take 2 from A; stop B
        2 times readcb: take all from A
        errorcb: stop A
    B: buffered event
    begin
    input of A: low 3, high 10
    start A
    peer of A sends 5
    pass until nothing moves

A narrow line takes a few bytes and then no more.  A callback that is called
more often than its lines say does nothing.  A step that makes no sense where
it stands (a stop of what is stopped) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .buffered import Callback
from .scenario import Call, NotAScenarioError, Step, read_call, read_step, split_at_begin

# The profiles of these scenarios.
BUFFERED = ("levent",)


@dataclass(frozen=True, slots=True)
class BufferedActor:
    """One buffered event, and what its callbacks do."""

    is_narrow: bool = False
    # [(callback, what one of its calls does)], those of each in their order
    calls: tuple[tuple[Callback, Call], ...] = ()

    def call(self, callback: Callback, count: int) -> tuple[Step, ...]:
        """What the *count*-th call of *callback* does, counted from 1."""
        for whose, call in self.calls:
            if whose is callback:
                if count <= call.times:
                    return call.do
                count -= call.times
        return ()

    def text(self) -> str:
        return "buffered event" + (" on a narrow line" if self.is_narrow else "")


@dataclass(frozen=True, slots=True)
class LeventScenario:
    """A story: who is there and what happens."""

    profile: str
    actors: Mapping[str, BufferedActor]
    steps: tuple[Step, ...]
    # for a frozen one: its id, the rule it stands for, and why it is here
    id: str = field(default="", compare=False)
    rule: str = field(default="", compare=False)
    why: str = field(default="", compare=False)

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.profile
        for name, actor in self.actors.items():
            yield f"{name}: {actor.text()}"
            for callback, call in actor.calls:
                times = "" if call.times == 1 else f"{call.times} times "
                yield f"    {times}{callback.value}: {call.text()}"
        yield "begin"
        for each in self.steps:
            yield each.text()

    def as_data(self) -> dict[str, Any]:
        """The scenario as JSON has it: its text, line by line, under its id."""
        return {"id": self.id, "rule": self.rule, "why": self.why, "steps": list(self._lines())}


_ACTOR = re.compile(r"([A-Z][A-Za-z0-9]*): buffered event( on a narrow line)?")
_CALL = re.compile(r"    (?:(\d+) times )?(readcb|writecb|errorcb): (.*)")


def parse(text: str, *, id: str = "", rule: str = "", why: str = "") -> LeventScenario:  # noqa: A002  its name in the file
    """The scenario that *text* writes out; raises NotAScenarioError."""
    profile, *lines = text.splitlines()
    before, after = split_at_begin(lines)
    narrow: dict[str, bool] = {}
    calls: dict[str, list[tuple[Callback, Call]]] = {}
    last = ""
    for line in before:
        if (match := _CALL.fullmatch(line)) and last:
            call = read_call(match[3], int(match[1] or 1))
            calls[last].append((Callback(match[2]), call))
        elif match := _ACTOR.fullmatch(line):
            last = match[1]
            narrow[last] = match[2] is not None
            calls[last] = []
        else:
            raise NotAScenarioError(f"{line!r} is neither a buffered event nor a call")
    actors = {name: BufferedActor(narrow[name], tuple(calls[name])) for name in narrow}
    steps = tuple(read_step(line) for line in after)
    return LeventScenario(profile, actors, steps, id=id, rule=rule, why=why)
