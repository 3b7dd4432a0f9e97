"""levent, buffered events: a stopped one calls nothing, moves nothing and keeps its bytes."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from looptck.protocols.levent import EvBuf
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive, receive_into
from looptck.testing.channels import Channels, fill
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.payload import assert_same


@rule("levent.bufevent.stop")
def test_a_stopped_buffered_event_lets_loop_return(
    driver: LeventDriver, channels: Channels
) -> None:
    """Data waits in the file and output in the buffer, as they may at any time."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    receiver.evbuf.stop()
    before = len(driver.trace)
    receiver.send(10)
    receiver.evbuf.write(b"output")
    driver.run_once(None)
    assert len(driver.trace) == before, f"{driver.trace[-1]} was called after stop()"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("first", ["read", "write", "any"])
def test_nothing_is_called_after_a_stop_in_a_callback(
    driver: LeventDriver, channels: Channels, first: str
) -> None:
    """Data, the end of the file and room come at once; the first callback stops the event."""
    stopped_in: list[str] = []

    def act(name: str) -> None:
        if not armed:
            return
        assert not stopped_in, f"{name} was called after stop() in {stopped_in[0]}"
        if first in (name, "any"):
            receiver.evbuf.stop()
            stopped_in.append(name)

    armed = False
    receiver = ReceivingBuffer(
        driver,
        channels.pair(),
        lambda *_: act("readcb" if first == "any" else "read"),
        lambda *_: act("writecb" if first == "any" else "write"),
        lambda *_: act("errorcb"),
    )
    receiver.evbuf.start()
    driver.run_idle()
    armed = True
    receiver.evbuf.write(b"output")
    receiver.send(10)
    if first != "write":
        receiver.far.shutdown(socket.SHUT_WR)
    driver.until(lambda: stopped_in)  # that one is called is for other rules
    if not stopped_in:
        receiver.evbuf.stop()
    driver.run_idle()


class _Race:
    """Two buffered events, of which the one that is called first stops the other; the order is
    open."""

    def __init__(self) -> None:
        self.evbufs: list[EvBuf] = []
        self.winner: int | None = None

    def call(self, at: int) -> None:
        if self.winner is None:
            self.winner = at
            self.evbufs[1 - at].stop()
        assert at == self.winner, "a callback ran after another callback had stopped its event"


@rule("levent.bufevent.stop")
def test_a_ready_writer_stopped_by_another_is_not_called(
    driver: LeventDriver, channels: Channels
) -> None:
    """There is room for the output of both when the pass begins."""
    race = _Race()
    senders = [SendingBuffer(driver, channels, lambda at=at: race.call(at)) for at in range(2)]
    for sender in senders:
        race.evbufs.append(sender.evbuf)
        sender.start()
    for sender in senders:
        sender.write(10)
    driver.until(lambda: race.winner is not None)  # that one is called is for other rules
    driver.run_idle()


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("stops", [2, 3])
def test_a_second_stop_changes_nothing(
    driver: LeventDriver, channels: Channels, stops: int
) -> None:
    """A loop may refuse it; one start() is enough after it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    fill(receiver.near)
    receiver.evbuf.write(b"output")
    receiver.evbuf.stop()
    for _ in range(stops - 1):
        with suppress(Exception):
            receiver.evbuf.stop()
    before = len(driver.trace)
    receiver.send(10)
    driver.run_idle(5)
    assert len(driver.trace) == before, f"{driver.trace[-1]} was called after {stops} stop()"
    assert receiver.waiting == 10, f"the file was read after {stops} stop()"
    receiver.evbuf.start()
    receiver.run_until_received()
    receiver.take_all()
    assert_same(
        receiver.sent, receiver.taken, f"what arrived with {stops} stop() and one start() between"
    )
    came = bytearray()
    while not came.endswith(b"output") and driver.until(lambda: receive_into(receiver.far, came)):
        pass
    assert came.endswith(b"output"), f"what waited in the output was lost by {stops} stop()"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("starts", [2, 3])
def test_one_stop_is_enough_after_several_starts(
    driver: LeventDriver, channels: Channels, starts: int
) -> None:
    receiver = ReceivingBuffer(driver, channels.pair())
    for _ in range(starts):
        receiver.evbuf.start()
    driver.run_idle(5)
    receiver.evbuf.stop()
    before = len(driver.trace)
    receiver.send(10)
    driver.run_idle()
    assert len(driver.trace) == before, (
        f"{driver.trace[-1]} was called after {starts} start() and a stop()"
    )
    assert receiver.waiting == 10, "the file was read after several start() and a stop()"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("size", [10, 50_000, 100_000])
@pytest.mark.parametrize("room", [True, False], ids=["with output", "without output"])
def test_nothing_moves_after_a_stop_in_a_callback(
    driver: LeventDriver, channels: Channels, size: int, room: bool
) -> None:
    """The first callback, whichever it is, stops the event; the bytes in the file stay there."""
    levels: list[int] = []

    def act(*_arguments: object) -> None:
        if armed and not levels:
            receiver.evbuf.stop()
            levels.append(receiver.input_length)

    armed = False
    receiver = ReceivingBuffer(driver, channels.pair(), None if room else act, act)
    receiver.evbuf.start()
    driver.run_idle(5)
    armed = True
    receiver.send(size)
    if room:
        receiver.evbuf.write(b"output")
    driver.until(lambda: levels)  # that one is called is for other rules
    if levels:
        driver.run_idle(5)
        receiver.send(10)
    driver.run_idle()
    assert not levels or receiver.input_length == levels[0], (
        f"{receiver.input_length - levels[0]} bytes were read from the file after stop() in a "
        "callback"
    )


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("callback", ["readcb", "writecb"])
def test_a_start_after_the_stop_in_the_same_callback_holds(
    driver: LeventDriver, channels: Channels, callback: str
) -> None:
    """A loop may remember the stop and forget the start, in this pass or later.

    The callback does so three times only: a start may bring a call of writecb, which would go on
    for ever.
    """

    def act(name: str) -> None:
        if name == callback and len(called) < 3:
            receiver.evbuf.stop()
            receiver.evbuf.start()
            called.append(name)

    called: list[str] = []
    receiver = ReceivingBuffer(
        driver, channels.pair(), lambda *_: act("readcb"), lambda *_: act("writecb")
    )
    receiver.evbuf.start()
    for _ in range(3):
        receiver.evbuf.write(b"output")
        receiver.send(10)
        driver.run_idle(10)
    if called:
        assert not receiver.waiting, (
            f"{receiver.waiting} bytes still wait in the file of one that was stopped and "
            "started in "
            f"{callback}"
        )
        came = receive(receiver.far, 100)
        assert came == b"output" * 3, f"{came!r} left of one stopped and started in {callback}"


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
