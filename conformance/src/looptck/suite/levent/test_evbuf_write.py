"""levent, buffered events: what is written leaves completely and in order."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import (
    ReceivingBuffer,
    SendingBuffer,
    gather,
    pattern,
    receive,
    same,
)
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

SIZES = [1, 2, 1000, 8128, 16383, 16384, 16385, 65536, 65537, 100_000]


@rule("levent.bufevent.write")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stuffed", [False, True], ids=["room", "no room"])
def test_one_piece_leaves_completely(
    rounds: LeventDriver, channels: Channels, size: int, stuffed: bool
) -> None:
    """The peer takes what has come, pass after pass."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    if stuffed:
        outlet.stuff()
    outlet.write(size)
    if outlet.finish():
        rounds.quiet(5)
        assert not outlet.drain(), "the peer got more than was written"


@rule("levent.bufevent.write")
@pytest.mark.parametrize(
    "sizes",
    [
        [1] * 50,
        [3, 5000] * 6,
        [16384, 1, 16384, 1],
        [65536, 65536],
        [1, 100_000, 1],
        list(range(1, 90)),
        [1023, 1024, 1025] * 5,
    ],
    ids=["single bytes", "small and large", "16384", "65536", "around", "growing", "1024"],
)
@pytest.mark.parametrize("passes", [0, 1], ids=["at once", "a pass between"])
def test_pieces_leave_in_the_order_in_which_they_were_written(
    rounds: LeventDriver, channels: Channels, sizes: list[int], passes: int
) -> None:
    """The way is narrow and at first full, so that all kinds of rests are left."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    for size in sizes:
        outlet.write(size)
        rounds.quiet(passes)
        if passes:
            outlet.drain(size + 700)
    outlet.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("step", [1, 100, 3000, 50_000])
def test_a_slow_peer_gets_everything(rounds: LeventDriver, channels: Channels, step: int) -> None:
    """It takes a little between passes, and so does the kernel."""
    size = max(200 * step, 20_000) if step < 3000 else 300_000
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.write(size)
    for _ in range(200):
        outlet.drain(step)
        rounds.once()
    outlet.finish()


@rule("levent.bufevent.write")
def test_write_returns_though_the_peer_takes_nothing(
    rounds: LeventDriver, channels: Channels
) -> None:
    """More than a megabyte, into a way that is full; later the peer takes it."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    for _ in range(4):
        outlet.write(300_000)
    rounds.quiet(5)
    assert outlet.level == 1_200_000, (
        f"{1_200_000 - outlet.level} bytes left into a way that was full"
    )
    outlet.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("high", [0, 10, 5000])
def test_no_watermark_keeps_output_from_leaving(
    rounds: LeventDriver, channels: Channels, high: int
) -> None:
    """A high one of the output limits nothing, and a low one is for writecb alone."""
    outlet = SendingBuffer(rounds, channels)
    outlet.evbuf.set_write_watermarks(min(high, 100), high)
    outlet.start()
    for size in (1, high + 1, 20_000, 1):
        outlet.write(size)
        outlet.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("passes", [0, 100])
