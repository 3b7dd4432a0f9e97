"""Makes a scenario smaller as long as it stays interesting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from .channel_state import Kind
from .scenario import Actor, Call, Part, Scenario

T = TypeVar("T")


def shrink(
    scenario: Scenario, is_interesting: Callable[[Scenario], bool], seconds: float
) -> Scenario:
    """Return the smallest scenario found in *seconds* for which *is_interesting* still holds."""
    give_up_at = time.monotonic() + seconds
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(scenario):
            if time.monotonic() > give_up_at:
                return scenario
            if is_interesting(smaller):
                scenario, progress = smaller, True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios that are a little simpler, the greatest steps first."""
    for name in reversed(list(scenario.actors)):
        yield _without_actor(scenario, name)
    for steps in _fewer(scenario.steps):
        yield replace(scenario, steps=tuple(steps))
    for number in range(len(scenario.channels), 0, -1):
        if all(number != part.channel for part in _parts(scenario)):
            yield _without_channel(scenario, number)
    for name, actor in scenario.actors.items():
        for simpler in _simpler_actors(actor):
            yield replace(scenario, actors={**scenario.actors, name: simpler})
    yield from _with_simpler_values(scenario)
    for at, kind in enumerate(scenario.channels):
        if kind is not Kind.PAIR:
            channels = (*scenario.channels[:at], Kind.PAIR, *scenario.channels[at + 1 :])
            yield replace(scenario, channels=channels)
    yield from _with_call_outside(scenario)


def _fewer(parts: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield *parts* without half of them, without a quarter, and so on down to one."""
    size = (len(parts) + 1) // 2
    while size:
        for at in range(len(parts) - size, -1, -size):
            yield [*parts[:at], *parts[at + size :]]
        size //= 2


def _parts(scenario: Scenario) -> Iterator[Part]:
    """Yield all steps, inside and outside of callbacks, and what is said of the actors."""
    yield from scenario.steps
    for actor in scenario.actors.values():
        yield actor.about
        for call in actor.calls:
            yield from call.do


def _with_parts(scenario: Scenario, change: Callable[[Part], Part | None]) -> Scenario:
    """Return *scenario* with *change* applied to all parts; None takes away a step."""

    def changed(steps: Sequence[Part]) -> tuple[Part, ...]:
        return tuple(new for each in steps if (new := change(each)) is not None)

    actors = {
        name: Actor(
            change(actor.about) or actor.about,
            tuple(replace(call, do=changed(call.do)) for call in actor.calls),
        )
        for name, actor in scenario.actors.items()
    }
    return replace(scenario, actors=actors, steps=changed(scenario.steps))


def _without_actor(scenario: Scenario, name: str) -> Scenario:
    """Return *scenario* without the actor *name* and all steps about it."""
    actors = {other: actor for other, actor in scenario.actors.items() if other != name}
    return _with_parts(
        replace(scenario, actors=actors), lambda part: None if name in part.actors else part
    )


def _without_channel(scenario: Scenario, number: int) -> Scenario:
    """Return *scenario* without the unused channel *number*; later ones are renumbered."""
    channels = scenario.channels[: number - 1] + scenario.channels[number:]
    return _with_parts(
        replace(scenario, channels=channels),
        lambda part: part.but("channel", part.channel - 1) if part.channel > number else part,
    )


def _simpler_actors(actor: Actor) -> Iterator[Actor]:
    calls = actor.calls
    for fewer in _fewer(calls):
        yield replace(actor, calls=tuple(fewer))
    for at, call in enumerate(calls):
        for simpler in _simpler_calls(call):
            yield replace(actor, calls=(*calls[:at], simpler, *calls[at + 1 :]))
    for about in actor.about.simpler():
        yield replace(actor, about=about)


def _simpler_calls(call: Call) -> Iterator[Call]:
    if call.times > 1:
        yield replace(call, times=1)
    for do in _fewer(call.do):
        yield replace(call, do=tuple(do))
    for at, step in enumerate(call.do):
        for simpler in step.simpler():
            yield replace(call, do=(*call.do[:at], simpler, *call.do[at + 1 :]))


def _with_simpler_values(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with one lower number everywhere, or one simpler step."""
    yield from _lower_numbers(scenario)
    for at, step in enumerate(scenario.steps):
        for simpler in step.simpler():
            yield replace(
                scenario, steps=(*scenario.steps[:at], simpler, *scenario.steps[at + 1 :])
            )


def _lower_numbers(scenario: Scenario) -> Iterator[Scenario]:
    found: set[tuple[int, int]] = {
        (part[place.name], int(lower))
        for part in _parts(scenario)
        for place in part.phrase.places
        if place.is_number and place.name in part
        for lower in place.simpler(part[place.name])
    }
    for number, lower in sorted(found):
        yield _with_parts(scenario, lambda part: _lowered(part, number, lower))  # noqa: B023  called at once


def _lowered(part: Part, number: int, lower: int) -> Part:
    """Return *part* with *lower* for each *number* that it may stand for."""
    for place in part.phrase.places:
        if place.is_number and part.get(place.name) == number and lower >= int(place.fits):
            part = part.but(place.name, lower)
    return part


def _with_call_outside(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios in which the steps of one call are taken from outside."""
    for name, actor in scenario.actors.items():
        for at, call in enumerate(actor.calls):
            calls = actor.calls[:at] + actor.calls[at + 1 :]
            actors = {**scenario.actors, name: replace(actor, calls=calls)}
            for place in range(len(scenario.steps) + 1):
                steps = (*scenario.steps[:place], *call.do, *scenario.steps[place:])
                yield replace(scenario, actors=actors, steps=steps)
