"""levent, buffered events: each buffer has its own thresholds."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, unread
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver

# More than any test here sends; whoever waits for it waits for ever.
FAR = 1_000_000


def _told(driver: LeventDriver, receiver: ReceivingBuffer, size: int, why: str) -> None:
    before = driver.count("read")
    receiver.send(size)
    assert driver.until_count("read", before + 1), (
        f"readcb did not run at {receiver.input_length} bytes, {why}"
    )


def _silent(driver: LeventDriver, receiver: ReceivingBuffer, size: int, why: str) -> None:
    before = driver.count("read")
    receiver.send(size)
    receiver.run_until_received()
    assert driver.count("read") == before, f"readcb ran at {receiver.input_length} bytes, {why}"


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("when", ["before the start", "after it", "in a callback"])
def test_a_low_watermark_is_followed_whenever_it_was_set(
    driver: LeventDriver, channels: Channels, when: str
) -> None:
    """Twenty bytes are far too few, and twenty more are far too many."""

    def read(*_arguments: object) -> None:
        if when == "in a callback":
            receiver.evbuf.set_read_watermarks(30, 0)

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    if when == "before the start":
        receiver.evbuf.set_read_watermarks(30, 0)
    receiver.evbuf.start()
    if when == "after it":
        driver.run_idle(5)
        receiver.evbuf.set_read_watermarks(30, 0)
    if when == "in a callback":
        _told(driver, receiver, 5, "before a low watermark was set")
        receiver.run_until_received()
    _silent(driver, receiver, 10, f"with a low watermark of 30, set {when}")
    _told(driver, receiver, 50, f"with a low watermark of 30, set {when}")


@rule("levent.newevbuf.watermarks-exist")
def test_the_last_watermark_holds(driver: LeventDriver, channels: Channels) -> None:
    """Up, down, up again and to 0, each before an arrival."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.evbuf.set_read_watermarks(FAR, 0)
    _silent(driver, receiver, 20, f"with a low watermark of {FAR}")
    receiver.evbuf.set_read_watermarks(10, 0)
    _told(driver, receiver, 20, f"with a low watermark that was {FAR} and is 10")
    receiver.evbuf.set_read_watermarks(FAR, 0)
    _silent(driver, receiver, 20, f"with a low watermark that was 10 and is {FAR}")
    receiver.evbuf.set_read_watermarks(0, 0)
    _told(driver, receiver, 20, f"with a low watermark that was {FAR} and is 0")


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("started", [False, True], ids=["before the start", "after it"])
def test_the_watermarks_of_the_output_are_not_those_of_the_input(
    driver: LeventDriver, channels: Channels, started: bool
) -> None:
    """The one of the output is far above what is sent; readcb does not wait for it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    if started:
        receiver.evbuf.start()
        driver.run_idle(5)
    receiver.evbuf.set_write_watermarks(FAR, 0)
    receiver.evbuf.start()
    _told(driver, receiver, 20, f"when a low watermark of {FAR} was set for the output only")
    receiver.evbuf.set_read_watermarks(FAR, 0)
    receiver.evbuf.set_write_watermarks(0, 0)
    receiver.run_until_received()
    _silent(driver, receiver, 20, f"with a low watermark of {FAR}; the one of 0 is the output's")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_input_are_not_those_of_the_output(
    driver: LeventDriver, channels: Channels
) -> None:
    """The one of the input is far above the level; writecb waits for the output to be empty."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_read_watermarks(FAR, 0)
    sender.start()
    sender.write(50_000)
    while not sender.call_levels:
        above = sender.output_length
        if not driver.until(lambda: sender.drain() or sender.call_levels):
            break
    assert sender.call_levels, "all output left, and writecb did not run; its low watermark is 0"
    assert sender.call_levels[0] < above or not above, "writecb ran though nothing had left"
    assert sender.call_levels[0] == 0, (
        f"writecb ran with {sender.call_levels[0]} bytes in the output; a low watermark of "
        f"{FAR} was "
        "set for the input only"
    )


@rule("levent.newevbuf.watermarks-exist")
def test_a_high_watermark_of_the_output_does_not_limit_the_input(
    driver: LeventDriver, channels: Channels
) -> None:
    """And that of one buffered event, which is not started, does not limit another."""
    limited = ReceivingBuffer(driver, channels.pair(), name="limited")
    free = ReceivingBuffer(driver, channels.pair())
    limited.evbuf.set_read_watermarks(0, 5)
    free.evbuf.set_write_watermarks(0, 5)
    free.evbuf.start()
    for _ in range(3):
        free.send(100)
        driver.until(lambda: not free.waiting)
        driver.run_idle(5)
    assert not unread(free.near), (
        f"{free.waiting} of 300 bytes wait in the file; the only high watermarks are those of the "
        "output, and of another buffered event"
    )


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
def test_the_watermarks_of_one_are_not_those_of_another(
    driver: LeventDriver, channels: Channels, first: bool
) -> None:
    """One waits for more than there will be, and the other one for nothing in particular."""
    older = ReceivingBuffer(driver, channels.pair(), name="older")
    newer = ReceivingBuffer(driver, channels.pair(), name="newer")
    waits, serves = (older, newer) if first else (newer, older)
    waits.evbuf.set_read_watermarks(FAR, 0)
    for receiver in (older, newer):
        receiver.evbuf.start()
        receiver.send(20)
        receiver.run_until_received()
    names = {older: "older", newer: "newer"}
    assert driver.count(f"{names[serves]} read"), (
        f"readcb did not run at 20 bytes; a low watermark of {FAR} was set for another one"
    )
    assert not driver.count(f"{names[waits]} read"), (
        f"readcb ran at 20 bytes with a low watermark of {FAR}; another one has none"
    )


