"""The model of a document: one object that holds all that the engine must know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st

from looptck.subjects.implementation import Implementation
from looptck.subjects.subject import Subject

from .choices import Choices, Feature, HypothesisChoices
from .corpus import read_scenarios
from .generate import Generator
from .result import RunResult
from .runner import PATIENCE, Runner
from .scenario import Grammar, Scenario


@dataclass(frozen=True)
class ScenarioModel:
    """The words of the scenarios of a profile, and how they are made up and run.

    `features` lists the features that a loop may lack.  `generator` makes
    scenarios up in the words of its `grammar`.  `runner` runs one on a loop and
    on the model of the loop in lockstep.
    """

    generator: type[Generator]
    runner: Callable[[Scenario, Subject, float], Runner]
    features: type[Feature]

    @property
    def profile(self) -> str:
        return self.generator.profile

    @property
    def grammar(self) -> Grammar:
        return self.generator.grammar

    @cached_property
    def frozen(self) -> tuple[Scenario, ...]:
        """The scenarios that are kept and played in every run, each under its rule."""
        return tuple(map(self.grammar.from_data, read_scenarios(self.profile)))

    def generate(
        self, choices: Choices, features: frozenset[Feature], *, is_virtual: bool
    ) -> Scenario:
        """Return a scenario that any conforming loop runs without a difference."""
        return self.generator(choices, features, is_virtual=is_virtual).generate()

    def scenarios(self) -> st.SearchStrategy[Scenario]:
        """Return scenarios with every feature, drawn by hypothesis."""

        @st.composite
        def drawn(draw: st.DrawFn) -> Scenario:
            every = frozenset(self.features)
            return self.generate(HypothesisChoices(draw), every, is_virtual=True)

        return drawn()

    def run(
        self,
        scenario: Scenario,
        implementation: Implementation,
        variant: str,
        *,
        patience: float = PATIENCE,
    ) -> RunResult:
        """Run *scenario* once, on a fresh loop of *variant*."""
        return self.run_on(scenario, Subject(implementation, variant), patience=patience)

    def run_on(
        self, scenario: Scenario, subject: Subject, *, patience: float = PATIENCE
    ) -> RunResult:
        """Run *scenario* once, on a fresh loop of *subject*."""
        return self.runner(scenario, subject, patience).run()
