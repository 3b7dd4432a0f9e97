"""Checks of streams beside something else: an end, an error, a full input, another stream."""

from __future__ import annotations

import socket

import pytest

from ..testing.payload import assert_same
from .stream_input import ENDS, Reader
from .streams import Stream, Streams, Turns


@pytest.mark.parametrize("end", ["close", "half close"])
@pytest.mark.parametrize("size, high", [(100, 0), (5000, 1000), (100_000, 0), (100_000, 4096)])
@pytest.mark.parametrize("written", ["at first", "when some has arrived", "in each call"])
def test_input_arrives_though_output_fails(
    streams: Streams, end: str, size: int, high: int, written: str
) -> None:
    """The peer takes nothing any more: the output meets an error, the input meets none.

    Without a high watermark the program leaves everything in the input.
    """
    reader = Reader(streams, None)
    stream, reader.output_fails = reader.stream, True

    def take(stream: Stream) -> None:
        if high:
            stream.take()
        if written == "in each call" and len(stream.taken) < size:
            stream.put(b"nobody reads this")

    stream.acts["read"] = take

    def script() -> Turns:
        stream.set_read_marks(0, high)
        yield from stream.send(size)
        if end == "half close":
            stream.far.shutdown(socket.SHUT_RD)
        ENDS[end](stream.far)
        if written == "at first":
            stream.put(b"nobody reads this")
        stream.start()
        if written == "when some has arrived":
            yield from streams.until(lambda: stream.count("read"))
            stream.put(b"nobody reads this")
        yield from reader.take_all(high)

    streams.run(script)


@pytest.mark.parametrize("waits", [0, 1000], ids=["no output", "output waits"])
def test_the_input_goes_on_to_its_end_while_output_waits(streams: Streams, waits: int) -> None:
    """The channel to the peer is full; what the peer sends, and its end, arrive."""
    reader = Reader(streams, None)
    stream = reader.stream

    def script() -> Turns:
        stream.start()
        yield from streams.run_idle(3)
        stream.fill()
        stream.write(waits)
        yield from streams.run_idle(5)
        yield from stream.send(5000)
        ENDS["half close"](stream.far)
        yield from reader.take_all()

    streams.run(script)


@pytest.mark.parametrize("high", [1, 5, 4096])
@pytest.mark.parametrize("goes_on", ["taken", "lifted", "raised", "started again", "left alone"])
def test_a_full_input_is_no_end(streams: Streams, high: int, goes_on: str) -> None:
    """The program takes nothing until the input is full, stops, and takes it from there."""
    stream = streams.open()

    def fills(stream: Stream) -> None:
        if stream.input_level >= high and goes_on != "left alone":
            stream.stop()

    stream.acts["read"] = fills

    def script() -> Turns:
        stream.set_read_marks(0, high)
        stream.start()
        yield from stream.send(3 * high + 2)
        yield from stream.read_all(high)
        yield from streams.run_idle(5)
        assert not stream.count("error"), (
            f"error was called; the stream has not ended, but its input is full at {high} bytes"
        )
        if goes_on == "left alone":
            return
        stream.stop()
        if goes_on == "started again" and streams.holds_high:
            stream.start()
            yield from streams.run_idle()
            assert stream.input_level <= high, (
                f"a full input was started and has {stream.input_level} bytes; the high watermark "
                f"is {high}"
            )
        stream.acts["read"] = lambda stream: stream.take()
        if goes_on in ("lifted", "raised"):
            stream.set_read_marks(0, 0 if goes_on == "lifted" else 2 * high)
        while stream.take():
            pass
        stream.start()
        yield from stream.read_all()
        while stream.take():
            pass
        assert_same(stream.sent, stream.taken, "what arrived after the input was full")

    streams.run(script)


@pytest.mark.parametrize("taken", [1, 4, 10])
def test_room_in_a_full_input_is_filled(streams: Streams, taken: int) -> None:
    """The program stops the stream while it takes; one byte of room is enough."""
    stream = streams.open()

    def script() -> Turns:
        stream.set_read_marks(0, 10)
        stream.start()
        yield from stream.send(60)
        for _ in range(4):
            yield from stream.read_all(10)
            stream.stop()
            stream.take(taken)
            stream.start()
        yield from stream.read_all(10)
        stream.set_read_marks(0, 0)
        yield from stream.read_all()
        while stream.take():
            pass
        assert_same(stream.sent, stream.taken, "what arrived through a full input")

    streams.run(script)


def test_the_end_of_one_stream_leaves_others_alone(streams: Streams) -> None:
    """Three streams end one after the other; the bytes of each are its own."""
    readers = [Reader(streams, None) for _ in range(3)]

    def script() -> Turns:
        for number, reader in enumerate(readers):
            yield from reader.stream.send(bytes([number]) * 100)
            reader.stream.start()
        for number, reader in enumerate(readers):
            yield
            yield from reader.stream.send(bytes([number]) * 50)
            reader.stream.far.close()
            yield from reader.take_all()

    streams.run(script)


@pytest.mark.parametrize("marked", ["read", "write"])
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
@pytest.mark.parametrize("started", [False, True], ids=["before the start", "after it"])
def test_each_buffer_has_watermarks_of_its_own(
    streams: Streams, marked: str, first: bool, started: bool
) -> None:
    """Two streams have four buffers; one of these gets watermarks, the others have none."""
    made = [streams.open() for _ in range(2)]
    chosen = made[0] if first else made[1]

    def mark() -> None:
        if marked == "read":
            chosen.set_read_marks(10, 4096)
        else:
            chosen.set_write_marks(10, 12)

    def script() -> Turns:
        if not started:
            mark()
        for stream in made:
            stream.start()
        if started:
            mark()
        yield from streams.run_idle()
        for stream in made:
            yield from _judge_own_marks(streams, stream, 10 * (stream is chosen), marked)

    streams.run(script)


def _judge_own_marks(streams: Streams, stream: Stream, low: int, marked: str) -> Turns:
    low_of_input = low if marked == "read" else 0
    before = stream.count("read")
    yield from stream.arrive(5)
    called = stream.count("read") > before
    if not called and not low_of_input:
        called = yield from stream.is_called("read", before)
    assert called == (not low_of_input), (
        f"5 bytes arrived, and read was {'' if called else 'not '}called; the low watermark of "
        f"this input is {low_of_input}"
    )
    yield from stream.arrive(20)
    yield from stream.arrive(5)
    calls = len(stream.calls)
    stream.write(5)
    yield from stream.leave()
    assert (yield from stream.is_called("write")), "all output has left, and write was not called"
    wrong = [c for c in stream.calls[calls:] if c.name == "write" and c.output_level]
    assert not wrong or (marked == "write" and low), (
        f"write was called with {wrong[0].output_level} bytes left; the low watermark is 0"
    )