def _told_above_none(driver: LeventDriver, sender: SendingBuffer, why: str) -> None:
    """More is written than can leave, before the peer takes some of it, and after it.

    What leaves within `write` may be told or not, having never been in the output.
    """
    before = len(sender.call_levels)
    sender.write(50_000)
    told = sender.was_called(before) or (sender.drain() and sender.was_called(before))
    assert told, f"writecb did not run with {sender.output_length} bytes left, {why}"
    sender.finish()
    driver.run_idle(5)


def _told_at_none(driver: LeventDriver, sender: SendingBuffer, why: str) -> None:
    """No call as long as the peer takes nothing, whatever has left."""
    before = len(sender.call_levels)
    sender.write(50_000)
    driver.run_idle()
    assert len(sender.call_levels) == before, (
        f"writecb ran with {sender.call_levels[-1]} bytes in the output, {why}"
    )
    sender.finish()
    driver.run_idle(5)


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("when", ["before the start", "after it", "in a callback"])
def test_a_low_watermark_of_the_output_is_followed_whenever_it_was_set(
    driver: LeventDriver, channels: Channels, when: str
) -> None:
    """It is above all that is ever written, so that each piece that leaves brings a call."""

    def write() -> None:
        if when == "in a callback":
            sender.evbuf.set_write_watermarks(FAR, 0)

    sender = SendingBuffer(driver, channels, write)
    if when == "before the start":
        sender.evbuf.set_write_watermarks(FAR, 0)
    sender.start()
    if when == "after it":
        sender.evbuf.set_write_watermarks(FAR, 0)
    if when == "in a callback":
        sender.write(10)
        sender.finish()
        driver.run_idle(5)
    _told_above_none(driver, sender, f"with a low watermark of {FAR}, set {when}")


@rule("levent.newevbuf.watermarks-exist")
def test_the_last_watermark_of_the_output_holds(driver: LeventDriver, channels: Channels) -> None:
    """Up, down and up again, each before something is written."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    _told_at_none(driver, sender, "with a low watermark that nobody has set")
    sender.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(driver, sender, f"with a low watermark of {FAR}")
    sender.evbuf.set_write_watermarks(0, 0)
    _told_at_none(driver, sender, f"with a low watermark that was {FAR} and is 0")
    sender.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(driver, sender, f"with a low watermark that was 0 and is {FAR}")


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
def test_the_watermarks_of_one_output_are_not_those_of_another(
    driver: LeventDriver, channels: Channels, first: bool
) -> None:
    """One is told of each piece that leaves, and the other one when nothing is left."""
    older, newer = SendingBuffer(driver, channels), SendingBuffer(driver, channels)
    high, none = (older, newer) if first else (newer, older)
    high.evbuf.set_write_watermarks(FAR, 0)
    for sender in (older, newer):
        sender.start()
    _told_at_none(driver, none, f"without a watermark; another one has a low one of {FAR}")
    _told_above_none(driver, high, f"with a low watermark of {FAR}; another one has none")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_input_outlast_a_stop(
    driver: LeventDriver, channels: Channels
) -> None:
    """Stopped and started twice, between two passes and without one."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(30, 0)
    for passes in (5, 0):
        receiver.evbuf.start()
        driver.run_idle(passes)
        receiver.evbuf.stop()
    receiver.evbuf.start()
    _silent(driver, receiver, 10, "after a stop; its low watermark was set to 30 before")
    _told(driver, receiver, 50, "after a stop; its low watermark was set to 30 before")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_output_outlast_a_stop(
    driver: LeventDriver, channels: Channels
) -> None:
    """Stopped and started twice, between two passes and without one."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(FAR, 0)
    for passes in (5, 0):
        sender.evbuf.start()
        driver.run_idle(passes)
        sender.evbuf.stop()
    sender.start()
    _told_above_none(driver, sender, f"after a stop; its low watermark was set to {FAR} before")


@rule("levent.newevbuf.watermarks-exist")
def test_a_low_watermark_beside_a_high_one_is_the_low_one(
    driver: LeventDriver, channels: Channels
) -> None:
    """Of the input, the first number is for calls; of the output too."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 1000)
    receiver.evbuf.start()
    _silent(driver, receiver, 5, "with a low watermark of 10 and a high one of 1000")
    _told(driver, receiver, 50, "with a low watermark of 10 and a high one of 1000")
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(0, FAR)
    sender.start()
    _told_at_none(driver, sender, f"with a low watermark of 0 and a high one of {FAR}")
