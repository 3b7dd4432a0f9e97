"""luaevent's buffer and bufferevent where their documents are open.

What the documents state is judged by the suite, which runs wherever these tests run.
"""

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
def core() -> Entry:
    return luaevent.entry(clock=VirtualClock())


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
