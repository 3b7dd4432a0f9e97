"""Buffered events: watermarks, holds, timeouts, ends; nothing lost, nothing left."""

from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tideloop
from tideloop import READ, WRITE, BufferedEvent, ClosedError, Hold, Loop, VirtualClock
from tideloop.luaevent.flags import (
    EVBUFFER_EOF,
    EVBUFFER_ERROR,
    EVBUFFER_READ,
    EVBUFFER_TIMEOUT,
    EVBUFFER_WRITE,
)

BOTH = READ | WRITE
Pairs = Callable[[], tuple[socket.socket, socket.socket]]


class Recorder:
    """A buffered event that writes down its calls; each callback may do more."""

    def __init__(self, loop: Loop, fd: socket.socket | int, enable: int = BOTH) -> None:
        self.calls: list[object] = []
        self.then: dict[str, Callable[[BufferedEvent], object]] = {}
        self.event = BufferedEvent(loop, fd, self.on_read, self.on_write, self.on_error)
        self.event.enable(enable, announce=False)

    def on_read(self, event: BufferedEvent) -> None:
        self.calls.append(("read", len(event.input)))
        self.then.get("read", repr)(event)

    def on_write(self, event: BufferedEvent) -> None:
        self.calls.append(("write", len(event.output)))
        self.then.get("write", repr)(event)

    def on_error(self, event: BufferedEvent, what: int) -> None:
        self.calls.append(what)
        self.then.get("error", repr)(event)


def turns(loop: Loop, count: int = 10) -> None:
    for _ in range(count):
        loop.turn(0)


def stuff(event: BufferedEvent, loop: Loop) -> int:
    """Write until the kernel takes no more; how much it took."""
    event.write(bytes(8_000_000))
    turns(loop)
    return 8_000_000 - len(event.output)


def receive(far: socket.socket, size: int) -> bytes:
    """Exactly *size* bytes, or what there is."""
    got = b""
    while len(got) < size:
        try:
            data = far.recv(size - len(got))
        except BlockingIOError:
            break
        if not data:
            break
        got += data
    return got


# ---- reading


@pytest.mark.parametrize("low", [0, 1, 4, 5, 6])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
def test_read_is_called_at_the_low_watermark(
    loop: Loop, pair: Pairs, low: int, at_once: bool
) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(low, 0)
    for piece in [b"12345"] if at_once else [b"1", b"2", b"3", b"4", b"5"]:
        far.send(piece)
        turns(loop)
    levels = [5] if at_once else [1, 2, 3, 4, 5]
    assert recorder.calls == [("read", level) for level in levels if level >= low]
    assert recorder.event.take() == b"12345"


