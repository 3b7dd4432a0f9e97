"""levent, buffered events: the writes and the calls of writecb that are open."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import SendingBuffer, receive, room_of_filled_channel
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


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


def _started(driver: LeventDriver, channels: Channels, low: int) -> SendingBuffer:
    """A started outlet with that low watermark of its output."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(low, 0)
    sender.start()
    return sender


def _left(driver: LeventDriver, sender: SendingBuffer, channels: Channels, size: int) -> None:
    """Write so much that after one send *size* bytes are left, and let that send happen."""
    room = room_of_filled_channel(channels)
    sender.fill()
    sender.write(room + size)
    driver.run_idle()
    sender.make_room()
    driver.run_idle()


def _said(calls: int) -> str:
    return {0: "no call", 1: "one call"}.get(calls, "called again and again")


@rule("levent.buffer.write-initial")
def test_calls_though_nothing_left_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Twenty passes for each case show how often."""
    sender = SendingBuffer(driver, channels)

    def look(situation: str) -> None:
        before = driver.count("write")
        driver.run_idle(20)
        observe(_said(driver.count("write") - before), of=situation)

    sender.evbuf.start()
    look("started with nothing to send")
    look("idle")
    sender.evbuf.stop()
    sender.evbuf.start()
    look("stopped and started")
    sender.evbuf.set_write_watermarks(100, 0)
    look("low raised above an empty output")
    sender.fill()
    sender.write(10)
    look("10 bytes that cannot leave, low 100")
    sender.evbuf.set_write_watermarks(5, 0)
    sender.evbuf.set_write_watermarks(100, 0)
    look("low raised above what waits")


@rule("levent.buffer.write-initial")
@pytest.mark.parametrize("low", [1, 100, 5000])
def test_calls_at_exactly_the_low_watermark_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, low: int
) -> None:
    """A loop that sends in other pieces than most comes to another level; the test records that."""
    sender = _started(driver, channels, low)
    _left(driver, sender, channels, low)
    situation = f"{low} bytes left, low {low}"
    if sender.output_length != low:
        observe("the loop does not come to this level", of=situation)
    else:
        observe("called" if sender.call_levels else "no call", of=situation)
