"""Smaller scenarios of levent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from .channel_state import Directions
from .levent_scenario import LeventActor, LeventScenario
from .scenario import Call, Step

T = TypeVar("T")

# Verbs whose numbers may be 0.
_MARKS = ("mark input", "mark output")


def smaller_levent(scenario: LeventScenario) -> Iterator[LeventScenario]:
    """Scenarios that are a little simpler, the greatest steps first."""
    for name in reversed(list(scenario.actors)):
        if len(scenario.actors) > 1:
            yield _without_actor(scenario, name)
    for steps in _fewer(scenario.steps):
        yield replace(scenario, steps=tuple(steps))
    for name, actor in scenario.actors.items():
        for simpler in _simpler(actor):
            yield replace(scenario, actors={**scenario.actors, name: simpler})
    yield from (lower for lower in _lower(scenario) if lower != scenario)
    yield from _told_outside(scenario)


def _fewer(parts: Sequence[T]) -> Iterator[Sequence[T]]:
    """Without half of them, without a quarter, and so on down to one."""
    size = (len(parts) + 1) // 2
    while size:
        for at in range(len(parts) - size, -1, -size):
            yield [*parts[:at], *parts[at + size :]]
        size //= 2


def _without_actor(scenario: LeventScenario, name: str) -> LeventScenario:
    """The same without the buffered event and all that is done to it."""

    def others(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(each for each in steps if name not in each.args)

    kept = {other: actor for other, actor in scenario.actors.items() if other != name}
    return _each_steps(replace(scenario, actors=kept), others)


def _simpler(actor: LeventActor) -> Iterator[LeventActor]:
    if actor.line:
        yield replace(actor, line="")
    if actor.directions is Directions.BOTH:
        yield replace(actor, directions=Directions.READ)
    if actor.is_narrow:
        yield replace(actor, is_narrow=False)
    calls = actor.calls
    for fewer in _fewer(calls):
        yield replace(actor, calls=tuple(fewer))
    for at, (whose, call) in enumerate(calls):
        for simpler in _simpler_calls(call):
            yield replace(actor, calls=(*calls[:at], (whose, simpler), *calls[at + 1 :]))


def _simpler_calls(call: Call) -> Iterator[Call]:
    if call.times > 1:
        yield replace(call, times=1)
    for do in _fewer(call.do):
        if do:
            yield replace(call, do=tuple(do))


def _lower(scenario: LeventScenario) -> Iterator[LeventScenario]:
    """With lower numbers: one of them wherever it stands, or in one place."""
    inner = (call.do for actor in scenario.actors.values() for _, call in actor.calls)
    everywhere = list(chain(scenario.steps, *inner))
    for number in sorted({arg for each in everywhere for arg in each.args if _counts(arg)}):
        for lower in _below(number):
            yield _each_steps(scenario, lambda steps: _with(steps, number, lower))  # noqa: B023  called at once
    for at, each in enumerate(scenario.steps):
        for number in {arg for arg in each.args if _counts(arg)}:
            for lower in _below(number):
                steps = scenario.steps
                changed = _with((each,), number, lower)
                yield replace(scenario, steps=(*steps[:at], *changed, *steps[at + 1 :]))


def _counts(arg: int | str) -> bool:
    return isinstance(arg, int) and arg > 0


def _below(number: int | str) -> list[int]:
    assert isinstance(number, int)
    return sorted({0, 1, number // 2, number - number // 8, number - 1} - {number})


def _with(steps: tuple[Step, ...], number: int | str, lower: int) -> tuple[Step, ...]:
    """The same with *lower* in place of *number*, where it may stand."""
    return tuple(
        replace(each, args=tuple(lower if arg == number else arg for arg in each.args))
        if lower or each.verb in _MARKS
        else each
        for each in steps
    )


def _told_outside(scenario: LeventScenario) -> Iterator[LeventScenario]:
    """With what a callback does done from outside."""
    for name, actor in scenario.actors.items():
        for at, (_, call) in enumerate(actor.calls):
            calls = actor.calls[:at] + actor.calls[at + 1 :]
            actors = {**scenario.actors, name: replace(actor, calls=calls)}
            for place in range(len(scenario.steps) + 1):
                steps = (*scenario.steps[:place], *call.do, *scenario.steps[place:])
                yield replace(scenario, actors=actors, steps=steps)


def _each_steps(
    scenario: LeventScenario, change: Callable[[tuple[Step, ...]], tuple[Step, ...]]
) -> LeventScenario:
    """The same with the steps changed, inside of callbacks and outside."""
    actors = {
        name: replace(
            actor,
            calls=tuple((whose, replace(call, do=change(call.do))) for whose, call in actor.calls),
        )
        for name, actor in scenario.actors.items()
    }
    return replace(scenario, actors=actors, steps=change(scenario.steps))
