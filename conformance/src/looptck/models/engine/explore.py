"""Searches for scenarios in which a loop and the model differ."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from looptck.rules.catalogue import shipped
from looptck.subjects.implementation import Implementation

from .choices import RandomChoices, features_of
from .model import ScenarioModel
from .result import Difference, RunResult
from .runner import PATIENCE
from .scenario import Scenario
from .shrink import shrink

# A scenario that failed is made smaller for this long at most, in seconds.
_SHRINKING = 20.0

# A loop that hung once is given less time while its scenario is made smaller.
_SHORT_PATIENCE = 0.25


@dataclass(frozen=True, slots=True)
class Exploration:
    """The result of a search."""

    profile: str
    variant: str
    seed: int
    # steps that were taken, calls and returns included
    steps: int
    scenarios: int
    difference: Difference | None
    # rules that it was known to break, and did; those scenarios show nothing new
    passed_over: tuple[str, ...] = ()

    def text(self) -> str:
        what = f"{self.profile} ({self.variant}), seed {self.seed}"
        if self.difference is None:
            return f"{what}: {self.steps} steps in {self.scenarios} scenarios, no difference"
        return f"{what}: a difference after {self.steps} steps\n{self.difference.text()}"


def explore(
    model: ScenarioModel,
    implementation: Implementation,
    variant: str,
    seed: int,
    steps: int,
    *,
    begin: Callable[[Scenario], None] = lambda _scenario: None,
    shrinking: float = _SHRINKING,
    known: Collection[str] = (),
) -> Exploration:
    """Run generated scenarios until *steps* are taken or one shows a difference.

    Differences by the rules in *known*, by those that are declared not to apply,
    and by those that are not judged, are passed over.  Another one is then made
    smaller, for *shrinking* seconds at most.  *begin* is called with each
    scenario before it is run, so that the parent knows which one it was if this
    process ends.
    """
    features = features_of(model.features, implementation, known)
    profile = model.profile
    taken = scenarios = 0
    passed_over: set[str] = set()

    def attempt(scenario: Scenario, patience: float = PATIENCE) -> RunResult:
        begin(scenario)
        return model.run(scenario, implementation, variant, patience=patience)

    while taken < steps:
        choices = RandomChoices(f"{seed} {profile} {scenarios}")
        scenario = model.generate(choices, features, is_virtual=implementation.virtual_time)
        outcome = attempt(scenario)
        if outcome.hung:
            # a busy machine can look like a loop that hangs: ask again
            outcome = attempt(scenario, 2 * PATIENCE)
        taken += outcome.steps
        scenarios += 1
        if outcome.difference is None:
            continue
        rule = outcome.difference.rule
        if not shipped()[rule].level.is_judged:
            continue  # what is seen there is an observation
        if rule in known or implementation.why_unsupported(rule):
            passed_over.add(rule)
            continue
        smallest = _shrunk(outcome, attempt, shrinking)
        return Exploration(profile, variant, seed, taken, scenarios, smallest)
    rules = tuple(sorted(passed_over))
    return Exploration(profile, variant, seed, taken, scenarios, None, rules)


def _shrunk(
    found: RunResult, attempt: Callable[[Scenario, float], RunResult], seconds: float
) -> Difference:
    """Return the same difference, shown by a scenario as short as can be found."""
    assert found.difference is not None
    rule = found.difference.rule
    smallest = found.difference
    patience = _SHORT_PATIENCE if found.hung else PATIENCE

    def is_interesting(scenario: Scenario) -> bool:
        nonlocal smallest
        run = attempt(scenario, patience)
        if run.difference is None or (run.difference.rule, run.hung) != (rule, found.hung):
            return False
        smallest = run.difference
        return True

    shrink(found.difference.scenario, is_interesting, seconds)
    if found.hung and attempt(smallest.scenario, PATIENCE).difference is None:
        return found.difference
    return smallest
