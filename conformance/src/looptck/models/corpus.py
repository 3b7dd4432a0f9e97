"""Scenarios that were found once and are kept, each under the rule that it is about."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from .parse import AnyScenario, from_data

# The profiles that have a model.
MODELLED = ("luaevent", "luahop", "levent")


def name_of_test(scenario_id: str) -> str:
    """Return the name of the test that runs the scenario *scenario_id*."""
    return f"test_scenario_{scenario_id.replace('-', '_')}"


@cache
def frozen(profile: str) -> tuple[AnyScenario, ...]:
    """The kept scenarios of *profile*, in the order of their file."""
    file = files(__package__).joinpath("scenarios", f"{profile}.json")
    found = tuple(from_data(each) for each in json.loads(file.read_text(encoding="utf-8")))
    ids = [each.id for each in found]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{file}: two scenarios have the same id")
    return found
