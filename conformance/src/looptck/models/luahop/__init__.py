"""The model of LuaHop, and scenarios of listeners, timers and polls."""

from __future__ import annotations

from ..engine.model import ScenarioModel
from .generator import HopFeature, LuahopGenerator
from .runner import LuahopRunner

MODEL = ScenarioModel(LuahopGenerator, LuahopRunner, HopFeature)
