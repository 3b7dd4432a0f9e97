"""Holds the assumptions of the models about time."""

from __future__ import annotations

from dataclasses import dataclass

from ...testing.stopwatch import COARSE

# Differences of floats, and loops that keep whole microseconds: nothing
# shorter is called early, or a movement of the clock.
RESOLUTION = 2e-6


@dataclass(frozen=True, slots=True)
class Timing:
    """The length of a unit, and what of time can be judged.

    On a virtual clock the only time that passes unasked is what the loop
    waits.  On the machine's clock time passes anyway, so that only "too
    early" and the order of things can be told.
    """

    # seconds
    unit: float
    is_virtual: bool
    # how long a loop may sleep past what should have woken it, in seconds
    patience: float
    # deadlines nearer to each other than this may come in any order
    apart: float


def is_early(seconds: float, rule: str) -> bool:
    """Whether a call that comes *seconds* before its time breaks *rule*.

    A loop that counts whole milliseconds may be early by a fraction of one; only
    the rules about being early hold that against it.
    """
    return seconds > (RESOLUTION if rule.endswith("not-early") else COARSE)


def units(seconds: float, timing: Timing) -> str:
    """A length of time as people read it."""
    length = seconds / timing.unit
    return "1 unit" if round(length, 3) == 1 else f"{length:.3g} units"
