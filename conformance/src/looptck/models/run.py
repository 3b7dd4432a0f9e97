"""Plays a scenario once, on a fresh loop of an implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from looptck.subjects.implementation import Implementation
from looptck.subjects.subject import Subject

from .levent_runner import LeventRunner
from .lockstep import PATIENCE, Difference, Runner, RunResult
from .luaevent_runner import LuaeventRunner
from .luahop_runner import LuahopRunner
from .parse import AnyScenario

# {profile: who plays it}
_RUNNERS: dict[str, Callable[[Any, Subject, float], Runner[Any, Any]]] = {
    "luaevent": LuaeventRunner,
    "luahop": LuahopRunner,
    "levent": LeventRunner,
}


def run_scenario(
    scenario: AnyScenario,
    implementation: Implementation,
    variant: str,
    *,
    patience: float = PATIENCE,
) -> RunResult:
    """Play *scenario* once, on a fresh loop."""
    return run_scenario_on(scenario, Subject(implementation, variant), patience=patience)


def run_scenario_on(
    scenario: AnyScenario, subject: Subject, *, patience: float = PATIENCE
) -> RunResult:
    """Play *scenario* once, on a fresh loop from *bench*."""
    return _RUNNERS[scenario.profile](scenario, subject, patience).run()


__all__ = ["PATIENCE", "Difference", "RunResult", "play", "play_on"]
