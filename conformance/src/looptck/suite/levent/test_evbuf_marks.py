"""levent, buffered events: each buffer has its own thresholds."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, unread
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver

# More than any test here sends; whoever waits for it waits for ever.
FAR = 1_000_000


def _told(rounds: LeventDriver, inlet: ReceivingBuffer, size: int, why: str) -> None:
    before = rounds.count("read")
    inlet.send(size)
    assert rounds.until_count("read", before + 1), (
        f"readcb did not run at {inlet.level} bytes, {why}"
    )


def _silent(rounds: LeventDriver, inlet: ReceivingBuffer, size: int, why: str) -> None:
    before = rounds.count("read")
    inlet.send(size)
    inlet.arrive()
    assert rounds.count("read") == before, f"readcb ran at {inlet.level} bytes, {why}"


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("when", ["before the start", "after it", "in a callback"])
def test_a_low_watermark_is_followed_whenever_it_was_set(
    rounds: LeventDriver, channels: Channels, when: str
) -> None:
    """Twenty bytes are far too few, and twenty more are far too many."""

    def read(*_arguments: object) -> None:
        if when == "in a callback":
            inlet.evbuf.set_read_watermarks(30, 0)

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    if when == "before the start":
        inlet.evbuf.set_read_watermarks(30, 0)
    inlet.evbuf.start()
    if when == "after it":
        rounds.quiet(5)
        inlet.evbuf.set_read_watermarks(30, 0)
    if when == "in a callback":
        _told(rounds, inlet, 5, "before a low watermark was set")
        inlet.arrive()
    _silent(rounds, inlet, 10, f"with a low watermark of 30, set {when}")
    _told(rounds, inlet, 50, f"with a low watermark of 30, set {when}")


@rule("levent.newevbuf.watermarks-exist")
def test_the_last_watermark_holds(rounds: LeventDriver, channels: Channels) -> None:
    """Up, down, up again and to 0, each before an arrival."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.evbuf.set_read_watermarks(FAR, 0)
    _silent(rounds, inlet, 20, f"with a low watermark of {FAR}")
    inlet.evbuf.set_read_watermarks(10, 0)
    _told(rounds, inlet, 20, f"with a low watermark that was {FAR} and is 10")
    inlet.evbuf.set_read_watermarks(FAR, 0)
    _silent(rounds, inlet, 20, f"with a low watermark that was 10 and is {FAR}")
    inlet.evbuf.set_read_watermarks(0, 0)
    _told(rounds, inlet, 20, f"with a low watermark that was {FAR} and is 0")


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("started", [False, True], ids=["before the start", "after it"])
def test_the_watermarks_of_the_output_are_not_those_of_the_input(
    rounds: LeventDriver, channels: Channels, started: bool
) -> None:
    """The one of the output is far above what is sent; readcb does not wait for it."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    if started:
        inlet.evbuf.start()
        rounds.quiet(5)
    inlet.evbuf.set_write_watermarks(FAR, 0)
    inlet.evbuf.start()
    _told(rounds, inlet, 20, f"when a low watermark of {FAR} was set for the output only")
    inlet.evbuf.set_read_watermarks(FAR, 0)
    inlet.evbuf.set_write_watermarks(0, 0)
    inlet.arrive()
    _silent(rounds, inlet, 20, f"with a low watermark of {FAR}; the one of 0 is the output's")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_input_are_not_those_of_the_output(
    rounds: LeventDriver, channels: Channels
) -> None:
    """The one of the input is far above the level; writecb waits for the output to be empty."""
    outlet = SendingBuffer(rounds, channels)
    outlet.evbuf.set_read_watermarks(FAR, 0)
    outlet.start()
    outlet.write(50_000)
    while not outlet.called_at:
        above = outlet.level
        if not rounds.until(lambda: outlet.drain() or outlet.called_at):
            break
    assert outlet.called_at, "all output left, and writecb did not run; its low watermark is 0"
    assert outlet.called_at[0] < above or not above, "writecb ran though nothing had left"
    assert outlet.called_at[0] == 0, (
        f"writecb ran with {outlet.called_at[0]} bytes in the output; a low watermark of {FAR} was "
        "set for the input only"
    )


@rule("levent.newevbuf.watermarks-exist")
def test_a_high_watermark_of_the_output_does_not_limit_the_input(
    rounds: LeventDriver, channels: Channels
) -> None:
    """And that of one buffered event, which is not started, does not limit another."""
    limited = ReceivingBuffer(rounds, channels.pair(), name="limited")
    free = ReceivingBuffer(rounds, channels.pair())
    limited.evbuf.set_read_watermarks(0, 5)
    free.evbuf.set_write_watermarks(0, 5)
    free.evbuf.start()
    for _ in range(3):
        free.send(100)
        rounds.until(lambda: not free.waiting)
        rounds.quiet(5)
    assert not unread(free.near), (
        f"{free.waiting} of 300 bytes wait in the file; the only high watermarks are those of the "
        "output, and of another buffered event"
    )


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
def test_the_watermarks_of_one_are_not_those_of_another(
    rounds: LeventDriver, channels: Channels, first: bool
) -> None:
    """One waits for more than there will be, and the other one for nothing in particular."""
    older = ReceivingBuffer(rounds, channels.pair(), name="older")
    newer = ReceivingBuffer(rounds, channels.pair(), name="newer")
    waits, serves = (older, newer) if first else (newer, older)
    waits.evbuf.set_read_watermarks(FAR, 0)
    for inlet in (older, newer):
        inlet.evbuf.start()
        inlet.send(20)
        inlet.arrive()
    names = {older: "older", newer: "newer"}
    assert rounds.count(f"{names[serves]} read"), (
        f"readcb did not run at 20 bytes; a low watermark of {FAR} was set for another one"
    )
    assert not rounds.count(f"{names[waits]} read"), (
        f"readcb ran at 20 bytes with a low watermark of {FAR}; another one has none"
    )


def _told_above_none(rounds: LeventDriver, outlet: SendingBuffer, why: str) -> None:
    """More is written than can leave, before the peer takes some of it, and after it.

    What leaves within `write` may be told or not, having never been in the output.
    """
    before = len(outlet.called_at)
    outlet.write(50_000)
    told = outlet.told(before) or (outlet.drain() and outlet.told(before))
    assert told, f"writecb did not run with {outlet.level} bytes left, {why}"
    outlet.finish()
    rounds.quiet(5)


def _told_at_none(rounds: LeventDriver, outlet: SendingBuffer, why: str) -> None:
    """No call as long as the peer takes nothing, whatever has left."""
    before = len(outlet.called_at)
    outlet.write(50_000)
    rounds.quiet()
    assert len(outlet.called_at) == before, (
        f"writecb ran with {outlet.called_at[-1]} bytes in the output, {why}"
    )
    outlet.finish()
    rounds.quiet(5)


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("when", ["before the start", "after it", "in a callback"])
def test_a_low_watermark_of_the_output_is_followed_whenever_it_was_set(
    rounds: LeventDriver, channels: Channels, when: str
) -> None:
    """It is above all that is ever written, so that each piece that leaves brings a call."""

    def write() -> None:
        if when == "in a callback":
            outlet.evbuf.set_write_watermarks(FAR, 0)

    outlet = SendingBuffer(rounds, channels, write)
    if when == "before the start":
        outlet.evbuf.set_write_watermarks(FAR, 0)
    outlet.start()
    if when == "after it":
        outlet.evbuf.set_write_watermarks(FAR, 0)
    if when == "in a callback":
        outlet.write(10)
        outlet.finish()
        rounds.quiet(5)
    _told_above_none(rounds, outlet, f"with a low watermark of {FAR}, set {when}")


@rule("levent.newevbuf.watermarks-exist")
def test_the_last_watermark_of_the_output_holds(rounds: LeventDriver, channels: Channels) -> None:
    """Up, down and up again, each before something is written."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    _told_at_none(rounds, outlet, "with a low watermark that nobody has set")
    outlet.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(rounds, outlet, f"with a low watermark of {FAR}")
    outlet.evbuf.set_write_watermarks(0, 0)
    _told_at_none(rounds, outlet, f"with a low watermark that was {FAR} and is 0")
    outlet.evbuf.set_write_watermarks(FAR, 0)
    _told_above_none(rounds, outlet, f"with a low watermark that was 0 and is {FAR}")


