"""The luaevent document's loop where the document is open, and what only the reference promises.

What the document states is judged by the suite, which runs wherever these tests run.
"""

# Callbacks here are often a lambda that appends and goes on.
# mypy: disable-error-code="func-returns-value"

from __future__ import annotations

import gc
import math
import os
import socket
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

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
def base(clock: VirtualClock) -> Base:
    """With the poller that tells of closed descriptors, wherever it runs."""
    return luaevent.new("poll", clock)


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


# ---- what the callback returns


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


# ---- lifetimes


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
    base: Base, pipe: Callable[[], tuple[int, int]]
) -> None:
    """One call, and the event is dropped."""
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
    assert got == [EV_READ]
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


# ---- loop and close


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


def test_a_dropped_base_is_closed_though_its_events_are_kept(no_leak: None) -> None:
    near, far = socket.socketpair()

    class Callback:
        def __call__(self, flags: int) -> None: ...

    callback = Callback()
    dead = weakref.ref(callback)
    gc.disable()
    try:
        base = luaevent.new()
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


# ---- what the complete library adds to bases


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


def test_method_names_what_the_base_waits_with(poller: str) -> None:
    assert luaevent.new(poller).method() == poller
