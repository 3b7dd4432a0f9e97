"""Scenarios that were found once and are kept, each under the rule that it is about."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def read_scenarios(profile: str) -> list[dict[str, Any]]:
    """Return the kept scenarios of *profile* as data, in the order of their file."""
    file = files("looptck.models").joinpath("scenarios", f"{profile}.json")
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    ids = [each["id"] for each in found]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{file}: two scenarios have the same id")
    return found


def name_of_test(scenario_id: str) -> str:
    """Return the name of the test that runs the scenario *scenario_id*."""
    return f"test_scenario_{scenario_id.replace('-', '_')}"
