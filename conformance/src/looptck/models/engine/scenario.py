"""Scenarios, as data and as text.  This module does no I/O and knows no document.

A scenario names its channels, its actors (events, listeners, timers) with the
steps of each call of their callbacks, and the steps that are taken from
outside.  The grammar of a document lists its kinds of actors and its verbs.
Written out:

    luaevent
    channel 1: pair
    A: event on channel 1 for read, timeout 2, callback a method
        2 times call: read all from channel 1; answer same
        call: close B; answer leave
    B: timer 3, all arguments given
    begin
    add A
    add B
    write 1 to channel 1
    loop 1

Times are in units; the runner chooses the length of a unit.  A step that makes
no sense where it stands (closing an event that is closed) is passed over.  The
name of an actor carries no meaning: the text says all that is played.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .channel_state import Kind
from .phrase import NAME, Phrase, Value


@dataclass(frozen=True)
class Part:
    """A phrase with its values: a step, or the description of an actor."""

    # the name of the phrase in its grammar: a verb, or the kind of an actor
    verb: str
    values: Mapping[str, Value]
    phrase: Phrase = field(compare=False, repr=False)

    def text(self) -> str:
        return self.phrase.text(self.values)

    def __getitem__(self, place: str) -> Any:
        return self.values[place]

    def __contains__(self, place: str) -> bool:
        return place in self.values

    def get(self, place: str, default: Any = None) -> Any:
        return self.values.get(place, default)

    @property
    def actors(self) -> list[str]:
        """The names of the actors that it is about."""
        return [
            self[each.name] for each in self.phrase.places if each.is_actor and each.name in self
        ]

    @property
    def channel(self) -> int:
        """The number of the channel that it is about, or 0."""
        number: int = self.get("channel", 0)
        return number

    def but(self, place: str, value: Value | None) -> Part:
        """Return it with another *value* in one place, or without that place."""
        values = {**self.values}
        if value is None:
            del values[place]
        else:
            values[place] = value
        return Part(self.verb, values, self.phrase)

    def simpler(self) -> Iterator[Part]:
        """The same with less in it, or with a simpler value in one place."""
        for place in self.phrase.places:
            if place.name in self:
                if place.is_optional:
                    yield self.but(place.name, None)
                for value in place.simpler(self[place.name]):
                    yield self.but(place.name, value)


Step = Part


@dataclass(frozen=True)
class Call:
    """The steps of a callback when it is called, once or *times* times."""

    do: tuple[Step, ...] = ()
    times: int = 1
    # which one of the actor's callbacks it is
    callback: str = "call"

    def text(self) -> str:
        label = self.callback if self.times == 1 else f"{self.times} times {self.callback}"
        return f"{label}: {'; '.join(each.text() for each in self.do) or 'nothing'}"


@dataclass(frozen=True)
class Actor:
    """An event, a listener or a timer, and the steps of its callbacks."""

    about: Part
    calls: tuple[Call, ...] = ()

    @property
    def kind(self) -> str:
        return self.about.verb

    @property
    def channel(self) -> int:
        return self.about.channel

    def __getitem__(self, place: str) -> Any:
        return self.about[place]

    def __contains__(self, place: str) -> bool:
        return place in self.about

    def get(self, place: str, default: Any = None) -> Any:
        return self.about.get(place, default)

    def steps_of(self, count: int, callback: str = "call") -> tuple[Step, ...]:
        """Return the steps of the *count*-th call of *callback*, counted from 1."""
        for call in self.calls:
            if call.callback == callback:
                if count <= call.times:
                    return call.do
                count -= call.times
        return ()


@dataclass(frozen=True)
class Scenario:
    """Channels, the actors on them, and the steps taken from outside."""

    profile: str
    channels: tuple[Kind, ...]
    actors: Mapping[str, Actor]
    steps: tuple[Step, ...]
    # only a frozen scenario has an id, a rule that it judges, and a reason for being kept
    id: str = field(default="", compare=False, kw_only=True)
    rule: str = field(default="", compare=False, kw_only=True)
    why: str = field(default="", compare=False, kw_only=True)

    def lines(self) -> Iterator[str]:
        """Yield the text, line by line; the first line is the profile."""
        yield self.profile
        for number, kind in enumerate(self.channels, 1):
            yield f"channel {number}: {kind.value}"
        for name, actor in self.actors.items():
            yield f"{name}: {actor.about.text()}"
            for call in actor.calls:
                yield f"    {call.text()}"
        yield "begin"
        for each in self.steps:
            yield each.text()

    def text(self) -> str:
        return "\n".join(self.lines())

    def as_data(self) -> dict[str, Any]:
        """Return the scenario as JSON holds it: its text, line by line, with its id."""
        return {"id": self.id, "rule": self.rule, "why": self.why, "steps": list(self.lines())}


class NotAScenarioError(ValueError):
    """A line that cannot be read as part of a scenario."""


_CHANNEL = re.compile(r"channel (\d+): (\w+)")
_ACTOR = re.compile(rf"({NAME}): (.*)")
_CALL = re.compile(r"    (?:(\d+) times )?(\w+): (.*)")


class Grammar:
    """The kinds of actors and the verbs of one document."""

    def __init__(
        self,
        actors: Mapping[str, str],
        verbs: Mapping[str, str],
        callbacks: tuple[str, ...] = ("call",),
    ) -> None:
        self._actors = {kind: Phrase(template) for kind, template in actors.items()}
        self._verbs = {verb: Phrase(template) for verb, template in verbs.items()}
        self._callbacks = callbacks

    def step(self, verb: str, *values: Value) -> Step:
        """Return a step with these values, in the order of its places."""
        phrase = self._verbs[verb]
        return Part(
            verb, {place.name: v for place, v in zip(phrase.places, values, strict=False)}, phrase
        )

    def actor(self, kind: str, calls: tuple[Call, ...] = (), **values: Value | None) -> Actor:
        """Return an actor of this kind; a value of None or False is left out.

        A mark is given by its words with underscores between them.
        """
        given = {place.replace("_", " "): value for place, value in values.items()}
        there = {place: value for place, value in given.items() if value not in (None, False)}
        return Actor(Part(kind, there, self._actors[kind]), calls)

    def parse(self, text: str, *, id: str = "", rule: str = "", why: str = "") -> Scenario:  # noqa: A002  its name in the file
        """Return the scenario that *text* writes out; raise NotAScenarioError."""
        profile, *lines = text.splitlines()
        if "begin" not in lines:
            raise NotAScenarioError("there is no line `begin`; write it before the first step")
        at = lines.index("begin")
        channels: list[Kind] = []
        actors: dict[str, Actor] = {}
        last = ""
        for line in lines[:at]:
            if match := _CHANNEL.fullmatch(line):
                if int(match[1]) != len(channels) + 1:
                    raise NotAScenarioError(f"{line!r}: channels are numbered from 1 on")
                channels.append(Kind(match[2]))
            elif (match := _CALL.fullmatch(line)) and last and match[2] in self._callbacks:
                do = () if match[3] == "nothing" else match[3].split("; ")
                call = Call(tuple(map(self._read_step, do)), int(match[1] or 1), match[2])
                actors[last] = Actor(actors[last].about, (*actors[last].calls, call))
            elif (match := _ACTOR.fullmatch(line)) and (about := _read(self._actors, match[2])):
                last = match[1]
                actors[last] = Actor(about)
            else:
                raise NotAScenarioError(f"{line!r} is neither a channel, an actor nor a call")
        steps = tuple(map(self._read_step, lines[at + 1 :]))
        return Scenario(profile, tuple(channels), actors, steps, id=id, rule=rule, why=why)

    def from_data(self, data: Mapping[str, Any]) -> Scenario:
        """Return the scenario that `as_data` wrote."""
        text = "\n".join(data["steps"])
        return self.parse(text, id=data["id"], rule=data["rule"], why=data.get("why", ""))

    def _read_step(self, line: str) -> Step:
        found = _read(self._verbs, line)
        if found is None:
            verbs = ", ".join(phrase.template for phrase in self._verbs.values())
            raise NotAScenarioError(f"{line!r} is no step; they are {verbs}")
        return found


def _read(phrases: Mapping[str, Phrase], text: str) -> Part | None:
    for verb, phrase in phrases.items():
        values = phrase.read(text)
        if values is not None:
            return Part(verb, values, phrase)
    return None
