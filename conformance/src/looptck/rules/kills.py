"""Which broken loop proves which rule; written by the kill matrix, read by `explain`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Proof:
    """A loop with one fault, which the rule's tests have caught."""

    loop: str
    bug: str


def killed_by(rule_id: str) -> list[Proof]:
    """The broken loops that the tests of *rule_id* are known to catch."""
    return [Proof(each["loop"], each["bug"]) for each in _known().get(rule_id, [])]


@cache
def _known() -> dict[str, list[dict[str, str]]]:
    text = files("looptck").joinpath("rules", "kills.json").read_text(encoding="utf-8")
    known: dict[str, list[dict[str, str]]] = json.loads(text)
    return known