def test_output_leaves_however_long_the_loop_was_idle(
    rounds: LeventDriver, channels: Channels, passes: int
) -> None:
    """Several times, with all of it gone and nothing to do between."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    for _ in range(4):
        rounds.quiet(passes)
        outlet.write(1000)
        outlet.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("times", [1, 3])
def test_what_readcb_writes_leaves(rounds: LeventDriver, channels: Channels, times: int) -> None:
    """An echo: what comes back is what was sent, piece by piece."""

    def echo(*_arguments: object) -> None:
        data = inlet.take_whatever()
        for at in range(times):
            inlet.evbuf.write(data[len(data) * at // times : len(data) * (at + 1) // times])

    inlet = ReceivingBuffer(rounds, channels.pair(), echo)
    inlet.evbuf.start()
    came = bytearray()
    for size in (3, 100, 9, 20_000, 3):
        inlet.send(size)
        while len(came) < len(inlet.sent) and rounds.until(lambda: gather(inlet.far, came)):
            pass
        same(came, inlet.sent, "what an echo in readcb sent back")


@rule("levent.bufevent.write")
def test_output_leaves_while_input_arrives(rounds: LeventDriver, channels: Channels) -> None:
    """A lot goes both ways at the same time."""
    inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: inlet.take_whatever())
    inlet.evbuf.start()
    outlet_bytes = bytes(range(256)) * 200
    inlet.evbuf.write(outlet_bytes)
    came = bytearray()
    for _ in range(50):
        inlet.send(1000)
        rounds.once()
        came += receive(inlet.far, 4000)
    while len(came) < len(outlet_bytes) and rounds.until(lambda: gather(inlet.far, came)):
        pass
    same(came, outlet_bytes, "what the peer got while it sent")


@rule("levent.bufevent.write")
def test_output_leaves_though_the_input_is_full(rounds: LeventDriver, channels: Channels) -> None:
    """A loop that calls again has its input emptied at the fourth call; others leave it full."""
    calls: list[int] = []

    def read(*_arguments: object) -> None:
        calls.append(inlet.level)
        if len(calls) > 3:
            inlet.take_whatever()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.set_read_watermarks(0, 5)
    inlet.evbuf.start()
    inlet.send(20)
    rounds.quiet(5)
    inlet.evbuf.write(pattern(1000))
    came = bytearray()
    while len(came) < 1000 and rounds.until(lambda: gather(inlet.far, came)):
        pass
    same(came, pattern(1000), "what the peer got while the input was at its high watermark of 5")


@rule("levent.bufevent.write")
@pytest.mark.parametrize("passes", [0, 1])
def test_each_peer_gets_what_was_written_for_it(
    rounds: LeventDriver, channels: Channels, passes: int
) -> None:
    """Three at a time, in turns; the way to the first one is full at first."""
    outlets = [SendingBuffer(rounds, channels) for _ in range(3)]
    for outlet in outlets:
        outlet.start()
    outlets[0].stuff()
    for size in (10, 3000, 1, 20_000):
        for number, outlet in enumerate(outlets):
            outlet.write(size + number)
            rounds.quiet(passes)
    for outlet in reversed(outlets):
        outlet.finish()


@rule("levent.bufevent.write")
def test_what_the_callback_of_another_one_writes_leaves(
    rounds: LeventDriver, channels: Channels
) -> None:
    """What arrives at one is written to the other, as a proxy does."""
    source = ReceivingBuffer(
        rounds, channels.pair(), lambda *_: outlet.evbuf.write(source.take_whatever())
    )
    outlet = ReceivingBuffer(rounds, channels.pair(), name="outlet")
    source.evbuf.start()
    outlet.evbuf.start()
    came = bytearray()
    for size in (3, 1000, 50_000, 1):
        source.send(size)
        while len(came) < len(source.sent) and rounds.until(lambda: gather(outlet.far, came)):
            pass
        same(came, source.sent, "what one got and wrote to another one")


@rule("levent.bufevent.write-inactive")
def test_what_is_written_before_the_start(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    near, far = channels.pair()
    evbuf = rounds.evbuf(near.fileno())
    try:
        evbuf.write(b"early")
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="write before start")
        return
    rounds.quiet()
    early = receive(far, 100)
    evbuf.start()
    rounds.quiet()
    late = receive(far, 100)
    said = "leaves before the start" if early else "leaves after the start" if late else "is lost"
    observe(said, of="write before start")


@rule("levent.bufevent.write-empty")
@pytest.mark.parametrize(
    "data",
    [b"", "text", 12, None, bytearray(b"bytearray"), memoryview(b"view"), [1, 2], 1.5],
    ids=lambda data: type(data).__name__,
)
def test_odd_data(
    rounds: LeventDriver, channels: Channels, observe: Observation, data: bytes
) -> None:
    """Something is written before and after it."""
    near, far = channels.pair()
    evbuf = rounds.evbuf(near.fileno())
    evbuf.start()
    evbuf.write(b"<")
    of = "no bytes" if data == b"" else type(data).__name__
    try:
        evbuf.write(data)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
        return
    evbuf.write(b">")
    rounds.quiet()
    observe(f"the peer gets {receive(far, 100)!r}", of=of)
