"""The models of the documents, by the names of their profiles."""

from __future__ import annotations

from importlib import import_module

from ..profiles import PROFILES
from .engine.model import ScenarioModel
from .engine.scenario import NotAScenarioError, Scenario


def model_of(profile: str) -> ScenarioModel | None:
    """Return the model of *profile*, or None if it has none: then it has no scenarios."""
    module = PROFILES[profile].model if profile in PROFILES else ""
    if not module:
        return None
    model: ScenarioModel = import_module(module).MODEL
    return model


def modelled() -> tuple[str, ...]:
    """Return the names of the profiles that have a model."""
    return tuple(name for name, profile in PROFILES.items() if profile.model)


def parse(text: str) -> Scenario:
    """Return the scenario that *text* writes out; raise NotAScenarioError."""
    profile = text.partition("\n")[0]
    model = model_of(profile)
    if model is None:
        raise NotAScenarioError(f"{profile!r} is no profile with a model")
    return model.grammar.parse(text)
