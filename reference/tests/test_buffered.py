"""Buffered events: watermarks, holds, timeouts, ends; nothing lost, nothing left."""

from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest

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


@pytest.fixture
def poller() -> str:
    """One is enough, and it tells of closed descriptors: a buffered event asks the loop alone."""
    return "poll"


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


def test_an_empty_output_holds_writing(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    event = BufferedEvent(loop, near)
    event.enable(WRITE)
    assert event.write_held == Hold.EMPTY
    event.write(b"x")
    assert event.write_held == 0
    turns(loop)
    assert event.write_held == Hold.EMPTY


def test_the_watermarks_can_be_asked(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    event = BufferedEvent(loop, near)
    event.set_read_watermarks(1, 2)
    event.set_write_watermarks(3, 4)
    assert (event.read_watermarks, event.write_watermarks) == ((1, 2), (3, 4))


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


def test_an_answer_waits_if_the_kernel_is_full(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += near.send(bytes(1 << 16))
    recorder.then["read"] = lambda event: event.write(b"answer")
    far.send(b"x")
    turns(loop)
    assert recorder.calls == [("read", 1)]
    assert receive(far, filled) == bytes(filled)
    turns(loop)
    assert receive(far, 100) == b"answer"
    assert recorder.calls == [("read", 1), ("write", 0)]


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


def test_a_closed_descriptor_ends_both_directions(loop: Loop, pair: Pairs) -> None:
    near, _ = pair()
    recorder = Recorder(loop, near.fileno())
    stuff(recorder.event, loop)
    near.close()
    turns(loop)
    assert recorder.calls == [EVBUFFER_ERROR | EVBUFFER_READ, EVBUFFER_ERROR | EVBUFFER_WRITE]


# ---- timeouts


def test_an_arrival_does_not_restart_the_timeout_of_writing(
    loop: Loop, clock: VirtualClock, pair: Pairs
) -> None:
    near, far = pair()
    recorder = Recorder(loop, near)
    stuff(recorder.event, loop)
    recorder.event.set_timeouts(10.0, 1.0)
    start = clock.now()
    clock.advance(0.75)
    far.send(b"x")
    loop.turn(0)
    while len(recorder.calls) < 2:
        loop.turn()
    assert recorder.calls == [("read", 1), EVBUFFER_TIMEOUT | EVBUFFER_WRITE]
    assert clock.now() == start + 1


@pytest.mark.parametrize("direction", [READ, WRITE])
def test_enabled_after_a_timeout_it_times_out_again(
    loop: Loop, clock: VirtualClock, pair: Pairs, direction: int
) -> None:
    near, _ = pair()
    recorder = Recorder(loop, near, direction)
    recorder.then["error"] = lambda event: event.enable(direction, announce=False)
    recorder.event.write(bytes(8_000_000))
    turns(loop)
    recorder.event.set_timeouts(1.0, 1.0)
    start = clock.now()
    for number in range(3):
        while len(recorder.calls) == number:
            loop.turn()
        assert clock.now() == start + number + 1


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
    if where == "read":
        with pytest.raises(BlockingIOError):
            far.recv(1)


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


def test_a_file_that_cannot_be_watched_is_refused_by_enable(loop: Loop) -> None:
    with open(__file__, "rb") as file:
        event = BufferedEvent(loop, file)
        with pytest.raises(PermissionError):
            event.enable(READ)
        assert event.read_held == Hold.DISABLED
        assert not loop.busy


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
