"""Scenarios of luaevent and LuaHop, as data and as text.  This module does no I/O.

A scenario names its channels, its actors (events, listeners and timers, with
the steps of each of their calls), and the steps that are taken from outside.
Times are in units; the runner chooses the length of a unit.  Written out:

    luaevent
    channel 1: pair
    A: event on channel 1 for read, timeout 2, callback a method
        call: read all from channel 1; answer same
        call: close B; answer leave
    B: timer 3, all arguments given
    begin
    add A
    add B
    write 1 to channel 1
    loop 1

An event that is called more often than its lines say answers leave.  A step
that makes no sense where it stands (closing an event that is closed) is passed
over.  The name of an actor carries no meaning:

- "callback a method": the callback of a luaevent event is a bound method, and
  only the loop refers to its object; without it the callback is a function.
- "all arguments given": a luaevent event passes None for a timeout that it
  does not have, to `addevent` and in its answers; without it None is left out.
- "one callback for all": a LuaHop listener that is set again passes the
  function that it passed before; without it it passes a method of a new object.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from .channel_state import Directions, Kind


class Role(Enum):
    """The kind of an actor."""

    EVENT = "event"
    TIMER = "timer"
    READER = "reader"
    WRITER = "writer"
    TIMEOUT = "timeout"
    INTERVAL = "interval"


# Roles of the profile luaevent; the others belong to luahop.
OF_LUAEVENT = (Role.EVENT, Role.TIMER)

# {verb: its text}.  Names stand for actors, c for a channel, n for a
# count, t for a time in units, b for a base or loop, low and high for watermarks.
VERBS = {
    # channels
    "write": "write {n} to channel {c}",
    "read": "read {n} from channel {c}",
    "read all": "read all from channel {c}",
    "fill": "fill channel {c}",
    "drain": "drain channel {c}",
    "finish": "finish channel {c}",
    "hang up": "hang up channel {c}",
    "renew": "renew channel {c}",
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
    "take None": "take all from {name} by read(None)",
    "take line": "take a line from {name}",
    "write to buffer": "write {n} to {name}",
    "mark input": "input of {name}: low {low}, high {high}",
    "mark output": "output of {name}: low {low}",
    "mark output twice": "output of {name}: low {low}, high {high}",
    "send": "peer of {name} sends {n}",
    "send line": "peer of {name} sends a line of {n}",
    "receive": "peer of {name} takes {n}",
    "receive all": "peer of {name} takes all",
    "fill channel": "fill the channel of {name}",
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
    "c": _NUMBER,
    "t": _NUMBER,
    "b": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "name": _NAME,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One action: a verb and its arguments, in the order of its text."""

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
    """The return value of an event's callback.

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
    """The steps of a callback when it is called, once or *times* times."""

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
    # 0 for an actor without a channel
    channel: int = 0
    directions: Directions = Directions.NEITHER
    # timeout, delay or period in units; None for none
    after: int | None = None
    # which base or loop it belongs to
    loop: int = 1
    # LuaHop: the duration is told in seconds where that is a whole number
    in_seconds: bool = False
    # luaevent: the callback is a bound method of an object that only the loop refers to
    is_method: bool = False
    # luaevent: None is passed for a timeout that the event does not have
    passes_none: bool = False
    # LuaHop: a listener that is set again passes the callback that it passed before
    reuses_callback: bool = False
    calls: tuple[Call, ...] = ()

    def call(self, count: int) -> Call:
        """Return the *count*-th call, counted from 1."""
        for call in self.calls:
            if count <= call.times:
                return call
            count -= call.times
        return Call(answer=LEAVES if self.role in OF_LUAEVENT else None)

    def text(self) -> str:
        said = self.role.value
        if self.channel:
            said += f" on channel {self.channel}"
        if self.role is Role.EVENT:
            said += f" for {self.directions.words()}"
            said += "" if self.after is None else f", timeout {self.after}"
        elif self.after is not None:
            said += f" {self.after}"
        said += ", in seconds" if self.in_seconds else ""
        said += "" if self.loop == 1 else f", loop {self.loop}"
        said += ", callback a method" if self.is_method else ""
        said += ", all arguments given" if self.passes_none else ""
        return said + (", one callback for all" if self.reuses_callback else "")


@dataclass(frozen=True, slots=True)
class BaseScenario(ABC):
    """The base of all scenarios: it is written out, and read, line by line."""

    profile: str
    # only a frozen scenario has an id, a rule that it judges, and a reason for being kept
    id: str = field(default="", compare=False, kw_only=True)
    rule: str = field(default="", compare=False, kw_only=True)
    why: str = field(default="", compare=False, kw_only=True)

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """Yield the text, line by line; the first line is the profile."""

    def text(self) -> str:
        return "\n".join(self.lines())

    def as_data(self) -> dict[str, Any]:
        """Return the scenario as JSON holds it: its text, line by line, with its id."""
        return {"id": self.id, "rule": self.rule, "why": self.why, "steps": list(self.lines())}


@dataclass(frozen=True, slots=True)
class Scenario(BaseScenario):
    """Channels, the actors on them, and the steps taken from outside."""

    channels: tuple[Kind, ...]
    actors: Mapping[str, Actor]
    steps: tuple[Step, ...]

    def lines(self) -> Iterator[str]:
        yield self.profile
        for number, kind in enumerate(self.channels, 1):
            yield f"channel {number}: {kind.value}"
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


_CHANNEL = re.compile(r"channel (\d+): (\w+)")
_ACTOR = re.compile(
    r"(?P<name>[A-Z][A-Za-z0-9]*): (?P<role>\w+)"
    r"(?: on channel (?P<channel>\d+))?"
    r"(?: for (?P<directions>read and write|read|write))?"
    r"(?:(?:, timeout)? (?P<after>\d+))?"
    r"(?P<seconds>, in seconds)?"
    r"(?:, loop (?P<loop>\d+))?"
    r"(?P<is_method>, callback a method)?"
    r"(?P<passes_none>, all arguments given)?"
    r"(?P<reuses_callback>, one callback for all)?"
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
        if match := _CHANNEL.fullmatch(line):
            if int(match[1]) != len(channels) + 1:
                raise NotAScenarioError(f"{line!r}: channels are numbered from 1 on")
            channels.append(Kind(match[2]))
        elif (match := _CALL.fullmatch(line)) and last:
            calls[last].append(read_call(match["said"], int(match["times"] or 1)))
        elif match := _ACTOR.fullmatch(line):
            last = match["name"]
            actors[last] = _actor(match)
            calls[last] = []
        else:
            raise NotAScenarioError(f"{line!r} is neither a channel, an actor nor a call")
    finished = {name: replace(actor, calls=tuple(calls[name])) for name, actor in actors.items()}
    steps = tuple(read_step(line) for line in after)
    return Scenario(profile, tuple(channels), finished, steps, id=id, rule=rule, why=why)


def split_at_begin(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the lines before `begin`, and those after it."""
    if "begin" not in lines:
        raise NotAScenarioError("there is no line `begin`; write it before the first step")
    at = lines.index("begin")
    return lines[:at], lines[at + 1 :]


def _actor(match: re.Match[str]) -> Actor:
    role = Role(match["role"])
    directions = _DIRECTIONS[match["directions"]] if match["directions"] else Directions.NEITHER
    if role in (Role.READER, Role.WRITER):
        directions = Directions.READ if role is Role.READER else Directions.WRITE
    return Actor(
        role=role,
        channel=int(match["channel"] or 0),
        directions=directions,
        after=None if match["after"] is None else int(match["after"]),
        loop=int(match["loop"] or 1),
        in_seconds=match["seconds"] is not None,
        is_method=match["is_method"] is not None,
        passes_none=match["passes_none"] is not None,
        reuses_callback=match["reuses_callback"] is not None,
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
