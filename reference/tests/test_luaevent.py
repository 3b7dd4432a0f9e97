"""The luaevent document's loop.  Every test on every poller, in virtual time."""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import sys
import weakref
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tideloop
from tideloop import VirtualClock, luaevent
from tideloop.luaevent import (
    EV_PERSIST,
    EV_READ,
    EV_SIGNAL,
    EV_TIMEOUT,
    EV_WRITE,
    LEAVE,
    Base,
)

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]


@pytest.fixture
def base(poller: str, clock: VirtualClock) -> Base:
    return luaevent.new(poller, clock)


@pytest.fixture
def stop_after(base: Base) -> Callable[..., object]:
    """Closes what it is given after so many seconds, so that the loop ends."""
    kept: list[object] = []

    def stop_after(seconds: float, *things: Any) -> object:
        def close(flags: int) -> int:
            for thing in things:
                thing.close()
            return LEAVE

        kept.append(base.addevent(None, EV_TIMEOUT, close, seconds))
        return kept[-1]

    return stop_after


def ready_pair(pair: MakePair) -> Pair:
    near, far = pair()
    far.send(b"x")
    return near, far


# ---- constants and the entry object


def test_the_numbers_are_those_of_the_real_library() -> None:
    entry = luaevent.entry()
    assert (LEAVE, EV_TIMEOUT, EV_READ, EV_WRITE, EV_SIGNAL, EV_PERSIST) == (-1, 1, 2, 4, 8, 16)
    for name in luaevent.__all__:
        if name == "LEAVE" or name.startswith("EV"):
            assert getattr(entry, name) == getattr(luaevent, name)
    assert entry.EVBUFFER_EOF == 16


def test_classes_name_the_module_they_are_imported_from() -> None:
    for made in (luaevent.Base, luaevent.buffer.Buffer, luaevent.bufferevent.BufferEvent):
        assert made.__module__.startswith("tideloop.luaevent.")
        assert getattr(sys.modules[made.__module__], made.__name__) is made


# ---- readiness


