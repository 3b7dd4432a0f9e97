"""Smaller scenarios about buffered events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .buffered_scenario import BufferedActor, BufferedScenario
from .scenario import Call, Step


def smaller_buffered(scenario: BufferedScenario) -> Iterator[BufferedScenario]:
    """Scenarios that are a little simpler, the greatest steps first."""
    for name in reversed(list(scenario.actors)):
        if len(scenario.actors) > 1:
            yield _without_actor(scenario, name)
    for steps in _fewer(scenario.steps):
        yield replace(scenario, steps=steps)
    for name, actor in scenario.actors.items():
        for simpler in _simpler(actor):
            yield replace(scenario, actors={**scenario.actors, name: simpler})
    for steps in _lower(scenario.steps):
        yield replace(scenario, steps=steps)


def _fewer(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """Without half of them, without a quarter, and so on down to one."""
    size = len(steps) // 2
    while size:
        for at in range(len(steps) - size, -1, -size):
            yield steps[:at] + steps[at + size :]
        size //= 2


def _lower(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """With one of the numbers lower."""
    for at, each in enumerate(steps):
        for place, number in enumerate(each.args):
            if isinstance(number, int):
                for lower in sorted({0, number // 2, number - 1}):
                    if 0 <= lower < number and (lower or each.verb.startswith("mark")):
                        args = (*each.args[:place], lower, *each.args[place + 1 :])
                        yield (*steps[:at], replace(each, args=args), *steps[at + 1 :])


def _without_actor(scenario: BufferedScenario, name: str) -> BufferedScenario:
    """The same without the buffered event and all that is done to it."""

    def others(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(each for each in steps if name not in each.args)

    actors = {
        other: replace(
            actor,
            calls=tuple((whose, replace(call, do=others(call.do))) for whose, call in actor.calls),
        )
        for other, actor in scenario.actors.items()
        if other != name
    }
    return replace(scenario, actors=actors, steps=others(scenario.steps))


def _simpler(actor: BufferedActor) -> Iterator[BufferedActor]:
    if actor.is_narrow:
        yield replace(actor, is_narrow=False)
    calls = actor.calls
    for at in reversed(range(len(calls))):
        yield replace(actor, calls=calls[:at] + calls[at + 1 :])
        whose, call = calls[at]
        for simpler in _simpler_calls(call):
            yield replace(actor, calls=(*calls[:at], (whose, simpler), *calls[at + 1 :]))


def _simpler_calls(call: Call) -> Iterator[Call]:
    if call.times > 1:
        yield replace(call, times=1)
    for at in reversed(range(len(call.do))):
        yield replace(call, do=call.do[:at] + call.do[at + 1 :])
    for do in _lower(call.do):
        yield replace(call, do=do)
