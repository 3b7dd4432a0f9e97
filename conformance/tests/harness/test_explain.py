"""What `looptck explain` prints can be searched and copied."""

from __future__ import annotations

from looptck.running import suite_index

from .conftest import Run

RULE = "levent.buffer.read-lowwater"


def test_names_of_tests_are_not_broken_into_lines(
    looptck: Run, environment: dict[str, str]
) -> None:
    """On a terminal that is narrower than the names are long."""
    narrow = {**environment, "COLUMNS": "40"}
    lines = looptck("explain", RULE, env=narrow).stdout.splitlines()
    named = suite_index.judging(RULE)
    assert max(len(test.name) for test in named) > 40, "nothing would be broken here"
    for test in named:
        at = lines.index(f"test: {test.name}")
        assert lines[at + 1] == f"  ({test.where})"
