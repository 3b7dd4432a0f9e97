"""levent, buffered events: all written bytes leave, in order."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive, receive_into
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.payload import assert_same, payload

SIZES = [1, 2, 1000, 8128, 16383, 16384, 16385, 65536, 65537, 100_000]


@rule("levent.bufevent.write")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stuffed", [False, True], ids=["room", "no room"])
def test_one_piece_leaves_completely(
    driver: LeventDriver, channels: Channels, size: int, stuffed: bool
) -> None:
    """The peer takes the arrived bytes, pass after pass."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    if stuffed:
        sender.fill()
    sender.write(size)
    if sender.finish():
        driver.run_idle(5)
        assert not sender.drain(), "the peer got more than was written"


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
def test_pieces_leave_in_the_order_of_their_writes(
    driver: LeventDriver, channels: Channels, sizes: list[int], passes: int
) -> None:
    """The channel is narrow and full at first, so that partial sends leave rests of all sizes."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    for size in sizes:
        sender.write(size)
        driver.run_idle(passes)
        if passes:
            sender.drain(size + 700)
    sender.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("step", [1, 100, 3000, 50_000])
def test_a_slow_peer_gets_everything(driver: LeventDriver, channels: Channels, step: int) -> None:
    """The peer and the kernel take a little between passes."""
    size = max(200 * step, 20_000) if step < 3000 else 300_000
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.write(size)
    for _ in range(200):
        sender.drain(step)
        driver.run_once()
    sender.finish()


@rule("levent.bufevent.write")
def test_write_returns_though_the_peer_takes_nothing(
    driver: LeventDriver, channels: Channels
) -> None:
    """More than a megabyte is written to a full channel; later the peer takes it."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    for _ in range(4):
        sender.write(300_000)
    driver.run_idle(5)
    assert sender.output_length == 1_200_000, (
        f"{1_200_000 - sender.output_length} bytes left into a way that was full"
    )
    sender.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("high", [0, 10, 5000])
def test_no_watermark_keeps_output_from_leaving(
    driver: LeventDriver, channels: Channels, high: int
) -> None:
    """The output's high watermark limits nothing, and its low one is for writecb alone."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(min(high, 100), high)
    sender.start()
    for size in (1, high + 1, 20_000, 1):
        sender.write(size)
        sender.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("passes", [0, 100])
def test_output_leaves_however_long_the_loop_was_idle(
    driver: LeventDriver, channels: Channels, passes: int
) -> None:
    """Several times all output leaves and the loop is idle before the next write."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    for _ in range(4):
        driver.run_idle(passes)
        sender.write(1000)
        sender.finish()


@rule("levent.bufevent.write")
@pytest.mark.parametrize("times", [1, 3])
def test_output_that_readcb_writes_leaves(
    driver: LeventDriver, channels: Channels, times: int
) -> None:
    """readcb echoes piece by piece; the peer compares."""

    def echo(*_arguments: object) -> None:
        data = receiver.take_all()
        for at in range(times):
            receiver.evbuf.write(data[len(data) * at // times : len(data) * (at + 1) // times])

    receiver = ReceivingBuffer(driver, channels.pair(), echo)
    receiver.evbuf.start()
    came = bytearray()
    for size in (3, 100, 9, 20_000, 3):
        receiver.send(size)
        while len(came) < len(receiver.sent) and driver.until(
            lambda: receive_into(receiver.far, came)
        ):
            pass
        assert_same(receiver.sent, came, "what an echo in readcb sent back")


@rule("levent.bufevent.write")
def test_output_leaves_while_input_arrives(driver: LeventDriver, channels: Channels) -> None:
    """Many bytes go both ways at the same time."""
    receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: receiver.take_all())
    receiver.evbuf.start()
    outlet_bytes = bytes(range(256)) * 200
    receiver.evbuf.write(outlet_bytes)
    came = bytearray()
    for _ in range(50):
        receiver.send(1000)
        driver.run_once()
        came += receive(receiver.far, 4000)
    while len(came) < len(outlet_bytes) and driver.until(lambda: receive_into(receiver.far, came)):
        pass
    assert_same(outlet_bytes, came, "what the peer got while it sent")


@rule("levent.bufevent.write")
def test_output_leaves_though_the_input_is_full(driver: LeventDriver, channels: Channels) -> None:
    """A loop may tell the full input again: the fourth call empties it; otherwise it stays full."""
    calls: list[int] = []

    def read(*_arguments: object) -> None:
        calls.append(receiver.input_length)
        if len(calls) > 3:
            receiver.take_all()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(0, 5)
    receiver.evbuf.start()
    receiver.send(20)
    driver.run_idle(5)
    receiver.evbuf.write(payload(1000))
    came = bytearray()
    while len(came) < 1000 and driver.until(lambda: receive_into(receiver.far, came)):
        pass
    assert_same(
        payload(1000), came, "what the peer got while the input was at its high watermark of 5"
    )


@rule("levent.bufevent.write")
@pytest.mark.parametrize("passes", [0, 1])
def test_each_peer_gets_the_output_written_for_it(
    driver: LeventDriver, channels: Channels, passes: int
) -> None:
    """Three outputs are written in turns; the channel to the first peer is full at first."""
    senders = [SendingBuffer(driver, channels) for _ in range(3)]
    for sender in senders:
        sender.start()
    senders[0].fill()
    for size in (10, 3000, 1, 20_000):
        for number, sender in enumerate(senders):
            sender.write(size + number)
            driver.run_idle(passes)
    for sender in reversed(senders):
        sender.finish()


@rule("levent.bufevent.write")
def test_output_written_by_anothers_callback_leaves(
    driver: LeventDriver, channels: Channels
) -> None:
    """A proxy writes the input of one to the other."""
    source = ReceivingBuffer(
        driver, channels.pair(), lambda *_: sender.evbuf.write(source.take_all())
    )
    sender = ReceivingBuffer(driver, channels.pair(), name="outlet")
    source.evbuf.start()
    sender.evbuf.start()
    came = bytearray()
    for size in (3, 1000, 50_000, 1):
        source.send(size)
        while len(came) < len(source.sent) and driver.until(lambda: receive_into(sender.far, came)):
            pass
        assert_same(source.sent, came, "what one got and wrote to another one")


@rule("levent.bufevent.write-inactive")
def test_output_written_before_the_start_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    near, far = channels.pair()
    evbuf = driver.evbuf(near.fileno())
    try:
        evbuf.write(b"early")
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="write before start")
        return
    driver.run_idle()
    early = receive(far, 100)
    evbuf.start()
    driver.run_idle()
    late = receive(far, 100)
    said = "leaves before the start" if early else "leaves after the start" if late else "is lost"
    observe(said, of="write before start")


@rule("levent.bufevent.write-empty")
@pytest.mark.parametrize(
    "data",
    [b"", "text", 12, None, bytearray(b"bytearray"), memoryview(b"view"), [1, 2], 1.5],
    ids=lambda data: type(data).__name__,
)
def test_writes_of_odd_data_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, data: bytes
) -> None:
    """The test writes ordinary bytes before and after it."""
    near, far = channels.pair()
    evbuf = driver.evbuf(near.fileno())
    evbuf.start()
    evbuf.write(b"<")
    of = "no bytes" if data == b"" else type(data).__name__
    try:
        evbuf.write(data)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
        return
    evbuf.write(b">")
    driver.run_idle()
    observe(f"the peer gets {receive(far, 100)!r}", of=of)
