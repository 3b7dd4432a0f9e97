"""The search for scenarios that a loop plays differently from the model."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from looptck.rules.catalogue import shipped
from looptck.subjects.implementation import Implementation

from .generate import RandomChoices, features_of, generated
from .parse import AnyScenario
from .run import PATIENCE, Difference, RunResult, run_scenario
from .shrink import reduce

# How long a scenario that failed may be made smaller, in seconds.
_REDUCING = 20.0

# A loop that hung once is given less time while its scenario is made smaller.
_SHORT_PATIENCE = 0.25


@dataclass(frozen=True, slots=True)
class Exploration:
    """What a search found."""

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
    implementation: Implementation,
    variant: str,
    profile: str,
    seed: int,
    steps: int,
    *,
    begin: Callable[[AnyScenario], None] = lambda _scenario: None,
    reducing: float = _REDUCING,
    known: Collection[str] = (),
) -> Exploration:
    """Play made-up scenarios until *steps* are taken or one shows a difference.

    Differences by the rules in *known*, by those that are declared not to apply,
    and by those that are not judged, are passed over.  Another one is then made
    smaller, for *reducing* seconds at most.  *begin* is told of each scenario
    before it is played, so that somebody knows which one it was should this
    process not live to tell.
    """
    features = features_of(implementation, known)
    taken = played = 0
    passed_over: set[str] = set()

    def attempt(scenario: AnyScenario, patience: float = PATIENCE) -> RunResult:
        begin(scenario)
        return run_scenario(scenario, implementation, variant, patience=patience)

    while taken < steps:
        dice = RandomChoices(f"{seed} {profile} {played}")
        scenario = generated(dice, profile, features, is_virtual=implementation.virtual_time)
        outcome = attempt(scenario)
        if outcome.hung:
            # a busy machine can look like a loop that hangs: ask again
            outcome = attempt(scenario, 2 * PATIENCE)
        taken += outcome.steps
        played += 1
        if outcome.difference is None:
            continue
        rule = outcome.difference.rule
        if not shipped()[rule].level.is_judged:
            continue  # what is seen there is an observation
        if rule in known or implementation.why_unsupported(rule):
            passed_over.add(rule)
            continue
        smallest = _reduced(outcome, attempt, reducing)
        return Exploration(profile, variant, seed, taken, played, smallest)
    rules = tuple(sorted(passed_over))
    return Exploration(profile, variant, seed, taken, played, None, rules)


def _reduced(
    found: RunResult, attempt: Callable[[AnyScenario, float], RunResult], seconds: float
) -> Difference:
    """The same difference, shown by as little as possible."""
    assert found.difference is not None
    rule = found.difference.rule
    smallest = found.difference
    patience = _SHORT_PATIENCE if found.hung else PATIENCE

    def is_interesting(scenario: AnyScenario) -> bool:
        nonlocal smallest
        played = attempt(scenario, patience)
        if played.difference is None or (played.difference.rule, played.hung) != (rule, found.hung):
            return False
        smallest = played.difference
        return True

    reduce(found.difference.scenario, is_interesting, seconds)
    if found.hung and attempt(smallest.scenario, PATIENCE).difference is None:
        return found.difference
    return smallest
