"""Scenarios of levent, as data and as text.  Does no I/O.

A scenario names its events, buffered or not, with what their callbacks do,
call by call, and the steps that are taken from outside.  Each one has a line
of its own, with a peer at the other end, unless it shares that of another
event.  Written out:

    levent
    A: buffered event on a narrow line
        readcb: take 2 from A; stop B
        2 times readcb: take all from A
        errorcb: stop A
    B: buffered event
    C: event for read
        call: take all from C; start C
    D: event for read and write on the line of C
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
from dataclasses import dataclass, replace

from .channel_state import Directions
from .scenario import Call, NotAScenarioError, Step, read_call, read_step, split_at_begin
from .story import Story

# The one callback of an event that is not buffered.
EVENT = "call"

_DIRECTIONS = {
    directions.words(): directions
    for directions in (Directions.READ, Directions.WRITE, Directions.BOTH)
}


@dataclass(frozen=True, slots=True)
class LeventActor:
    """One event, and what its callbacks do."""

    # what it waits for; a buffered event has no choice
    directions: Directions = Directions.NEITHER
    # whose line it shares; its own if that is empty
    line: str = ""
    is_narrow: bool = False
    # [(callback, what one of its calls does)], those of each in their order
    calls: tuple[tuple[str, Call], ...] = ()

    @property
    def is_buffered(self) -> bool:
        return self.directions is Directions.NEITHER

    def call(self, callback: str, count: int) -> tuple[Step, ...]:
        """What the *count*-th call of *callback* does, counted from 1."""
        for whose, call in self.calls:
            if whose == callback:
                if count <= call.times:
                    return call.do
                count -= call.times
        return ()

    def text(self) -> str:
        if self.is_buffered:
            return "buffered event" + (" on a narrow line" if self.is_narrow else "")
        line = f" on the line of {self.line}" if self.line else ""
        return f"event for {self.directions.words()}{line}"


@dataclass(frozen=True, slots=True)
class LeventScenario(Story):
    """A story of events, each on a line of its own or of another."""

    actors: Mapping[str, LeventActor]
    steps: tuple[Step, ...]

    def lines(self) -> Iterator[str]:
        yield self.profile
        for name, actor in self.actors.items():
            yield f"{name}: {actor.text()}"
            for callback, call in actor.calls:
                times = "" if call.times == 1 else f"{call.times} times "
                yield f"    {times}{callback}: {call.text()}"
        yield "begin"
        for each in self.steps:
            yield each.text()


_NAME = "[A-Z][A-Za-z0-9]*"
_BUFFERED = re.compile(rf"({_NAME}): buffered event( on a narrow line)?")
_EVENT = re.compile(
    rf"({_NAME}): event for (read and write|read|write)(?: on the line of ({_NAME}))?"
)
_CALL = re.compile(r"    (?:(\d+) times )?(readcb|writecb|errorcb|call): (.*)")


def parse(text: str, *, id: str = "", rule: str = "", why: str = "") -> LeventScenario:  # noqa: A002  its name in the file
    """The scenario that *text* writes out; raises NotAScenarioError."""
    profile, *lines = text.splitlines()
    before, after = split_at_begin(lines)
    made: dict[str, LeventActor] = {}
    last = ""
    for line in before:
        if (match := _CALL.fullmatch(line)) and last:
            call = match[2], read_call(match[3], int(match[1] or 1))
            made[last] = replace(made[last], calls=(*made[last].calls, call))
        elif match := _BUFFERED.fullmatch(line):
            last = match[1]
            made[last] = LeventActor(is_narrow=match[2] is not None)
        elif match := _EVENT.fullmatch(line):
            last = match[1]
            made[last] = LeventActor(_DIRECTIONS[match[2]], match[3] or "")
        else:
            raise NotAScenarioError(f"{line!r} is neither an event nor a call")
    steps = tuple(read_step(line) for line in after)
    return LeventScenario(profile, made, steps, id=id, rule=rule, why=why)
