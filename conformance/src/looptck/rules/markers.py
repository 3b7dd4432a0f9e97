"""How a test of the suite says which rule it judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

# In place of a variant's name, in a test that is collected once for all of them.
EVERY_VARIANT = "*"


def rule(rule_id: str) -> pytest.MarkDecorator:
    """The test judges *rule_id*, or observes it if the rule's level is not judged."""
    return pytest.mark.rule(rule_id)


def rows_by_rule(table: Mapping[str, Iterable[tuple[Any, ...]]]) -> list[Any]:
    """The rows of a parametrized test from {rule: rows}, each marked with its rule.

    *table* is a dictionary in the same file, with the rules in plain words: the
    index of the suite reads it without running it.
    """
    return [
        pytest.param(*row, marks=rule(rule_id)) for rule_id, rows in table.items() for row in rows
    ]


def is_judging(definition: pytest.Item) -> bool:
    """Whether a test, or a row of its table, is marked with a rule."""
    rows = [row for mark in definition.iter_markers("parametrize") for row in mark.args[1]]
    marks = [mark for row in rows for mark in getattr(row, "marks", ())]
    return any(mark.name == "rule" for mark in [*definition.iter_markers("rule"), *marks])
