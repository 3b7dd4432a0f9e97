"""Frozen scenarios as tests of the suite."""

from __future__ import annotations

from collections.abc import Callable

from looptck.bench import Bench
from looptck.markers import rule

from .frozen import frozen, name_of_test
from .playing import play_on
from .reading import AnyScenario


def replays(profile: str) -> dict[str, Callable[[Bench], None]]:
    """{name of a test: the test}, one for each frozen scenario, under the rule of that."""
    return {name_of_test(scenario.id): _replay(scenario) for scenario in frozen(profile)}


def _replay(scenario: AnyScenario) -> Callable[[Bench], None]:
    @rule(scenario.rule)
    def replay(bench: Bench) -> None:
        difference = play_on(scenario, bench).difference
        # a difference by another rule is that rule's affair
        if difference is not None and difference.rule == scenario.rule:
            raise AssertionError(f"{difference.happened}\n{difference.text()}")

    replay.__doc__ = scenario.why
    return replay
