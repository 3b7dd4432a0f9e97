"""The result of running a scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from .scenario import Scenario

# Equal entries of a time line are shown one by one up to this number.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """An action of a loop that the model does not allow."""

    scenario: Scenario
    rule: str
    happened: str
    expected: tuple[str, ...]
    # (time in units, depth, what), oldest first
    timeline: tuple[tuple[float, int, str], ...]

    def text(self) -> str:
        lines = ["the scenario:", *indented(self.scenario.lines())]
        lines += ["", "what happened (time in units):"]
        lines += self._moments()
        lines += ["", "expected one of:", *indented(self.expected)]
        lines += ["happened:", f"    {self.happened}", f"rule: {self.rule}"]
        return "\n".join(lines)

    def _moments(self) -> Iterator[str]:
        """Yield the time line, with equal entries in a row shortened."""
        for (depth, what), same in groupby(self.timeline, key=itemgetter(1, 2)):
            times = [time for time, _, _ in same]
            for time in times if len(times) <= _SHOWN + 1 else times[:_SHOWN]:
                yield f"  {time:7.2f}  {'  ' * depth}{what}"
            if len(times) > _SHOWN + 1:
                more = len(times) - _SHOWN
                yield f"  {times[-1]:7.2f}  {'  ' * depth}... and {more} times more"


def indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one run."""

    # steps taken, calls made and returns seen
    steps: int
    difference: Difference | None
    hung: bool = False
