"""Plays a scenario once, on a fresh loop of an implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from looptck.bench import Bench
from looptck.implementation import Implementation

from .levent_play import LeventPlay
from .lockstep import PATIENCE, Difference, Play, Played
from .luaevent_play import LuaeventPlay
from .luahop_play import LuahopPlay
from .reading import AnyScenario

# {profile: who plays it}
_PLAYS: dict[str, Callable[[Any, Bench, float], Play[Any, Any]]] = {
    "luaevent": LuaeventPlay,
    "luahop": LuahopPlay,
    "levent": LeventPlay,
}


def play(
    scenario: AnyScenario,
    implementation: Implementation,
    variant: str,
    *,
    patience: float = PATIENCE,
) -> Played:
    """Play *scenario* once, on a fresh loop."""
    return play_on(scenario, Bench(implementation, variant), patience=patience)


def play_on(scenario: AnyScenario, bench: Bench, *, patience: float = PATIENCE) -> Played:
    """Play *scenario* once, on a fresh loop from *bench*."""
    return _PLAYS[scenario.profile](scenario, bench, patience).run()


__all__ = ["PATIENCE", "Difference", "Played", "play", "play_on"]
