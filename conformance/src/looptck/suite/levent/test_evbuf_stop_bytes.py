"""levent, buffered events: the bytes of one that is stopped, and where it goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.profiles.levent import EvBuf
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive, same
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("read", ["while stopped", "after the start", "half and half"])
def test_input_stays_and_what_comes_later_is_behind_it(
    rounds: LeventDriver, channels: Channels, read: str
) -> None:
    """Ten bytes are in the input at the stop, ten more come before the start, ten after it."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    inlet.evbuf.stop()
    if read != "after the start":
        inlet.take_whatever() if read == "while stopped" else inlet.take(5)
        same(inlet.taken, inlet.sent[: len(inlet.taken)], "what was read while stopped")
        assert inlet.taken, "read() gave nothing of what was in the input at the stop"
    inlet.send(10)
    rounds.quiet(5)
    inlet.evbuf.start()
    inlet.arrive()
    inlet.send(10)
    inlet.arrive()
    inlet.take_whatever()
    same(inlet.taken, inlet.sent, "what arrived before the stop and after the start")


@rule("levent.bufevent.stop")
def test_lines_can_be_read_while_stopped(rounds: LeventDriver, channels: Channels) -> None:
    """The first of two is read before the stop, as one reads lines then, and the second after."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send_bytes(b"one\ntwo\n")
    inlet.arrive()
    if inlet.evbuf.readline() != b"one":
        return  # that is for the rule of readline
    inlet.evbuf.stop()
    got = inlet.evbuf.readline()
    assert got is not None, "readline gave None of one that was stopped; b'two' was in its input"


@rule("levent.bufevent.stop")
def test_data_that_waited_for_the_start_is_told(rounds: LeventDriver, channels: Channels) -> None:
    """And so is what comes after it."""
    inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: inlet.take_whatever())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    for _ in range(3):
        inlet.evbuf.stop()
        inlet.send(10)
        rounds.quiet(5)
        before = rounds.count("read")
        inlet.evbuf.start()
        assert rounds.until_count("read", before + 1), (
            "data came while stopped, and readcb did not run after start()"
        )
        inlet.arrive()
        before = rounds.count("read")
        inlet.send(10)
        assert rounds.until_count("read", before + 1), (
            "data came after stop() and start(), and readcb did not run"
        )
        inlet.arrive()
    same(inlet.taken, inlet.sent, "what was read in calls, with a stop between")


@rule("levent.bufevent.stop")
def test_what_is_in_the_input_at_the_stop_counts_for_the_low_watermark(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Of ten that are waited for, nine are there before it; another one is never stopped.

    Whether these calls are right is for levent.buffer.read-lowwater; here both have the same.
    """
    told: dict[bool, list[bool]] = {}
    for stops in (False, True):
        inlet = ReceivingBuffer(rounds, channels.pair(), name=f"{stops}")
        inlet.evbuf.set_read_watermarks(10, 0)
        inlet.evbuf.start()
        inlet.send(9)
        inlet.arrive()
        if stops:
            inlet.evbuf.stop()
            inlet.evbuf.start()
        rounds.quiet()
        at_nine = rounds.count(f"{stops} read") > 0
        inlet.send(1)
        inlet.arrive()
        told[stops] = [at_nine, rounds.count(f"{stops} read") > 0]
        inlet.take_whatever()
    assert told[True] == told[False], (
        "with a low watermark of 10, readcb at 9 bytes and at 10 is to run after a stop and a "
        f"start as without them: {_yes(told[True])} after a stop, {_yes(told[False])} without"
    )


def _yes(told: list[bool]) -> str:
    return ", ".join("yes" if each else "no" for each in told)


