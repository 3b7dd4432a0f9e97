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

    Every call notes the level and, without *take*, leaves the bytes in the input.
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
    """Let all sent bytes arrive; readcb must not run."""
    before = driver.count("read")
    receiver.run_until_received()
    assert driver.count("read") == before, (
        f"readcb ran at {receiver.input_length} bytes; the low watermark is {low}"
    )


def _told(driver: LeventDriver, receiver: ReceivingBuffer, low: int, before: int) -> None:
    """Assert that readcb runs after *before* calls of it were counted."""
    assert driver.until_count("read", before + 1), (
        f"readcb did not run when {len(receiver.sent)} bytes had been sent and "
        f"{len(receiver.taken)} "
        f"of them taken; the low watermark is {low}"
    )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_readcb_runs_at_the_low_watermark(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The bytes come one at a time, so that only the last one can bring the call."""
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
    """Exactly as many bytes as the watermark come at once, or one more, or many more."""
    receiver = _inlet(driver, channels, low)
    receiver.send(low + more)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [2, 10, 100])
def test_one_arrival_below_the_low_watermark_is_not_told(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """One byte less than the watermark comes at once; the last byte is told then."""
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
    """No call takes any byte, so that an emptied buffer cannot bring a call."""
    receiver = _inlet(driver, channels, low)
    for _ in range(4):
        before = driver.count("read")
        receiver.send(size)
        _told(driver, receiver, low, before)


@rule("levent.buffer.read-lowwater")
def test_without_a_watermark_a_single_byte_is_told(
    driver: LeventDriver, channels: Channels
) -> None:
    """No low watermark was set, so it is 0."""
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
    """The calls take nothing, and further bytes come one at a time."""
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
def test_a_drained_input_waits_for_the_low_watermark_again(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The input reaches the watermark three times; each call takes everything."""
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
def test_bytes_left_between_passes_count_for_the_next_call(
    driver: LeventDriver, channels: Channels, low: int, left: str
) -> None:
    """Between two passes the test takes all but one byte, or just one."""
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
def test_bytes_left_by_a_call_count_for_the_next_call(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Each call takes half of the watermark, so that another half of it brings the next call."""
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
def test_a_low_watermark_above_one_read_is_reached(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """The bytes are sent in four parts, while the loop runs; the last byte comes alone."""
    receiver = _inlet(driver, channels, low)
    parts = [low // 4, low // 4, low // 4, low - 1 - 3 * (low // 4)]
    for part in parts:
        receiver.send(part)
        _silent(driver, receiver, low)
    receiver.send(1)
    _told(driver, receiver, low, before=0)


@rule("levent.buffer.read-lowwater")
def test_bytes_that_wait_at_the_start_count(driver: LeventDriver, channels: Channels) -> None:
    """Nine of the ten bytes that readcb waits for are there at the start; the tenth comes later."""
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
def test_calls_for_a_rest_at_the_end_of_the_file_are_recorded(
    driver: LeventDriver,
    channels: Channels,
    observe: Observation,
    low: int,
    end: str,
    together: bool,
) -> None:
    """One byte is missing and never comes; the bytes that are there can be read in any case."""
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