@pytest.mark.parametrize("high", [1, 4, 9, 10, 11])
def test_the_input_never_holds_more_than_high(loop: Loop, pair: Pairs, high: int) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(0, high)
    far.send(b"0123456789")
    got = b""
    while got != b"0123456789":
        turns(loop)
        assert len(recorder.event.input) == min(high, 10 - len(got))
        assert bool(recorder.event.read_held & Hold.FULL) == (10 - len(got) >= high)
        got += recorder.event.take()
    assert len(recorder.calls) == -(-10 // high)


def test_a_full_input_calls_nobody_again_and_does_not_spin(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(0, 4)
    far.send(b"0123456789")
    turns(loop)
    assert recorder.calls == [("read", 4)]
    assert not loop.busy
    assert recorder.event.take(1) == b"0"
    turns(loop)
    assert recorder.calls == [("read", 4), ("read", 4)]


def test_room_made_in_the_callback_costs_no_kernel_call(
    loop: Loop, pair: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(0, 4)
    recorder.then["read"] = BufferedEvent.take
    changes: list[object] = []
    monkeypatch.setattr(recorder.event._registry, "rewatch", lambda *args: changes.append(args))
    far.send(b"0123456789")
    turns(loop)
    assert recorder.calls == [("read", 4), ("read", 4), ("read", 2)]
    assert changes == []


def test_a_new_high_watermark_counts_at_once_and_drops_nothing(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    event = recorder.event
    event.set_read_watermarks(0, 4)
    far.send(b"0123456789")
    turns(loop)
    event.set_read_watermarks(0, 6)
    turns(loop)
    assert len(event.input) == 6
    event.set_read_watermarks(0, 2)
    turns(loop)
    assert event.take(5) == b"01234"
    turns(loop)
    assert event.input.peek() == b"56"
    event.set_read_watermarks(0, 0)
    turns(loop)
    assert event.take() == b"56789"


def test_no_callback_is_needed_to_take_in(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    event = BufferedEvent(loop, near)
    event.enable()
    far.send(b"one\r\ntwo\npart")
    far.close()
    turns(loop)
    assert [event.take_line(), event.take_line(), event.take_line()] == [b"one", b"two", None]
    assert event.take() == b"part"
    assert not loop.busy


def test_reading_that_is_disabled_leaves_the_data_in_the_kernel(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near, WRITE)
    far.send(b"abc")
    turns(loop)
    assert recorder.calls == []
    recorder.event.enable(READ)
    turns(loop)
    recorder.event.disable(READ)
    far.send(b"def")
    turns(loop)
    assert recorder.calls == [("read", 3)]
    assert recorder.event.take() == b"abc"
    recorder.event.enable(READ)
    turns(loop)
    assert recorder.event.take() == b"def"


def test_draining_does_not_enable_what_was_disabled(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(0, 2)
    far.send(b"abcdef")
    turns(loop)
    recorder.event.disable(READ)
    recorder.event.take()
    turns(loop)
    assert recorder.event.read_held == Hold.DISABLED
    assert len(recorder.event.input) == 0


# ---- writing


def test_what_is_written_is_sent_by_the_loop_in_order(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    for piece in (b"a", bytearray(b"b"), memoryview(b"c"), b"", b"d" * 5000):
        recorder.event.write(piece)
    with pytest.raises(BlockingIOError):
        far.recv(1)
    turns(loop)
    assert far.recv(9999) == b"abc" + b"d" * 5000
    assert recorder.calls == [("write", 0)]
    assert not recorder.event.want & WRITE


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_write_is_called_at_the_low_watermark(loop: Loop, pair: Pairs, distance: int) -> None:
    """The test learns from a pair of the same kind how much one write takes."""
    probe, _ = pair()
    taken = os.write(probe.fileno(), bytes(8_000_000))
    near, _ = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_write_watermarks(1000, 0)
    recorder.event.write(bytes(taken + 1000 + distance))
    turns(loop)
    assert len(recorder.event.output) == 1000 + distance
    assert recorder.calls == ([("write", 1000 + distance)] if distance <= 0 else [])


def test_what_the_write_callback_writes_is_sent_and_calls_again(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    more = [b"three", b"two"]

    def write_more(event: BufferedEvent) -> None:
        if more:
            event.write(more.pop())

    recorder.then["write"] = write_more
    recorder.event.write(b"one")
    turns(loop)
    assert far.recv(100) == b"onetwothree"
    assert recorder.calls == [("write", 0)] * 3


def test_an_endless_writer_lets_others_have_their_turn(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    recorder = Recorder(loop, near)
    recorder.then["write"] = lambda event: event.write(b"again")
    recorder.event.write(b"first")
    turns(loop, 5)
    assert len(recorder.calls) == 5


def test_enabling_to_write_announces_itself_once(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    recorder = Recorder(loop, near)
    recorder.event.enable(WRITE)
    turns(loop, 20)
    assert recorder.calls == [("write", 0)]


def test_output_that_cannot_be_sent_waits_without_spinning(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    sent = stuff(recorder.event, loop)
    assert 0 < sent < 8_000_000
    assert not loop.turn(0)
    assert recorder.calls == []
    got = 0
    while got < 8_000_000:
        got += len(receive(far, 1_000_000))
        turns(loop, 2)
    assert recorder.calls == [("write", 0)]
    assert not recorder.event.want & WRITE


def test_output_waits_while_writing_is_disabled(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.disable(WRITE)
    recorder.event.write(b"kept")
    turns(loop)
    with pytest.raises(BlockingIOError):
        far.recv(1)
    recorder.event.enable(WRITE)
    turns(loop)
    assert far.recv(10) == b"kept"


# ---- ends


@pytest.mark.parametrize("low", [0, 3, 4, 100])
def test_the_end_comes_after_all_data_and_once(loop: Loop, pair: Pairs, low: int) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(low, 0)
    far.send(b"abc")
    far.shutdown(socket.SHUT_WR)
    loop.run()
    expected: list[object] = [("read", 3)] if low <= 3 else []
    assert recorder.calls == [*expected, EVBUFFER_EOF | EVBUFFER_READ]
    assert recorder.event.take() == b"abc"
    recorder.event.write(b"still open")
    turns(loop)
    assert far.recv(100) == b"still open"
    recorder.calls.clear()
    recorder.event.enable(READ)
    turns(loop)
    assert recorder.calls == [EVBUFFER_EOF | EVBUFFER_READ]


def test_the_end_waits_behind_a_full_input(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_read_watermarks(0, 2)
    far.send(b"abcd")
    far.close()
    got = b""
    for _ in range(2):
        turns(loop)
        assert EVBUFFER_EOF | EVBUFFER_READ not in recorder.calls
        got += recorder.event.take()
    turns(loop)
    assert got == b"abcd"
    assert recorder.calls == [("read", 2), ("read", 2), EVBUFFER_EOF | EVBUFFER_READ]


def test_a_write_error_is_reported_and_the_output_stays(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.disable(READ)
    sent = stuff(recorder.event, loop)
    far.close()
    turns(loop)
    assert recorder.calls == [EVBUFFER_ERROR | EVBUFFER_WRITE]
    assert isinstance(recorder.event.error, OSError)
    assert len(recorder.event.output) == 8_000_000 - sent
    assert not loop.busy


def test_a_reset_is_a_read_error_and_the_data_before_it_stays(loop: Loop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    with near:
        recorder = Recorder(loop, near)
        far.send(b"before")
        loop.turn(5)
        # closing with a linger of 0 seconds resets
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
        loop.turn(5)
        assert recorder.calls == [("read", 6), EVBUFFER_ERROR | EVBUFFER_READ]
        assert isinstance(recorder.event.error, ConnectionResetError)
        assert recorder.event.take() == b"before"
        recorder.event.close()


def test_a_descriptor_closed_under_the_event_ends_it(loop: Loop, pair: Pairs) -> None:
    """epoll forgets it in silence; poll and select tell.  None spins."""
    near, _ = pair()
    recorder = Recorder(loop, near.fileno())
    near.close()
    turns(loop)
    if recorder.calls:
        assert recorder.calls == [EVBUFFER_ERROR | EVBUFFER_READ]
        assert not loop.busy
    assert not loop.turn(0)
    recorder.event.close()


# ---- timeouts


def test_a_read_timeout_is_restarted_by_each_arrival(
    loop: Loop, clock: VirtualClock, pair: Pairs
) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_timeouts(1.0, None)
    start = clock.now()
    for _ in range(3):
        clock.advance(0.75)
        far.send(b"x")
        loop.turn(0)
    assert recorder.calls == [("read", 1), ("read", 2), ("read", 3)]
    loop.run()
    assert recorder.calls[3:] == [EVBUFFER_TIMEOUT | EVBUFFER_READ]
    assert clock.now() == start + 2.25 + 1.0
    assert recorder.event.take() == b"xxx"
    far.send(b"y")
    turns(loop)
    assert recorder.calls[4:] == []
    recorder.event.enable(READ)
    turns(loop)
    assert recorder.calls[4:] == [("read", 1)]


def test_a_write_timeout_runs_only_while_output_waits(
    loop: Loop, clock: VirtualClock, pair: Pairs
) -> None:
    near, far = pair()
    recorder = Recorder(loop, near, WRITE)
    recorder.event.set_timeouts(None, 1.0)
    assert not loop.busy
    recorder.event.write(b"goes at once")
    turns(loop)
    assert not loop.busy
    stuff(recorder.event, loop)
    start = clock.now()
    clock.advance(0.75)
    receive(far, 500_000)
    loop.turn(0)
    loop.run()
    assert recorder.calls == [("write", 0), EVBUFFER_TIMEOUT | EVBUFFER_WRITE]
    assert clock.now() == start + 1.75
    assert len(recorder.event.output)


def test_who_is_held_does_not_time_out(loop: Loop, clock: VirtualClock, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.event.set_timeouts(1.0, None)
    recorder.event.set_read_watermarks(0, 2)
    far.send(b"abcd")
    turns(loop)
    clock.advance(10)
    turns(loop)
    assert recorder.calls == [("read", 2)]
    recorder.event.take()
    turns(loop)
    recorder.event.take()
    start = clock.now()
    loop.run()
    assert recorder.calls[2:] == [EVBUFFER_TIMEOUT | EVBUFFER_READ]
    assert clock.now() == start + 1


def test_both_timeouts_in_one_turn_are_both_reported(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    recorder = Recorder(loop, near)
    stuff(recorder.event, loop)
    recorder.event.set_timeouts(1.0, 1.0)
    loop.run()
    assert recorder.calls == [EVBUFFER_TIMEOUT | EVBUFFER_READ, EVBUFFER_TIMEOUT | EVBUFFER_WRITE]


def test_timeouts_are_lengths(loop: Loop, pair: Pairs) -> None:
    event = BufferedEvent(loop, pair()[0])
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError):
            event.set_timeouts(wrong, None)
    with pytest.raises(TypeError):
        event.set_timeouts(None, "1")  # type: ignore[arg-type]  # wrong on purpose


# ---- closing


@pytest.mark.parametrize("where", ["read", "write", "error"])
@pytest.mark.parametrize("how", ["close", "disable"])
def test_closed_or_disabled_in_a_callback_is_at_once(
    loop: Loop, pair: Pairs, where: str, how: str
) -> None:
    """Everything else is due in the same turn: data, room, the end."""
    near, far = pair()
    recorder = Recorder(loop, near)
    recorder.then[where] = getattr(BufferedEvent, how)
    far.send(b"abc")
    if where == "error":
        turns(loop)
        recorder.calls.clear()
    recorder.event.write(b"out")
    far.shutdown(socket.SHUT_WR)
    turns(loop)
    calls = [call[0] if isinstance(call, tuple) else "error" for call in recorder.calls]
    expected = {"read": ["read"], "write": ["read", "write"], "error": ["error", "write"]}[where]
    if where == "error":
        expected = ["error"]
    assert calls == expected
    assert not loop.busy
    assert recorder.event.take() == b"abc"


def test_after_close_nothing_is_left(poller: str, pair: Pairs) -> None:
    before = set(os.listdir("/dev/fd"))
    near, far = pair()
    loop = Loop(poller)
    recorder = Recorder(loop, near)
    recorder.event.set_timeouts(1, 1)
    recorder.event.set_read_watermarks(1, 2)
    far.send(b"abc")
    stuffed = stuff(recorder.event, loop)
    reference = weakref.ref(recorder)
    event = recorder.event
    event.close()
    event.close()
    assert event.closed
    assert not loop.busy
    assert loop.registry.watching(near.fileno()) == ()
    del recorder
    gc.collect()
    assert reference() is None
    assert event.take() == b"ab"
    for late in (event.enable, event.disable, event.output_added, lambda: event.write(b"more")):
        with pytest.raises(ClosedError):
            late()
    assert len(event.output) == 8_000_000 - stuffed
    turns(loop)
    assert not loop.busy
    loop.close()
    near.close()
    far.close()
    assert set(os.listdir("/dev/fd")) == before


def test_a_loop_that_closes_closes_its_buffered_events(poller: str, pair: Pairs) -> None:
    near, _ = pair()
    loop = Loop(poller)
    recorder = Recorder(loop, near)
    reference = weakref.ref(recorder)
    loop.close()
    assert recorder.event.closed
    del recorder
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("where", ["read", "write", "error"])
def test_an_exception_comes_out_and_the_event_goes_on(loop: Loop, pair: Pairs, where: str) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)

    def fail(event: BufferedEvent) -> None:
        del recorder.then[where]
        event.write(b"!")
        raise KeyError(where)

    recorder.then[where] = fail
    far.send(b"abc")
    far.shutdown(socket.SHUT_WR)
    recorder.event.write(b"?")
    with pytest.raises(KeyError, match=where):
        loop.run()
    loop.run()
    assert far.recv(100) == b"?!"
    assert recorder.event.take() == b"abc"
    assert recorder.calls.count(EVBUFFER_EOF | EVBUFFER_READ) == 1


def test_wrong_arguments_leave_nothing_behind(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    with pytest.raises(TypeError):
        BufferedEvent(loop, near, 5)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(OSError):
        BufferedEvent(loop, 90_000)
    event = BufferedEvent(loop, near)
    for wrong in (-1, 1.5, True, None):
        with pytest.raises((TypeError, ValueError)):
            event.set_read_watermarks(wrong, 0)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises((TypeError, ValueError)):
            event.set_write_watermarks(0, wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        event.write("text")  # type: ignore[arg-type]  # wrong on purpose
    assert not loop.busy


def test_a_file_that_cannot_be_watched_is_refused_by_enable(loop: Loop) -> None:
    with open(__file__, "rb") as file:
        event = BufferedEvent(loop, file)
        with pytest.raises(PermissionError):
            event.enable(READ)
        assert event.read_held == Hold.DISABLED
        assert not loop.busy


# ---- a model

bits = st.integers(1, 3)
marks = st.integers(0, 12)


class BufferedAgainstModel(RuleBasedStateMachine):
    """Every byte is numbered; what was sent must arrive in order, all of it, once."""

    def __init__(self, poller: str) -> None:
        super().__init__()
        self.loop = Loop(poller, VirtualClock())
        self.near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        # what the peer sent, and how much of it the program took
        self.sent_in = b""
        self.taken = 0
        # what the program wrote, and how much of it the peer got
        self.written = b""
        self.got = 0
        self.low = self.high = self.write_low = 0
        self.enabled = 0
        self.ended = self.closed = False
        self.in_turn = False
        self.take_in_callback = 0
        self.write_in_callback = 0
        self.close_in_callback = False
        self.level = 0
        self.event = BufferedEvent(self.loop, self.near, self.on_read, self.on_write, self.on_error)

    @initialize(enable=st.integers(0, 3), low=marks, high=marks)
    def begin(self, enable: int, low: int, high: int) -> None:
        self.enable(enable)
        self.watermarks(low, high, low)

    # callbacks

    def on_read(self, event: BufferedEvent) -> None:
        assert self.in_turn
        assert not self.closed
        assert self.enabled & READ
        assert len(event.input) >= max(self.low, 1)
        assert len(event.input) > self.level
        self.do_take(self.take_in_callback)
        self.do_write(self.write_in_callback)
        if self.close_in_callback:
            self.close()

    def on_write(self, event: BufferedEvent) -> None:
        assert self.in_turn
        assert not self.closed
        assert self.enabled & WRITE
        assert len(event.output) <= self.write_low
        if self.close_in_callback:
            self.close()

    def on_error(self, event: BufferedEvent, what: int) -> None:
        assert self.in_turn
        assert not self.closed
        assert what == EVBUFFER_EOF | EVBUFFER_READ
        assert self.enabled & READ
        assert self.ended
        # everything came in before
        assert self.taken + len(event.input) == len(self.sent_in)
        self.enabled &= ~READ

    # what a program and its peer do

    def do_take(self, size: int) -> None:
        data = self.event.take(size)
        assert data == self.sent_in[self.taken : self.taken + len(data)]
        self.taken += len(data)
        self.level = len(self.event.input)

    def do_write(self, size: int) -> None:
        data = bytes((len(self.written) + index) % 251 for index in range(size))
        try:
            self.event.write(data)
        except ClosedError:
            assert self.closed
        else:
            assert not self.closed
            self.written += data

    @precondition(lambda self: not self.ended)
    @rule(size=st.integers(1, 30))
    def arrive(self, size: int) -> None:
        data = bytes((len(self.sent_in) + index) % 253 for index in range(size))
        self.sent_in += data[: self.far.send(data)]

    @precondition(lambda self: not self.ended)
    @rule()
    def end(self) -> None:
        self.far.shutdown(socket.SHUT_WR)
        self.ended = True

    @rule(size=st.integers(0, 40))
    def take(self, size: int) -> None:
        self.do_take(size)

    @rule(size=st.one_of(st.integers(0, 40), st.just(30_000)))
    def write(self, size: int) -> None:
        self.do_write(size)

    @rule(size=st.sampled_from([1, 10, 100_000]))
    def peer_reads(self, size: int) -> None:
        data = receive(self.far, size)
        assert data == self.written[self.got : self.got + len(data)]
        self.got += len(data)

    @rule(directions=bits)
    def enable(self, directions: int) -> None:
        if directions and not self.closed:
            self.event.enable(directions * READ)
            self.enabled |= directions * READ

    @precondition(lambda self: not self.closed)
    @rule(directions=bits)
    def disable(self, directions: int) -> None:
        self.event.disable(directions * READ)
        self.enabled &= ~(directions * READ)

    @rule(low=marks, high=marks, write_low=marks)
    def watermarks(self, low: int, high: int, write_low: int) -> None:
        if self.closed:
            return
        low = min(low, high) if high else low
        self.event.set_read_watermarks(low, high)
        self.event.set_write_watermarks(write_low, 0)
        self.low, self.high, self.write_low = low, high, write_low

    @rule(take=st.integers(0, 8), write=st.integers(0, 8))
    def callbacks_do(self, take: int, write: int) -> None:
        self.take_in_callback, self.write_in_callback = take, write

    @rule(count=st.integers(1, 3))
    def turn(self, count: int) -> None:
        for _ in range(count):
            self.level = len(self.event.input)
            self.in_turn = True
            self.loop.turn(0)
            self.in_turn = False

    @rule()
    def close_in_the_next_callback(self) -> None:
        self.close_in_callback = True

    @rule(sure=st.integers(0, 5))
    def close_now(self, sure: int) -> None:
        if not sure:
            self.close()

    def close(self) -> None:
        self.event.close()
        self.closed = True
        self.enabled = 0

    @invariant()
    def never_above_high(self) -> None:
        if self.high:
            assert len(self.event.input) <= max(self.high, self.level)
        self.level = len(self.event.input)

    @invariant()
    def watched_for_as_long_as_nothing_holds(self) -> None:
        want = 0
        if self.enabled & READ and not (self.high and len(self.event.input) >= self.high):
            want |= READ
        if self.enabled & WRITE and self.event.output:
            want |= WRITE
        assert self.event.want & READ == want & READ
        # one more, for the announcement
        assert self.event.want & want == want

    @invariant()
    def nothing_is_lost(self) -> None:
        inside = self.event.input.peek()
        assert inside == self.sent_in[self.taken : self.taken + len(inside)]
        waiting = self.event.output.peek()
        assert waiting == self.written[len(self.written) - len(waiting) :]

    def teardown(self) -> None:
        try:
            if not self.closed:
                self.close_in_callback = False
                self.take_in_callback = self.write_in_callback = 0
                self.event.set_read_watermarks(0, 0)
                self.low = self.high = 0
                self.enable(3)
                for _ in range(len(self.written) // 1000 + 50):
                    self.turn(1)
                    self.peer_reads(100_000)
                self.do_take(len(self.event.input))
                assert self.taken == len(self.sent_in)
                assert self.got == len(self.written)
                self.close()
            assert not self.loop.busy
            assert self.loop.registry.watching(self.near.fileno()) == ()
        finally:
            self.loop.close()
            self.near.close()
            self.far.close()


def test_a_buffered_event_and_its_model_agree(poller: str) -> None:
    run_state_machine_as_test(
        partial(BufferedAgainstModel, poller),  # type: ignore[arg-type]  # wrong on purpose
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None),
    )


def test_writing_enabled_in_on_write_is_announced(poller: str, pair: Pairs) -> None:
    """Bytes sent in the same step leave nothing to watch for, but the call is owed."""
    near, far = pair()
    with Loop(poller) as loop:
        recorder = Recorder(loop, near)
        left = 2

        def again(event: BufferedEvent) -> None:
            nonlocal left
            if left:
                left -= 1
                event.enable(WRITE)

        recorder.then = {"read": lambda event: event.write(event.take()), "write": again}
        far.send(b"x")
        turns(loop)
        assert far.recv(10) == b"x"
    assert recorder.calls == [("read", 1), ("write", 0), ("write", 0), ("write", 0)]


def test_they_are_where_a_program_looks_for_them() -> None:
    assert tideloop.BufferedEvent is BufferedEvent
