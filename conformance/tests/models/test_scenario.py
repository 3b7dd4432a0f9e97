"""Scenarios as data and as text."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings

from looptck.models.documents import model_of, modelled, parse
from looptck.models.engine.choices import RandomChoices
from looptck.models.engine.model import ScenarioModel
from looptck.models.engine.phrase import Phrase, Value
from looptck.models.engine.scenario import NotAScenarioError, Scenario
from looptck.models.engine.shrink import shrink
from looptck.rules.catalogue import shipped


def model(profile: str) -> ScenarioModel:
    found = model_of(profile)
    assert found is not None
    return found


def generated(profile: str, seed: int) -> Scenario:
    every = frozenset(model(profile).features)
    return model(profile).generate(RandomChoices(f"{seed}"), every, is_virtual=True)


@pytest.mark.parametrize("profile", modelled())
def test_the_text_of_a_scenario_parses_back(profile: str) -> None:
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(model(profile).scenarios())
    def parses_back(scenario: Scenario) -> None:
        assert parse(scenario.text()) == scenario

    parses_back()


def test_a_phrase_reads_what_it_writes() -> None:
    phrase = Phrase("event for {way:read|write}[, timeout {after:1}][, all arguments given]")
    written: list[dict[str, Value]] = [
        {"way": "read"},
        {"way": "write", "after": 12},
        {"way": "read", "all arguments given": True},
        {"way": "read", "after": 3, "all arguments given": True},
    ]
    for values in written:
        assert phrase.read(phrase.text(values)) == values
    for other in ("event for reading", "event for read, timeout", "event for read timeout 3"):
        assert phrase.read(other) is None, other


@pytest.mark.parametrize("profile", modelled())
def test_a_scenario_survives_json(profile: str) -> None:
    for seed in range(50):
        scenario = generated(profile, seed)
        data = json.loads(json.dumps(scenario.as_data()))
        assert model(profile).grammar.from_data(data) == scenario


@pytest.mark.parametrize("profile", modelled())
def test_a_frozen_scenario_names_a_judged_rule_and_says_why(profile: str) -> None:
    for scenario in model(profile).frozen:
        rule = shipped()[scenario.rule]
        assert rule.level.is_judged
        assert rule.profile == scenario.profile == profile
        assert scenario.id
        assert scenario.why


def test_a_profile_without_a_model_has_no_scenarios() -> None:
    assert model_of("a profile of somebody else's") is None
    with pytest.raises(NotAScenarioError, match="no profile with a model"):
        parse("a profile of somebody else's\nbegin")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("luahop\npoll 1", "no line `begin`"),
        ("luahop\nchannel 2: pair\nbegin", "numbered from 1"),
        ("luahop\nthe weather: fine\nbegin", "neither a channel"),
        ("luahop\nbegin\nhope for the best", "is no step"),
        ("levent\nA: buffer\nbegin", "neither a channel"),
    ],
)
def test_what_is_no_scenario_is_refused_with_the_line(text: str, complaint: str) -> None:
    with pytest.raises(NotAScenarioError, match=re.escape(complaint)):
        parse(text)


def test_shrinking_keeps_what_is_interesting_and_nothing_else() -> None:
    scenario = parse(
        "luahop\nchannel 1: pair\nchannel 2: pair\n"
        "A: reader on channel 2\n    call: read all from channel 2; set B\n"
        "B: timeout 3\n"
        "C: interval 2\n"
        "begin\nset A\nset B\nset C\nwrite 1 to channel 2\npoll 1\nfill channel 2"
    )

    def fills(smaller: Scenario) -> bool:
        return any(step.verb == "fill" for step in smaller.steps) and "A" in smaller.actors

    smallest = shrink(scenario, fills, seconds=5)
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
        "channel 1: narrow\nchannel 2: pair\n"
        "A: buffered event on channel 1\n"
        "    3 times readcb: take 2 from A; write 70 to B\n"
        "    writecb: input of A: low 8, high 9\n"
        "B: buffered event on channel 2\n"
        "begin\nstart A\nstart B\nwrite 8 to channel 1\nwrite 100 to channel 2\npass"
    )

    def sends_the_low_watermark(smaller: Scenario) -> bool:
        inner = [each for actor in smaller.actors.values() for c in actor.calls for each in c.do]
        steps = [*smaller.steps, *inner]
        lows = [each["low"] for each in steps if each.verb == "mark input"]
        sent = [each["n"] for each in smaller.steps if each.verb == "write"]
        return bool(lows) and lows[0] in sent

    smallest = shrink(scenario, sends_the_low_watermark, seconds=5)
    assert smallest.text().splitlines() == [
        "levent",
        "channel 1: pair",
        "A: buffered event on channel 1",
        "begin",
        "input of A: low 1, high 0",
        "write 1 to channel 1",
    ]
