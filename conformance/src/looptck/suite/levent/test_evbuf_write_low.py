"""levent, buffered events: the low watermark of the output.

The test knows the level of the output from outside: the written bytes, less those that the peer has
or could have. The channel to the peer is narrow, and stuffed at first; the test tries out before,
on another channel, how much one send takes after it was cleared. A loop that sends in other pieces
comes to other levels, and is judged by those.
"""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import SendingBuffer, room_of_filled_channel
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

LOWS = [0, 1, 2, 100, 5000]


def _started(driver: LeventDriver, channels: Channels, low: int) -> SendingBuffer:
    """A started outlet with that low watermark of its output."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(low, 0)
    sender.start()
    return sender


def _none_above(sender: SendingBuffer, low: int) -> None:
    """Assert that no call of writecb since the start came above the watermark."""
    for level in sender.call_levels:
        assert level <= low, (
            f"writecb ran with {level} bytes in the output; the low watermark is {low}"
        )


def _drained(sender: SendingBuffer, low: int) -> None:
    """The peer takes everything; writecb has run by then, and not above the watermark."""
    assert not sender.finish() or sender.was_called(), (
        f"writecb did not run when all output had left; the low watermark is {low}"
    )
    _none_above(sender, low)


def _left(driver: LeventDriver, sender: SendingBuffer, channels: Channels, size: int) -> None:
    """Write so much that after one send *size* bytes are left, and let that send happen."""
    room = room_of_filled_channel(channels)
    sender.fill()
    sender.write(room + size)
    driver.run_idle()
    sender.make_room()
    driver.run_idle()


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [2, 100, 5000])
def test_writecb_runs_one_byte_below_the_low_watermark(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The socket is full again then, so that no more leaves."""
    sender = _started(driver, channels, low)
    _left(driver, sender, channels, low - 1)
    assert sender.output_length >= low or sender.call_levels, (
        f"writecb did not run when {sender.output_length} bytes were left; the low watermark is "
        f"{low}"
    )
    _none_above(sender, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("more", [1, 2, 1000])
def test_writecb_does_not_run_above_the_low_watermark(
    driver: LeventDriver, channels: Channels, low: int, more: int
) -> None:
    """One byte more than the watermark is left, or two, or many; then all the rest leaves."""
    sender = _started(driver, channels, low)
    _left(driver, sender, channels, low + more)
    _none_above(sender, low)
    _drained(sender, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_writecb_has_run_when_all_output_has_left(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """At first exactly the watermark is left, for which a call is open."""
    sender = _started(driver, channels, low)
    _left(driver, sender, channels, low)
    _drained(sender, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("size", [1, 2, 99, 101, 5001])
def test_output_that_leaves_at_once_is_told(
    driver: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """There is room for all of the output, several times; it may always be below the watermark."""
    sender = _started(driver, channels, low)
    for _ in range(3):
        before = len(sender.call_levels)
        sender.write(size)
        assert not sender.finish() or sender.was_called(before), (
            f"writecb did not run when {size} bytes had left and none was left; "
            f"the low watermark is {low}"
        )
        _none_above(sender, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 1, 4096, 30_000])
@pytest.mark.parametrize("step", [500, 5000, 40_000])
def test_a_slow_peer_brings_no_call_above_the_low_watermark(
    driver: LeventDriver, channels: Channels, low: int, step: int
) -> None:
    """Much more was written than the watermark; the peer takes a little after each pass."""
    sender = _started(driver, channels, low)
    sender.write(60_000)
    while sender.output_length and driver.until(lambda: sender.drain(step)):
        _none_above(sender, low)
        if low and sender.output_length < low:
            assert sender.was_called(), (
                f"writecb did not run when {sender.output_length} bytes were left; "
                f"the low watermark is {low}"
            )
    _drained(sender, low)


@rule("levent.buffer.write-lowwater")
def test_a_raised_low_watermark_counts_for_waiting_output(
    driver: LeventDriver, channels: Channels
) -> None:
    """The watermark was 0; the level after the next send is below the new one."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    room = room_of_filled_channel(channels)
    sender.fill()
    sender.write(room + 500)
    driver.run_idle()
    assert not sender.call_levels, "writecb ran when nothing had left; the low watermark is 0"
    sender.evbuf.set_write_watermarks(501, 0)
    sender.make_room()
    driver.run_idle()
    assert sender.output_length > 500 or sender.call_levels, (
        f"writecb did not run when {sender.output_length} bytes were left, after the low "
        "watermark was "
        "raised from 0 to 501"
    )


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 499])
def test_a_lowered_low_watermark_counts_for_waiting_output(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The level after the next send is below the old watermark and above the new one."""
    sender = _started(driver, channels, 501)
    room = room_of_filled_channel(channels)
    sender.fill()
    sender.write(room + 500)
    driver.run_idle()
    sender.evbuf.set_write_watermarks(low, 0)
    sender.make_room()
    driver.run_idle()
    _none_above(sender, low)
    _drained(sender, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 10])
def test_writecb_does_not_run_while_the_file_is_full(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Nothing can leave, and more output waits than the watermark."""
    sender = _started(driver, channels, low)
    sender.fill()
    sender.write(1000)
    driver.run_idle()
    assert not sender.call_levels, (
        f"writecb ran with {sender.call_levels[0]} bytes in the output and a peer that takes "
        f"nothing; the low watermark is {low}"
    )


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 100])
def test_output_that_waited_through_a_stop_is_told(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The output leaves after the start; a first call for the start itself may have come before."""
    sender = _started(driver, channels, low)
    sender.fill()
    sender.write(10)
    sender.evbuf.stop()
    sender.evbuf.start()
    driver.run_idle()
    before = len(sender.call_levels)
    assert not sender.finish() or sender.was_called(before), (
        "writecb did not run when what waited through a stop had left"
    )


@rule("levent.buffer.write-lowwater")
def test_output_is_told_while_input_arrives(driver: LeventDriver, channels: Channels) -> None:
    """Data and room are there when the pass begins."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    for _ in range(3):
        before = len(sender.call_levels)
        sender.write(10)
        sender.far.send(b"data")
        assert sender.was_called(before, draining=True), (
            "writecb did not run when all output had left; there was something to read as well"
        )
        sender.finish()
        driver.run_idle(5)
        sender.evbuf.read()


@rule("levent.buffer.write-lowwater")
def test_output_added_meanwhile_counts_for_the_level(
    driver: LeventDriver, channels: Channels
) -> None:
    """A little is written whenever something leaves, so that the output is never empty."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.write(50_000)
    for _ in range(30):
        sender.drain(3000)
        sender.write(2000)
        driver.run_once()
        _none_above(sender, 0)
    _drained(sender, 0)


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
