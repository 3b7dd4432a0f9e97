"""levent, buffered events: a low watermark of the input that changes while bytes are there."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("there", [1, 5, 9])
def test_a_raised_low_watermark_counts_for_the_next_arrival(
    driver: LeventDriver, channels: Channels, there: int
) -> None:
    """Some bytes were told at a watermark of 1; then one byte is missing to the new watermark of
    ten."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(1, 0)
    receiver.evbuf.start()
    receiver.send(there)
    assert driver.until_count("read"), f"readcb did not run at {there} bytes; it waits for 1"
    receiver.run_until_received()
    receiver.evbuf.set_read_watermarks(10, 0)
    before = driver.count("read")
    for level in range(there + 1, 10):
        receiver.send(1)
        receiver.run_until_received()
        assert driver.count("read") == before, (
            f"readcb ran at {level} bytes after the low watermark was raised from 1 to 10"
        )
    receiver.send(1)
    assert driver.until_count("read", before + 1), (
        "readcb did not run at 10 bytes after the low watermark was raised to 10"
    )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [0, 1, 5, 6])
def test_a_lowered_low_watermark_counts_for_the_next_arrival(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """Five bytes are there and no call takes any; after the change the sixth brings a call."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 0)
    receiver.evbuf.start()
    receiver.send(5)
    receiver.run_until_received()
    assert not driver.count("read"), "readcb ran at 5 bytes; the low watermark is 10"
    receiver.evbuf.set_read_watermarks(low, 0)
    driver.run_idle()
    before = driver.count("read")
    receiver.send(1)
    assert driver.until_count("read", before + 1), (
        f"readcb did not run at 6 bytes after the low watermark was lowered from 10 to {low}"
    )


@rule("levent.buffer.read-lowwater")
def test_a_low_watermark_set_in_a_call_counts_for_the_next_one(
    driver: LeventDriver, channels: Channels
) -> None:
    """Each call takes everything and waits for one byte more, as a reader of records does."""
    wanted = 1
    got: list[int] = []

    def read(*_arguments: object) -> None:
        nonlocal wanted
        got.append(len(receiver.take()))
        wanted += 1
        receiver.evbuf.set_read_watermarks(wanted, 0)

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(1, 0)
    receiver.evbuf.start()
    for _ in range(1 + 2 + 3 + 4 + 5):
        receiver.send(1)
        receiver.run_until_received()
    assert got == [1, 2, 3, 4, 5], (
        f"15 bytes came one at a time, and each call set the low watermark to one more than "
        f"before; the calls had {got} bytes, not 1, 2, 3, 4, 5"
    )


@rule("levent.buffer.read-lowwater-no-data")
def test_calls_for_bytes_that_lie_there_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Many passes tell "in each pass" from "once"."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(4, 0)
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    _observe(driver, observe, "10 bytes left in the input")
    receiver.take(2)
    _observe(driver, observe, "2 of 10 taken")
    receiver.evbuf.set_read_watermarks(20, 0)
    _observe(driver, observe, "low raised above what is there")
    receiver.evbuf.set_read_watermarks(8, 0)
    _observe(driver, observe, "low lowered to what is there")
    receiver.evbuf.stop()
    receiver.evbuf.start()
    _observe(driver, observe, "stopped and started")
    receiver.take()
    receiver.evbuf.set_read_watermarks(0, 0)
    _observe(driver, observe, "low 0 and nothing there")


@rule("levent.buffer.read-lowwater-no-data")
def test_calls_after_one_that_takes_some_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Ten bytes come at once; each call takes two, as long as there are two."""
    receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: receiver.take(2))
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    calls = "one call" if driver.count("read") == 1 else "until all is taken"
    if receiver.input_length and driver.count("read") > 1:
        calls = "some calls"
    observe(calls, of="each call takes 2 of 10")


def _observe(driver: LeventDriver, observe: Observation, situation: str) -> None:
    before = driver.count("read")
    driver.run_idle(20)
    calls = driver.count("read") - before
    observe({0: "no call", 1: "one call"}.get(calls, "called again and again"), of=situation)
