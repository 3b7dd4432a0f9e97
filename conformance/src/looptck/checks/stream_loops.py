"""Checks of a loop that waits for streams: signals, urgent data, processor time, numbers."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from ..testing.alarms import signals_before
from ..testing.cpu_share import cpu_share
from ..testing.must_return import must_return, run_beside
from ..testing.payload import assert_same, payload
from ..testing.urgent_data import urgent_channel
from .streams import ENOUGH_TURNS, Stream, Streams, Turns

# How long a loop is to sleep, in seconds.
_SLEEP = 0.25

# A loop may wake a few times in such a sleep; one that spins computes all the time.
_MOST_BUSY = 0.5

# Calls beyond this many keep the loop busy by themselves.
_FEW_CALLS = 10


def _loop(streams: Streams) -> None:
    with must_return("loop()"):
        streams.loop()


@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
def test_a_signal_does_not_end_a_wait_for_bytes(streams: Streams, siginterrupt: bool) -> None:
    """A few signals come for nothing, then the peer sends; twice, so that the stream goes on."""

    def take(stream: Stream) -> None:
        stream.take()
        if len(stream.taken) == 2:
            stream.stop()

    stream = streams.open(read=take)
    stream.sent += b"xx"

    def send() -> None:
        stream.far.send(b"x")

    stream.start()
    with signals_before(send, send):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        streams.loop()
    assert_same(b"xx", stream.taken, "what had arrived when loop() returned, after signals")


def test_an_urgent_byte_is_no_input(streams: Streams) -> None:
    """The kernel announces it apart from data.  A byte that can be read comes later."""
    channel = urgent_channel(streams.channels)
    if channel is None:
        return  # this system puts urgent bytes in line: a read returns them
    stream = streams.open(channel)

    def script() -> Turns:
        stream.start()
        yield from streams.run_idle(5)
        early = [call.name for call in stream.calls if call.name != "write"]
        assert not early, f"{early[0]} was called for an urgent byte, which no read returns"
        yield from stream.send(b"x")
        assert (yield from streams.until(lambda: stream.count("read"))), (
            "a byte came behind an urgent one, and read was not called"
        )
        stream.take()
        assert_same(b"x", stream.taken, "what came behind an urgent byte")

    streams.run(script)


@pytest.mark.parametrize("state", ["idle", "full input"])
def test_the_loop_sleeps_while_no_byte_can_move(streams: Streams, state: str) -> None:
    """A byte for another stream ends the sleep.  A loop that calls again and again, as it may,
    is not judged."""
    made: list[Stream] = []

    def stop_all(_stream: Stream) -> None:
        for each in made:
            each.stop()

    stream = streams.open(streams.narrow_channel())
    waker = streams.open(read=stop_all)
    made += [stream, waker]
    if state == "full input":
        stream.set_read_marks(0, 5)
        stream.far.send(bytes(20))
    for each in made:
        each.start()
    with run_beside(lambda: waker.far.send(b"x"), after=_SLEEP):
        busy = cpu_share(lambda: _loop(streams), _SLEEP)
    calls = len(stream.calls)
    assert busy < _MOST_BUSY or calls > _FEW_CALLS, (
        f"no byte could move ({state}), and the loop computed {busy:.0%} of the time; it made "
        f"{calls} calls"
    )


@pytest.mark.parametrize("number", [400])
def test_hundreds_of_streams_are_ready_in_one_turn(streams: Streams, number: int) -> None:
    """Their descriptors go beyond 1024; each gets its bytes, three times, and echoes them."""

    def echo(stream: Stream) -> None:
        stream.write(bytes(stream.take()))

    made = [streams.open(streams.channels.pair(), read=echo) for _ in range(number)]
    near, far = streams.channels.pair()
    made.append(streams.open((streams.channels.numbered(near, 1500), far), read=echo))

    def script() -> Turns:
        for stream in made:
            stream.start()
        for times in range(1, 4):
            for stream in made:
                yield from stream.send(10)

            def all_came(times: int = times) -> bool:
                for stream in made:
                    stream.drain()
                return all(len(stream.received) == 10 * times for stream in made)

            yield from streams.until(all_came)
            came = sum(len(stream.received) == 10 * times for stream in made)
            assert came == len(made), (
                f"{len(made)} streams got 10 bytes at once, for the {times}th time; {came} sent "
                "them back"
            )
        for stream in made:
            assert_same(stream.sent, stream.received, "what came back")

    streams.run(script)


def test_hundreds_of_streams_follow_one_another(streams: Streams) -> None:
    """Each is stopped, dropped and its descriptor closed before the next one is made."""

    def script() -> Turns:
        for at in range(300):
            ends = streams.channels.pair()
            stream = streams.open(ends, read=lambda stream: stream.take())
            stream.start()
            yield from stream.send(bytes([at % 256]) * 3)
            stream.write(3)
            yield from stream.read_all()
            assert len(stream.taken) == 3, (
                f"the {at + 1}th stream in one loop got {len(stream.taken)} of 3 bytes"
            )
            yield from stream.leave()
            assert_same(stream.sent, stream.taken, f"what the {at + 1}th stream got")
            stream.stop()
            stream.drop()
            for end in ends:
                end.close()

    streams.run(script)


def test_a_megabyte_passes_through_small_watermarks(streams: Streams) -> None:
    """It goes in both directions, and the program takes all in each call."""
    stream = streams.open(read=lambda stream: stream.take())

    def script() -> Turns:
        stream.set_read_marks(500, 4096)
        stream.set_write_marks(500, 4096)
        stream.start()
        stream.write(1 << 20)
        for _ in range(ENOUGH_TURNS):
            if len(stream.sent) >= 1 << 20:
                break
            with suppress(BlockingIOError):
                data = payload(1 << 15, len(stream.sent))
                stream.sent += data[: stream.far.send(data)]
                streams.note_progress()
            stream.drain(1 << 15)
            yield
        yield from stream.read_all(most=ENOUGH_TURNS)
        stream.take()
        come = stream.sent[: len(stream.taken)] if stream.waiting else stream.sent
        assert_same(come, stream.taken, "a megabyte, or as much of it as arrived")
        waiting = stream.waiting
        assert not waiting or (yield from streams.until(lambda: stream.waiting < waiting)), (
            f"{waiting} bytes of a megabyte wait, and none of them is read"
        )
        yield from stream.leave()

    streams.run(script)
