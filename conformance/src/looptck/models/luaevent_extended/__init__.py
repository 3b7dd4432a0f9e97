"""The model of luaevent's bufferevent, and scenarios of bufferevents in one base."""

from __future__ import annotations

from ..engine.model import ScenarioModel
from .generator import BufferEventFeature, BufferEventGenerator
from .runner import BufferEventRunner

MODEL = ScenarioModel(BufferEventGenerator, BufferEventRunner, BufferEventFeature)
