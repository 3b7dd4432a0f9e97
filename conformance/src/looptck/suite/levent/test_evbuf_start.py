"""levent, buffered events: nothing happens before the start, and everything after it.

The tests ask whether bytes come or go at all; the other rules judge which.
"""

from __future__ import annotations

import threading

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, unread
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

_DATA = b"some bytes"

# In seconds; enough for a loop to fall asleep.  One that waits is right however long it is.
_A_MOMENT = 0.02


@rule("levent.bufevent.start")
@pytest.mark.parametrize("end", [False, True], ids=["data", "data and the end"])
def test_before_the_start_nothing_is_read_or_called(
    driver: LeventDriver, channels: Channels, end: bool
) -> None:
    """Data waits in the file, and there is room for output."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.send_bytes(_DATA)
    if end:
        receiver.far.close()
    driver.run_idle()
    assert not driver.trace, f"{driver.trace[0]} was called before start()"
    assert receiver.waiting == len(_DATA), (
        f"{len(_DATA) - receiver.waiting} bytes were read from the file before start()"
    )


@rule("levent.bufevent.start")
@pytest.mark.parametrize("file", ["data", "data and the end"])
def test_newevbuf_reads_nothing_from_the_file(
    driver: LeventDriver, channels: Channels, file: str
) -> None:
    """The bytes were there before newevbuf was called."""
    near, far = channels.pair()
    far.send(_DATA)
    if file == "data and the end":
        far.close()
    driver.evbuf(near.fileno())
    assert unread(near) == len(_DATA), "newevbuf() read from the file"
    driver.run_idle(5)
    assert not driver.trace, f"{driver.trace[0]} was called before start()"
    assert unread(near) == len(_DATA), "the file was read before start()"


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
def test_bytes_that_waited_in_the_file_arrive_after_the_start(
    driver: LeventDriver, channels: Channels
) -> None:
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.send_bytes(_DATA)
    driver.run_idle(5)
    receiver.evbuf.start()
    assert driver.until_count("read"), (
        f"{len(_DATA)} bytes waited in the file, and after start() readcb did not run"
    )
    assert receiver.take(), "after start() readcb ran, and read() gave nothing"


@rule("levent.bufevent.start")
@pytest.mark.parametrize("idle", [0, 200])
def test_bytes_sent_after_the_start_arrive(
    driver: LeventDriver, channels: Channels, idle: int
) -> None:
    """The bytes come at once, or after some idle passes; and then again."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for _ in range(3):
        driver.run_idle(idle)
        before = driver.count("read")
        receiver.send_bytes(_DATA)
        assert driver.until_count("read", before + 1), (
            "data came after start(), and readcb did not run"
        )
        receiver.run_until_received()
        assert receiver.take(), "readcb ran, and read() gave nothing"


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
def test_loop_goes_on_while_a_buffered_event_is_started(
    driver: LeventDriver, channels: Channels
) -> None:
    """Each of five has nothing to do until the one before it stops and sends to it."""

    def pass_on(at: int) -> None:
        receivers[at].evbuf.stop()
        if at + 1 < len(receivers):
            receivers[at + 1].send_bytes(_DATA)

    receivers = [
        ReceivingBuffer(driver, channels.pair(), lambda *_, at=at: pass_on(at), name=str(at))
        for at in range(5)
    ]
    for receiver in receivers:
        receiver.evbuf.start()
    driver.run_idle(5)  # first calls of writecb
    receivers[0].send_bytes(_DATA)
    driver.run_once(None)
    for at in range(5):
        assert driver.count(f"{at} read"), (
            f"loop() returned when {5 - at} buffered events were still started"
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


@rule("levent.bufevent.start")
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "in a callback"])
def test_a_second_start_changes_nothing(
    driver: LeventDriver, channels: Channels, inside: bool
) -> None:
    """A loop may serve the event twice, or lose bytes that are there."""

    def read(*_arguments: object) -> None:
        if inside:
            receiver.evbuf.start()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.start()
    receiver.evbuf.start()
    receiver.send_bytes(_DATA)
    receiver.run_until_received()
    receiver.evbuf.start()
    receiver.send_bytes(_DATA)
    receiver.run_until_received()
    receiver.take_all()
    assert receiver.taken == receiver.sent, (
        f"{bytes(receiver.sent)!r} was sent to a buffered event that was started twice, and "
        f"{bytes(receiver.taken)!r} was read"
    )


@rule("levent.bufevent.start")
@pytest.mark.parametrize("starts", [2, 3])
def test_a_second_start_does_not_double_the_calls(
    driver: LeventDriver, channels: Channels, starts: int
) -> None:
    """Each call takes everything: a second call would find fewer bytes than its low watermark."""
    empty: list[int] = []

    def read(*_arguments: object) -> None:
        if receiver.input_length < 1:
            empty.append(receiver.input_length)
        receiver.take_all()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(1, 0)
    for _ in range(starts):
        receiver.evbuf.start()
    for _ in range(3):
        receiver.send(10)
        receiver.run_until_received()
    assert not empty, (
        f"after {starts} start(), readcb ran again when it had taken all; its low watermark is 1"
    )


@rule("levent.bufevent.start")
def test_a_second_start_keeps_the_output(driver: LeventDriver, channels: Channels) -> None:
    """Output waits for a peer that takes nothing."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    sender.write(100)
    driver.run_idle(5)
    sender.evbuf.start()
    driver.until(lambda: sender.drain() and len(sender.received) >= 100)
    assert len(sender.received) >= 100, (
        f"{len(sender.received)} of 100 bytes left that waited when start() was called again"
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
