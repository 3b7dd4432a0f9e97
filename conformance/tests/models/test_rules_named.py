"""The models speak of rules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import looptck.models
from looptck.models.documents import model_of, modelled
from looptck.rules.catalogue import shipped

_RULE = re.compile(r'f?"((?:luaevent|luahop|levent|poller)\.[a-z]+\.[^"]*)"')
_CHOICE = re.compile(r"{'([a-z-]+)' if [^}]* else '([a-z-]+)'}")


def _named() -> set[str]:
    """Every rule id in the source, with both ends of those chosen in place."""
    found: set[str] = set()
    for file in Path(looptck.models.__file__).parent.rglob("*.py"):
        for rule_id in _RULE.findall(file.read_text(encoding="utf-8")):
            if match := _CHOICE.search(rule_id):
                found |= {rule_id.replace(match[0], end) for end in match.groups()}
            elif "{" not in rule_id:
                found.add(rule_id)
    return found


def test_every_rule_that_a_model_names_is_stated_and_judged() -> None:
    named = _named()
    assert len(named) > 50
    for rule_id in named:
        assert rule_id in shipped(), rule_id


def test_every_feature_is_a_matter_of_rules() -> None:
    for profile in modelled():
        model = model_of(profile)
        assert model is not None
        for feature in model.features:
            for rule_id in feature.value:
                assert rule_id in shipped(), rule_id
