"""How a test of the suite says which rule it judges."""

from __future__ import annotations

import pytest

# In place of a variant's name, in a test that is collected once for all of them.
EVERY_VARIANT = "*"


def rule(rule_id: str) -> pytest.MarkDecorator:
    """The test judges *rule_id*, or observes it if the rule's level is not judged."""
    return pytest.mark.rule(rule_id)
