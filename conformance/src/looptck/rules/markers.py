"""How a test of the suite says which rule it judges."""

from __future__ import annotations

import pytest


def rule(rule_id: str) -> pytest.MarkDecorator:
    """The test judges *rule_id*, or observes it if the rule's level is not judged."""
    return pytest.mark.rule(rule_id)
