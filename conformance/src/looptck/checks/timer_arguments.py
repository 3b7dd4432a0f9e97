"""Checks of what programs hand in for timers: callbacks and numbers of unusual types."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.stopwatch import assert_not_early
from .callables import CALLABLES
from .timer_log import TimerLog
from .verbs import Timing


@pytest.mark.parametrize("kind", CALLABLES)
def test_a_timer_calls_a_callable_of_any_type(loop: Timing, clock: Clock, kind: str) -> None:
    """Nobody else holds them, and one of four is cleared; a loop may refuse what is no function."""
    called: list[str] = []

    def note(name: str, *_arguments: object) -> Any:
        called.append(name)
        return loop.over

    timers: dict[str, Any] = {}
    for name, milliseconds in (("one", 2), ("cleared", 2), ("two", 2), ("three", 15)):
        callback = CALLABLES[kind](partial(note, name))
        try:
            timers[name] = loop.set_number(milliseconds / 1000 / loop.unit, callback)
        except TypeError:
            return
    del callback
    loop.clear(timers["cleared"])
    gc.collect()
    log = TimerLog(loop, clock)
    log.timer(0.03)
    log.run()
    assert sorted(called) == ["one", "three", "two"], (
        f"of four timers whose callbacks are {kind} one was cleared; called were {called}"
    )


class _Whole(int):
    """A whole number that a program has given a type of its own."""


class _Real(float):
    """A number with a fraction that a program has given a type of its own."""


@pytest.mark.parametrize("kind", [_Whole, _Real], ids=lambda kind: kind.__name__.strip("_"))
def test_a_number_of_any_type_is_a_length(
    loop: Timing, clock: Clock, kind: Callable[[Any], Any]
) -> None:
    """The number is of a class of the program's own, below int or float."""
    seconds = 1.0 if kind is _Whole else 0.02
    number = kind(round(seconds / loop.unit) if kind is _Whole else seconds / loop.unit)
    began = clock.now()
    ran: list[float] = []

    def note(*_arguments: object) -> Any:
        ran.append(clock.now() - began)
        return loop.over

    kept = loop.set_number(number, note)
    log = TimerLog(loop, clock)
    log.timer(seconds + 0.02)
    log.run(within=2)
    del kept
    assert len(ran) == 1, f"a timer of {number!r} ran {len(ran)} times, up to 20 ms after it"
    assert_not_early(ran[0], seconds, slack=seconds / 4)
