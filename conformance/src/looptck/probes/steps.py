"""Numbered steps: the order in which things had to happen, and did."""

from __future__ import annotations

import sys
from pathlib import Path

from . import trace


class Steps:
    """``step(3)`` is written where the third thing is due to happen.

    At the end, ``step.ran(1, 2, 3)`` compares, and says where the first step
    that was out of order came from.
    """

    def __init__(self) -> None:
        # (number, where it was taken), in the order of happening
        self._taken: list[tuple[int, str]] = []

    def __call__(self, number: int, what: str = "") -> None:
        caller = sys._getframe(1)
        where = what or f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}"
        self._taken.append((number, where))
        if trace.recorder is not None:
            trace.recorder.note(f"step {number} ({where})")

    def ran(self, *expected: int) -> None:
        """Raises AssertionError unless exactly the *expected* steps ran, in that order."""
        numbers = tuple(number for number, _ in self._taken)
        if numbers == expected:
            return
        message = f"expected {_row(expected)}, ran {_row(numbers)}"
        for at, (number, where) in enumerate(self._taken):
            if at >= len(expected) or number != expected[at]:
                raise AssertionError(f"{message}; step {number} came from {where}")
        raise AssertionError(f"{message}; step {expected[len(numbers)]} never came")


def _row(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers)) or "nothing"
