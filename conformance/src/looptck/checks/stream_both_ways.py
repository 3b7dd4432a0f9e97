"""Checks of streams whose bytes go both ways, or to several peers."""

from __future__ import annotations

import pytest

from .streams import Stream, Streams, Turns


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("by", ["itself", "another"])
def test_output_that_read_writes_leaves(streams: Streams, times: int, by: str) -> None:
    """The callback echoes what it takes in pieces, to its own peer or to another one's."""

    def echo(stream: Stream) -> None:
        data = stream.take()
        for at in range(times):
            sender.write(data[len(data) * at // times : len(data) * (at + 1) // times])

    receiver = streams.open(read=echo)
    sender = receiver if by == "itself" else streams.open()

    def script() -> Turns:
        receiver.start()
        sender.start()
        for size in (3, 100, 9, 1_000, 2_000, 1):
            yield from receiver.arrive(size)
            if not (yield from sender.leave()):
                return  # a loop that moves a few bytes in a turn is not waited for
            assert bytes(sender.received) == bytes(receiver.sent), (
                f"{len(receiver.sent)} bytes were sent, and {len(sender.received)} came back"
            )

    streams.run(script)


def test_output_leaves_while_input_arrives(streams: Streams) -> None:
    """Many bytes go both ways at the same time."""
    stream = streams.open(read=lambda stream: stream.take())

    def script() -> Turns:
        stream.start()
        stream.write(51_200)
        for _ in range(50):
            yield from stream.send(1000)
            yield
            stream.drain(4000)
        yield from stream.leave()
        yield from stream.read_all()

    streams.run(script)


@pytest.mark.parametrize("high", [1, 5])
def test_output_leaves_though_the_input_is_full(streams: Streams, high: int) -> None:
    """The program takes nothing.  A loop that tells a full input again is given a rest."""
    stream = streams.open()
    stream.acts["read"] = lambda stream: stream.take() if stream.count("read") > 3 else None

    def script() -> Turns:
        stream.set_read_marks(0, high)
        stream.start()
        yield from stream.send(20)
        yield from streams.run_idle(5)
        stream.write(1000)
        yield from stream.leave()

    streams.run(script)


@pytest.mark.parametrize("turns", [0, 1])
def test_each_peer_gets_the_output_that_is_its_own(streams: Streams, turns: int) -> None:
    """Three outputs are written in turns; the channel to the first peer is full at first."""
    made = [streams.open(streams.narrow_channel()) for _ in range(3)]

    def script() -> Turns:
        for stream in made:
            stream.start()
        yield from streams.run_idle(3)
        made[0].fill()
        for size in (10, 3000, 1, 20_000):
            for number, stream in enumerate(made):
                stream.write(size + number)
                yield from streams.run_idle(turns)
        for stream in reversed(made):
            yield from stream.leave()

    streams.run(script)
