"""The model of levent, and scenarios of events, buffered or not, and passes."""

from __future__ import annotations

from ..engine.model import ScenarioModel
from .generator import LeventFeature, LeventGenerator
from .runner import LeventRunner

MODEL = ScenarioModel(LeventGenerator, LeventRunner, LeventFeature)
