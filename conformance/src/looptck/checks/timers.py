"""Checks of timers: when they run, in which order, and which run no more."""

from __future__ import annotations

from functools import partial

from ..clocks import Clock
from ..testing.stopwatch import assert_not_early
from .verbs import Script, Timing, until


def test_no_timer_is_called_early(loop: Timing, clock: Clock) -> None:
    """Timers from 1 to 30 ms are set at once, so that rounding shows in some of them."""
    late: dict[int, float] = {}
    began = clock.now()

    def ran(milliseconds: int) -> None:
        late[milliseconds] = clock.now() - began

    def script() -> Script:
        for milliseconds in range(1, 31):
            loop.set_timer(milliseconds / 1000, partial(ran, milliseconds))
        yield until("all 30 timers run", lambda: len(late) == 30, within=1)

    loop.play(script())
    for milliseconds, elapsed in late.items():
        assert_not_early(elapsed, milliseconds / 1000)
