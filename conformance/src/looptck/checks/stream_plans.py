"""Plans: the steps of a check of streams, written down as words.

    low 10, start, arrive 9, arrive 1 x3

A step is a verb, often a number of bytes, and how many times it is done.  The
plan is the name of the test's case: what is printed is what was played.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import pytest

from .streams import Turns

# A verb is given the number of its step, or None for "all" and where there is none.
Verb: TypeAlias = Callable[[int | None], Turns | None]

_STEP = re.compile(r"(?P<verb>[a-z ]+?)(?: (?P<size>\d+|all))?(?: x(?P<times>\d+))?")


def plans(text: str) -> pytest.MarkDecorator:
    """Parametrize a check with the plans in *text*, one a line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return pytest.mark.parametrize("plan", lines)


def play(plan: str, verbs: Mapping[str, Verb]) -> Turns:
    """Do the steps of *plan* by *verbs*."""
    for verb, size in steps(plan):
        yield from verbs[verb](size) or ()


def steps(plan: str) -> Iterator[tuple[str, int | None]]:
    """The steps of *plan*, each as often as it is done."""
    for part in plan.split(","):
        step = _STEP.fullmatch(part.strip())
        assert step is not None, f"{part!r} is no step"
        size = int(step["size"]) if step["size"] and step["size"] != "all" else None
        for _ in range(int(step["times"] or 1)):
            yield step["verb"], size
