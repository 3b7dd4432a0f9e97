"""Checks of the output of streams: the low watermark, and every byte that was written."""

from __future__ import annotations

import pytest

from ..testing.buffer_channels import room_of_filled_channel
from .stream_plans import Verb, plans, play
from .streams import Stream, Streams, Turns


class _JudgedOutput:
    """A stream whose calls of write are judged by the low watermark of its output.

    Its channel is narrow.  `hold 5` fills the channel and writes 5 bytes more
    than one send takes; `let through` lets that send happen.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._low = 0
        # a call for the start itself is open, whatever the level
        self._is_starting = False
        self._room = room_of_filled_channel(streams.channels)
        # calls of write, and bytes that had left, when something was written last
        self._calls = self._gone = 0
        stream = self._stream = streams.open(streams.narrow_channel(), write=self._on_write)
        self.verbs: dict[str, Verb] = {
            "low": self._set_low,
            "high": lambda size: stream.set_write_marks(self._low, size or 0),
            "start": self._start,
            "stop": lambda _: stream.stop(),
            "hold": self._hold,
            "let through": self._let_through,
            "write": self._write,
            "data comes": lambda size: stream.send(size or 0),
            "all leaves": self._leave,
            "slowly": self._leave_slowly,
            "written meanwhile": self._leave_while_writing,
            "idle": lambda _: streams.run_idle(100),
        }

    def _on_write(self, stream: Stream) -> None:
        level = stream.calls[-1].output_level
        assert level <= self._low or self._is_starting, (
            f"write was called with {level} bytes in the output; the low watermark is {self._low}"
        )

    def _set_low(self, low: int | None) -> Turns:
        self._low = low or 0  # first, since a loop may call at once
        self._stream.set_write_marks(self._low, 0)
        yield from self._streams.run_idle()
        self._note()

    def _start(self, _: int | None) -> Turns:
        self._is_starting = True
        self._stream.start()
        yield from self._streams.run_idle()
        self._is_starting = False
        self._note()

    def _note(self) -> None:
        self._calls = self._stream.count("write")
        self._gone = len(self._stream.written) - self._stream.output_level

    def _write(self, size: int | None) -> None:
        self._note()
        self._stream.write(size or 0)

    def _hold(self, size: int | None) -> Turns:
        self._stream.fill()
        self._write(self._room + (size or 0))
        yield from self._streams.run_idle()

    def _let_through(self, _: int | None) -> Turns:
        self._stream.make_room()
        yield from self._streams.run_idle()
        yield from self._judge()

    def _leave(self, _: int | None) -> Turns:
        if (yield from self._stream.leave()):
            yield from self._judge()

    def _leave_slowly(self, size: int | None) -> Turns:
        """The peer takes *size* bytes at a time."""
        while self._stream.output_level:
            if not (yield from self._streams.until(lambda: self._stream.drain(size or 0))):
                break
            if self._stream.output_level < self._low:
                yield from self._judge()
        yield from self._leave(None)

    def _leave_while_writing(self, _: int | None) -> Turns:
        """The peer takes a little again and again, and a little less is written."""
        for _ in range(30):
            self._stream.drain(3000)
            self._stream.write(2000)
            yield
        yield from self._leave(None)

    def _judge(self) -> Turns:
        """Write is called when the level is below the watermark and something has left."""
        level = self._stream.output_level
        gone = len(self._stream.written) - level - self._gone
        if gone and (level < self._low or not level):
            assert (yield from self._stream.is_called("write", self._calls)), (
                f"{gone} bytes left, {level} are left in the output, and write was not called; "
                f"the low watermark is {self._low}"
            )


@plans("""
    start, hold 0, let through, all leaves
    start, hold 1, let through, all leaves
    start, hold 1000, let through, all leaves
    low 1, start, hold 0, let through, all leaves
    low 1, start, hold 1, let through, all leaves
    low 1, start, hold 2, let through, all leaves
    low 2, start, hold 1, let through, all leaves
    low 2, start, hold 3, let through, all leaves
    low 10, start, hold 9, let through, all leaves
    low 10, start, hold 12, let through, all leaves
    low 1000, start, hold 998, let through, all leaves
    low 1000, start, hold 1001, let through, all leaves
    low 5000, start, hold 4999, let through, all leaves
    start, write 1, all leaves, write 99, all leaves, write 5001, all leaves
    low 100, start, write 1, all leaves, write 99, all leaves, write 5001, all leaves
    low 100000, start, write 1, all leaves, write 3000, all leaves x2
    start, write 60000, slowly 500
    start, write 60000, slowly 20000
    low 1, start, write 60000, slowly 5000
    low 4096, start, write 60000, slowly 500
    low 30000, start, write 60000, slowly 5000
    low 30000, start, write 60000, slowly 40000
    start, write 50000, written meanwhile
    low 10, start, hold 1000
""")
def test_write_is_called_below_the_low_watermark(streams: Streams, plan: str) -> None:
    """With exactly as many bytes left as the watermark, a call may come or not."""
    judged = _JudgedOutput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@plans("""
    start, hold 50, low 60, let through, all leaves
    low 60, start, hold 50, low 0, let through, all leaves
    low 40, start, hold 50, low 60, let through, all leaves
    low 501, start, hold 500, low 499, let through, all leaves
    start, hold 500, low 501, let through
    low 1000, start, hold 50, low 49, let through, all leaves
    low 1000, start, hold 500, low 0, low 600, let through
    low 100, start, stop, start, hold 98, let through
    low 100, start, stop, low 501, start, hold 500, let through
