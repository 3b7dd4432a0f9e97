"""Names the features that scenarios may ask of a loop, and makes random choices."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from looptck.subjects.implementation import Implementation

T = TypeVar("T")


class Feature(Enum):
    """A feature that a loop may lack, with the rules that do not apply to it then.

    Each document lists its own.
    """


def features_of(
    every: type[Feature], implementation: Implementation, known: Collection[str] = ()
) -> frozenset[Feature]:
    """Return the features that scenarios may ask of *implementation*.

    It is known to break the rules *known*.
    """
    return frozenset(
        feature
        for feature in every
        if not any(
            rule_id in known or implementation.why_unsupported(rule_id) for rule_id in feature.value
        )
    )


class Choices(Protocol):
    """A source of choices."""

    def number(self, low: int, high: int) -> int:
        """From *low* to *high*, both included."""

    def pick(self, choices: Sequence[T]) -> T: ...


class RandomChoices:
    """Choices by chance, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


class HypothesisChoices:
    """Choices by hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def pick(self, choices: Sequence[T]) -> T:
        return self._draw(st.sampled_from(choices))
