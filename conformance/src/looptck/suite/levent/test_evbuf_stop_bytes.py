"""levent, buffered events: a stopped one keeps its bytes and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.levent import EvBuf
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.payload import assert_same


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("read", ["while stopped", "after the start", "half and half"])
def test_input_stays_and_later_bytes_follow_it(
    driver: LeventDriver, channels: Channels, read: str
) -> None:
    """Ten bytes are in the input at the stop, ten more come before the start, ten after it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    receiver.evbuf.stop()
    if read != "after the start":
        receiver.take_all() if read == "while stopped" else receiver.take(5)
        assert_same(
            receiver.sent[: len(receiver.taken)], receiver.taken, "what was read while stopped"
        )
        assert receiver.taken, "read() gave nothing of what was in the input at the stop"
    receiver.send(10)
    driver.run_idle(5)
    receiver.evbuf.start()
    receiver.run_until_received()
    receiver.send(10)
    receiver.run_until_received()
    receiver.take_all()
    assert_same(receiver.sent, receiver.taken, "what arrived before the stop and after the start")


@rule("levent.bufevent.stop")
def test_lines_can_be_read_while_stopped(driver: LeventDriver, channels: Channels) -> None:
    """The first of two lines is read before the stop, the second after it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.send_bytes(b"one\ntwo\n")
    receiver.run_until_received()
    if receiver.evbuf.readline() != b"one":
        return  # that is for the rule of readline
    receiver.evbuf.stop()
    got = receiver.evbuf.readline()
    assert got is not None, "readline gave None of one that was stopped; b'two' was in its input"


@rule("levent.bufevent.stop")
def test_data_that_waited_for_the_start_is_told(driver: LeventDriver, channels: Channels) -> None:
    """Data that comes after the start must be told as well."""
    receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: receiver.take_all())
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    for _ in range(3):
        receiver.evbuf.stop()
        receiver.send(10)
        driver.run_idle(5)
        before = driver.count("read")
        receiver.evbuf.start()
        assert driver.until_count("read", before + 1), (
            "data came while stopped, and readcb did not run after start()"
        )
        receiver.run_until_received()
        before = driver.count("read")
        receiver.send(10)
        assert driver.until_count("read", before + 1), (
            "data came after stop() and start(), and readcb did not run"
        )
        receiver.run_until_received()
    assert_same(receiver.sent, receiver.taken, "what was read in calls, with a stop between")


@rule("levent.bufevent.stop")
def test_bytes_kept_over_a_stop_count_for_the_low_watermark(
    driver: LeventDriver, channels: Channels
) -> None:
    """Nine of ten bytes are there before the stop; a control is never stopped.

    levent.buffer.read-lowwater judges the calls; here both must have the same.
    """
    told: dict[bool, list[bool]] = {}
    for stops in (False, True):
        receiver = ReceivingBuffer(driver, channels.pair(), name=f"{stops}")
        receiver.evbuf.set_read_watermarks(10, 0)
        receiver.evbuf.start()
        receiver.send(9)
        receiver.run_until_received()
        if stops:
            receiver.evbuf.stop()
            receiver.evbuf.start()
        driver.run_idle()
        at_nine = driver.count(f"{stops} read") > 0
        receiver.send(1)
        receiver.run_until_received()
        told[stops] = [at_nine, driver.count(f"{stops} read") > 0]
        receiver.take_all()
    assert told[True] == told[False], (
        "with a low watermark of 10, readcb at 9 bytes and at 10 is to run after a stop and a "
        f"start as without them: {_yes(told[True])} after a stop, {_yes(told[False])} without"
    )


def _yes(told: list[bool]) -> str:
    return ", ".join("yes" if each else "no" for each in told)


@rule("levent.bufevent.stop")
def test_the_rest_and_the_end_come_after_the_start(
    driver: LeventDriver, channels: Channels
) -> None:
    """A call takes ten bytes and stops the event; more bytes and the end of the file wait.

    If the control, which is never stopped, loses them as well, the stop is not to blame.
    """

    def portion(receiver: ReceivingBuffer, stops: bool) -> None:
        receiver.take(10)
        if stops:
            receiver.evbuf.stop()

    def arrived(stops: bool) -> ReceivingBuffer:
        receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: portion(receiver, stops))
        receiver.evbuf.start()
        receiver.send(1000)
        receiver.far.close()
        for _ in range(len(receiver.sent)):  # a loop may read byte by byte
            driver.run_idle(3)
            if not receiver.waiting:
                break
            receiver.evbuf.start()
        driver.run_idle(5)
        receiver.take_all()
        return receiver

    unstopped = arrived(stops=False)
    if unstopped.taken == unstopped.sent:
        receiver = arrived(stops=True)
        assert_same(receiver.sent, receiver.taken, "what arrived with a stop in each call")


def _take_all(evbuf: EvBuf) -> None:
    evbuf.read()


def _take_one(evbuf: EvBuf) -> None:
    evbuf.read(1)


def _take_line(evbuf: EvBuf) -> None:
    evbuf.readline()


def _lift(evbuf: EvBuf) -> None:
    evbuf.set_read_watermarks(0, 0)


def _write(evbuf: EvBuf) -> None:
    evbuf.write(b"more")


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("act", [_take_all, _take_one, _take_line, _lift, _write])
@pytest.mark.parametrize("high", [0, 5])
def test_no_call_but_start_starts_a_stopped_buffered_event(
    driver: LeventDriver, channels: Channels, act: Callable[[EvBuf], None], high: int
) -> None:
    """The input may be full, so that a read makes room. The event stops when all is there."""

    stopped: list[bool] = []

    def stop() -> None:
        if not stopped:
            stopped.append(True)
            receiver.evbuf.stop()

    def read(*_arguments: object) -> None:
        if receiver.input_length == len(receiver.sent):
            stop()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(0, high)
    receiver.evbuf.start()
    receiver.send_bytes(b"12\n45")
    driver.until(lambda: receiver.input_length == len(receiver.sent))
    driver.run_idle(5)
    stop()  # if not all came, which is for other rules
    receiver.send(20)
    waiting, before = receiver.waiting, len(driver.trace)
    act(receiver.evbuf)
    driver.run_idle()
    what = act.__name__.strip("_").replace("_", " ")
    assert receiver.waiting == waiting, f"a stopped event read its file after '{what}'"
    assert len(driver.trace) == before, f"{driver.trace[-1]} was called after stop() and '{what}'"
    assert not receive(receiver.far, 100), f"a stopped event sent something after '{what}'"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("size", [10, 5000, 100_000])
def test_output_that_waits_at_the_stop_leaves_after_the_start(
    driver: LeventDriver, channels: Channels, size: int
) -> None:
    """Some output may have left before; the peer takes all of that, so there is room."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    if size == 10:
        sender.fill()
    sender.write(size)
    driver.run_idle(3)
    sender.evbuf.stop()
    sender.drain()
    level, calls = sender.output_length, len(sender.call_levels)
    driver.run_idle()
    assert sender.output_length == level, f"{level - sender.output_length} bytes left after stop()"
    assert len(sender.call_levels) == calls, "writecb ran after stop()"
    sender.evbuf.start()
    sender.finish()


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("before", [0, 1000])
def test_output_written_while_stopped_leaves_after_the_start(
    driver: LeventDriver, channels: Channels, before: int
) -> None:
    """Several pieces are written behind waiting output; none may leave before the start."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    if before:
        sender.write(before)
    sender.evbuf.stop()
    for _ in range(5):
        sender.write(100)
    sender.drain()
    driver.run_idle()
    assert sender.output_length == before + 500, (
        f"{before + 500 - sender.output_length} bytes left while stopped"
    )
    sender.evbuf.start()
    sender.finish()


@rule("levent.bufevent.stop")
def test_a_stop_in_writecb_keeps_the_output_it_wrote(
    driver: LeventDriver, channels: Channels
) -> None:
    """writecb writes and stops, or stops and writes. The output leaves after the start, in
    order.

    If the control, which is never stopped, loses it as well, the stop is not to blame.
    """

    def more(sender: SendingBuffer, stops: bool) -> None:
        if len(sender.written) < 1000:
            sender.write(100)
            if stops:
                with suppress(Exception):  # write may have called back, and that stopped it
                    sender.evbuf.stop()
            sender.write(100)

    def used(stops: bool) -> SendingBuffer:
        sender = SendingBuffer(driver, channels, lambda: more(sender, stops))
        sender.start()
        sender.write(100)
        for _ in range(20):
            driver.run_idle(3)
            sender.drain()
            sender.evbuf.start()
        return sender

    unstopped = used(stops=False)
    if len(unstopped.written) >= 1000 and unstopped.received == unstopped.written:
        sender = used(stops=True)
        assert len(sender.written) >= 1000, (
            "writecb was not called after a stop in writecb and a start"
        )
        sender.finish()


@rule("levent.bufevent.stop")
def test_both_directions_survive_many_stops(driver: LeventDriver, channels: Channels) -> None:
    """The event is stopped and started at every other pass, between passes and in callbacks."""

    def read(*_arguments: object) -> None:
        receiver.take_all()
        receiver.evbuf.stop()
        receiver.evbuf.start()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.start()
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.write(50_000)
    for _ in range(40):
        receiver.send(1000)
        for evbuf in (receiver.evbuf, sender.evbuf):
            evbuf.stop()
        driver.run_once()
        sender.drain()
        for evbuf in (receiver.evbuf, sender.evbuf):
            evbuf.start()
        driver.run_once()
    receiver.run_until_received()
    assert_same(receiver.sent, receiver.taken, "what arrived with many stops between")
    sender.finish()
