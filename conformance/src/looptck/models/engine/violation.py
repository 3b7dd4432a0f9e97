"""Why a model refuses what happened."""

from __future__ import annotations


class ViolationError(Exception):
    """A loop did something that *rule* forbids.

    *expected* lists what might have happened in its place.
    """

    def __init__(self, rule: str, happened: str, expected: list[str]) -> None:
        super().__init__(f"{happened} ({rule})")
        self.rule = rule
        self.happened = happened
        self.expected = expected
