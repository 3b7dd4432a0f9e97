"""levent, buffered events: the low watermark of the input, beside other events."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels, fill
from looptck.testing.guards import guard
from looptck.testing.levent_driver import LeventDriver

# In seconds; a loop() that has not ended by then has nothing more to do.
_PATIENCE = 1.0


def _run(driver: LeventDriver, channels: Channels) -> None:
    """Call `loop()` once; a callback of the test ends it by `driver.end`, or a timer does in the
    end."""
    near, far = channels.pair()
    driver.event("too late", near.fileno(), "r", lambda *_: driver.stop_all()).start()
    timer = threading.Timer(guard(_PATIENCE), lambda: far.send(b"!"))
    timer.start()
    try:
        driver.run_once(None)
    finally:
        timer.cancel()
        timer.join()


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("number", [2, 3, 10])
@pytest.mark.parametrize("low", [0, 5])
def test_each_input_that_is_ready_at_once_is_told(
    driver: LeventDriver, channels: Channels, number: int, low: int
) -> None:
    """All inputs reach their watermark before the pass begins; this happens twice."""
    receivers = [ReceivingBuffer(driver, channels.pair(), name=str(at)) for at in range(number)]
    for receiver in receivers:
        receiver.evbuf.set_read_watermarks(low, 0)
        receiver.evbuf.start()
    for _ in range(2):
        before = [driver.count(f"{at} read") for at in range(number)]
        for receiver in receivers:
            receiver.send(5)
        for at in range(number):
            assert driver.until_count(f"{at} read", before[at] + 1), (
                f"{number} buffered events got 5 bytes each, and the readcb of number {at + 1} did "
                f"not run; its low watermark is {low}"
            )
        driver.run_idle(5)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("full", [False, True], ids=["that can leave", "that cannot leave"])
def test_input_is_told_while_there_is_output(
    driver: LeventDriver, channels: Channels, full: bool
) -> None:
    """Some output is written before each arrival."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(5, 0)
    receiver.evbuf.start()
    driver.run_idle(5)
    if full:
        fill(receiver.near)
    for _ in range(3):
        before = driver.count("read")
        receiver.evbuf.write(b"output")
        receiver.send(5)
        assert driver.until_count("read", before + 1), (
            "readcb did not run at 5 bytes, its low watermark, while there was output"
        )
        driver.run_idle(5)


@rule("levent.buffer.read-lowwater")
def test_lines_that_were_read_do_not_count(driver: LeventDriver, channels: Channels) -> None:
    """A line and then the rest are read; nine of the ten bytes that readcb waits for come again."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 0)
    receiver.evbuf.start()
    receiver.send_bytes(b"12345678\n0")
    assert driver.until_count("read"), "readcb did not run at 10 bytes, its low watermark"
    with suppress(Exception):  # that is for the rules of readline
        receiver.evbuf.readline()
    receiver.evbuf.read()
    driver.run_idle(5)
    before = driver.count("read")
    receiver.send_bytes(b"123456789")
    receiver.run_until_received()
    assert driver.count("read") == before, (
        "readcb ran at 9 bytes, when a line and the rest had been taken; the low watermark is 10"
    )
    receiver.send_bytes(b"0")
    assert driver.until_count("read", before + 1), "readcb did not run at 10 bytes"


@rule("levent.buffer.read-lowwater")
def test_bytes_that_arrived_before_a_stop_count(driver: LeventDriver, channels: Channels) -> None:
    """Nine of ten bytes come before the stop, and the last one after the start."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 0)
    receiver.evbuf.start()
    receiver.send(9)
    receiver.run_until_received()
    receiver.evbuf.stop()
    driver.run_idle(5)
    receiver.evbuf.start()
    driver.run_idle()
    assert not driver.count("read"), "readcb ran at 9 bytes; its low watermark is 10"
    receiver.send(1)
    assert driver.until_count("read"), (
        "readcb did not run at 10 bytes, its low watermark; 9 of them came before a stop"
    )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [0, 1, 10])
def test_every_arrival_is_told_in_a_loop_that_waits(
    driver: LeventDriver, channels: Channels, low: int
) -> None:
    """During one loop() each call takes everything and lets the peer send the next portion."""
    portions = 6

    def read(*_arguments: object) -> None:
        assert receiver.input_length >= low, (
            f"readcb ran at {receiver.input_length} bytes; its low watermark is {low}"
        )
        if not receiver.take_all():
            return
        if len(receiver.sent) < portions * 10:
            receiver.send(10)
        elif len(receiver.taken) == len(receiver.sent):
            driver.stop_all()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(low, 0)
    receiver.evbuf.start()
    receiver.send(10)
    _run(driver, channels)
    assert not driver.count("too late"), (
        f"10 bytes came in the middle of each call, {portions} times in one loop(), and after "
        f"{driver.count('read')} calls readcb did not run again; its low watermark is {low}"
    )
