"""The model of luaevent, and scenarios of events, timers and runs of loops."""

from __future__ import annotations

from ..engine.model import ScenarioModel
from .generator import LuaeventFeature, LuaeventGenerator
from .runner import LuaeventRunner

MODEL = ScenarioModel(LuaeventGenerator, LuaeventRunner, LuaeventFeature)
