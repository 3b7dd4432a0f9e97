"""Makes a scenario smaller as long as it stays interesting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from .channel_state import Kind
from .levent_scenario import LeventScenario
from .levent_shrink import smaller_levent
from .parse import AnyScenario
from .scenario import VERBS, Actor, Call, Role, Scenario, Step


def reduce(
    scenario: AnyScenario, is_interesting: Callable[[AnyScenario], bool], seconds: float
) -> AnyScenario:
    """The smallest scenario found in *seconds* for which *is_interesting* still holds."""
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


def _smaller(scenario: AnyScenario) -> Iterator[AnyScenario]:
    """Scenarios that are a little simpler, the greatest steps first."""
    if isinstance(scenario, LeventScenario):
        return smaller_levent(scenario)
    return _smaller_channels(scenario)


def _smaller_channels(scenario: Scenario) -> Iterator[Scenario]:
    for steps in _without_one(scenario.steps):
        yield replace(scenario, steps=steps)
    for name in reversed(list(scenario.actors)):
        yield _without_actor(scenario, name)
    for number in range(len(scenario.channels), 0, -1):
        if not _uses(scenario, number):
            yield _without_channel(scenario, number)
    for name, actor in scenario.actors.items():
        for simpler in _simpler(actor):
            yield replace(scenario, actors={**scenario.actors, name: simpler})
    for at, kind in enumerate(scenario.channels):
        if kind is not Kind.PAIR:
            channels = (*scenario.channels[:at], Kind.PAIR, *scenario.channels[at + 1 :])
            yield replace(scenario, channels=channels)


def _without_one(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for at in reversed(range(len(steps))):
        yield steps[:at] + steps[at + 1 :]


def _without_actor(scenario: Scenario, name: str) -> Scenario:
    """The same without the actor and all that is done to it."""

    def others(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(each for each in steps if name not in each.args)

    actors = {
        other: replace(
            actor, calls=tuple(replace(call, do=others(call.do)) for call in actor.calls)
        )
        for other, actor in scenario.actors.items()
        if other != name
    }
    return replace(scenario, actors=actors, steps=others(scenario.steps))


def _wires_of(step: Step) -> list[int]:
    """The wire that the step is about, if any, by its place among the arguments."""
    template = VERBS[step.verb]
    return [int(step.args[-1])] if "{w}" in template else []


def _uses(scenario: Scenario, channel: int) -> bool:
    if any(actor.channel == channel for actor in scenario.actors.values()):
        return True
    inner = (each for actor in scenario.actors.values() for call in actor.calls for each in call.do)
    return any(channel in _wires_of(each) for each in (*scenario.steps, *inner))


def _without_channel(scenario: Scenario, number: int) -> Scenario:
    """The same without a wire that nobody uses; the later ones are renumbered."""

    def renumbered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(
            replace(each, args=(*each.args[:-1], int(each.args[-1]) - 1))
            if any(channel > number for channel in _wires_of(each))
            else each
            for each in steps
        )

    actors = {
        name: replace(
            actor,
            channel=actor.channel - (actor.channel > number),
            calls=tuple(replace(call, do=renumbered(call.do)) for call in actor.calls),
        )
        for name, actor in scenario.actors.items()
    }
    channels = scenario.channels[: number - 1] + scenario.channels[number:]
    return replace(scenario, channels=channels, actors=actors, steps=renumbered(scenario.steps))


def _simpler(actor: Actor) -> Iterator[Actor]:
    for at in reversed(range(len(actor.calls))):
        calls = actor.calls
        yield replace(actor, calls=calls[:at] + calls[at + 1 :])
        for call in _simpler_calls(calls[at]):
            yield replace(actor, calls=(*calls[:at], call, *calls[at + 1 :]))
    if actor.loop != 1:
        yield replace(actor, loop=1)
    if actor.after is not None:
        if actor.role is Role.EVENT:
            yield replace(actor, after=None)
        if actor.after > 1:
            yield replace(actor, after=1, in_seconds=False)


def _simpler_calls(call: Call) -> Iterator[Call]:
    for do in _without_one(call.do):
        yield replace(call, do=do)
    if call.times > 1:
        yield replace(call, times=1)
    if call.answer is not None and call.answer.timeout is not None:
        yield replace(call, answer=replace(call.answer, timeout=None))
    if call.answer is not None and call.answer.flags in ("read", "write", "read and write"):
        yield replace(call, answer=replace(call.answer, flags="same"))