def test_the_callback_gets_the_flags_and_nothing_else(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    got: list[tuple[object, ...]] = []

    def callback(*args: object) -> int:
        got.append(args)
        return LEAVE

    event = base.addevent(near, EV_READ, callback)
    base.loop()
    assert got == [(EV_READ,)]
    del event


def test_both_directions_come_in_one_call(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []
    event = base.addevent(near, EV_READ | EV_WRITE, lambda flags: got.append(flags) or LEAVE)
    base.loop()
    assert got == [EV_READ | EV_WRITE]
    event.close()


def test_data_comes_before_the_end_of_the_stream(base: Base, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"abc")
    far.close()
    got: list[bytes] = []

    def callback(flags: int) -> int:
        got.append(near.recv(2))
        return EV_READ if got[-1] else LEAVE

    event = base.addevent(near, EV_READ, callback)
    base.loop()
    assert got == [b"ab", b"c", b""]
    event.close()


# ---- what the callback returns


def test_leave_cancels_readiness_and_timeout(
    base: Base, pair: MakePair, clock: VirtualClock
) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []
    start = clock.now()
    event = base.addevent(near, EV_READ, lambda flags: got.append(flags) or (LEAVE, 5), 10)
    base.loop()
    base.loop()
    assert (got, clock.now()) == ([EV_READ], start)
    event.close()
    event.close()


def test_leave_and_close_let_go_of_the_callback_at_once(base: Base, pair: MakePair) -> None:
    """Also of a callback that holds its own event."""
    near, _far = ready_pair(pair)

    class Callback:
        event: luaevent.Event

        def __call__(self, flags: int) -> int:
            return LEAVE

    gc.disable()
    try:
        for close_it in (False, True):
            callback = Callback()
            callback.event = event = base.addevent(near, EV_READ, callback, 5)
            dead = weakref.ref(callback)
            del callback
            if close_it:
                event.close()
            else:
                base.loop()
            assert dead() is None
    finally:
        gc.enable()


def test_none_keeps_what_is_registered(
    base: Base, pair: MakePair, stop_after: Callable[..., object]
) -> None:
    near, far = ready_pair(pair)
    got: list[int] = []

    def callback(flags: int) -> None:
        got.append(flags)
        if flags & EV_READ and not flags & EV_TIMEOUT:
            near.recv(1)

    event = base.addevent(near, EV_READ, callback, 1.0)
    stop_after(2.5, event)
    base.loop()
    assert got == [EV_READ] + [EV_TIMEOUT | EV_READ] * 2
    far.close()


def test_a_changed_direction_is_watched_and_the_old_one_is_not(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []
    answers = iter([EV_WRITE, EV_READ, EV_READ | EV_WRITE, EV_WRITE, LEAVE])

    def callback(flags: int) -> int:
        got.append(flags)
        return next(answers)

    event = base.addevent(near, EV_READ, callback)
    base.loop()
    assert got == [EV_READ, EV_WRITE, EV_READ, EV_READ | EV_WRITE, EV_WRITE]
    event.close()


def test_narrowing_compares_with_what_is_registered(
    base: Base, pair: MakePair, stop_after: Callable[..., object]
) -> None:
    """Registered for both, received WRITE, returned WRITE: no READ from then on."""
    near, far = pair()
    got: list[int] = []

    def callback(flags: int) -> int:
        got.append(flags)
        far.send(b"x")
        return EV_WRITE if len(got) < 4 else LEAVE

    event = base.addevent(near, EV_READ | EV_WRITE, callback)
    base.loop()
    assert got == [EV_WRITE] * 4
    event.close()


def test_a_change_without_a_timeout_brings_none(
    base: Base, pair: MakePair, stop_after: Callable[..., object]
) -> None:
    near, _far = pair()
    got: list[int] = []
    event = base.addevent(near, EV_WRITE, lambda flags: got.append(flags) or EV_READ)
    stop_after(100, event)
    base.loop()
    assert got == [EV_WRITE]


def test_a_new_timeout_counts_from_the_end_of_the_call(
    base: Base, pair: MakePair, clock: VirtualClock
) -> None:
    near, _far = pair()
    got: list[tuple[int, float]] = []
    start = clock.now()

    def callback(flags: int) -> luaevent.Answer:
        got.append((flags, clock.now() - start))
        if len(got) == 1:
            clock.advance(2)
            return EV_READ, 0.5
        return None if len(got) < 4 else LEAVE

    event = base.addevent(near, EV_WRITE, callback)
    base.loop()
    due = EV_TIMEOUT | EV_READ
    assert got == [(EV_WRITE, 0), (due, 2.5), (due, 3.0), (due, 3.5)]
    event.close()


@pytest.mark.parametrize(
    "answer",
    [0, EV_TIMEOUT, EV_PERSIST, EV_TIMEOUT | EV_PERSIST],
)
def test_no_direction_left_makes_a_timer_or_nothing(
    base: Base, pair: MakePair, answer: int
) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []
    inert = base.addevent(near, EV_READ, lambda flags: got.append(flags) or answer)
    base.loop()
    assert got == [EV_READ]
    got.clear()

    def callback(flags: int) -> int:
        got.append(flags)
        return answer if len(got) < 3 else LEAVE

    timer = base.addevent(near, EV_READ, callback, 1)
    base.loop()
    assert got == [EV_READ, EV_TIMEOUT, EV_TIMEOUT]
    inert.close()
    timer.close()


@pytest.mark.parametrize("answer", [None, 0, EV_TIMEOUT, EV_READ, EV_WRITE, (None, None), ()])
def test_a_pure_timer_goes_on_whatever_direction_it_returns(base: Base, answer: Any) -> None:
    got: list[int] = []

    def callback(flags: int) -> luaevent.Answer:
        got.append(flags)
        return answer if len(got) < 3 else LEAVE

    timer = base.addevent(None, EV_READ, callback, 1)
    base.loop()
    assert got == [EV_TIMEOUT] * 3
    timer.close()


def test_bits_that_mean_nothing_are_ignored(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []

    def callback(flags: int) -> int:
        got.append(flags)
        return EV_READ | EV_PERSIST | EV_TIMEOUT if len(got) < 3 else LEAVE

    event = base.addevent(near, EV_READ | EV_PERSIST | EV_TIMEOUT, callback)
    base.loop()
    assert got == [EV_READ] * 3
    event.close()


def test_a_negative_new_timeout_keeps_the_old(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    got: list[float] = []

    def callback(flags: int) -> luaevent.Answer:
        got.append(clock.now() - start)
        return (EV_TIMEOUT, -1) if len(got) < 3 else LEAVE

    timer = base.addevent(None, EV_TIMEOUT, callback, 0.5)
    base.loop()
    assert got == [0.5, 1.0, 1.5]
    timer.close()


def test_values_after_the_second_are_ignored(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    answers = iter([(None, 2), (EV_TIMEOUT, None, "junk"), (LEAVE, "junk")])
    timer = base.addevent(None, EV_TIMEOUT, lambda flags: next(answers), 1)  # type: ignore[arg-type,return-value]  # wrong on purpose
    base.loop()
    assert clock.now() == start + 5
    timer.close()


@pytest.mark.parametrize(
    "answer, error, named",
    [
        (True, TypeError, "True"),
        (False, TypeError, "False"),
        ({}, TypeError, "{}"),
        ([EV_READ], TypeError, r"\[2\]"),
        ("2", TypeError, "'2'"),
        (2.9, TypeError, "2.9"),
        (2.0, TypeError, "2.0"),
        (-2, ValueError, "-2"),
        (EV_SIGNAL, ValueError, "EV_SIGNAL"),
        (EV_READ | EV_SIGNAL, ValueError, "EV_SIGNAL"),
        (256 | EV_READ, ValueError, "256"),
        ((EV_READ, "soon"), TypeError, "'soon'"),
        ((EV_READ, True), TypeError, "True"),
        ((EV_READ, math.nan), ValueError, "nan"),
        ((None, {}), TypeError, "{}"),
        ((-7, 1), ValueError, "-7"),
    ],
)
@pytest.mark.parametrize("from_timer", [False, True])
def test_a_bad_answer_comes_out_by_name_and_the_event_stays(
    base: Base,
    pair: MakePair,
    answer: Any,
    error: type[Exception],
    named: str,
    from_timer: bool,
) -> None:
    near, _far = pair() if from_timer else ready_pair(pair)
    answers = iter([answer, answer, LEAVE])
    event = base.addevent(near, EV_READ, lambda flags: next(answers), 1)
    for _ in range(2):
        with pytest.raises(error, match=named):
            base.loop()
    base.loop()
    assert next(answers, "all used") == "all used"
    event.close()


# ---- timeouts


def test_a_timeout_repeats_until_something_happens(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    got: list[float] = []
    timer = base.addevent(None, EV_TIMEOUT, lambda flags: got.append(clock.now() - start), 0.25)

    def end(flags: int) -> int:
        timer.close()
        return LEAVE

    last = base.addevent(None, EV_TIMEOUT, end, 1.1)
    base.loop()
    assert got == [0.25, 0.5, 0.75, 1.0]
    last.close()


def test_activity_restarts_the_timeout(base: Base, pair: MakePair, clock: VirtualClock) -> None:
    near, far = pair()
    start = clock.now()
    trace: list[tuple[int, float]] = []

    def read(flags: int) -> int:
        trace.append((flags, clock.now() - start))
        if flags & EV_TIMEOUT:
            return LEAVE
        near.recv(1)
        return EV_READ

    sent = iter(range(4))

    def send(flags: int) -> int:
        if next(sent, None) is None:
            return LEAVE
        far.send(b"x")
        return EV_TIMEOUT

    reader = base.addevent(near, EV_READ, read, 1.0)
    sender = base.addevent(None, EV_TIMEOUT, send, 0.5)
    base.loop()
    assert trace == [(EV_READ, at) for at in (0.5, 1.0, 1.5, 2.0)] + [(EV_TIMEOUT | EV_READ, 3.0)]
    reader.close()
    sender.close()


def test_readiness_wins_over_a_timeout_of_the_same_turn(
    base: Base, pair: MakePair, clock: VirtualClock
) -> None:
    near, far = pair()
    trace: list[tuple[int, float]] = []

    def callback(flags: int) -> int:
        trace.append((flags, clock.now()))
        if flags & EV_TIMEOUT:
            return LEAVE
        near.recv(1)
        return EV_READ

    event = base.addevent(near, EV_READ, callback, 1.0)
    clock.advance(3)
    late = clock.now()
    far.send(b"x")
    base.loop()
    assert trace == [(EV_READ, late), (EV_READ | EV_TIMEOUT, late + 1)]
    event.close()


def test_the_first_timeout_counts_from_addevent(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    got: list[float] = []
    timer = base.addevent(None, EV_TIMEOUT, lambda flags: got.append(clock.now()) or LEAVE, 1)
    clock.advance(0.75)
    base.loop()
    assert got == [start + 1]
    timer.close()


def test_a_timeout_of_zero_is_once_in_each_turn(base: Base, pair: MakePair) -> None:
    near, _far = pair()
    counts = {"zero": 0, "writer": 0, "other": 0}

    def count(name: str) -> Callable[[int], None]:
        def callback(flags: int) -> None:
            counts[name] += 1
            if counts[name] == 10:
                for event in events:
                    event.close()

        return callback

    events = [
        base.addevent(None, EV_TIMEOUT, count("zero"), 0),
        base.addevent(near, EV_WRITE, count("writer")),
        base.addevent(None, EV_TIMEOUT, count("other"), 0.0),
    ]
    base.loop()
    assert counts["zero"] >= 9
    assert counts["other"] >= 9
    assert counts["writer"] == 10


@pytest.mark.parametrize("timeout", [1e-9, Decimal("0.5"), Fraction(1, 2), 1])
def test_any_number_is_a_timeout(base: Base, timeout: Any) -> None:
    got: list[int] = []
    timer = base.addevent(None, EV_TIMEOUT, lambda flags: got.append(flags) or LEAVE, timeout)
    base.loop()
    assert got == [EV_TIMEOUT]
    timer.close()


@pytest.mark.parametrize("timeout", [1e12, math.inf, 10**400])
def test_a_huge_timeout_does_not_fire(
    base: Base, stop_after: Callable[..., object], timeout: float
) -> None:
    got: list[int] = []
    timer = base.addevent(None, EV_TIMEOUT, got.append, timeout)
    stop_after(100, timer)
    base.loop()
    assert got == []


def test_a_repeating_timer_does_not_catch_up(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    got: list[float] = []

    def callback(flags: int) -> int | None:
        got.append(clock.now() - start)
        if len(got) == 1:
            clock.advance(2.125)
        return None if len(got) < 3 else LEAVE

    timer = base.addevent(None, EV_TIMEOUT, callback, 0.25)
    base.loop()
    assert got == [0.25, 2.625, 2.875]
    timer.close()


# ---- addevent: wrong arguments


BAD_CALLS: list[tuple[tuple[Any, ...], type[Exception] | tuple[type[Exception], ...]]] = [
    ((None, EV_TIMEOUT, print), ValueError),
    ((None, EV_READ, print, None), ValueError),
    ((None, EV_TIMEOUT, None, 1), TypeError),
    ((None, EV_TIMEOUT, 5, 1), TypeError),
    ((None, EV_TIMEOUT, print, -1), ValueError),
    ((None, EV_TIMEOUT, print, math.nan), ValueError),
    ((None, EV_TIMEOUT, print, "1"), TypeError),
    ((None, EV_TIMEOUT, print, True), TypeError),
    ((None, EV_TIMEOUT, print, {}), TypeError),
    ((None, None, print, 1), TypeError),
    ((None, "read", print, 1), TypeError),
    ((None, 2.7, print, 1), TypeError),
    ((None, True, print, 1), TypeError),
    ((None, LEAVE, print, 1), ValueError),
    ((None, -5, print, 1), ValueError),
    ((None, 256, print, 1), ValueError),
    ((None, EV_SIGNAL, print, 1), ValueError),
    ((0, EV_SIGNAL, print), ValueError),
    ((0, EV_READ | EV_SIGNAL, print), ValueError),
    ((0, EV_WRITE | EV_SIGNAL, print), ValueError),
    ((True, EV_READ, print), TypeError),
    (({}, EV_READ, print), TypeError),
    ((1.0, EV_READ, print), TypeError),
    ((-1, EV_READ, print), ValueError),
    ((-1, EV_READ, print, 1), ValueError),
    ((2**40, EV_READ, print), ValueError),
    ((2**40, 0, print, 1), ValueError),
    ((2**31 - 1, EV_READ, print), OSError),
    ((2**31 - 1, 0, print, 1), OSError),
]


@pytest.mark.parametrize("arguments, error", BAD_CALLS)
def test_a_wrong_call_raises_and_leaves_no_trace(
    base: Base, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        base.addevent(*arguments)
    base.loop()


@pytest.mark.parametrize("event", [EV_READ, EV_WRITE, EV_READ | EV_WRITE, 0])
def test_a_closed_descriptor_is_refused_at_once(base: Base, event: int) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError):
        base.addevent(read, event, print, 1)
    base.loop()


def test_a_regular_file_is_refused(base: Base, tmp_path: Any) -> None:
    with open(tmp_path / "file", "w+b") as file, pytest.raises(PermissionError):
        base.addevent(file, EV_READ, print)
    base.loop()


def test_an_object_with_fileno_is_a_descriptor(base: Base) -> None:
    class Odd:
        def __init__(self, number: Any) -> None:
            self.number = number

        def fileno(self) -> Any:
            return self.number

    for number, error in ((-1, ValueError), (True, TypeError), ("0", TypeError)):
        with pytest.raises(error):
            base.addevent(Odd(number), EV_READ, print)
    near, far = socket.socketpair()
    near.close()
    with pytest.raises(ValueError):
        base.addevent(near, EV_READ, print)
    far.close()


# ---- lifetimes


def test_close_erases_and_does_not_close_the_descriptor(base: Base, pair: MakePair) -> None:
    near, far = ready_pair(pair)
    got: list[int] = []
    event = base.addevent(near, EV_READ, got.append, 1)
    event.close()
    event.close()
    base.loop()
    assert got == []
    assert near.recv(1) == b"x"
    near.send(b"y")
    assert far.recv(1) == b"y"


@pytest.mark.parametrize("answer", [None, EV_READ, (EV_READ, 1), LEAVE, True, "junk"])
def test_a_closed_event_ignores_the_answer_of_its_callback(
    base: Base, pair: MakePair, answer: Any
) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []

    def callback(flags: int) -> Any:
        got.append(flags)
        event.close()
        return answer

    event = base.addevent(near, EV_READ, callback, 1)
    base.loop()
    assert got == [EV_READ]


def test_closed_by_another_in_the_same_turn_is_not_called(base: Base, pair: MakePair) -> None:
    got: list[int] = []
    events: list[luaevent.Event] = []

    def callback(flags: int) -> None:
        got.append(flags)
        for event in events:
            event.close()

    for _ in range(3):
        near, _far = ready_pair(pair)
        events.append(base.addevent(near, EV_READ, callback))
        events.append(base.addevent(None, EV_TIMEOUT, callback, 0))
    base.loop()
    assert len(got) == 1


def test_a_collected_event_is_erased_and_a_referenced_one_is_not(
    base: Base, pair: MakePair, stop_after: Callable[..., object]
) -> None:
    near, _far = ready_pair(pair)
    got: list[str] = []
    kept = base.addevent(None, EV_TIMEOUT, lambda flags: got.append("kept"), 1)
    base.addevent(near, EV_READ, lambda flags: got.append("dropped"))
    base.addevent(None, EV_TIMEOUT, lambda flags: got.append("dropped"), 1)

    def collect(flags: int) -> int:
        gc.collect()
        return LEAVE

    collector = base.addevent(None, EV_TIMEOUT, collect, 0.5)
    stop_after(2.5, kept)
    base.loop()
    assert got == ["kept", "kept"]
    del collector


def test_an_event_dropped_in_its_callback_is_not_called_again(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    got: list[int] = []
    box: list[luaevent.Event] = []

    def callback(flags: int) -> int:
        got.append(flags)
        box.clear()
        return EV_READ

    box.append(base.addevent(near, EV_READ, callback, 1))
    base.loop()
    assert got == [EV_READ]


def test_an_event_keeps_its_socket(base: Base) -> None:
    near, far = socket.socketpair()
    number = near.fileno()
    event = base.addevent(near, EV_READ, lambda flags: LEAVE)
    del near
    gc.collect()
    far.send(b"x")
    base.loop()
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(number)
    event.close()
    far.close()


def test_several_events_of_one_descriptor_live_apart(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    counts = {"once": 0, "thrice": 0, "writer": 0}

    def count(name: str, limit: int) -> Callable[[int], int | None]:
        def callback(flags: int) -> int | None:
            counts[name] += 1
            return LEAVE if counts[name] == limit else None

        return callback

    events = [
        base.addevent(near, EV_READ, count("once", 1)),
        base.addevent(near, EV_READ, count("thrice", 3)),
        base.addevent(near, EV_WRITE, count("writer", 2), 5),
    ]
    base.loop()
    assert counts == {"once": 1, "thrice": 3, "writer": 2}
    del events


def test_an_event_may_follow_on_the_same_descriptor(base: Base, pair: MakePair) -> None:
    near, _far = ready_pair(pair)
    trace: list[str] = []
    kept: list[luaevent.Event] = []

    def first(flags: int) -> int:
        trace.append("first")
        kept.append(base.addevent(near, EV_READ, second))
        return LEAVE

    def second(flags: int) -> int:
        trace.append("second")
        return LEAVE

    kept.append(base.addevent(near, EV_READ, first))
    base.loop()
    assert trace == ["first", "second"]


def test_repr_tells_what_is_registered(base: Base, pair: MakePair) -> None:
    near, _far = pair()
    reader = base.addevent(near, EV_READ, print, 5)
    timer = base.addevent(None, EV_TIMEOUT, print, 1)
    assert repr(reader).startswith(f"<luaevent.Event: fd {near.fileno()}, flags 2, timeout 5.0, ")
    assert repr(timer).startswith("<luaevent.Event: timeout 1.0, ")
    timer.close()
    assert repr(timer) == "<luaevent.Event: closed>"
    assert "luaevent.Base: " in repr(base)


# ---- descriptors closed under their event


def test_a_descriptor_closed_under_its_event_stops_nobody_else(
    base: Base, pipe: Callable[[], tuple[int, int]], poller: str
) -> None:
    """epoll forgets it in silence; the others give one call and drop the event."""
    read, _write = pipe()
    got: list[int] = []
    ticks: list[int] = []

    def tick(flags: int) -> int:
        ticks.append(flags)
        if len(ticks) == 1:
            os.close(read)
        if len(ticks) == 5:
            event.close()
            return LEAVE
        return EV_TIMEOUT

    event = base.addevent(read, EV_READ, lambda flags: got.append(flags), 100)
    timer = base.addevent(None, EV_TIMEOUT, tick, 1)
    base.loop()
    assert len(ticks) == 5
    assert got == ([] if poller == "epoll" else [EV_READ])
    timer.close()


def test_a_new_direction_for_a_closed_descriptor_is_an_error(
    base: Base, pipe: Callable[[], tuple[int, int]]
) -> None:
    read, write = pipe()
    os.write(write, b"x")

    def callback(flags: int) -> int:
        os.close(read)
        return EV_WRITE

    event = base.addevent(read, EV_READ, callback, 1)
    with pytest.raises(OSError):
        base.loop()
    base.loop()
    event.close()


def test_a_reused_number_is_not_watched_on_the_old_event_s_word(
    base: Base, pipe: Callable[[], tuple[int, int]]
) -> None:
    read, write = pipe()
    _other, other_write = pipe()
    os.write(write, b"x")

    def callback(flags: int) -> int:
        os.dup2(other_write, read)
        return EV_WRITE

    event = base.addevent(read, EV_READ, callback)
    with pytest.raises(OSError):
        base.loop()
    base.loop()
    event.close()


@pytest.mark.parametrize("close_first", [False, True])
def test_a_new_event_on_a_reused_number_works(
    base: Base, pipe: Callable[[], tuple[int, int]], close_first: bool
) -> None:
    read, _write = pipe()
    other, other_write = pipe()
    trace: list[str] = []
    old = base.addevent(read, EV_READ, lambda flags: trace.append("old"))
    if close_first:
        old.close()
    os.dup2(other, read)
    os.write(other_write, b"x")
    new = base.addevent(read, EV_READ, lambda flags: trace.append("new") or LEAVE)
    old.close()
    base.loop()
    assert trace == ["new"]
    new.close()


# ---- loop and close


def test_an_exception_comes_out_and_everything_stays(base: Base, pair: MakePair) -> None:
    counts = [0, 0, 0]
    events = []

    def callback(number: int) -> Callable[[int], int]:
        def callback(flags: int) -> int:
            counts[number] += 1
            if number == 1 and counts[1] <= 300:
                raise LookupError
            return EV_READ if counts[1] <= 300 else LEAVE

        return callback

    for number in range(3):
        near, _far = ready_pair(pair)
        events.append(base.addevent(near, EV_READ, callback(number), 5))
    for _ in range(300):
        with pytest.raises(LookupError):
            base.loop()
    base.loop()
    assert counts[1] == 301
    assert min(counts) >= 299


def test_a_timer_that_raises_is_armed_again(base: Base, clock: VirtualClock) -> None:
    start = clock.now()
    got: list[float] = []

    def callback(flags: int) -> int:
        got.append(clock.now() - start)
        if len(got) < 3:
            raise LookupError
        return LEAVE

    timer = base.addevent(None, EV_TIMEOUT, callback, 1)
    for _ in range(2):
        with pytest.raises(LookupError):
            base.loop()
    base.loop()
    assert got == [1, 2, 3]
    timer.close()


def test_a_nested_loop_is_refused_and_the_outer_goes_on(base: Base) -> None:
    trace: list[str] = []

    def callback(flags: int) -> int:
        for act in (base.loop, base.close):
            with pytest.raises(tideloop.RunningError):
                act()
        trace.append("refused")
        return LEAVE

    events = [
        base.addevent(None, EV_TIMEOUT, callback, 1),
        base.addevent(None, EV_TIMEOUT, lambda flags: trace.append("later") or LEAVE, 2),
    ]
    base.loop()
    assert trace == ["refused", "later"]
    del events


def test_another_base_can_loop_inside(base: Base, poller: str, clock: VirtualClock) -> None:
    trace: list[str] = []
    inner = luaevent.new(poller, clock)
    one = inner.addevent(None, EV_TIMEOUT, lambda flags: trace.append("inner") or LEAVE, 1)

    def callback(flags: int) -> int:
        inner.loop()
        inner.close()
        trace.append("outer")
        return LEAVE

    two = base.addevent(None, EV_TIMEOUT, callback, 1)
    base.loop()
    assert trace == ["inner", "outer"]
    del one, two


def test_a_closed_base_refuses_and_its_events_close_without_harm(base: Base) -> None:
    event = base.addevent(None, EV_TIMEOUT, print, 1)
    base.close()
    base.close()
    event.close()
    with pytest.raises(tideloop.ClosedError):
        base.loop()
    with pytest.raises(tideloop.ClosedError):
        base.addevent(None, EV_TIMEOUT, print, 1)


def test_a_dropped_base_is_closed_though_its_events_are_kept(poller: str, no_leak: None) -> None:
    near, far = socket.socketpair()

    class Callback:
        def __call__(self, flags: int) -> None: ...

    callback = Callback()
    dead = weakref.ref(callback)
    gc.disable()
    try:
        base = luaevent.new(poller)
        events = [
            base.addevent(near, EV_READ, callback, 5),
            base.addevent(None, EV_TIMEOUT, callback, 5),
        ]
        del base, callback
        assert dead() is None
    finally:
        gc.enable()
    for event in events:
        event.close()
    near.close()
    far.close()


def test_ctrl_c_ends_a_loop_that_sleeps(poller: str) -> None:
    base = luaevent.new(poller)
    timer = base.addevent(None, EV_TIMEOUT, lambda flags: None, 100)
    before = signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            base.loop()
    finally:
        signal.signal(signal.SIGALRM, before)
    timer.close()
    base.loop()


# ---- any history


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    timers=st.lists(
        st.tuples(
            st.integers(1, 40), st.lists(st.one_of(st.none(), st.integers(1, 40)), max_size=6)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_timers_that_change_their_minds_fire_when_the_model_says(
    poller: str, timers: list[tuple[int, list[int | None]]]
) -> None:
    """Each timer has a first timeout and a list of answers; then it leaves.

    Eighths of a second, so that the sums are exact.
    """
    clock = VirtualClock()
    base = luaevent.new(poller, clock)
    got: list[tuple[float, int]] = []
    expected: list[tuple[float, int]] = []
    events = []
    for number, (first, answers) in enumerate(timers):
        at = timeout = first / 8
        expected.append((at, number))
        for answer in answers:
            timeout = timeout if answer is None else answer / 8
            at += timeout
            expected.append((at, number))
        left = iter(answers)

        def callback(flags: int, number: int = number, left: Any = left) -> luaevent.Answer:
            got.append((clock.now(), number))
            try:
                answer = next(left)
            except StopIteration:
                return LEAVE
            return None if answer is None else (EV_TIMEOUT, answer / 8)

        events.append(base.addevent(None, EV_TIMEOUT, callback, first / 8))
    base.loop()
    base.close()
    assert sorted(got) == sorted(expected)
    assert [at for at, _ in got] == sorted(at for at, _ in got)


# ---- what the complete library adds to bases


@pytest.mark.parametrize("seconds", [0, 0.25, 3])
def test_loopexit_ends_the_loop_and_the_events_stay(
    base: Base, clock: VirtualClock, seconds: float
) -> None:
    """Called before the loop; what is due in the same turn is still called."""
    calls: list[float] = []
    kept = base.addevent(None, EV_TIMEOUT, lambda flags: calls.append(clock.now()), 0.25)
    start = clock.now()
    base.loopexit(seconds)
    base.loop()
    assert clock.now() == start + seconds
    assert len(calls) == seconds // 0.25
    base.loopexit(0.5)
    base.loop()
    assert clock.now() == start + seconds + 0.5
    assert len(calls) >= seconds // 0.25 + 1
    kept.close()


def test_loopexit_in_a_callback_lets_the_next_turn_finish(base: Base, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    calls: list[int] = []

    def callback(flags: int) -> None:
        calls.append(flags)
        if len(calls) == 1:
            base.loopexit()

    kept = base.addevent(near, EV_READ, callback)
    base.loop()
    assert calls == [EV_READ] * 2
    kept.close()


def test_loopexit_keeps_a_base_waiting_and_is_refused_when_wrong(
    base: Base, clock: VirtualClock
) -> None:
    start = clock.now()
    base.loopexit(5)
    base.loop()
    assert clock.now() == start + 5
    for wrong in (-1, math.nan, "1", None, True):
        with pytest.raises((TypeError, ValueError)):
            base.loopexit(wrong)  # type: ignore[arg-type]  # wrong on purpose
    base.loop()
    assert clock.now() == start + 5
    base.close()
    with pytest.raises(tideloop.ClosedError):
        base.loopexit()


def test_method_names_what_the_base_waits_with(base: Base, poller: str) -> None:
    assert base.method() == poller
