"""Does a loop that declares `virtual_time=True` wait on the clock that it is given?

Told apart by the clock alone, which is ours: a loop that sleeps in real time
reads it now and then and never moves it, or never reads it at all.  Nothing is
said of a loop that hangs, spins or fires early: that is for the rules to judge.
"""

from __future__ import annotations

import os
import time
from typing import NoReturn

from ..clocks import VirtualClock
from ..errors import AdapterError
from ..profiles import PROFILES
from ..subjects.implementation import Implementation
from .messages import TimerMeasured
from .pool import run_one
from .worker_life import Reporter

# How long the timers are that are tried one after the other, in seconds.  On a
# busy machine one may seem to take its time; three do not.
_DELAYS = (0.05, 0.1, 0.2)

# A loop that sleeps has found the clock still after most of the delay so many
# times, and has read it at most so often for each of them.  One that spins
# reads it thousands of times.
_SLEEPS = 5
_READINGS_FOR_A_SLEEP = 20

# A timer of so much of its delay, in real time, was slept through.
_MOST = 0.9

# Enough for all the readings, in seconds.
_LEAST_PATIENCE = 3.0


def refuse_real_sleep(
    implementation: Implementation, variant: str, profile: str, patience: float
) -> None:
    """Raises AdapterError if timers of *profile* pass in real time against the declaration."""
    timer = PROFILES[profile].timer_check
    if not implementation.virtual_time or timer is None:
        return
    factory = implementation.by_variant[variant][profile]
    moved = 0.0
    for delay in _DELAYS:

        def attempt(reporter: Reporter, delay: float = delay) -> None:
            reporter.begin("a timer in virtual time")
            clock = _WatchedClock(reporter, delay)

            def ran() -> NoReturn:
                clock.end(slept=time.monotonic() - clock.started >= _MOST * delay)

            timer(factory(clock), delay, ran)

        messages, _ = run_one(attempt, max(patience, _LEAST_PATIENCE))
        measured = [message for message in messages if isinstance(message, TimerMeasured)]
        if not any(each.slept for each in measured):
            return
        moved = measured[-1].moved
    raise AdapterError(
        f"the adapter of {implementation.name} ({variant}, {profile}) declares virtual_time=True, "
        f"but its loop sleeps in real time: a timer of {_DELAYS[-1]} s took as long on the wall, "
        f"while the clock that its factory was given moved by {moved:g} s; have it call "
        "clock.advance(seconds) in place of sleeping, or drop virtual_time=True"
    )


class _WatchedClock(VirtualClock):
    """Ends the process once it is plain that somebody sleeps and does not move it."""

    def __init__(self, reporter: Reporter, delay: float) -> None:
        super().__init__()
        self._reporter = reporter
        self._delay = delay
        self._began = self._now
        self._readings = self._sleeps = 0
        self.started = self._last = time.monotonic()

    def now(self) -> float:
        moment = time.monotonic()
        self._readings += 1
        if self._now == self._began and moment - self._last >= _MOST * self._delay:
            self._sleeps += 1
            if self._sleeps == _SLEEPS:
                self.end(slept=self._readings <= _SLEEPS * _READINGS_FOR_A_SLEEP)
        self._last = moment
        return super().now()

    def end(self, *, slept: bool) -> NoReturn:
        self._reporter.send(TimerMeasured(slept, self._now - self._began))
        os._exit(0)
