"""A wait passes as each clock says."""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tideloop
from tideloop.clock import MonotonicClock, VirtualClock


def test_the_machines_clock_waits_as_the_poller_does() -> None:
    def wait(timeout: float | None) -> list[int]:
        return []

    assert MonotonicClock().pace(wait) is wait


def test_the_machines_clock_is_monotonic() -> None:
    assert time.monotonic() <= MonotonicClock().now() <= time.monotonic()


def test_a_virtual_clock_jumps_by_exactly_the_timeout() -> None:
    clock = VirtualClock(7.0)
    asked: list[float | None] = []

    def wait(timeout: float | None) -> list[str]:
        asked.append(timeout)
        return []

    assert clock.pace(wait)(0.25) == []
    assert (asked, clock.now()) == ([0], 7.25)


def test_a_virtual_clock_stands_still_while_something_is_ready() -> None:
    clock = VirtualClock(7.0)
    assert clock.pace(lambda timeout: ["ready"])(0.25) == ["ready"]
    assert clock.now() == 7.0


def test_without_a_deadline_virtual_time_really_waits() -> None:
    asked: list[float | None] = []

    def wait(timeout: float | None) -> list[str]:
        asked.append(timeout)
        return []

    VirtualClock().pace(wait)(None)
    assert asked == [None]


@pytest.mark.parametrize("length", [-1.0, math.nan])
def test_time_does_not_go_back(length: float) -> None:
    with pytest.raises(ValueError, match="seconds must be"):
        VirtualClock().advance(length)


@given(
    start=st.floats(0, 1e9),
    delays=st.lists(st.floats(0, 1e6), min_size=1, max_size=8),
)
def test_rounding_neither_spins_nor_fires_early(start: float, delays: list[float]) -> None:
    """now + (deadline - now) may fall one ulp short of the deadline."""
    clock = VirtualClock(start)
    with tideloop.Loop("select", clock) as loop:
        fired: list[tuple[float, float]] = []
        for delay in delays:
            loop.after(delay, lambda due: fired.append((due, clock.now())), start + delay)
        for _ in range(3 * len(delays)):
            loop.turn(0 if not loop.busy else None)
        assert not loop.busy
        assert all(now >= due for due, now in fired)
        assert len(fired) == len(delays)


def test_another_thread_wakes_a_loop_whose_time_stands_still(
    loop: tideloop.Loop, pipe: Callable[[], tuple[int, int]]
) -> None:
    read, write = pipe()
    got: list[bytes] = []
    watcher = loop.watch(read, tideloop.READ, lambda _: (got.append(os.read(read, 9)), end()))

    def end() -> None:
        watcher.close()

    thread = threading.Timer(0.02, os.write, (write, b"x"))
    thread.start()
    loop.run()
    thread.join()
    assert got == [b"x"]
