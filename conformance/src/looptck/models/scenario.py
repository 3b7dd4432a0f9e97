"""Scenarios: short stories about a loop, as data and as text.  Does no I/O.

A scenario names its wires, its actors (events, listeners, timers, with what
their callbacks do, call by call), and the steps that are taken from outside.
Times are in units, whose length is chosen by whoever plays.  Written out:

    luaevent
    wire 1: pair
    A: event on wire 1 for read, timeout 2
        call: read all from wire 1; answer same
        call: close B; answer leave
    B: timer 3
    begin
    add A
    add B
    write 1 to wire 1
    loop 1

An event that is called more often than its lines say answers leave.  A step
that makes no sense where it stands (closing what is closed) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from .channel_state import Directions, Kind
from .story import Story


class Role(Enum):
    """What an actor is to the loop."""

    EVENT = "event"
    TIMER = "timer"
    READER = "reader"
    WRITER = "writer"
    TIMEOUT = "timeout"
    INTERVAL = "interval"


# Roles of the profile luaevent; the others belong to luahop.
OF_LUAEVENT = (Role.EVENT, Role.TIMER)

# {verb: how it is written}.  Names stand for actors, w for a wire, n for a
# count, t for a time in units, b for a base or loop, low and high for watermarks.
VERBS = {
    # the world
    "write": "write {n} to wire {w}",
    "read": "read {n} from wire {w}",
    "read all": "read all from wire {w}",
    "fill": "fill wire {w}",
    "drain": "drain wire {w}",
    "finish": "finish wire {w}",
    "hang up": "hang up wire {w}",
    "renew": "renew wire {w}",
    "pass": "let {t} pass",
    # luaevent
    "add": "add {name}",
    "close": "close {name}",
    "drop": "drop {name}",
    "loop": "loop {b}",
    "loop guarded": "loop {b} under a guard",
    "close base": "close base {b}",
    # luahop
    "set": "set {name}",
    "remove": "remove {name}",
    "clear": "clear {name}",
    "poll": "poll {b}",
    "poll for": "poll {b} for {t}",
    "poll often": "poll {b} {n} times",
    # levent
    "start": "start {name}",
    "stop": "stop {name}",
    "delete": "delete {name}",
    "take": "take {n} from {name}",
    "take all": "take all from {name}",
    "take line": "take a line from {name}",
    "put": "write {n} to {name}",
    "mark input": "input of {name}: low {low}, high {high}",
    "mark output": "output of {name}: low {low}",
    "send": "peer of {name} sends {n}",
    "send line": "peer of {name} sends a line of {n}",
    "receive": "peer of {name} takes {n}",
    "receive all": "peer of {name} takes all",
    "stuff": "fill the line of {name}",
    "end": "peer of {name} ends",
    "leave": "peer of {name} is closed",
    "turn": "pass",
    "settle": "pass until nothing moves",
    "wait": "wait for an event",
    "run": "loop until none is active",
}

_NAME = r"[A-Z][A-Za-z0-9]*"
_NUMBER = r"\d+"
_PLACES = {
    "n": _NUMBER,
    "w": _NUMBER,
    "t": _NUMBER,
    "b": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "name": _NAME,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done: a verb and what it is about, in the order of its text."""

    verb: str
    args: tuple[int | str, ...]

    def text(self) -> str:
        places = re.findall(r"{(\w+)}", VERBS[self.verb])
        return VERBS[self.verb].format(**dict(zip(places, self.args, strict=True)))

    def as_data(self) -> list[int | str]:
        return [self.verb, *self.args]


