"""luaevent's buffer and bufferevent: what their documents say, and what they leave open."""

from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from tideloop import ClosedError, UsageError, VirtualClock, luaevent
from tideloop.luaevent import Base, Entry
from tideloop.luaevent.buffer import Buffer
from tideloop.luaevent.bufferevent import BufferEvent

Pairs = Callable[[], tuple[socket.socket, socket.socket]]
Pipes = Callable[[], tuple[int, int]]


@pytest.fixture
def core(poller: str) -> Entry:
    return luaevent.entry(poller, VirtualClock())


@pytest.fixture
def base(core: Entry) -> Iterator[Base]:
    base = core.new()
    yield base
    base.close()


def filled(*parts: bytes) -> Buffer:
    buffer = luaevent.buffer.new()
    if parts:
        buffer.add(*parts)
    return buffer


def test_they_are_where_a_program_looks_for_them(core: Entry) -> None:
    assert core.buffer is import_module("tideloop.luaevent.buffer") is luaevent.buffer
    assert core.bufferevent is import_module("tideloop.luaevent.bufferevent")


# ---- buffer


def test_a_new_buffer_is_empty() -> None:
    buffer = luaevent.buffer.new()
    assert (buffer.length(), len(buffer), bytes(buffer), buffer.get_data()) == (0, 0, b"", b"")
    assert buffer


def test_add_says_how_much_it_added_and_empties_buffers() -> None:
    buffer, other = filled(b"a"), filled(b"cd")
    assert buffer.add(b"b", other, b"", bytearray(b"e"), other, b"f" * 5000) == 5004
    assert buffer.get_data(6) == b"abcdef"
    assert other.length() == 0
    assert other.add(b"usable") == 6


@pytest.mark.parametrize("wrong", [None, True, "text", 5, [b"x"], print])
def test_one_wrong_argument_adds_nothing(wrong: Any) -> None:
    buffer, other = filled(b"a"), filled(b"b")
    with pytest.raises(TypeError):
        buffer.add(b"good", other, wrong)
    with pytest.raises(ValueError):
        buffer.add(b"good", buffer)
    with pytest.raises(TypeError):
        buffer.add()  # type: ignore[call-arg]  # wrong on purpose
    closed = filled()
    closed.close()
    with pytest.raises(ClosedError):
        buffer.add(b"good", closed)
    assert (buffer.get_data(), other.get_data()) == (b"a", b"b")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), b"123456789"),
        ((0,), b""),
        ((4,), b"1234"),
        ((9,), b"123456789"),
        ((10,), b"123456789"),
        ((-1,), b"123456789"),
        ((1, 3), b"123"),
        ((9, 5), b"9"),
        ((10, 5), b""),
        ((4, 0), b""),
        ((4, -1), b"456789"),
        ((-1, 1), b"9"),
        ((-2, 2), b"89"),
        ((-2, 1), b"8"),
        ((-2, 5), b"89"),
        ((-9, 9), b"123456789"),
        ((-12, 3), b"123"),
        ((0, 3), b"123"),
    ],
)
def test_get_data(arguments: tuple[int, ...], expected: bytes) -> None:
    buffer = filled(b"12345", b"6789")
    data = buffer.get_data(*arguments)
    buffer.drain(3)
    assert data == expected
    assert buffer.get_data() == b"456789"


def test_lines() -> None:
    buffer = filled(b"a\n\nb\r\n\r\nc\rd\n\re\0f\r")
    lines = [buffer.readline() for _ in range(8)]
    assert lines == [b"a", b"", b"b", b"", b"c", b"d", b"e\0f", None]
    buffer.add(b"\ndef")
    assert [buffer.readline(), buffer.readline()] == [b"", None]
    assert buffer.get_data() == b"def"


@pytest.mark.parametrize("amount, left", [(0, 5), (2, 3), (5, 0), (99, 0), (-1, 0)])
def test_drain(amount: int, left: int) -> None:
    buffer = filled(b"12345")
    buffer.drain(amount)
    assert buffer.length() == left
    with pytest.raises(TypeError):
        buffer.drain()  # type: ignore[call-arg]  # wrong on purpose


def test_read_and_write(pair: Pairs) -> None:
    near, far = pair()
    buffer = filled(b"old ")
    assert buffer.read(near, 5) == -1
    far.send(b"0123456789")
    assert buffer.read(near, 4) == 4
    assert buffer.read(near.fileno(), -1) == 6
    far.close()
    assert buffer.read(near, 5) == 0
    assert buffer.get_data() == b"old 0123456789"
    assert buffer.write(near) == -1
    assert buffer.length() == 14
    with pytest.raises(TypeError):
        buffer.read(near)  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(TypeError):
        buffer.write(None)  # type: ignore[arg-type]  # wrong on purpose


