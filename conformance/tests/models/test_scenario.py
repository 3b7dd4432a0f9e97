"""Scenarios as data and as text."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings

from looptck.models.choices import Feature, RandomChoices
from looptck.models.corpus import MODELLED, frozen
from looptck.models.generate import generated, scenarios
from looptck.models.levent_scenario import LeventScenario
from looptck.models.parse import AnyScenario, from_data, parse
from looptck.models.scenario import NotAScenarioError
from looptck.models.shrink import reduce
from looptck.rules.catalogue import shipped

EVERYTHING = frozenset(Feature)
PROFILES = MODELLED


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(scenarios("luaevent", EVERYTHING))
def test_the_text_of_a_luaevent_scenario_parses_back(scenario: AnyScenario) -> None:
    assert parse(scenario.text()) == scenario


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(scenarios("levent", EVERYTHING))
def test_the_text_of_a_levent_scenario_parses_back(scenario: AnyScenario) -> None:
    assert parse(scenario.text()) == scenario


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(scenarios("luahop", EVERYTHING))
def test_the_text_of_a_luahop_scenario_parses_back(scenario: AnyScenario) -> None:
    assert parse(scenario.text()) == scenario


@pytest.mark.parametrize("profile", PROFILES)
def test_a_scenario_survives_json(profile: str) -> None:
    for number in range(50):
        scenario = generated(RandomChoices(f"{number}"), profile, EVERYTHING, is_virtual=True)
        assert from_data(json.loads(json.dumps(scenario.as_data()))) == scenario


@pytest.mark.parametrize("profile", PROFILES)
def test_a_frozen_scenario_names_a_judged_rule_and_says_why(profile: str) -> None:
    for scenario in frozen(profile):
        rule = shipped()[scenario.rule]
        assert rule.level.is_judged
        assert rule.document == scenario.profile == profile
        assert scenario.id
        assert scenario.why


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("luahop\npoll 1", "no line `begin`"),
        ("luahop\nchannel 2: pair\nbegin", "numbered from 1"),
        ("luahop\nthe weather: fine\nbegin", "neither a channel"),
        ("luahop\nbegin\nhope for the best", "is no step"),
        ("levent\nA: buffer\nbegin", "neither an event nor a call"),
    ],
)
def test_what_is_no_scenario_is_refused_with_the_line(text: str, complaint: str) -> None:
    with pytest.raises(NotAScenarioError, match=re.escape(complaint)):
        parse(text)


def test_reducing_keeps_what_is_interesting_and_nothing_else() -> None:
    scenario = parse(
        "luahop\nchannel 1: pair\nchannel 2: pair\n"
        "A: reader on channel 2\n    call: read all from channel 2; set B\n"
        "B: timeout 3\n"
        "C: interval 2\n"
        "begin\nset A\nset B\nset C\nwrite 1 to channel 2\npoll 1\nfill channel 2"
    )

    def fills(smaller: AnyScenario) -> bool:
        return any(step.verb == "fill" for step in smaller.steps) and "A" in smaller.actors

    smallest = reduce(scenario, fills, seconds=5)
    assert smallest.text().splitlines() == [
        "luahop",
        "channel 1: pair",
        "A: reader on channel 1",
        "begin",
        "fill channel 1",
    ]


def test_shrinking_splits_callbacks_and_lowers_numbers() -> None:
    scenario = parse(
        "levent\n"
        "A: buffered event on a narrow channel\n"
        "    3 times readcb: take 2 from A; write 70 to B\n"
        "    writecb: input of A: low 8, high 9\n"
        "B: buffered event\n"
        "begin\nstart A\nstart B\npeer of A sends 8\npeer of B sends 100\npass"
    )

    def sends_the_low_watermark(smaller: AnyScenario) -> bool:
        lows = [each.args[1] for each in smaller.steps if each.verb == "mark input"]
        sent = [each.args[1] for each in smaller.steps if each.verb == "send"]
        if isinstance(smaller, LeventScenario):
            inner = [call.do for actor in smaller.actors.values() for _, call in actor.calls]
            lows += [each.args[1] for do in inner for each in do if each.verb == "mark input"]
        return bool(lows) and lows[0] in sent

    smallest = reduce(scenario, sends_the_low_watermark, seconds=5)
    assert smallest.text().splitlines() == [
        "levent",
        "A: buffered event",
        "begin",
        "input of A: low 1, high 0",
        "peer of A sends 1",
    ]
