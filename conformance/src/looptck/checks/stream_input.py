"""Checks of the input of streams: the low watermark, and every byte that the peer sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from ..testing.payload import assert_same
from .stream_plans import Verb, plans, play
from .streams import ENOUGH_TURNS, InTime, Stream, Streams, Turns


class _JudgedInput:
    """A stream whose calls of read are judged by the low watermark of its input."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._low = 0
        # a verb for each call of read, and one for the next call alone
        self._in_read: Callable[[], object] | None = None
        self._in_next_read: Callable[[], object] | None = None
        stream = self._stream = streams.open(read=self._on_read)
        self.verbs: dict[str, Verb] = {
            "low": self._set_low,
            "low in read": self._set_low_in_read,
            "start": lambda _: stream.start(),
            "stop": lambda _: stream.stop(),
            "send": lambda size: stream.send(size or 0),
            "arrive": self._arrive,
            "arrive and end": partial(self._arrive, ends=True),
            "line": self._take_line,
            "take": lambda size: self._streams.run_idle() if stream.take(size) else None,
            "take in read": self._take_in_read,
            "output waits": self._hold_output,
        }

    def _on_read(self, stream: Stream) -> None:
        level = stream.calls[-1].input_level
        assert level >= self._low, (
            f"read was called with {level} bytes in the input; the low watermark is {self._low}"
        )
        act, self._in_next_read = self._in_next_read or self._in_read, None
        if act is not None:
            act()

    def _set_low(self, low: int | None) -> None:
        self._low = low or 0  # first, since a loop may call at once
        self._stream.set_read_marks(self._low, 0)

    def _set_low_in_read(self, low: int | None) -> None:
        self._in_next_read = partial(self._set_low, low)

    def _take_in_read(self, size: int | None) -> None:
        self._in_read = partial(self._stream.take, size)

    def _hold_output(self, size: int | None) -> None:
        self._stream.fill()
        self._stream.write(size or 0)

    def _take_line(self, size: int | None) -> Turns:
        """A line of *size* bytes arrives, and is taken."""
        yield from self._arrive(b"l" * ((size or 0) - 1) + b"\n")
        assert self._stream.take_line() is not None, "a line arrived, and none can be taken"

    def _arrive(self, data: int | bytes | None, *, ends: bool = False) -> Turns:
        """Bytes arrive, and are told if the low watermark is reached."""
        stream, before, level = self._stream, self._stream.count("read"), self._stream.input_level
        yield from stream.send(data or 0)
        if ends:
            stream.far.close()
        yield from stream.read_all()
        level += data if isinstance(data, int) else len(data or b"")
        enough = max(self._low, 1) if self._streams.called_at_low else self._low + 1
        if level >= enough:
            assert (yield from stream.is_called("read", before)), (
                f"an arrival made {level} bytes, and read was not called; the low watermark is "
                f"{self._low}"
            )


