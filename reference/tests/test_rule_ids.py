"""The source cites the rules that it keeps, each by its id, where it keeps them."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import pytest

import tideloop

catalogue = pytest.importorskip(
    "looptck.rules.catalogue", reason="looptck, which has the rules, is not installed here"
)

SOURCE = Path(tideloop.__file__).parent
RULE = re.compile(r"(?<![\w.])(?:luaevent|levent|luahop|poller)(?:\.[a-z_-]+[a-z])+")


def cited() -> dict[str, list[str]]:
    """The places of each rule id in a comment: {id: ["file:line", ...]}."""
    places: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.COMMENT:
                    place = f"{path.relative_to(SOURCE)}:{token.start[0]}"
                    for rule_id in RULE.findall(token.string):
                        places.setdefault(rule_id, []).append(place)
    return places


def test_every_cited_rule_exists() -> None:
    known = catalogue.shipped()
    assert {rule: places for rule, places in cited().items() if rule not in known} == {}


def test_nine_of_ten_judged_rules_are_cited() -> None:
    """The others are kept by no line alone, such as those of a whole example."""
    judged = {name for name, rule in catalogue.shipped().items() if rule.level.is_judged}
    assert len(judged & set(cited())) >= 0.9 * len(judged)
