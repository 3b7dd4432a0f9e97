"""What the benchmarks share: contenders take turns, and ratios are taken within a round.

So a change of the machine's mood meets all of them.  The figure is the median
of the ratios, not the ratio of two medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping


def take_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """What each contender returned in each round."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            figures[name].append(run())
    return figures


def report(figures: Mapping[str, list[float]], unit: str, *, against: str) -> None:
    """One line for each: its median, and how many times that of *against*."""
    for name, values in figures.items():
        ratio = statistics.median(
            own / other for own, other in zip(values, figures[against], strict=True)
        )
        print(
            f"  {name:34} {statistics.median(values):12,.0f} {unit}   {ratio:5.2f} x {against}",
            flush=True,
        )
