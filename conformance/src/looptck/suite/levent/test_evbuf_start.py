"""levent, buffered events: nothing happens before the start, and everything after it.

The tests ask whether bytes come or go at all; the other rules judge which.
"""

from __future__ import annotations

import threading

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

_DATA = b"some bytes"

# In seconds; enough for a loop to fall asleep.  One that waits is right however long it is.
_A_MOMENT = 0.02


@rule("levent.bufevent.start")
@pytest.mark.parametrize("looped", [False, True], ids=["new base", "base that ran"])
def test_a_buffered_event_without_start_lets_loop_return(
    driver: LeventDriver, channels: Channels, looped: bool
) -> None:
    """Data waits: a loop that serves the event anyway calls it, and does not just wait."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.send_bytes(_DATA)
    if looped:
        driver.run_once()
    driver.run_once(None)
    assert not driver.trace, f"{driver.trace[0]} was called before start()"


@rule("levent.bufevent.start")
def test_output_leaves_after_the_start(driver: LeventDriver, channels: Channels) -> None:
    """More is written when all of the first output has left."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    for _ in range(3):
        sender.write(100)
        assert driver.until(sender.drain), "output was written after start(), and did not leave"


@rule("levent.bufevent.start")
def test_a_start_in_a_callback_takes_effect(driver: LeventDriver, channels: Channels) -> None:
    """Data has waited for the event; another one is served before and starts it."""
    first = ReceivingBuffer(driver, channels.pair(), lambda *_: second.evbuf.start(), name="first")
    second = ReceivingBuffer(driver, channels.pair(), name="second")
    second.send_bytes(_DATA)
    first.send_bytes(_DATA)
    first.evbuf.start()
    assert driver.until_count("first read"), "a started buffered event was not served"
    assert driver.until_count("second read"), (
        "a buffered event that was started in a callback was not served"
    )


@rule("levent.bufevent.start")
def test_loop_waits_for_a_silent_buffered_event(driver: LeventDriver, channels: Channels) -> None:
    """Nothing is ready when the loop begins to wait; a thread sends a moment later."""
    receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: receiver.evbuf.stop())
    receiver.evbuf.start()
    driver.run_idle(5)  # a first call of writecb
    sender = threading.Timer(_A_MOMENT, lambda: receiver.far.send(_DATA))
    sender.start()
    driver.run_once(None)
    sender.join()
    assert driver.count("read"), (
        "loop() returned when a buffered event was started; nothing had come for it yet"
    )


@rule("levent.bufevent.start-without-readcb")
@pytest.mark.parametrize("writecb", [True, False], ids=["with a writecb", "without any callback"])
def test_arrivals_without_a_readcb_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, writecb: bool
) -> None:
    near, far = channels.pair()
    of = "only writecb" if writecb else "no callback"
    callback = driver.callback("write") if writecb else None
    try:
        evbuf = driver.keep(driver.base.newevbuf(near.fileno(), None, callback, None))
        evbuf.start()
        far.send(_DATA)
        driver.run_idle()
        observe("arrive" if evbuf.read() else "wait in the file", of=of)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
