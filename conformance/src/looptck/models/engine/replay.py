"""Frozen scenarios as tests of the suite."""

from __future__ import annotations

from collections.abc import Callable

from looptck.rules.markers import rule
from looptck.subjects.subject import Subject

from .corpus import name_of_test
from .model import ScenarioModel
from .scenario import Scenario


def replays(model: ScenarioModel) -> dict[str, Callable[[Subject], None]]:
    """{name of a test: the test}, one for each frozen scenario, under the rule of that."""
    return {name_of_test(each.id): _replay(model, each) for each in model.frozen}


def _replay(model: ScenarioModel, scenario: Scenario) -> Callable[[Subject], None]:
    @rule(scenario.rule)
    def replay(subject: Subject) -> None:
        difference = model.run_on(scenario, subject).difference
        # a difference by another rule is that rule's affair
        if difference is not None and difference.rule == scenario.rule:
            raise AssertionError(f"{difference.happened}\n{difference.text()}")

    replay.__doc__ = scenario.why
    return replay
