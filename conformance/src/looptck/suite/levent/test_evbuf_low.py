"""levent, buffered events: the calls that the low watermark of the input leaves open."""

from __future__ import annotations

import socket
import threading

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.guards import guard
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


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