@plans("""
    start, arrive 1 x4
    start, arrive 4000, arrive 2, arrive 3
    low 1, start, arrive 2 x3
    low 10, start, arrive 1 x13
    low 100, start, arrive 100, arrive 1
    low 100, start, arrive 99, arrive 1 x3
    low 2, start, arrive 5000
    low 10, take in read all, start, arrive 9, arrive 1 x2, arrive 8, arrive 12, arrive 9, arrive 2
    low 10, take in read 5, start, arrive 5, arrive 6, arrive 5 x2
    low 10, start, arrive 11, take 10, arrive 8, arrive 1 x2
    low 100, start, arrive 100, take 1, arrive 1 x2
    low 10, start, arrive 5, take all, arrive 5, arrive 4, arrive 2
    low 70000, start, arrive 17500 x3, arrive 17499, arrive 1 x2
    low 10, send 9, start, arrive 1 x2
    low 20, start, arrive 19, line 3, arrive 4, arrive 17 x2
    low 10, start, line 5, line 9, arrive 9, arrive 1 x2
""")
def test_read_is_called_from_the_low_watermark_on(streams: Streams, plan: str) -> None:
    """With exactly as many bytes as the watermark, the document decides."""
    judged = _JudgedInput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@plans("""
    start, low 5, arrive 4, arrive 2
    start, arrive 5, low 8, arrive 1 x5
    low 3, start, arrive 2, low 5, arrive 2, low 8, arrive 3 x2
    low 20, start, arrive 5, low 5, arrive 1 x3
    low 20, start, arrive 5, low 0, arrive 1
    low 20, start, arrive 5, low 7, low 10, take all, arrive 9, arrive 2
    low in read 8, start, arrive 5, arrive 1 x5
    low 20, low in read 3, start, arrive 21, take all, arrive 2 x2
    low 10, start, arrive 9, stop, start, arrive 1 x2
    low 10, start, stop, start, arrive 9, arrive 2
    low 10, start, stop, low 5, start, arrive 4, arrive 2
""")
def test_read_follows_a_low_watermark_that_changes(streams: Streams, plan: str) -> None:
    """A call for what is there when the watermark changes may come or not."""
    judged = _JudgedInput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@plans("""
    low 10, start, arrive 9, stop, start, arrive 1 x2
    low 10, start, arrive 9, stop, take 5, start, arrive 5, arrive 2
    low 5, start, output waits 1000, arrive 4, arrive 2
    start, output waits 10, arrive 1 x2
    low 5, start, arrive 4, arrive and end 2
    start, arrive and end 1
""")
def test_the_low_watermark_holds_beside_other_things(streams: Streams, plan: str) -> None:
    """A stop and a start, output that waits, the end of the stream."""
    judged = _JudgedInput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@pytest.mark.parametrize("number", [2, 10])
@pytest.mark.parametrize("low", [0, 5])
def test_each_input_that_is_ready_at_once_is_told(streams: Streams, number: int, low: int) -> None:
    """All of them have bytes before the turn begins, three times."""
    made = [streams.open(read=lambda stream: stream.take()) for _ in range(number)]

    def script() -> Turns:
        for stream in made:
            stream.set_read_marks(low, 0)
            stream.start()
        for _ in range(3):
            yield from streams.run_idle(5)
            before = [stream.count("read") for stream in made]
            for stream in made:
                yield from stream.send(low + 1)
            for stream, calls in zip(made, before, strict=True):
                assert (yield from stream.is_called("read", calls)), (
                    f"bytes came for {number} streams at once, and one of them was not told"
                )

    streams.run(script)


ENDS: dict[str, Callable[[socket.socket], None]] = {
    "stays open": lambda far: None,
    "close": lambda far: far.close(),
    "half close": lambda far: far.shutdown(socket.SHUT_WR),
}
PORTIONS = {
    "1 byte": [1],
    "2 bytes": [2],
    "100000 bytes": [100_000],
    "65536 bytes": [65_536],
    "150 single bytes": [1] * 150,
    "odd portions": [1, 2, 3, 5, 7, 11, 13, 4096, 1, 8191, 2, 4097, 16_384],
    "300 pieces": [1 + number % 13 for number in range(300)],
}


class Reader:
    """A stream whose program takes in one way, and meets the end after all bytes."""

    def __init__(self, streams: Streams, taken: int | None, channel: str = "socket pair") -> None:
        self._streams, self._taken = streams, taken
        ends = streams.channels.tcp_pair() if channel == "TCP" else None
        self.stream = streams.open(ends, read=self._read, error=self._on_error)
        # whether an error of the output may be told besides the end of the input
        self.output_fails = False

    def _read(self, stream: Stream) -> None:
        if self._taken != 0:
            stream.take(self._taken)

    def _on_error(self, stream: Stream) -> None:
        if not self.output_fails:
            waiting = stream.waiting
            assert not waiting, f"the end of the stream was told while {waiting} bytes wait"

    def take_all(self, high: int = 0, *, ends: bool = False) -> Turns:
        """Take what the calls leave, until all that was sent has come.

        Of a loop that reads too little at once, the bytes that have come are judged.
        """
        stream = self.stream
        for _ in range(ENOUGH_TURNS):
            yield from stream.read_all(0 if self._taken is None else high, ENOUGH_TURNS)
            before, is_slow = len(stream.taken), bool(stream.waiting)
            while stream.take():
                pass
            if len(stream.taken) == before or (is_slow and self._taken is None):
                break
        yield from self._streams.run_idle(5)
        stream.take()
        if stream.waiting and not stream.input_level and (yield from self._goes_on()):
            come = stream.sent[: len(stream.taken)]
            assert_same(come, stream.taken, "the bytes that have arrived")
            return
        assert_same(stream.sent, stream.taken, "the bytes that arrived")
        if ends and self._streams.tells_the_end:
            assert (yield from stream.is_called("error")), (
                "all bytes were taken, and the end was not told"
            )

    def _goes_on(self) -> InTime:
        """Whether bytes arrive still, so that the loop is slow and not at its end."""
        waiting = self.stream.waiting
        goes_on = yield from self._streams.until(lambda: self.stream.waiting != waiting)
        self.stream.take()
        return goes_on