@rule("levent.newevbuf.watermarks-exist")
@pytest.mark.parametrize("first", [True, False], ids=["set for the older", "set for the newer"])
def test_the_watermarks_of_one_output_are_not_those_of_another(
    rounds: LeventDriver, channels: Channels, first: bool
) -> None:
    """One is told of each piece that leaves, and the other one when nothing is left."""
    older, newer = SendingBuffer(rounds, channels), SendingBuffer(rounds, channels)
    high, none = (older, newer) if first else (newer, older)
    high.evbuf.set_write_watermarks(FAR, 0)
    for outlet in (older, newer):
        outlet.start()
    _told_at_none(rounds, none, f"without a watermark; another one has a low one of {FAR}")
    _told_above_none(rounds, high, f"with a low watermark of {FAR}; another one has none")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_input_outlast_a_stop(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Stopped and started twice, between two passes and without one."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.set_read_watermarks(30, 0)
    for passes in (5, 0):
        inlet.evbuf.start()
        rounds.quiet(passes)
        inlet.evbuf.stop()
    inlet.evbuf.start()
    _silent(rounds, inlet, 10, "after a stop; its low watermark was set to 30 before")
    _told(rounds, inlet, 50, "after a stop; its low watermark was set to 30 before")


@rule("levent.newevbuf.watermarks-exist")
def test_the_watermarks_of_the_output_outlast_a_stop(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Stopped and started twice, between two passes and without one."""
    outlet = SendingBuffer(rounds, channels)
    outlet.evbuf.set_write_watermarks(FAR, 0)
    for passes in (5, 0):
        outlet.evbuf.start()
        rounds.quiet(passes)
        outlet.evbuf.stop()
    outlet.start()
    _told_above_none(rounds, outlet, f"after a stop; its low watermark was set to {FAR} before")


@rule("levent.newevbuf.watermarks-exist")
def test_a_low_watermark_beside_a_high_one_is_the_low_one(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Of the input, the first number is for calls; of the output too."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.set_read_watermarks(10, 1000)
    inlet.evbuf.start()
    _silent(rounds, inlet, 5, "with a low watermark of 10 and a high one of 1000")
    _told(rounds, inlet, 50, "with a low watermark of 10 and a high one of 1000")
    outlet = SendingBuffer(rounds, channels)
    outlet.evbuf.set_write_watermarks(0, FAR)
    outlet.start()
    _told_at_none(rounds, outlet, f"with a low watermark of 0 and a high one of {FAR}")
