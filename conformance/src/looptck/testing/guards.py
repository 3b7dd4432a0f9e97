"""Guards bound the time after which a test gives up waiting for what must happen.

A guard bounds a failure.  A loop that is right never waits for one, so it may
be generous; a fixed number of seconds would call a right loop broken on a
machine that is slow or busy.  So each guard is stretched: by the patience that
the user gave, by how long this machine takes for a known piece of work, and by
how many processes wait for each processor.  What a rule promises about time is
no guard, and is not stretched.
"""

from __future__ import annotations

import os
import time
from functools import cache

# Guards are written for this patience, in seconds.
USUAL_PATIENCE = 5.0

# The known piece of work takes this long on a machine of today, in seconds.
_USUAL_WORK = 0.004
_ROUNDS = 50_000

# A machine is not waited for longer than this many times the usual.
_MOST = 5.0

# A guard is over after so many looks at least: a process that was not given
# the processor for a while has not used up its time.
_LOOKS = 20

# An event that must be called is waited for this many turns of a loop at least,
# and this many seconds at least.
FEWEST_TURNS = 40
TURN_PATIENCE = 0.4

# This many turns show that nothing happens: more than twice as many as any loop
# needs to serve an arrival.
IDLE_TURNS = 25

# the patience that the user gave; set once, before the workers are forked
_patience = USUAL_PATIENCE


def set_patience(seconds: float) -> None:
    """The user's patience is *seconds*; every guard is stretched by it."""
    global _patience
    _patience = seconds
    slowness()  # measured here once, and not in each worker


def patience() -> float:
    """Return how long nothing may happen, in seconds, on this machine as it is now."""
    return _patience * burden()


def guard(seconds: float) -> float:
    """*seconds*, stretched by the patience and the burden of this machine."""
    return seconds * _patience / USUAL_PATIENCE * burden()


def burden() -> float:
    """Return how many times longer than usual this machine takes now; 1 or more."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(max(waiting, 1.0) * slowness(), _MOST)


@cache
def slowness() -> float:
    """Return how many times longer than a machine of today this one computes; 1 or more."""
    began = time.process_time()
    for _ in range(_ROUNDS):
        pass
    return max((time.process_time() - began) / _USUAL_WORK, 1.0)


class Guard:
    """The time that is left for something that must happen."""

    def __init__(self, seconds: float) -> None:
        self._seconds = guard(seconds)
        self.begin()

    def begin(self) -> None:
        """Start the time again, because something moved."""
        self._left = self._seconds
        self._looked = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether no time is left; to be asked again and again."""
        now = time.monotonic()
        self._left -= min(now - self._looked, self._seconds / _LOOKS)
        self._looked = now
        return self._left <= 0