@rule("levent.bufevent.stop")
def test_the_rest_and_the_end_come_after_the_start(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Stopped in a call that takes ten bytes; the others and the end of the file wait.

    If one that is never stopped loses them as well, the stop is not to blame.
    """

    def portion(inlet: ReceivingBuffer, stops: bool) -> None:
        inlet.take(10)
        if stops:
            inlet.evbuf.stop()

    def arrived(stops: bool) -> ReceivingBuffer:
        inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: portion(inlet, stops))
        inlet.evbuf.start()
        inlet.send(1000)
        inlet.far.close()
        for _ in range(len(inlet.sent)):  # a loop may read byte by byte
            rounds.quiet(3)
            if not inlet.waiting:
                break
            inlet.evbuf.start()
        rounds.quiet(5)
        inlet.take_whatever()
        return inlet

    unstopped = arrived(stops=False)
    if unstopped.taken == unstopped.sent:
        inlet = arrived(stops=True)
        same(inlet.taken, inlet.sent, "what arrived with a stop in each call")


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
def test_nothing_that_is_done_to_a_stopped_one_starts_it(
    rounds: LeventDriver, channels: Channels, act: Callable[[EvBuf], None], high: int
) -> None:
    """Its input may be full, so that taking from it makes room; it stops when all is there."""

    stopped: list[bool] = []

    def stop() -> None:
        if not stopped:
            stopped.append(True)
            inlet.evbuf.stop()

    def read(*_arguments: object) -> None:
        if inlet.level == len(inlet.sent):
            stop()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.set_read_watermarks(0, high)
    inlet.evbuf.start()
    inlet.send_bytes(b"12\n45")
    rounds.until(lambda: inlet.level == len(inlet.sent))
    rounds.quiet(5)
    stop()  # if not all came, which is for other rules
    inlet.send(20)
    waiting, before = inlet.waiting, len(rounds.trace)
    act(inlet.evbuf)
    rounds.quiet()
    what = act.__name__.strip("_").replace("_", " ")
    assert inlet.waiting == waiting, f"a stopped event read its file after '{what}'"
    assert len(rounds.trace) == before, f"{rounds.trace[-1]} was called after stop() and '{what}'"
    assert not receive(inlet.far, 100), f"a stopped event sent something after '{what}'"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("size", [10, 5000, 100_000])
def test_output_that_waits_at_the_stop_leaves_after_the_start(
    rounds: LeventDriver, channels: Channels, size: int
) -> None:
    """Some of it may have left before; the peer takes all that did, and there is room then."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    if size == 10:
        outlet.stuff()
    outlet.write(size)
    rounds.quiet(3)
    outlet.evbuf.stop()
    outlet.drain()
    level, calls = outlet.level, len(outlet.called_at)
    rounds.quiet()
    assert outlet.level == level, f"{level - outlet.level} bytes left after stop()"
    assert len(outlet.called_at) == calls, "writecb ran after stop()"
    outlet.evbuf.start()
    outlet.finish()


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("before", [0, 1000])
def test_what_is_written_while_stopped_leaves_after_the_start(
    rounds: LeventDriver, channels: Channels, before: int
) -> None:
    """In several pieces, behind what waited already, and not before the start."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    if before:
        outlet.write(before)
    outlet.evbuf.stop()
    for _ in range(5):
        outlet.write(100)
    outlet.drain()
    rounds.quiet()
    assert outlet.level == before + 500, f"{before + 500 - outlet.level} bytes left while stopped"
    outlet.evbuf.start()
    outlet.finish()


@rule("levent.bufevent.stop")
def test_a_stop_in_writecb_keeps_what_it_wrote(rounds: LeventDriver, channels: Channels) -> None:
    """Written, stopped; or stopped, written.  It leaves after the start, and in order.

    If one that is never stopped loses it as well, the stop is not to blame.
    """

    def more(outlet: SendingBuffer, stops: bool) -> None:
        if len(outlet.written) < 1000:
            outlet.write(100)
            if stops:
                with suppress(Exception):  # write may have called back, and that stopped it
                    outlet.evbuf.stop()
            outlet.write(100)

    def used(stops: bool) -> SendingBuffer:
        outlet = SendingBuffer(rounds, channels, lambda: more(outlet, stops))
        outlet.start()
        outlet.write(100)
        for _ in range(20):
            rounds.quiet(3)
            outlet.drain()
            outlet.evbuf.start()
        return outlet

    unstopped = used(stops=False)
    if len(unstopped.written) >= 1000 and unstopped.received == unstopped.written:
        outlet = used(stops=True)
        assert len(outlet.written) >= 1000, (
            "writecb was not called after a stop in writecb and a start"
        )
        outlet.finish()


@rule("levent.bufevent.stop")
def test_both_directions_survive_many_stops(rounds: LeventDriver, channels: Channels) -> None:
    """Stopped and started at every other pass, between passes and in callbacks."""

    def read(*_arguments: object) -> None:
        inlet.take_whatever()
        inlet.evbuf.stop()
        inlet.evbuf.start()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.start()
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.write(50_000)
    for _ in range(40):
        inlet.send(1000)
        for evbuf in (inlet.evbuf, outlet.evbuf):
            evbuf.stop()
        rounds.once()
        outlet.drain()
        for evbuf in (inlet.evbuf, outlet.evbuf):
            evbuf.start()
        rounds.once()
    inlet.arrive()
    same(inlet.taken, inlet.sent, "what arrived with many stops between")
    outlet.finish()
