"""The bench: an implementation clamped in for one test.

Made anew for each test.  Gives out the entry object, under the eyes of a
witness, and keeps the clock that the loop was given.
"""

from __future__ import annotations

from typing import Any

from ..clocks import Clock, MonotonicClock, VirtualClock
from ..profiles import PROFILES
from ..testing.observation import Observation
from .call_counter import CallCounter
from .implementation import Implementation


class Subject:
    def __init__(self, implementation: Implementation, variant: str) -> None:
        self._implementation = implementation
        self._variant = variant
        self.clock: Clock = VirtualClock() if implementation.virtual_time else MonotonicClock()
        self.call_counter = CallCounter(implementation.engine)
        self.observation = Observation()

    def entry(self, profile: str) -> Any:
        """A fresh entry object of *profile*."""
        factory = self._implementation.by_variant[self._variant][profile]
        return self.call_counter.watch(factory(self.clock), PROFILES[profile])
