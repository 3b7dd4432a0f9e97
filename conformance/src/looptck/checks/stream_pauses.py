"""Checks of streams that are stopped: nothing moves, nothing is called, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..testing.payload import assert_same
from .streams import Stream, Streams, Turns


def _take_line(stream: Stream) -> None:
    line = stream.take_line()
    assert line == b"one", f"the input of a stopped stream begins with a line; it gave {line!r}"


ACTS: dict[str, Callable[[Stream], object]] = {
    "nothing": lambda stream: None,
    "take all": lambda stream: stream.take(),
    "take one": lambda stream: stream.take(1),
    "take a line": _take_line,
    "lift the marks": lambda stream: stream.set_read_marks(0, 0),
    "raise high": lambda stream: stream.set_read_marks(0, 30),
    "write": lambda stream: stream.write(300),
    "stop again": lambda stream: stream.stop(),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("high", [0, 6])
@pytest.mark.parametrize("stopped_in", ["read", "between turns"])
@pytest.mark.parametrize("waits", [0, 1000], ids=["no output", "output waits"])
def test_nothing_moves_while_stopped_and_all_goes_on(
    streams: Streams, act: str, high: int, stopped_in: str, waits: int
) -> None:
    """The input may be full at the stop, so that something that is taken makes room."""
    stream = streams.open(streams.narrow_channel())

    def stop(stream: Stream) -> None:
        if stopped_in == "read" and stream.input_level == 6:
            stream.acts["read"] = None
            stream.stop()

    stream.acts["read"] = stop

    def script() -> Turns:
        stream.set_read_marks(0, high)
        stream.start()
        yield from streams.run_idle(3)
        if waits:
            stream.fill()
            stream.write(waits)
        yield from stream.send(b"one\ntw")
        yield from stream.read_all()
        stream.acts["read"] = None
        stream.stop()
        yield from streams.run_idle(0 if streams.stops_at_once else 3)
        stream.drain()
        yield from stream.send(20)
        ACTS[act](stream)
        calls, output, level = len(stream.calls), stream.output_level, stream.input_level
        yield from streams.run_idle()
        assert stream.waiting == 20, f"a stopped stream read its channel after '{act}'"
        assert stream.input_level == level, f"the input of a stopped stream changed after '{act}'"
        assert stream.output_level == output, (
            f"{output - stream.output_level} bytes left a stopped stream after '{act}'"
        )
        assert len(stream.calls) == calls, (
            f"{stream.calls[-1].name} was called after the stop and '{act}'"
        )
        stream.set_read_marks(0, 0)
        stream.start()
        yield from stream.arrive(10)
        while stream.take():
            pass
        assert_same(stream.sent, stream.taken, "what arrived before and after the stop")
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("size", [5000, 100_000])
@pytest.mark.parametrize("more", [0, 500])
@pytest.mark.parametrize("stops", [1, 5])
def test_output_that_left_in_part_goes_on_after_a_stop(
    streams: Streams, size: int, more: int, stops: int
) -> None:
    """The peer takes all that has left before each stop, so that there is room."""
    stream = streams.open(streams.narrow_channel())

    def script() -> Turns:
        stream.start()
        stream.write(size)
        for _ in range(stops):
            yield from streams.run_idle(3)
            stream.stop()
            yield from streams.run_idle(0 if streams.stops_at_once else 3)
            stream.drain()
            level = stream.output_level
            for _ in range(5):
                stream.write(more // 5)
            yield from streams.run_idle()
            moved = level + more - stream.output_level
            assert not moved, f"{moved} bytes left while stopped"
            stream.start()
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("acts", ["stop, start", "start", "start twice", "stop, stop, start"])
def test_many_stops_and_starts_lose_nothing(streams: Streams, acts: str) -> None:
    """They are called between turns and in callbacks, while bytes go both ways."""

    def switch(stream: Stream) -> None:
        for act in acts.replace("start twice", "start, start").split(", "):
            stream.stop() if act == "stop" else stream.start()

    def take(stream: Stream) -> None:
        stream.take(stream.input_level // 2 + 1)
        switch(stream)

    stream = streams.open(streams.narrow_channel(), read=take)

    def script() -> Turns:
        stream.start()
        stream.write(50_000)
        for _ in range(40):
            yield from stream.send(100)
            switch(stream)
            yield
            stream.drain()
            switch(stream)
            yield
        yield from stream.read_all()
        while stream.take():
            pass
        assert_same(stream.sent, stream.taken, "what arrived with many stops between")
        before = stream.count("read")
        yield from stream.arrive(1)
        assert stream.count("read") - before == 1, (
            f"a byte that came after many starts was told {stream.count('read') - before} times"
        )
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("times", [1, 3])
def test_data_that_waited_for_a_start_is_told(streams: Streams, times: int) -> None:
    """Data that comes after the start is told as well."""
    stream = streams.open(read=lambda stream: stream.take())

    def script() -> Turns:
        stream.start()
        yield from stream.arrive(10)
        for _ in range(times):
            stream.stop()
            yield from stream.send(10)
            yield from streams.run_idle(5)
            for when in ("before", "after"):
                calls = stream.count("read")
                if when == "before":
                    stream.start()
                else:
                    yield from stream.send(10)
                assert (yield from stream.is_called("read", calls)), (
                    f"data came {when} a start, and read was not called"
                )
                yield from stream.read_all()
        assert_same(stream.sent, stream.taken, "what was read in calls")

    streams.run(script)


@pytest.mark.parametrize("waits", [True, False], ids=["data waits", "data comes later"])
@pytest.mark.parametrize("ends", [False, True], ids=["stays open", "ends"])
def test_nothing_is_read_before_the_start(streams: Streams, waits: bool, ends: bool) -> None:
    """All that came arrives after the start, and a second start changes nothing."""

    def script() -> Turns:
        near, far = streams.wide_channel()
        if waits:
            far.send(b"early")
        stream = streams.open((near, far))
        stream.sent += b"early" if waits else b""
        yield from streams.run_idle(5)
        yield from stream.send(300)
        if ends:
            far.close()
        yield from streams.run_idle()
        assert not stream.input_level, (
            f"{stream.input_level} bytes were read by a stream that was not started"
        )
        early = [call.name for call in stream.calls if call.name != "write"]
        assert not early, f"{early[0]} was called before the start"
        stream.start()
        yield from stream.read_all()
        stream.take()
        assert_same(stream.sent, stream.taken, "what arrived after the start")
        assert stream.count("read"), "bytes arrived after the start, and read was not called"
        stream.start()
        if not ends:
            yield from stream.arrive(10)

    streams.run(script)
