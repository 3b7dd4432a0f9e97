"""The LuaHop document's loop where the document is open, and what only the reference promises.

What the document states is judged by the suite, which runs wherever these tests run.
"""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import itertools
import math
import os
import socket
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tideloop
from tideloop import VirtualClock, luahop
from tideloop.luahop import Hop

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]
MakePipe = Callable[[], tuple[int, int]]


@pytest.fixture
def hop(clock: VirtualClock) -> Iterator[Hop]:
    hop = luahop.new(clock=clock)
    yield hop
    hop.close()


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


def into(trace: list[str], word: str) -> Callable[[], object]:
    return lambda: trace.append(word)


# ---- the module


def test_the_loop_says_its_poller(poller: str) -> None:
    assert str(luahop.new(poller)) == f"<Hop Loop: {poller}>"


def test_the_entry_object_makes_loops_of_its_poller(clock: VirtualClock) -> None:
    entry = luahop.entry("select", clock)
    first, second = entry.new(), entry.new()
    assert str(first) == "<Hop Loop: select>"
    trace: list[str] = []
    timer = first.set_timeout({"ms": 1}, into(trace, "first"))
    second.set_timeout({"ms": 2}, into(trace, "second"))
    entry.clear_timer(timer)
    assert second.poll()
    assert not first.poll({"ms": 5})
    assert trace == ["second"]
    first.close()
    second.close()


# ---- listeners


def test_setting_again_replaces(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    old = into(trace, "old")
    dead = weakref.ref(old)
    hop.set_listener(near, "r", old)
    del old
    hop.set_listener(near, "r", into(trace, "new"))
    assert dead() is None
    hop.poll()
    assert trace == ["new"]


def test_half_removed_after_the_descriptor_was_closed(hop: Hop, pipe: MakePipe) -> None:
    read, _write = pipe()
    hop.set_listener(read, "rw", print)
    os.close(read)
    hop.remove_listener(read, "r")
    hop.remove_listener(read, "w")
    assert not hop.poll(0)


def test_the_first_exception_comes_out_after_the_batch(hop: Hop, pair: MakePair) -> None:
    trace: list[int] = []

    def raising(number: int) -> Callable[[], None]:
        def callback() -> None:
            trace.append(number)
            raise LookupError(len(trace))

        return callback

    for number in range(3):
        near, _far = ready_pair(pair)
        hop.set_listener(near, "r", raising(number))
    hop.set_interval({"ms": 1}, raising(3))
    hop.set_timeout({"ms": 0}, raising(4))
    with pytest.raises(LookupError) as caught:
        hop.poll()
    assert caught.value.args == (1,)
    assert sorted(trace) == [0, 1, 2, 4]
    for _ in range(3):
        trace.clear()
        with pytest.raises(LookupError):
            hop.poll()
        assert sorted(trace) == [0, 1, 2]


def test_an_interval_that_raises_stays_armed(hop: Hop) -> None:
    interval = hop.set_interval({"s": 1}, lambda: 1 // 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            hop.poll()
    hop.clear_timer(interval)
    assert not hop.poll({"s": 10})


# ---- timers


def test_a_duration_of_zero_is_the_next_poll(hop: Hop) -> None:
    trace: list[str] = []
    hop.set_timeout({"ms": 0}, into(trace, "zero"))
    assert trace == []
    assert hop.poll()
    assert trace == ["zero"]
    with pytest.raises(ValueError, match="never end"):
        hop.set_interval({"ms": 0}, print)


def test_a_timer_knows_its_loop(hop: Hop, clock: VirtualClock) -> None:
    other = luahop.new(clock=clock)
    trace: list[str] = []
    timer = hop.set_timeout({"ms": 1}, into(trace, "x"))
    with pytest.raises(ValueError, match="timer must be one of this loop"):
        other.clear_timer(timer)
    assert hop.poll()
    assert trace == ["x"]
    other.close()


# ---- poll


def test_a_timeout_may_be_any_number(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    assert hop.poll(Fraction(1, 4)) is False  # type: ignore[arg-type]  # wrong on purpose
    assert clock.now() == start + 0.25


def test_poll_inside_a_callback_is_refused_and_nothing_is_harmed(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []

    def callback() -> None:
        with pytest.raises(tideloop.RunningError):
            hop.poll()
        with pytest.raises(tideloop.RunningError):
            hop.close()
        trace.append("refused")

    hop.set_listener(near, "r", callback)
    hop.poll()
    hop.poll()
    assert trace == ["refused", "refused"]


def test_loop_polls_until_stopped_and_finishes_the_batch(hop: Hop, pair: MakePair) -> None:
    trace: list[int] = []

    def callback() -> None:
        trace.append(len(trace))
        hop.stop()

    for _ in range(3):
        near, _far = ready_pair(pair)
        hop.set_listener(near, "r", callback)
    hop.stop()
    hop.loop()
    assert trace == [0, 1, 2]


def test_a_closed_loop_refuses_and_leaves_nothing(no_leak: None) -> None:
    class Callback:
        def __call__(self) -> None: ...

    near, far = socket.socketpair()
    callbacks = [Callback() for _ in range(3)]
    dead = [weakref.ref(callback) for callback in callbacks]
    hop = luahop.new()
    hop.set_listener(near, "rw", callbacks[0])
    timers = [hop.set_timeout({"s": 9}, callbacks[1]), hop.set_interval({"s": 9}, callbacks[2])]
    hop.close()
    hop.close()
    callbacks.clear()
    assert [ref() for ref in dead] == [None] * 3
    for act in (
        lambda: hop.poll(0),
        lambda: hop.set_listener(near, "r", print),
        lambda: hop.set_timeout({"s": 1}, print),
        lambda: hop.set_interval({"s": 1}, print),
    ):
        with pytest.raises(tideloop.ClosedError):
            act()
    for timer in timers:
        luahop.clear_timer(timer)
    near.close()
    far.close()


def test_a_dropped_loop_is_closed_at_once(no_leak: None) -> None:
    gc.disable()
    try:
        hop = luahop.new()
        hop.set_interval({"s": 1}, print)
        del hop
    finally:
        gc.enable()


@given(
    periods=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    stalls=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=4),
)
def test_intervals_keep_their_grids_whatever_the_stalls(
    periods: list[int], stalls: list[tuple[int, int]]
) -> None:
    """A stall: after so many ticks of all, the loop is blocked for so many eighths."""
    clock = VirtualClock()
    hop = luahop.new("select", clock)
    ticks: list[tuple[int, float]] = []
    blocked = dict(stalls)
    overdue: list[tuple[float, float]] = []

    def tick(number: int) -> None:
        ticks.append((number, clock.now()))
        if stall := blocked.get(len(ticks), 0):
            overdue.append((clock.now(), clock.now() + stall / 8))
            clock.advance(stall / 8)

    for number, period in enumerate(periods):
        hop.set_interval({"s": period / 8}, partial(tick, number))
    while clock.now() < 20:
        hop.poll()
    hop.close()
    for number, period in enumerate(periods):
        step = period / 8
        points = [at for who, at in ticks if who == number]
        slots = [math.floor(at / step) for at in points]
        # never two calls for one point of the grid, never one before the first
        assert all(before < after for before, after in itertools.pairwise(slots))
        assert slots[0] >= 1
        # off the grid only right after a stall
        for at in points:
            assert at % step == 0 or any(start < at <= end for start, end in overdue)
