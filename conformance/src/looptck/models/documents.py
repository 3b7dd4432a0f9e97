"""The models of the documents, by the names of their profiles."""

from __future__ import annotations

from importlib import import_module

from .engine.model import ScenarioModel
from .engine.scenario import NotAScenarioError, Scenario

# {profile: the module whose MODEL it has}; a profile may have none
_MODULES = {
    "luaevent": "luaevent",
    "levent": "levent",
    "luaevent-extended": "luaevent_extended",
    "luahop": "luahop",
}

MODELLED = tuple(_MODULES)


def model_of(profile: str) -> ScenarioModel | None:
    """Return the model of *profile*, or None if it has none: then it has no scenarios."""
    if profile not in _MODULES:
        return None
    model: ScenarioModel = import_module(f"looptck.models.{_MODULES[profile]}").MODEL
    return model


def parse(text: str) -> Scenario:
    """Return the scenario that *text* writes out; raise NotAScenarioError."""
    profile = text.partition("\n")[0]
    model = model_of(profile)
    if model is None:
        raise NotAScenarioError(f"{profile!r} is no profile with a model")
    return model.grammar.parse(text)
