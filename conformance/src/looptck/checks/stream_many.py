"""Checks of streams in which something is done hundreds of times, or at an odd moment."""

from __future__ import annotations

from ..testing.payload import assert_same
from .streams import Stream, Streams, Turns

# More than a counter of one byte holds.
_HUNDREDS = 300

# More than a table of 2**10 has places.
_THOUSAND = 1100


def test_hundreds_of_small_arrivals_lose_nothing(streams: Streams) -> None:
    """The program takes what is there, and answers; each time the loop makes a turn."""
    stream = streams.open(read=lambda stream: stream.write(len(stream.take())))

    def script() -> Turns:
        stream.start()
        for _ in range(2 * _HUNDREDS):
            yield from stream.send(3)
            yield
            stream.drain()
        yield from stream.read_all()
        stream.take()
        assert_same(stream.sent, stream.taken, "what came in hundreds of arrivals")
        yield from stream.leave()

    streams.run(script)


def test_a_thousand_writes_that_wait_all_leave(streams: Streams) -> None:
    """The channel is full while the program writes two bytes at a time."""
    stream = streams.open(streams.narrow_channel())

    def script() -> Turns:
        stream.start()
        yield from streams.run_idle(3)
        stream.fill()
        for at in range(_THOUSAND):
            stream.write(2)
            if at % 100 == 0:
                yield
        yield from stream.leave()

    streams.run(script)


def test_a_stop_counts_after_hundreds_of_stops(streams: Streams) -> None:
    """Bytes that come after the last stop wait for the last start."""
    stream = streams.open()

    def script() -> Turns:
        for at in range(_HUNDREDS):
            stream.start()
            if at % 100 == 0:
                yield
            stream.stop()
        yield from streams.run_idle(0 if streams.stops_at_once else 3)
        yield from stream.send(20)
        yield from streams.run_idle()
        assert stream.waiting == 20, (
            f"stop was called {_HUNDREDS} times, and {20 - stream.waiting} bytes were read after it"
        )
        stream.start()
        yield from stream.read_all()
        stream.take()
        assert_same(stream.sent, stream.taken, "what came after the last start")

    streams.run(script)


def test_a_high_watermark_below_the_level_loses_nothing(streams: Streams) -> None:
    """The input has 100 bytes when 10 becomes the most that it may have."""
    stream = streams.open()

    def script() -> Turns:
        stream.start()
        yield from stream.arrive(100)
        stream.set_read_marks(0, 10)
        yield from stream.send(5)
        yield from streams.run_idle()
        stream.take()
        yield from stream.read_all()
        stream.take()
        assert_same(stream.sent, stream.taken, "what had come when high was lowered, and after it")

    streams.run(script)


def test_a_stop_in_write_keeps_what_write_adds(streams: Streams) -> None:
    """The callback adds bytes once, and stops the stream; they leave after the next start."""

    def add_and_stop(stream: Stream) -> None:
        stream.acts["write"] = None
        stream.write(50)
        stream.stop()

    stream = streams.open()

    def script() -> Turns:
        stream.start()
        yield from streams.run_idle(3)
        stream.acts["write"] = add_and_stop
        stream.write(10)
        assert (yield from streams.until(lambda: stream.drain() or len(stream.written) == 60)), (
            "10 bytes were written, and write was not called"
        )
        yield from streams.run_idle(3)
        stream.start()
        yield from stream.leave()

    streams.run(script)
