"""The LuaHop document's loop.  Every test on every poller, in virtual time."""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import itertools
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

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
def hop(poller: str, clock: VirtualClock) -> Iterator[Hop]:
    hop = luahop.new(poller, clock)
    yield hop
    hop.close()


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


def into(trace: list[str], word: str) -> Callable[[], object]:
    return lambda: trace.append(word)


# ---- the module


def test_the_loop_says_its_poller(hop: Hop, poller: str) -> None:
    assert str(hop) == f"<Hop Loop: {poller}>"


def test_the_entry_object_makes_loops_of_its_poller(poller: str, clock: VirtualClock) -> None:
    entry = luahop.entry(poller, clock)
    first, second = entry.new(), entry.new()
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


def test_a_listener_is_called_in_each_poll_that_finds_it_ready(hop: Hop, pair: MakePair) -> None:
    near, far = pair()
    trace: list[str] = []
    hop.set_listener(near, "r", into(trace, "r"))
    assert not hop.poll(0)
    far.send(b"xy")
    assert hop.poll()
    near.recv(1)
    assert hop.poll()
    near.recv(1)
    assert not hop.poll(0)
    assert trace == ["r", "r"]


@pytest.mark.parametrize("mask", ["", "x", "R", "wr", "rwx", "timer"])
def test_another_mask_is_refused(hop: Hop, pair: MakePair, mask: str) -> None:
    near, _far = ready_pair(pair)
    with pytest.raises(ValueError, match="mask"):
        hop.set_listener(near, mask, print)
    with pytest.raises(ValueError, match="mask"):
        hop.remove_listener(near, mask)
    assert not hop.poll(0)