def step(verb: str, *args: int | str) -> Step:
    return Step(verb, args)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an event's callback returns.

    *flags* is "same", "leave", "read", "write" or "read and write"; *timeout*
    is given with it unless None.
    """

    flags: str = "leave"
    timeout: int | None = None

    @property
    def directions(self) -> Directions | None:
        """The directions that are asked for, or None for same and leave."""
        return {
            "read": Directions.READ,
            "write": Directions.WRITE,
            "read and write": Directions.BOTH,
        }.get(self.flags)

    def text(self) -> str:
        said = f"answer {self.flags}"
        return said if self.timeout is None else f"{said}, timeout {self.timeout}"


LEAVES = Answer()


@dataclass(frozen=True, slots=True)
class Call:
    """What a callback does when it is called, once or *times* times."""

    do: tuple[Step, ...] = ()
    answer: Answer | None = None
    times: int = 1

    def text(self) -> str:
        said = [each.text() for each in self.do]
        if self.answer is not None:
            said.append(self.answer.text())
        return "; ".join(said) or "nothing"


@dataclass(frozen=True, slots=True)
class Actor:
    """An event, a listener or a timer, and its callback."""

    role: Role
    # 0 for those without a wire
    channel: int = 0
    directions: Directions = Directions.NEITHER
    # timeout, delay or period in units; None for none
    after: int | None = None
    # which base or loop it belongs to
    loop: int = 1
    # LuaHop: the duration is told in seconds where that is a whole number
    in_seconds: bool = False
    calls: tuple[Call, ...] = ()

    def call(self, count: int) -> Call:
        """What the *count*-th call does, counted from 1."""
        for call in self.calls:
            if count <= call.times:
                return call
            count -= call.times
        return Call(answer=LEAVES if self.role in OF_LUAEVENT else None)

    def text(self) -> str:
        said = self.role.value
        if self.channel:
            said += f" on wire {self.channel}"
        if self.role is Role.EVENT:
            said += f" for {self.directions.words()}"
            said += "" if self.after is None else f", timeout {self.after}"
        elif self.after is not None:
            said += f" {self.after}"
        said += ", in seconds" if self.in_seconds else ""
        return said + ("" if self.loop == 1 else f", loop {self.loop}")


@dataclass(frozen=True, slots=True)
class Scenario(Story):
    """A story of wires, and of the actors on them."""

    channels: tuple[Kind, ...]
    actors: Mapping[str, Actor]
    steps: tuple[Step, ...]

    def lines(self) -> Iterator[str]:
        yield self.profile
        for number, kind in enumerate(self.channels, 1):
            yield f"wire {number}: {kind.value}"
        for name, actor in self.actors.items():
            yield f"{name}: {actor.text()}"
            for call in actor.calls:
                label = "call" if call.times == 1 else f"{call.times} calls"
                yield f"    {label}: {call.text()}"
        yield "begin"
        for each in self.steps:
            yield each.text()


class NotAScenarioError(ValueError):
    """A line that cannot be read as part of a scenario."""


_WIRE = re.compile(r"wire (\d+): (\w+)")
_ACTOR = re.compile(
    r"(?P<name>[A-Z][A-Za-z0-9]*): (?P<role>\w+)"
    r"(?: on wire (?P<wire>\d+))?"
    r"(?: for (?P<way>read and write|read|write))?"
    r"(?:(?:, timeout)? (?P<after>\d+))?"
    r"(?P<seconds>, in seconds)?"
    r"(?:, loop (?P<loop>\d+))?"
)
_CALL = re.compile(r"    (?:(?P<times>\d+) calls|call): (?P<said>.*)")
_ANSWER = re.compile(r"answer (same|leave|read and write|read|write)(?:, timeout (\d+))?")
_DIRECTIONS = {
    directions.words(): directions
    for directions in (Directions.READ, Directions.WRITE, Directions.BOTH)
}


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"{(\w+)}", template)
    return re.compile(
        "".join(f"({_PLACES[p]})" if at % 2 else re.escape(p) for at, p in enumerate(parts))
    )


# The longer text first, so that "poll 1 for 2" is not read as "poll 1".
_STEPS = {verb: _pattern(text) for verb, text in sorted(VERBS.items(), key=lambda v: -len(v[1]))}


def parse(text: str, *, id: str = "", rule: str = "", why: str = "") -> Scenario:  # noqa: A002  its name in the file
    """The scenario that *text* writes out; raises NotAScenarioError."""
    profile, *lines = text.splitlines()
    channels: list[Kind] = []
    actors: dict[str, Actor] = {}
    calls: dict[str, list[Call]] = {}
    last = ""
    before, after = split_at_begin(lines)
    for line in before:
        if match := _WIRE.fullmatch(line):
            if int(match[1]) != len(channels) + 1:
                raise NotAScenarioError(f"{line!r}: wires are numbered from 1 on")
            channels.append(Kind(match[2]))
        elif (match := _CALL.fullmatch(line)) and last:
            calls[last].append(read_call(match["said"], int(match["times"] or 1)))
        elif match := _ACTOR.fullmatch(line):
            last = match["name"]
            actors[last] = _actor(match)
            calls[last] = []
        else:
            raise NotAScenarioError(f"{line!r} is neither a wire, an actor nor a call")
    finished = {
        name: Actor(
            actor.role,
            actor.channel,
            actor.directions,
            actor.after,
            actor.loop,
            actor.in_seconds,
            tuple(calls[name]),
        )
        for name, actor in actors.items()
    }
    steps = tuple(read_step(line) for line in after)
    return Scenario(profile, tuple(channels), finished, steps, id=id, rule=rule, why=why)


def split_at_begin(lines: list[str]) -> tuple[list[str], list[str]]:
    """What comes before the steps, and the steps."""
    if "begin" not in lines:
        raise NotAScenarioError("there is no line `begin`; write it before the first step")
    at = lines.index("begin")
    return lines[:at], lines[at + 1 :]


def _actor(match: re.Match[str]) -> Actor:
    role = Role(match["role"])
    directions = _DIRECTIONS[match["way"]] if match["way"] else Directions.NEITHER
    if role in (Role.READER, Role.WRITER):
        directions = Directions.READ if role is Role.READER else Directions.WRITE
    return Actor(
        role=role,
        channel=int(match["wire"] or 0),
        directions=directions,
        after=None if match["after"] is None else int(match["after"]),
        loop=int(match["loop"] or 1),
        in_seconds=match["seconds"] is not None,
    )


def read_call(said: str, times: int) -> Call:
    """The call that *said* writes out."""
    steps: list[Step] = []
    answer = None
    for part in said.split("; "):
        if match := _ANSWER.fullmatch(part):
            answer = Answer(match[1], None if match[2] is None else int(match[2]))
        elif part != "nothing":
            steps.append(read_step(part))
    return Call(tuple(steps), answer, times)


def read_step(line: str) -> Step:
    """The step that *line* writes out."""
    for verb, pattern in _STEPS.items():
        if match := pattern.fullmatch(line):
            return Step(verb, tuple(int(g) if g.isdigit() else g for g in match.groups()))
    raise NotAScenarioError(f"{line!r} is no step; they are {', '.join(VERBS.values())}")
