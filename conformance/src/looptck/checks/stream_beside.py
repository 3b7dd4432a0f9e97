"""Checks of streams beside something else: an end, an error, a full input, another stream."""

from __future__ import annotations

import socket
from collections.abc import Callable

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


@pytest.mark.parametrize("ready", ["input", "output"])
def test_a_stream_with_the_number_of_another_begins_anew(streams: Streams, ready: str) -> None:
    """Both are ready in one turn.  The first that is called closes the other's descriptor and
    makes a new stream, whose descriptor has that number."""
    made: list[Stream] = []
    new: list[Stream] = []

    def replace(stream: Stream) -> None:
        if new:
            return
        other = made[stream is made[0]]
        other.drop()
        number = other.near.fileno()
        other.near.close()
        other.far.close()
        new.append(streams.open(streams.channels.pair_at(number)))
        new[0].start()

    def script() -> Turns:
        made.extend(streams.open() for _ in range(2))
        for stream in made:
            stream.start()
        yield from streams.run_idle(5)
        for stream in made:
            stream.acts["read" if ready == "input" else "write"] = replace
            if ready == "input":
                yield from stream.send(b"old")
            else:
                stream.write(b"old")
        yield from streams.until(lambda: new)
        assert new, f"two streams had {ready}, and none of them was called"
        yield from streams.run_idle(5)
        stale = [call.name for call in new[0].calls if call.name != "write"]
        assert not stale, (
            f"{stale[0]} of a new stream was called for the stream that had its number before"
        )
        yield from new[0].arrive(b"new")
        new[0].take()
        assert_same(b"new", new[0].taken, "what the new stream got")
        assert not new[0].drain(), "the new stream sent what was written to the old one"

    streams.run(script)


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "stopped"])
def test_a_duplicate_of_the_file_serves_as_well(streams: Streams, closed: bool) -> None:
    """A stream on one number of the file is stopped; then another one uses the file's other
    number, and the first may be closed."""
    near, far = streams.wide_channel()
    twin = streams.channels.numbered(near, 0)

    def script() -> Turns:
        first = streams.open((near, far))
        first.start()
        yield from first.arrive(10)
        first.take()
        first.stop()
        yield from streams.run_idle(3)
        if closed:
            first.drop()
            near.close()
        second = streams.open((twin, far))
        second.start()
        for _ in range(3):
            yield from second.arrive(10)
            second.take()
            second.write(10)
            yield from second.leave()
        assert_same(second.sent, second.taken, "what came by the other number of the file")

    streams.run(script)


class _Never:
    """Callables that are false, equal to each other and without a hash or attributes."""

    __slots__ = ("_act",)
    __hash__ = None  # type: ignore[assignment]  # an object that no dictionary takes

    def __init__(self, act: Callable[..., object]) -> None:
        self._act = act

    def __call__(self, *arguments: object) -> None:
        self._act(*arguments)

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True


class _Owner:
    """An object whose method is the callback."""

    def __init__(self, act: Callable[..., object]) -> None:
        self._act = act

    def method(self, *arguments: object) -> None:
        self._act(*arguments)


CALLABLES: dict[str, Callable[[Callable[..., object]], Callable[..., object]]] = {
    "false and equal to all": _Never,
    "a bound method": lambda act: _Owner(act).method,
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_any_callable_is_a_callback(streams: Streams, kind: str) -> None:
    """Two streams have three such callbacks each, and each calls its own."""
    made = [streams.open(wrapped=CALLABLES[kind]) for _ in range(2)]

    def script() -> Turns:
        for stream in made:
            stream.start()
        yield from streams.run_idle(3)
        for stream in made:
            before = {name: stream.count(name) for name in ("read", "write")}
            stream.write(5)
            yield from stream.leave()
            yield from stream.arrive(5)
            for name, calls in before.items():
                assert (yield from stream.is_called(name, calls)), (
                    f"{name} is {kind}, and was not called"
                )

    streams.run(script)


class _Count(int):
    """A number of bytes in a class of its own."""


def test_a_number_of_bytes_may_be_of_a_class_of_ints(streams: Streams) -> None:
    """Watermarks and sizes are such numbers."""
    stream = streams.open(streams.narrow_channel())

    def script() -> Turns:
        stream.set_read_marks(_Count(5), _Count(4096))
        stream.set_write_marks(_Count(5), _Count(10))
        stream.start()
        yield from stream.arrive(4)
        assert not stream.count("read"), "read was called with 4 bytes; the low watermark is 5"
        yield from stream.arrive(2)
        assert (yield from stream.is_called("read")), (
            "read was not called with 6 bytes; the low watermark is 5"
        )
        stream.take(_Count(2))
        assert_same(stream.sent[:2], stream.taken, "the first 2 bytes")
        stream.write(100)
        yield from stream.leave()

    streams.run(script)
