"""Checks of the objects that a program hands to streams: descriptors, callables, numbers."""

from __future__ import annotations

import pytest

from ..testing.payload import assert_same
from .callables import CALLABLES
from .streams import Stream, Streams, Turns


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
            elif not new:  # a loop may send, and call, before write returns
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


# A callback may be None, and whether an object that is false stands for None is open.
_KINDS = [kind for kind in CALLABLES if kind not in ("false", "empty")]


@pytest.mark.parametrize("kind", _KINDS)
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