def test_write_removes_what_was_taken(pair: Pairs) -> None:
    near, far = pair()
    buffer = filled(*[bytes([number % 256]) * 3000 for number in range(1000)])
    before = buffer.get_data()
    sent = buffer.write(near)
    assert 0 < sent < len(before)
    assert buffer.get_data() == before[sent:]
    got = b""
    while len(got) < sent:
        got += far.recv(sent)
    assert got == before[:sent]
    assert filled().write(near) == 0


def test_a_closed_buffer_refuses_all_but_close() -> None:
    buffer = filled(b"x")
    buffer.close()
    buffer.close()
    for call in (
        buffer.length,
        buffer.get_data,
        buffer.readline,
        lambda: len(buffer),
        lambda: bytes(buffer),
        lambda: buffer.add(b"x"),
        lambda: buffer.drain(1),
        lambda: buffer.read(0, 1),
        lambda: buffer.write(1),
    ):
        with pytest.raises(ClosedError):
            call()
    assert "closed" in repr(buffer)


# ---- bufferevent


class Recorder:
    def __init__(self, core: Entry, base: Base, fd: socket.socket | int) -> None:
        self.calls: list[tuple[str, int]] = []
        self.event = core.bufferevent.new(base, fd, self.read, self.write, self.error)

    def read(self, event: BufferEvent, what: int) -> None:
        assert event is self.event
        self.calls.append(("read", what))

    def write(self, event: BufferEvent, what: int) -> None:
        assert event is self.event
        self.calls.append(("write", what))

    def error(self, event: BufferEvent, what: int) -> None:
        assert event is self.event
        self.calls.append(("error", what))


def queues(event: BufferEvent) -> tuple[Buffer, Buffer]:
    incoming, outgoing = event.get_read(), event.get_write()
    assert incoming is not None
    assert outgoing is not None
    return incoming, outgoing


def test_reading_is_disabled_at_first_and_writing_enabled(
    core: Entry, base: Base, pair: Pairs
) -> None:
    near, far = pair()
    recorder = Recorder(core, base, near)
    incoming, outgoing = queues(recorder.event)
    assert incoming is recorder.event.get_read()
    far.send(b"in")
    base.loop()
    assert recorder.calls == []
    assert outgoing.add(b"out") == 3
    base.loop()
    assert far.recv(10) == b"out"
    assert recorder.calls == [("write", core.EVBUFFER_WRITE)]
    assert recorder.event.enable(core.EV_READ) == 0
    far.close()
    base.loop()
    assert recorder.calls[1:] == [
        ("read", core.EVBUFFER_READ),
        ("error", core.EVBUFFER_EOF | core.EVBUFFER_READ),
    ]
    assert incoming.get_data() == b"in"


