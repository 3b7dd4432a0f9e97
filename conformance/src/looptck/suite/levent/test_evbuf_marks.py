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
    """The first twenty bytes are far below the watermark, and twenty more are far above it."""

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
    """The watermark is raised, lowered, raised again and set to 0, each time before an arrival."""
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
def test_output_watermarks_do_not_hold_for_the_input(
    driver: LeventDriver, channels: Channels, started: bool
) -> None:
    """The output's low watermark is far above the level of the input; readcb must not wait for
    it."""
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
def test_input_watermarks_do_not_hold_for_the_output(
    driver: LeventDriver, channels: Channels
) -> None:
    """The input's low watermark is far above the level of the output: writecb waits for an empty
    output."""
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
    """In one case the high watermark is that of another buffered event, which is not started."""
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
def test_two_buffered_events_have_watermarks_of_their_own(
    driver: LeventDriver, channels: Channels, first: bool
) -> None:
    """One waits for more bytes than ever come; the other one has a low watermark of 0."""
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
    """Write more than can leave; writecb must run before the peer takes some of it, or after.

    Bytes that leave within `write` were never in the output, so a loop may tell of them or not.
    """
    before = len(sender.call_levels)
    sender.write(50_000)
    told = sender.was_called(before) or (sender.drain() and sender.was_called(before))
    assert told, f"writecb did not run with {sender.output_length} bytes left, {why}"
    sender.finish()
    driver.run_idle(5)


def _told_at_none(driver: LeventDriver, sender: SendingBuffer, why: str) -> None:
    """Write more than can leave; writecb must not run as long as the peer takes nothing."""
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
def test_an_output_low_watermark_counts_whenever_it_was_set(
    driver: LeventDriver, channels: Channels, when: str
) -> None:
    """The watermark is above all output, so that each piece that leaves brings a call."""

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
    """The watermark is raised, lowered and raised again, each time before something is written."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    _told_at_none(driver, sender, "with no low watermark set")
    sender.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(driver, sender, f"with a low watermark of {FAR}")
    sender.evbuf.set_write_watermarks(0, 0)
    _told_at_none(driver, sender, f"with a low watermark that was {FAR} and is 0")
    sender.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(driver, sender, f"with a low watermark that was 0 and is {FAR}")


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
def test_two_outputs_have_watermarks_of_their_own(
    driver: LeventDriver, channels: Channels, first: bool
) -> None:
    """One writecb runs for each piece that leaves, the other one when nothing is left."""
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
    """The event is stopped and started twice, with passes in between and without."""
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
    """The event is stopped and started twice, with passes in between and without."""
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(FAR, 0)
    for passes in (5, 0):
        sender.evbuf.start()
        driver.run_idle(passes)
        sender.evbuf.stop()
    sender.start()
    _told_above_none(driver, sender, f"after a stop; its low watermark was set to {FAR} before")


@rule("levent.newevbuf.watermarks-exist")
def test_the_first_watermark_is_the_low_one(driver: LeventDriver, channels: Channels) -> None:
    """A loop that swaps the two numbers calls too late, for the input or for the output."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 1000)
    receiver.evbuf.start()
    _silent(driver, receiver, 5, "with a low watermark of 10 and a high one of 1000")
    _told(driver, receiver, 50, "with a low watermark of 10 and a high one of 1000")
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(0, FAR)
    sender.start()
    _told_at_none(driver, sender, f"with a low watermark of 0 and a high one of {FAR}")