def test_what_is_no_mask_or_no_callback_is_refused(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    wrong: Any
    for wrong in (None, 1, b"r"):
        with pytest.raises(TypeError):
            hop.set_listener(near, wrong, print)
    for wrong in (None, "f", 5):
        with pytest.raises(TypeError):
            hop.set_listener(near, "r", wrong)
    assert not hop.poll(0)


@pytest.mark.parametrize("number", [-1, True, 1.5, "0", None, 2**40, object()])
def test_what_is_no_descriptor_is_refused(hop: Hop, number: Any) -> None:
    with pytest.raises((OSError, ValueError, TypeError)):
        hop.set_listener(number, "r", print)
    assert not hop.poll(0)


def test_a_closed_descriptor_or_a_file_is_refused(hop: Hop, tmp_path: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError):
        hop.set_listener(read, "r", print)
    with open(tmp_path / "file", "w+b") as file, pytest.raises(OSError):
        hop.set_listener(file, "r", print)
    assert not hop.poll(0)


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


def test_a_failed_replacement_leaves_the_old(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    hop.set_listener(near, "r", into(trace, "old"))
    with pytest.raises(TypeError):
        hop.set_listener(near, "r", None)  # type: ignore[arg-type]  # wrong on purpose
    hop.poll()
    assert trace == ["old"]


def test_replaced_inside_its_own_callback(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []

    def old() -> None:
        hop.set_listener(near, "r", into(trace, "new"))
        trace.append("old")

    hop.set_listener(near, "r", old)
    hop.poll()
    assert trace == ["old"]
    hop.poll()
    assert trace == ["old", "new"]


def test_the_two_directions_are_independent(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    steps: list[tuple[Callable[[], None], list[str]]] = [
        (lambda: hop.set_listener(near, "w", into(trace, "w")), ["w"]),
        (lambda: hop.set_listener(near, "r", into(trace, "r")), ["r", "w"]),
        (lambda: hop.set_listener(near, "r", into(trace, "r2")), ["r2", "w"]),
        (lambda: hop.remove_listener(near, "w"), ["r2"]),
        (lambda: hop.remove_listener(near, "w"), ["r2"]),
        (lambda: hop.remove_listener(near, "r"), []),
        (lambda: hop.remove_listener(near, "r"), []),
    ]
    for step, expected in steps:
        step()
        trace.clear()
        hop.poll(0)
        assert trace == expected


def test_one_callback_for_both_directions_runs_once(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    hop.set_listener(near, "rw", into(trace, "rw"))
    hop.poll()
    assert trace == ["rw"]


@pytest.mark.parametrize("half, left", [("r", "w"), ("w", "r")])
def test_half_of_both_can_be_removed_or_replaced(
    hop: Hop, pair: MakePair, half: str, left: str
) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    hop.set_listener(near, "rw", into(trace, "rw"))
    hop.set_listener(near, half, into(trace, "half"))
    hop.poll()
    assert sorted(trace) == ["half", "rw"]
    hop.remove_listener(near, half)
    trace.clear()
    hop.poll()
    assert trace == ["rw"]
    hop.remove_listener(near, left)
    assert not hop.poll(0)


def test_removing_what_is_not_there_is_silent(hop: Hop) -> None:
    hop.remove_listener(999, "r")
    hop.remove_listener(999, "rw")


def test_a_callback_may_remove_itself_and_close_the_descriptor(hop: Hop, pipe: MakePipe) -> None:
    read, write = pipe()
    other, other_write = pipe()
    trace: list[str] = []

    def callback() -> None:
        trace.append("gone")
        hop.remove_listener(read, "r")
        os.close(read)

    hop.set_listener(read, "r", callback)
    hop.set_listener(other, "r", into(trace, "other"))
    os.write(write, b"x")
    os.write(other_write, b"x")
    hop.poll()
    hop.poll()
    assert sorted(trace) == ["gone", "other", "other"]


def test_removed_by_another_in_the_same_poll(hop: Hop, pair: MakePair) -> None:
    ends = [ready_pair(pair)[0] for _ in range(2)]
    trace: list[int] = []

    def removes_the_other(number: int) -> Callable[[], None]:
        def callback() -> None:
            trace.append(number)
            hop.remove_listener(ends[1 - number], "r")

        return callback

    for number in range(2):
        hop.set_listener(ends[number], "r", removes_the_other(number))
    hop.poll()
    assert len(trace) == 1


def test_the_reader_may_remove_the_writer(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    hop.set_listener(near, "w", into(trace, "w"))
    hop.set_listener(near, "r", lambda: (trace.append("r"), hop.remove_listener(near, "w")))
    hop.poll()
    assert trace == ["r"]


def test_closed_without_removing_then_reused(hop: Hop, pipe: MakePipe) -> None:
    read, _write = pipe()
    other, other_write = pipe()
    trace: list[str] = []
    hop.set_listener(read, "r", into(trace, "old"))
    hop.set_listener(read, "w", into(trace, "old"))
    os.close(read)
    assert not hop.poll({"ms": 10})
    assert not hop.poll({"ms": 10})
    os.dup2(other, read)
    hop.set_listener(read, "r", into(trace, "new"))
    os.write(other_write, b"x")
    hop.poll()
    assert trace == ["new"]
    hop.remove_listener(read, "rw")
    assert not hop.poll(0)


def test_half_removed_after_the_descriptor_was_closed(hop: Hop, pipe: MakePipe) -> None:
    read, _write = pipe()
    hop.set_listener(read, "rw", print)
    os.close(read)
    hop.remove_listener(read, "r")
    hop.remove_listener(read, "w")
    assert not hop.poll(0)


def test_a_hang_up_alone_wakes_the_reader(hop: Hop, pipe: MakePipe) -> None:
    read, write = pipe()
    got: list[bytes] = []
    hop.set_listener(read, "r", lambda: got.append(os.read(read, 9)))
    os.close(write)
    hop.poll()
    assert got == [b""]


def test_callbacks_are_kept_and_what_they_return_is_ignored(hop: Hop, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    hop.set_listener(near, "r", lambda: bool(trace.append("r")))
    gc.collect()
    hop.poll()
    hop.poll()
    assert trace == ["r", "r"]


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


def test_a_timeout_runs_once(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[float] = []
    hop.set_timeout({"ms": 100}, lambda: trace.append(clock.now() - start))
    for _ in range(4):
        hop.poll({"ms": 250})
    assert trace == [pytest.approx(0.1)]


def test_an_interval_runs_until_cleared(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[float] = []

    def tick() -> None:
        trace.append(clock.now() - start)
        if len(trace) == 5:
            luahop.clear_timer(interval)

    interval = hop.set_interval({"s": 1}, tick)
    while hop.poll({"s": 3}):
        pass
    assert trace == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "duration, seconds",
    [
        ({"ms": 100}, 0.1),
        ({"s": 1}, 1.0),
        ({"s": 1, "ms": 500}, 1.5),
        ({"s": 0, "ms": 50}, 0.05),
        ({"m": 1}, 60.0),
        ({"h": 1}, 3600.0),
        ({"h": 1, "m": 1, "s": 1}, 3661.0),
        ({"us": 50_000}, 0.05),
        ({"ms": 0.5}, 0.0005),
        ({"s": 0.0015, "ms": 1.5}, 0.003),
        ({"h": 24 * 30}, 2_592_000.0),
        ({"us": 0.4}, 4e-7),
    ],
)
def test_units_add_up(poller: str, duration: dict[str, float], seconds: float) -> None:
    clock = VirtualClock()
    hop = luahop.new(poller, clock)
    hop.set_timeout(duration, lambda: None)
    assert hop.poll()
    assert clock.now() == pytest.approx(seconds, rel=1e-12)
    hop.close()


@pytest.mark.parametrize(
    "duration",
    [
        None,
        100,
        1.0,
        True,
        "100",
        [100],
        {},
        {"foo": 3},
        {"ms": 1, "d": 1},
        {"ms": -5},
        {"s": 1, "ms": -900},
        {"ms": "100"},
        {"ms": True},
        {"ms": None},
        {"ms": math.nan},
        {"ms": math.inf},
        {"ms": 10**400},
        {1: 1},
    ],
)
def test_what_is_no_duration_is_refused(hop: Hop, duration: Any) -> None:
    for act in (hop.set_timeout, hop.set_interval):
        with pytest.raises((TypeError, ValueError)):
            act(duration, print)
    assert not hop.poll({"h": 1})


def test_what_cannot_be_called_is_refused(hop: Hop) -> None:
    for act in (hop.set_timeout, hop.set_interval):
        for wrong in (None, 5):
            with pytest.raises(TypeError):
                act({"ms": 1}, wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert not hop.poll({"h": 1})


def test_a_duration_of_zero_is_the_next_poll(hop: Hop) -> None:
    trace: list[str] = []
    hop.set_timeout({"ms": 0}, into(trace, "zero"))
    assert trace == []
    assert hop.poll()
    assert trace == ["zero"]
    with pytest.raises(ValueError, match="never end"):
        hop.set_interval({"ms": 0}, print)


def test_long_durations_can_be_set_and_cleared(hop: Hop) -> None:
    trace: list[str] = []
    timers = [hop.set_timeout({"h": hours}, into(trace, "x")) for hours in (1, 720, 10**9)]
    for timer in timers:
        hop.clear_timer(timer)
    hop.set_interval({"h": 720}, into(trace, "month"))
    assert hop.poll()
    assert trace == ["month"]


def test_a_cleared_timer_never_runs(hop: Hop, clock: VirtualClock) -> None:
    trace: list[str] = []
    timer = hop.set_timeout({"ms": 1}, into(trace, "x"))
    clock.advance(1)
    luahop.clear_timer(timer)
    luahop.clear_timer(timer)
    assert not hop.poll({"s": 1})
    assert trace == []


def test_a_timer_that_clears_itself_and_sets_another(hop: Hop) -> None:
    trace: list[str] = []

    def first() -> None:
        luahop.clear_timer(timer)
        hop.set_timeout({"ms": 1}, into(trace, "second"))
        luahop.clear_timer(timer)

    timer = hop.set_timeout({"ms": 1}, first)
    hop.poll()
    hop.poll()
    assert trace == ["second"]
    luahop.clear_timer(timer)


def test_two_due_at_once_where_each_clears_the_other(hop: Hop, clock: VirtualClock) -> None:
    trace: list[int] = []
    timers: list[Any] = []

    def clears(number: int) -> Callable[[], None]:
        def callback() -> None:
            trace.append(number)
            luahop.clear_timer(timers[1 - number])

        return callback

    timers += [hop.set_timeout({"ms": 5}, clears(number)) for number in range(2)]
    clock.advance(1)
    hop.poll()
    assert trace == [0]


@pytest.mark.parametrize("wrong", [None, 4, "timer", object()])
def test_what_is_no_timer_cannot_be_cleared(hop: Hop, wrong: Any) -> None:
    with pytest.raises(TypeError):
        luahop.clear_timer(wrong)
    with pytest.raises(TypeError):
        hop.clear_timer(wrong)


def test_a_timer_knows_its_loop(hop: Hop, poller: str, clock: VirtualClock) -> None:
    other = luahop.new(poller, clock)
    trace: list[str] = []
    timer = hop.set_timeout({"ms": 1}, into(trace, "x"))
    with pytest.raises(ValueError, match="timer must be one of this loop"):
        other.clear_timer(timer)
    assert hop.poll()
    assert trace == ["x"]
    other.close()


def test_timers_run_by_deadline_then_by_order(hop: Hop, clock: VirtualClock) -> None:
    trace: list[int] = []
    for number, delay in enumerate([60, 20, 40, 20, 20]):
        hop.set_timeout({"ms": delay}, partial(trace.append, number))
    while hop.poll({"ms": 100}):
        pass
    assert trace == [1, 3, 4, 2, 0]


def test_an_interval_keeps_its_grid_and_drops_what_it_missed(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[float] = []

    def tick() -> None:
        trace.append(clock.now() - start)
        if len(trace) == 2:
            clock.advance(3.75)

    hop.set_interval({"s": 1}, tick)
    for _ in range(5):
        hop.poll()
    assert trace == [1, 2, 5.75, 6, 7]


def test_the_wall_clock_means_nothing(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    trace: list[str] = []
    hop.set_timeout({"s": 1}, into(trace, "x"))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    hop.poll({"ms": 500})
    assert trace == []
    hop.poll()
    assert trace == ["x"]


# ---- poll


def test_poll_with_a_timeout_fires_nothing_early(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    trace: list[str] = []
    hop.set_timeout({"ms": 200}, into(trace, "x"))
    assert hop.poll({"ms": 50}) is False
    assert clock.now() - start == pytest.approx(0.05)
    assert hop.poll(0.05) is False
    assert hop.poll(0) is False
    assert hop.poll({"ms": 0}) is False
    assert trace == []
    assert hop.poll() is True
    assert clock.now() - start == pytest.approx(0.2)


@pytest.mark.parametrize("timeout", [True, "1", [], -1, {"ms": -1}, {}, math.nan])
def test_a_wrong_timeout_is_refused(hop: Hop, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        hop.poll(timeout)


def test_a_timeout_may_be_any_number(hop: Hop, clock: VirtualClock) -> None:
    start = clock.now()
    assert hop.poll(Fraction(1, 4)) is False  # type: ignore[arg-type]  # wrong on purpose
    assert clock.now() == start + 0.25


def test_poll_sleeps_until_something_is_ready(poller: str, pipe: MakePipe) -> None:
    """With a listener that stays silent, until another thread writes to it."""
    hop = luahop.new(poller)
    read, write = pipe()
    trace: list[str] = []
    hop.set_listener(read, "r", into(trace, "x"))
    cpu = time.process_time()
    thread = threading.Timer(0.1, os.write, (write, b"x"))
    thread.start()
    assert hop.poll() is True
    thread.join()
    assert time.process_time() - cpu < 0.05
    hop.close()


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


def test_busy_descriptors_and_timers_are_both_served(hop: Hop, pair: MakePair) -> None:
    near, _far = pair()
    counts = {"w": 0, "t": 0}

    def again() -> None:
        counts["t"] += 1
        hop.set_timeout({"ms": 0}, again)

    def wrote() -> None:
        counts["w"] += 1

    hop.set_listener(near, "w", wrote)
    again()
    for _ in range(10):
        hop.poll()
    assert counts == {"w": 10, "t": 11}


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


def test_a_closed_loop_refuses_and_leaves_nothing(
    poller: str, pair: MakePair, no_leak: None
) -> None:
    class Callback:
        def __call__(self) -> None: ...

    near, far = socket.socketpair()
    callbacks = [Callback() for _ in range(3)]
    dead = [weakref.ref(callback) for callback in callbacks]
    hop = luahop.new(poller)
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


def test_a_dropped_loop_is_closed_at_once(poller: str, no_leak: None) -> None:
    gc.disable()
    try:
        hop = luahop.new(poller)
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