def test_draining_the_input_goes_on_reading(core: Entry, base: Base, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(core, base, near)
    event = recorder.event
    event.set_read_watermarks(2, 4)
    event.enable(core.EV_READ)
    far.send(b"0123456789")
    incoming, _ = queues(event)
    got = b""
    for take in (
        lambda: incoming.drain(2),
        lambda: filled().add(incoming),
        lambda: incoming.drain(-1),
    ):
        base.loop()
        assert incoming.length() == 4 or len(got) + incoming.length() == 10
        before = incoming.get_data()
        take()
        got += before[: len(before) - incoming.length()]
    assert got == b"0123456789"[: len(got)]
    assert all(call == ("read", core.EVBUFFER_READ) for call in recorder.calls)
    event.close()


def test_the_input_is_for_taking_and_the_output_for_adding(
    core: Entry, base: Base, pair: Pairs, pipe: Pipes
) -> None:
    near, far = pair()
    recorder = Recorder(core, base, near)
    incoming, outgoing = queues(recorder.event)
    reading, writing = pipe()
    os.write(writing, b"from a pipe")
    for refused in (
        lambda: incoming.add(b"x"),
        lambda: incoming.read(reading, 5),
        lambda: outgoing.drain(1),
        lambda: outgoing.readline(),
        lambda: outgoing.write(writing),
        lambda: filled().add(outgoing),
        incoming.close,
        outgoing.close,
    ):
        with pytest.raises(UsageError):
            refused()
    assert outgoing.read(reading, 100) == 11
    base.loop()
    assert far.recv(100) == b"from a pipe"


def test_the_write_watermark_high_limits_nothing(core: Entry, base: Base, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(core, base, near)
    recorder.event.set_write_watermarks(0, 2)
    queues(recorder.event)[1].add(b"12345")
    base.loop()
    assert far.recv(10) == b"12345"


def test_enable_and_disable(core: Entry, base: Base, pair: Pairs) -> None:
    near, far = pair()
    recorder = Recorder(core, base, near)
    recorder.event.disable(core.EV_WRITE)
    queues(recorder.event)[1].add(b"later")
    base.loop()
    with pytest.raises(BlockingIOError):
        far.recv(1)
    recorder.event.enable(core.EV_WRITE)
    base.loop()
    assert far.recv(10) == b"later"
    recorder.event.enable(core.EV_WRITE)
    base.loop()
    assert recorder.calls == [("write", core.EVBUFFER_WRITE)] * 2
    for wrong in (None, True, 1, 8, "r"):
        with pytest.raises((TypeError, ValueError)):
            recorder.event.enable(wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        recorder.event.enable()  # type: ignore[call-arg]  # wrong on purpose


@pytest.mark.parametrize("timeout", [0.25, 3])
def test_timeouts_may_be_fractions_and_zero_is_none(
    core: Entry, base: Base, pair: Pairs, timeout: float
) -> None:
    near, _ = pair()
    recorder = Recorder(core, base, near)
    recorder.event.set_timeouts(timeout, 0)
    recorder.event.enable(core.EV_READ)
    base.loop()
    assert recorder.calls == [("error", core.EVBUFFER_TIMEOUT | core.EVBUFFER_READ)]


def test_wrong_arguments(core: Entry, base: Base, pair: Pairs) -> None:
    near, _ = pair()
    new: Any = core.bufferevent.new
    nobody = print
    for arguments in (
        (near, nobody, nobody, nobody),
        (None, near, nobody, nobody, nobody),
        (base, near, 5, None, nobody),
        (base, near, None, None, None),
        (base, "fd", None, None, nobody),
    ):
        with pytest.raises(TypeError):
            new(*arguments)
    base.close()
    with pytest.raises(ClosedError):
        new(base, near, None, None, nobody)


@pytest.mark.parametrize("how", ["close", "collect"])
def test_without_the_bufferevent_its_buffers_are_closed(
    core: Entry, base: Base, pair: Pairs, how: str
) -> None:
    near, far = pair()
    calls: list[object] = []
    event: BufferEvent | None = core.bufferevent.new(
        base, near, lambda *args: calls.append(args), None, print
    )
    assert event is not None
    reference = weakref.ref(event)
    event.enable(core.EV_READ)
    incoming, outgoing = queues(event)
    far.send(b"x")
    if how == "close":
        event.close()
        event.close()
        assert event.get_read() is event.get_write() is None
        for late, arguments in (
            ("enable", (core.EV_READ,)),
            ("disable", (core.EV_READ,)),
            ("set_timeouts", (1, 1)),
            ("set_read_watermarks", (1, 1)),
            ("set_write_watermarks", (1, 1)),
        ):
            with pytest.raises(ClosedError):
                getattr(event, late)(*arguments)
        event.close_when_sent()
    del event
    gc.collect()
    assert reference() is None
    for call in (incoming.length, lambda: outgoing.add(b"x")):
        with pytest.raises(ClosedError):
            call()
    incoming.close()
    base.loop()
    assert calls == []


def test_closed_inside_its_callback_and_errors_come_out(
    core: Entry, base: Base, pair: Pairs
) -> None:
    near, far = pair()

    def read(event: BufferEvent, what: int) -> None:
        event.close()
        raise KeyError

    event = core.bufferevent.new(base, near, read, None, print)
    event.enable(core.EV_READ)
    far.send(b"x")
    with pytest.raises(KeyError):
        base.loop()
    base.loop()


def test_it_belongs_to_the_base_it_was_made_with(core: Entry, base: Base, pair: Pairs) -> None:
    near, far = pair()
    other = core.new()
    recorder = Recorder(core, base, near)
    later = core.new()
    recorder.event.enable(core.EV_READ)
    far.send(b"x")
    far.close()
    other.loop()
    later.loop()
    assert recorder.calls == []
    base.loop()
    assert len(recorder.calls) == 2
    other.close()
    later.close()
