"""Checks of timers in great numbers: at a time, and one after the other."""

from __future__ import annotations

import gc
import os
import weakref
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import pytest

from ..clocks import Clock
from ..testing.resources import ResourceSnapshot
from .needs import spares
from .timer_log import TimerLog
from .verbs import Timing

# More than a counter of one byte holds.
_OLD = 300


@spares("set_interval")
@pytest.mark.parametrize("old", ["ran", "cleared", "cleared intervals"])
def test_old_handles_clear_no_later_timer(loop: Timing, clock: Clock, old: str) -> None:
    """Hundreds of spent timers make it likely that numbers, slots or addresses are reused.

    Some are alive together, others one at a time, so that a counter for each slot wraps.
    """
    if old == "cleared intervals" and not loop.intervals:
        return
    log = TimerLog(loop, clock)
    ran: list[bool] = []
    set_it = loop.set_interval if old == "cleared intervals" else loop.set_timer
    handles = [set_it(0.001, partial(ran.append, True)) for _ in range(30)]
    new = 0

    def clear_old() -> None:
        nonlocal new
        for _ in range(30):
            log.timer(0.004)
            (log.interval if log.has_intervals else log.timer)(0.004)
            new += 2
        for handle in handles:
            with suppress(Exception):  # whether that is refused is another rule's business
                loop.clear(handle)

    if old == "ran":
        loop.set_timer(0.010, clear_old)
    else:
        for handle in handles:
            loop.clear(handle)
        for _ in range(_OLD):
            handles.append(set_it(0.001, partial(ran.append, True)))
            loop.clear(handles[-1])
        clear_old()
    loop.run(
        "60 timers run although the handles of earlier ones were cleared after they were set",
        lambda: new and log.done,
    )


def test_old_handles_do_not_end_a_chain_of_timers(loop: Timing) -> None:
    """One timer is alive at a time, so it is most likely to reuse the number of the last one."""
    past: list[Any] = []
    links: list[bool] = []

    def link() -> None:
        links.append(True)
        if len(links) < 5:
            newest = loop.set_timer(0.001, link)
            for handle in past[:-1]:  # the last one runs just now
                with suppress(Exception):
                    loop.clear(handle)
            past.append(newest)

    past.append(loop.set_timer(0.001, link))
    # without a guard: a loop may return when the timers that it began with are over
    loop.run("five timers run, each set by the one before", lambda: len(links) == 5, within=None)


@pytest.mark.parametrize("overdue", [False, True], ids=["spaced", "overdue"])
def test_thousands_of_timers_run_in_order(loop: Timing, clock: Clock, overdue: bool) -> None:
    """Of two thousand, of all kinds and with many equal lengths, a thousand are cleared.

    Whatever holds them loses most of its middle, before the loop runs and inside a callback.
    """
    dice = Random(1)
    log = TimerLog(loop, clock)
    alone = loop.timers[0]

    def set_some(number: int) -> None:
        for _ in range(number):
            # a kind with a descriptor of its own is rare: there are not thousands of them
            kind = alone if dice.random() < 0.98 else dice.choice(loop.timers)
            log.timer(dice.randint(60, 160) / 1000, kind=kind)

    def clear_some(number: int) -> None:
        waiting = [name for name in log.live if not log.live[name].ran]
        log.clear(*dice.sample(waiting, min(number, len(waiting))))

    def inside() -> None:
        # a loop that reads its clock once in a turn is behind by the time that this takes
        set_some(20)
        clear_some(600)

    for _ in range(18):
        set_some(100)
        clear_some(25)
    loop.set_timer(0.005, inside)
    if overdue:
        clock.advance(0.35)
    log.run(within=2)
    log.assert_each_ran_once()
    log.assert_in_order()


def test_a_timer_that_is_over_lets_go_of_its_callback(loop: Timing, clock: Clock) -> None:
    """Of thousands of timers, most with far deadlines and cleared, few callbacks are kept."""
    kept: list[weakref.ref[Any]] = []

    class Callback:
        def __call__(self) -> None:
            ran.append(True)

    ran: list[bool] = []
    callback: Any = None
    for number in range(3000):
        callback = Callback()
        kept.append(weakref.ref(callback))
        timer = loop.set_timer(30.0 if number % 3 else 0.001, callback)
        if number % 3:
            loop.clear(timer)
    del callback, timer
    log = TimerLog(loop, clock)
    log.timer(0.02)
    loop.run("1000 timers run", lambda: log.done and len(ran) == 1000, within=2)
    gc.collect()
    alive = sum(each() is not None for each in kept)
    assert alive <= 300, f"of 3000 timers that ran or were cleared {alive} still hold a callback"


def test_a_timer_that_ran_keeps_no_descriptor_open(loop: Timing) -> None:
    """A loop may keep whatever it opened for its first hundred timers."""
    made: Timing = loop.another()
    ran: list[bool] = []

    def hundred() -> None:
        wanted = len(ran) + 100
        for _ in range(100):
            made.set_timer(0.001, partial(ran.append, True))
        made.run("100 timers run", lambda: len(ran) >= wanted)

    hundred()
    before, lowest = ResourceSnapshot.take(), _lowest_free()
    for _ in range(3):
        hundred()
    left = ResourceSnapshot.take().added_since(before)
    assert not left, f"300 timers that ran left behind: {', '.join(left[:5])}"
    # a snapshot looks at the first few thousand numbers, which earlier leaks may have taken
    grown = _lowest_free() - lowest
    assert grown < 100, f"300 timers that ran left {grown} descriptors open"


def _lowest_free() -> int:
    """Return the number that the next descriptor gets."""
    number = os.dup(0)
    os.close(number)
    return number
