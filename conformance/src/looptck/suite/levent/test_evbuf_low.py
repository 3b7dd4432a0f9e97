"""levent, buffered events: the low watermark of the input."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

LOWS = [1, 2, 10, 100]


def _inlet(
    driver: LeventDriver, channels: Channels, low: int, *, take: bool = False
) -> ReceivingBuffer:
    """An inlet with that low watermark, started; *take* takes all in each call.

    Every call looks at the level, and takes nothing as long as it is not the test's turn.
    """
    made: list[ReceivingBuffer] = []

    def read(*_arguments: object) -> None:
        receiver = made[0]
        assert receiver.input_length >= low, (
            f"readcb ran with {receiver.input_length} bytes in the input; the low watermark is "
            f"{low}"
        )
        if take:
            got = receiver.take()
            assert len(got) >= low, (
                f"readcb ran and read() gave {len(got)} bytes; the low watermark is {low}"
            )

    made.append(ReceivingBuffer(driver, channels.pair(), read))
    made[0].evbuf.set_read_watermarks(low, 0)
    made[0].evbuf.start()
    return made[0]


def _silent(driver: LeventDriver, receiver: ReceivingBuffer, low: int) -> None:
    """All that was sent arrives, and is not told."""
    before = driver.count("read")
    receiver.run_until_received()
    assert driver.count("read") == before, (
        f"readcb ran at {receiver.input_length} bytes; the low watermark is {low}"
    )


def _told(driver: LeventDriver, receiver: ReceivingBuffer, low: int, before: int) -> None:
    """There is a call that there was not when *before* was counted."""
    assert driver.until_count("read", before + 1), (
        f"readcb did not run when {len(receiver.sent)} bytes had been sent and "
        f"{len(receiver.taken)} "
        f"of them taken; the low watermark is {low}"
    )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_readcb_waits_for_the_low_watermark_and_not_for_more(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The bytes come one at a time, so that the call can only be due to the last one."""
    receiver = _inlet(driver, channels, low)
    for _ in range(low - 1):
        receiver.send(1)
        driver.until(lambda: not receiver.waiting)
    _silent(driver, receiver, low)
    receiver.send(1)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("more", [0, 1, 5000])
def test_one_arrival_that_reaches_the_low_watermark_is_told(
    driver: LeventDriver, channels: Channels, low: int, more: int
) -> None:
    """Exactly the watermark, a byte more, many more, all at once."""
    receiver = _inlet(driver, channels, low)
    receiver.send(low + more)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [2, 10, 100])
def test_one_arrival_below_the_low_watermark_is_not_told(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """One byte less than the watermark, all at once; the last one is told then."""
    receiver = _inlet(driver, channels, low)
    receiver.send(low - 1)
    _silent(driver, receiver, low)
    receiver.send(1)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 3, 4000])
def test_with_a_low_watermark_of_0_or_1_every_arrival_is_told(
    driver: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """Nothing is taken, so that no call can be due to an emptied buffer."""
    receiver = _inlet(driver, channels, low)
    for _ in range(4):
        before = driver.count("read")
        receiver.send(size)
        _told(driver, receiver, low, before)


@rule("levent.buffer.read-lowwater")
def test_without_a_watermark_a_single_byte_is_told(
    driver: LeventDriver, channels: Channels
) -> None:
    """Nobody has set one; it is 0 then."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for _ in range(3):
        before = driver.count("read")
        receiver.send(1)
        _told(driver, receiver, 0, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_above_the_low_watermark_every_further_byte_is_told(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """What was told is not taken, and more comes, a byte at a time."""
    receiver = _inlet(driver, channels, low)
    receiver.send(low)
    _told(driver, receiver, low, before=0)
    for _ in range(3):
        driver.run_idle(5)
        before = driver.count("read")
        receiver.send(1)
        _told(driver, receiver, low, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_after_the_input_was_drained_in_a_call_the_low_watermark_counts_anew(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Three times; each call takes everything."""
    receiver = _inlet(driver, channels, low, take=True)
    for _ in range(3):
        before = driver.count("read")
        if low > 1:
            receiver.send(low - 1)
            _silent(driver, receiver, low)
        receiver.send(1)
        _told(driver, receiver, low, before)
        assert not receiver.input_length, (
            f"{receiver.input_length} bytes were left by a read() of everything"
        )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [2, 10, 100])
@pytest.mark.parametrize("left", ["1", "low - 1"])
def test_what_a_program_leaves_in_the_input_counts_for_the_next_call(
    driver: LeventDriver, channels: Channels, low: int, left: str
) -> None:
    """Taken between two passes: all but one byte, or just one."""
    receiver = _inlet(driver, channels, low)
    receiver.send(low)
    _told(driver, receiver, low, before=0)
    rest = 1 if left == "1" else low - 1
    assert len(receiver.take(low - rest)) == low - rest, "read(size) gave less than there was"
    driver.run_idle()
    before = driver.count("read")
    if rest < low - 1:
        receiver.send(low - 1 - rest)
        _silent(driver, receiver, low)
    receiver.send(1)
    _told(driver, receiver, low, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [4, 10, 100])
def test_what_a_call_leaves_in_the_input_counts_for_the_next_one(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Each call takes half of the watermark, so that half of it brings the next."""
    half = low // 2
    taken_at: list[int] = []

    def read(*_arguments: object) -> None:
        assert receiver.input_length >= low, (
            f"readcb ran with {receiver.input_length} bytes in the input; the low watermark is "
            f"{low}"
        )
        if len(taken_at) < len(receiver.sent) // half - 1:
            taken_at.append(len(receiver.take(half)))

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(low, 0)
    receiver.evbuf.start()
    receiver.send(half)
    _silent(driver, receiver, low)
    for _ in range(3):
        before = driver.count("read")
        receiver.send(half)
        _told(driver, receiver, low, before)
        driver.run_idle(5)
    assert taken_at == [half] * 3, f"read({half}) gave {taken_at} bytes in three calls"


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [16384, 16385, 65536, 70000])
def test_a_low_watermark_above_what_is_read_at_once_is_reached_all_the_same(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Sent in four parts, while the loop runs; the last byte comes alone."""
    receiver = _inlet(driver, channels, low)
    parts = [low // 4, low // 4, low // 4, low - 1 - 3 * (low // 4)]
    for part in parts:
        receiver.send(part)
        _silent(driver, receiver, low)
    receiver.send(1)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
def test_what_waits_when_it_is_started_counts(driver: LeventDriver, channels: Channels) -> None:
    """Of ten bytes asked for, nine wait; the tenth comes later."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 0)
    receiver.send(9)
    receiver.evbuf.start()
    _silent(driver, receiver, 10)
    receiver.send(1)
    _told(driver, receiver, 10, before=0)


@rule("levent.buffer.read-lowwater-no-data")
@pytest.mark.parametrize("end", ["close", "half close"])
@pytest.mark.parametrize("low", [2, 100])
@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
def test_calls_for_the_rest_at_the_end_of_the_file(
    driver: LeventDriver,
    channels: Channels,
    observe: Observation,
    low: int,
    end: str,
    together: bool,
) -> None:
    """One byte is missing and will never come; what is there can be read in any case."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(low, 0)
    receiver.evbuf.start()
    receiver.send(low - 1)
    if not together:
        receiver.run_until_received()
    if end == "close":
        receiver.far.close()
    else:
        receiver.far.shutdown(socket.SHUT_WR)
    driver.until(lambda: not receiver.waiting)
    driver.run_idle()
    said = "called" if driver.count("read") else "no call"
    observe(said, of=f"the end of the file with less than low in the input, {end}")
