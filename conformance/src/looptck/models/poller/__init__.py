"""The model of the poller contract, and scenarios of changes and answers."""

from __future__ import annotations

from ..engine.model import ScenarioModel
from .generator import PollerFeature, PollerGenerator
from .runner import PollerRunner

MODEL = ScenarioModel(PollerGenerator, PollerRunner, PollerFeature)