@pytest.mark.parametrize("taken", [None, 7, 0], ids=["takes all", "takes some", "takes none"])
@pytest.mark.parametrize("portions", PORTIONS)
@pytest.mark.parametrize("low, high", [(0, 0), (3, 10), (0, 5000)])
def test_every_byte_arrives_once_and_in_order(
    streams: Streams, portions: str, taken: int | None, low: int, high: int
) -> None:
    """The test takes what the calls leave.

    Where nothing is said of an input that stays full, calls that leave bytes have no limit.
    """
    total = sum(PORTIONS[portions])
    if taken is not None and not streams.holds_high:
        high = 0
    if high == 10 and total > 1000:
        low, high = 300, 1000  # lest a slow loop need ten thousand turns
    if taken == 7 and total > 1000:
        taken = 700  # a call for each 7 of 100 000 bytes takes half a second
    reader = Reader(streams, taken)

    def script() -> Turns:
        reader.stream.set_read_marks(low, high)
        reader.stream.start()
        for at, size in enumerate(PORTIONS[portions]):
            yield from reader.stream.send(size)
            if at % 3 == 0:
                yield
        yield from reader.take_all(high)

    streams.run(script)


@pytest.mark.parametrize("end", ["close", "half close"])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
@pytest.mark.parametrize("size", [1, 2, 100, 16_384, 100_000])
@pytest.mark.parametrize("low, high", [(0, 0), (7, 8), (1000, 4096)])
def test_every_byte_arrives_before_the_end(
    streams: Streams, end: str, channel: str, size: int, low: int, high: int
) -> None:
    """Bytes and end are there before the loop looks for the first time."""
    if high == 8 and size > 1000:
        low, high = 7000, 8000
    reader = Reader(streams, None, channel)

    def script() -> Turns:
        stream = reader.stream
        yield from stream.send(size)
        ENDS[end](stream.far)
        stream.set_read_marks(low, high)
        stream.start()
        yield from reader.take_all(high, ends=True)
        first = [call.name for call in stream.calls if call.name != "write"][:1]
        # a loop that reads single bytes is not waited for until it has thousands
        is_slow = not first and stream.input_level < low
        assert size < max(low, 1) or first == ["read"] or is_slow, (
            f"{size} bytes and the end were there; read was to be called first, and it was "
            f"{first[0] if first else 'nothing'}"
        )

    streams.run(script)


@pytest.mark.parametrize("end", ["close", "half close"])
@pytest.mark.parametrize("taken", [None, 10, 0], ids=["takes all", "takes 10", "takes none"])
@pytest.mark.parametrize("last", [0, 1, 5000])
def test_the_last_bytes_arrive_with_the_end(
    streams: Streams, end: str, taken: int | None, last: int
) -> None:
    """100 bytes have arrived; the last ones come together with the end."""
    reader = Reader(streams, taken)

    def script() -> Turns:
        stream = reader.stream
        stream.start()
        yield from stream.arrive(100)
        before = stream.count("read")
        yield from stream.send(last)
        ENDS[end](stream.far)
        yield from reader.take_all(ends=True)
        assert not last or stream.count("read") > before, (
            f"the last {last} bytes came with the end, and read was not called for them"
        )

    streams.run(script)
