"""Scenarios of any kind, read from text and from data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from . import levent_scenario, scenario
from .levent_scenario import LeventScenario
from .scenario import Scenario

AnyScenario: TypeAlias = Scenario | LeventScenario


def parse(text: str, *, id: str = "", rule: str = "", why: str = "") -> AnyScenario:  # noqa: A002  its name in the file
    """The scenario that *text* writes out; raises NotAScenarioError."""
    profile = text.partition("\n")[0]
    read = levent_scenario.parse if profile == "levent" else scenario.parse
    return read(text, id=id, rule=rule, why=why)


def from_data(data: Mapping[str, Any]) -> AnyScenario:
    """The scenario that `as_data` wrote."""
    return parse(
        "\n".join(data["steps"]), id=data["id"], rule=data["rule"], why=data.get("why", "")
    )