""")
def test_write_follows_a_low_watermark_that_changes(streams: Streams, plan: str) -> None:
    """The output waits when the watermark changes; it counts for the next send."""
    judged = _JudgedOutput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@plans("""
    start, hold 10, stop, start, all leaves
    low 100, start, hold 10, stop, start, all leaves
    low 100, start, hold 99, stop, start, let through
    start, write 10, data comes 4, all leaves, write 10, data comes 4, all leaves
    low 50, start, hold 20, data comes 4, let through
    start, idle, write 10, all leaves, idle, write 3000, all leaves
""")
def test_the_low_watermark_of_the_output_holds_beside_others(streams: Streams, plan: str) -> None:
    """A stop and a start, data that comes with the room, long idling."""
    judged = _JudgedOutput(streams)
    streams.run(lambda: play(plan, judged.verbs))


@pytest.mark.parametrize(
    "low, size, times, parts",
    [(0, 1, 20, 1), (0, 3000, 20, 3), (1, 5, 20, 1), (100_000, 5, 20, 3), (0, 20_000, 5, 1)],
)
def test_output_that_write_adds_leaves_and_brings_a_call(
    streams: Streams, low: int, size: int, times: int, parts: int
) -> None:
    """Each call of write adds some bytes, in one piece or several, as often as it is called."""
    _add_in_write(streams, low, size, times, parts)


def test_write_may_add_hundreds_of_times(streams: Streams) -> None:
    """A byte each time: a loop that has a limit for writers shows it."""
    _add_in_write(streams, 0, 1, 300, 1)


def _add_in_write(streams: Streams, low: int, size: int, times: int, parts: int) -> None:
    total = size * times

    def add(stream: Stream) -> None:
        for _ in range(parts):
            if 0 < len(stream.written) < total:
                stream.write(max(size // parts, 1))

    stream = streams.open(streams.narrow_channel(), write=add)

    def script() -> Turns:
        stream.set_write_marks(low, 0)
        stream.start()
        yield from streams.run_idle()
        stream.write(size)
        while (yield from stream.leave()) and len(stream.received) < total:
            if not (yield from streams.until(lambda: len(stream.written) > len(stream.received))):
                break
        assert len(stream.written) >= total or len(stream.received) < len(stream.written), (
            f"write was to be called whenever its output had left, until {total} bytes; it is "
            f"not called after {len(stream.written)}"
        )

    streams.run(script)


PIECES = {
    "1": [1],
    "16384": [16_384],
    "16385": [16_385],
    "65537": [65_537],
    "100000": [100_000],
    "single bytes": [1] * 50,
    "small and large": [3, 5000] * 6,
    "65536 twice": [65_536, 65_536],
    "around a large one": [1, 100_000, 1],
    "growing": list(range(1, 90)),
    "1023 to 1025": [1023, 1024, 1025] * 5,
}


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("filled", [False, True], ids=["room", "no room"])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "turns between"])
def test_written_bytes_leave_once_and_in_order(
    streams: Streams, pieces: str, filled: bool, apart: bool
) -> None:
    """The channel is narrow, so that partial sends leave rests of all sizes."""
    stream = streams.open(streams.narrow_channel())

    def script() -> Turns:
        stream.start()
        yield from streams.run_idle(3)
        if filled:
            stream.fill()
        for size in PIECES[pieces]:
            stream.write(size)
            if apart:
                yield
                stream.drain(size + 700)
        if (yield from stream.leave()):
            yield from streams.run_idle(5)
            assert not stream.drain(), "the peer got more than was written"

    streams.run(script)


@pytest.mark.parametrize("step", [1, 100, 700, 5000, 50_000])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
@pytest.mark.parametrize("low, high", [(0, 0), (10, 5000)])
def test_a_slow_peer_gets_every_byte(
    streams: Streams, step: int, channel: str, low: int, high: int
) -> None:
    """More is written behind the bytes that wait; no watermark holds them back."""
    ends = streams.narrow_channel() if channel == "socket pair" else streams.channels.tcp_pair()
    stream = streams.open(ends)

    def script() -> Turns:
        stream.set_write_marks(low, high)
        stream.start()
        stream.write(20_000 if step < 5000 else 300_000)
        for turn in range(100):
            stream.drain(step)
            if turn % 10 == 0:
                stream.write(1000)
            yield
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("high", [0, 2, 5000])
def test_a_write_returns_though_nothing_can_leave(streams: Streams, high: int) -> None:
    """More than a megabyte is written to a full channel; later the peer takes it."""
    stream = streams.open(streams.narrow_channel())

    def script() -> Turns:
        stream.set_write_marks(0, high)
        stream.start()
        yield from streams.run_idle(3)
        stream.fill()
        for _ in range(4):
            stream.write(300_000)
        yield from streams.run_idle(5)
        assert stream.output_level == 1_200_000, (
            f"{1_200_000 - stream.output_level} bytes left into a channel that was full"
        )
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("turns", [0, 100, 200])
def test_bytes_move_however_long_the_stream_was_idle(streams: Streams, turns: int) -> None:
    """Several times all bytes have moved and the stream idles before the next ones."""
    stream = streams.open(streams.narrow_channel(), read=lambda stream: stream.take())

    def script() -> Turns:
        stream.start()
        for _ in range(4):
            yield from streams.run_idle(turns)
            stream.write(1000)
            yield from stream.leave()
            yield from streams.run_idle(turns)
            yield from stream.arrive(10)

    streams.run(script)
