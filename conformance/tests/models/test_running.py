"""The reference runs scenarios as the model says; other loops are told apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from looptck import Clock, Implementation
from looptck.adapters.asyncio import implementation as asyncio_loop
from looptck.models.documents import model_of, modelled, parse
from looptck.models.engine.choices import RandomChoices
from looptck.models.engine.explore import explore
from looptck.models.engine.model import ScenarioModel
from looptck.models.engine.result import RunResult
from looptck.models.engine.scenario import Scenario
from tideloop.tck import implementation as reference

STEPS = 1000


def model(profile: str) -> ScenarioModel:
    found = model_of(profile)
    assert found is not None
    return found


def run(scenario: Scenario, loop: Implementation, variant: str = "default") -> RunResult:
    return model(scenario.profile).run(scenario, loop, variant, patience=0.3)


@pytest.mark.parametrize("variant", reference.by_variant)
@pytest.mark.parametrize("profile", modelled())
def test_the_reference_plays_as_the_model_says(profile: str, variant: str) -> None:
    found = explore(model(profile), reference, variant, seed=20, steps=STEPS)
    assert found.steps >= STEPS
    assert found.difference is None, found.text()


@pytest.mark.parametrize("profile", ["luaevent", "luahop"])
def test_a_loop_in_real_time_can_be_played(profile: str) -> None:
    """Asyncio may differ from the model; the run must come to an end all the same."""
    found = explore(model(profile), asyncio_loop, "default", seed=3, steps=150, shrinking=1)
    assert found.steps >= 150 or found.difference is not None


@pytest.mark.parametrize("variant", reference.by_variant)
@pytest.mark.parametrize("profile", modelled())
def test_the_reference_plays_every_frozen_scenario(profile: str, variant: str) -> None:
    for scenario in model(profile).frozen:
        played = model(profile).run(scenario, reference, variant)
        assert played.difference is None, played.difference.text()
        assert played.steps > len(scenario.steps)


class _Recording:
    """A proxy of a loop, or of what a loop returned, that notes every call of a function."""

    def __init__(self, real: Any, noted: list[str]) -> None:
        self._real = real
        self._noted = noted

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def call(*args: Any) -> Any:
            shown = args if name.startswith("set_write") else [type(each).__name__ for each in args]
            self._noted.append(f"{name}{tuple(shown)}")
            returned = found(
                *(each._real if isinstance(each, _Recording) else each for each in args)
            )
            is_plain = returned is None or isinstance(returned, int | float | bytes | str | list)
            return returned if is_plain else _Recording(returned, self._noted)

        return call


def _calls_of(scenario: Scenario) -> list[str]:
    """Every call that a run of *scenario* makes, with the types of its arguments."""
    noted: list[str] = []
    real = reference.by_variant["poll"][scenario.profile]
    profiles = {scenario.profile: lambda clock: _Recording(real(clock), noted)}
    loop = Implementation(name="noted", version="1", profiles=profiles, virtual_time=True)
    played = model(scenario.profile).run(scenario, loop, "default")
    assert played.difference is None, played.difference.text()
    return noted


NEW_NAMES = {"A": "Zoe", "B": "A", "C": "D", "D": "B", "E": "C", "F": "Guard"}


def _renamed(text: str) -> str:
    return re.sub(r"\b[A-F]\b", lambda name: NEW_NAMES[name[0]], text)


@pytest.mark.parametrize("profile", modelled())
def test_the_names_of_actors_do_not_matter(profile: str) -> None:
    every = frozenset(model(profile).features)
    for seed in range(40):
        scenario = model(profile).generate(RandomChoices(f"{seed}"), every, is_virtual=True)
        renamed = parse(_renamed(scenario.text()))
        assert _calls_of(renamed) == _calls_of(scenario)


def test_the_same_seed_makes_the_same_search() -> None:
    variant = next(iter(reference.by_variant))
    first, second = (explore(model("luahop"), reference, variant, 5, 300) for _ in range(2))
    assert first == second


class _EarlyHop:
    """Waits a millisecond less than it was asked to."""

    def __init__(self, clock: Clock) -> None:
        self._real = reference.by_variant["poll"]["luahop"](clock)

    def new(self) -> object:
        hop = self._real.new()
        real = hop.set_timeout

        def set_timeout(duration: dict[str, int], callback: object) -> object:
            milliseconds = duration.get("ms", 0) + 1000 * duration.get("s", 0)
            return real({"ms": milliseconds - 1}, callback)

        hop.set_timeout = set_timeout
        return hop

    def clear_timer(self, timer: object) -> None:
        self._real.clear_timer(timer)


EARLY = Implementation(name="early", version="1", profiles={"luahop": _EarlyHop}, virtual_time=True)


def test_a_difference_is_found_and_told_as_a_short_scenario() -> None:
    found = explore(model("luahop"), EARLY, "default", seed=1, steps=5000)
    assert found.difference is not None
    assert found.difference.rule == "luahop.timer.timeout-not-early"
    assert len(found.difference.scenario.actors) == 1
    assert len(found.difference.scenario.steps) == 2
    text = found.difference.text()
    for part in ("the scenario:", "what happened", "expected one of:", "happened:", "0.002 units"):
        assert part in text


def test_what_is_known_to_be_broken_is_passed_over() -> None:
    rule = "luahop.timer.timeout-not-early"
    found = explore(model("luahop"), EARLY, "default", seed=1, steps=500, known=[rule])
    assert found.difference is None or found.difference.rule != rule
    assert found.steps >= 500 or found.difference is not None


class _Deaf:
    """A loop that never wakes up again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> _Deaf:
        return self

    def set_timeout(self, duration: object, callback: object) -> object:
        return object()

    def poll(self) -> None:
        while True:
            self._clock.now()


def test_a_loop_that_hangs_is_a_difference() -> None:
    deaf = Implementation(name="deaf", version="1", profiles={"luahop": _Deaf}, virtual_time=True)
    scenario = parse("luahop\nA: timeout 1\nbegin\nset A\npoll 1")
    played = run(scenario, deaf)
    assert played.hung
    assert played.difference is not None
    assert played.difference.expected == ("A called, 1 unit later",)


class _Careless:
    """Closes what it is given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> _Careless:
        return self

    def set_listener(self, fd: int, mask: str, callback: object) -> None:
        import os

        os.close(fd)


def test_a_closed_descriptor_is_noticed() -> None:
    careless = Implementation(name="careless", version="1", profiles={"luahop": _Careless})
    scenario = parse("luahop\nchannel 1: pair\nA: reader on channel 1\nbegin\nset A")
    difference = run(scenario, careless).difference
    assert difference is not None
    assert difference.rule == "luahop.scope.no-sockets"
