"""levent, buffered events: what is stopped is silent, and keeps its bytes."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from looptck.profiles.levent import EvBuf
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, gather, receive, same
from looptck.testing.channels import Channels, fill
from looptck.testing.levent_driver import LeventDriver


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("end", [False, True], ids=["data", "data and the end"])
def test_nothing_is_read_and_nothing_called_after_the_stop(
    rounds: LeventDriver, channels: Channels, end: bool
) -> None:
    """It was served before; data comes after the stop, and there is room for output."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    inlet.evbuf.stop()
    before = len(rounds.trace)
    inlet.send(20)
    if end:
        inlet.far.close()
    rounds.quiet()
    assert len(rounds.trace) == before, f"{rounds.trace[-1]} was called after stop()"
    assert inlet.waiting == 20, f"{20 - inlet.waiting} bytes were read from the file after stop()"


@rule("levent.bufevent.stop")
def test_what_is_stopped_keeps_no_loop_from_returning(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Data waits in the file and output in the buffer, as much as at any time."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    inlet.evbuf.stop()
    before = len(rounds.trace)
    inlet.send(10)
    inlet.evbuf.write(b"output")
    rounds.once(None)
    assert len(rounds.trace) == before, f"{rounds.trace[-1]} was called after stop()"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("first", ["read", "write", "any"])
def test_nothing_is_called_after_a_stop_in_a_callback(
    rounds: LeventDriver, channels: Channels, first: str
) -> None:
    """Data, the end of the file and room come at once; whoever is called first stops it."""
    stopped_in: list[str] = []

    def act(name: str) -> None:
        if not armed:
            return
        assert not stopped_in, f"{name} was called after stop() in {stopped_in[0]}"
        if first in (name, "any"):
            inlet.evbuf.stop()
            stopped_in.append(name)

    armed = False
    inlet = ReceivingBuffer(
        rounds,
        channels.pair(),
        lambda *_: act("readcb" if first == "any" else "read"),
        lambda *_: act("writecb" if first == "any" else "write"),
        lambda *_: act("errorcb"),
    )
    inlet.evbuf.start()
    rounds.quiet()
    armed = True
    inlet.evbuf.write(b"output")
    inlet.send(10)
    if first != "write":
        inlet.far.shutdown(socket.SHUT_WR)
    rounds.until(lambda: stopped_in)  # that one is called is for other rules
    if not stopped_in:
        inlet.evbuf.stop()
    rounds.quiet()


class _Race:
    """Of two, whoever is called first stops the other one; which is open."""

    def __init__(self) -> None:
        self.evbufs: list[EvBuf] = []
        self.winner: int | None = None

    def call(self, at: int) -> None:
        if self.winner is None:
            self.winner = at
            self.evbufs[1 - at].stop()
        assert at == self.winner, "a callback ran after another callback had stopped its event"


@rule("levent.bufevent.stop")
def test_a_reader_that_another_one_stops_is_not_called_in_the_same_pass(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Data is there for both when the pass begins."""
    race = _Race()
    for at in range(2):
        inlet = ReceivingBuffer(
            rounds, channels.pair(), lambda *_, at=at: race.call(at), name=str(at)
        )
        race.evbufs.append(inlet.evbuf)
        inlet.evbuf.start()
        inlet.send(10)
    rounds.until(lambda: race.winner is not None)  # that one is called is for other rules
    rounds.quiet()


@rule("levent.bufevent.stop")
def test_a_writer_that_another_one_stops_is_not_called_in_the_same_pass(
    rounds: LeventDriver, channels: Channels
) -> None:
    """There is room for the output of both when the pass begins."""
    race = _Race()
    outlets = [SendingBuffer(rounds, channels, lambda at=at: race.call(at)) for at in range(2)]
    for outlet in outlets:
        race.evbufs.append(outlet.evbuf)
        outlet.start()
    for outlet in outlets:
        outlet.write(10)
    rounds.until(lambda: race.winner is not None)  # that one is called is for other rules
    rounds.quiet()


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("stops", [2, 3])
def test_to_stop_again_changes_nothing(
    rounds: LeventDriver, channels: Channels, stops: int
) -> None:
    """A loop may refuse it; one start() is enough after it."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    fill(inlet.near)
    inlet.evbuf.write(b"output")
    inlet.evbuf.stop()
    for _ in range(stops - 1):
        with suppress(Exception):
            inlet.evbuf.stop()
    before = len(rounds.trace)
    inlet.send(10)
    rounds.quiet(5)
    assert len(rounds.trace) == before, f"{rounds.trace[-1]} was called after {stops} stop()"
    assert inlet.waiting == 10, f"the file was read after {stops} stop()"
    inlet.evbuf.start()
    inlet.arrive()
    inlet.take_whatever()
    same(inlet.taken, inlet.sent, f"what arrived with {stops} stop() and one start() between")
    came = bytearray()
    while not came.endswith(b"output") and rounds.until(lambda: gather(inlet.far, came)):
        pass
    assert came.endswith(b"output"), f"what waited in the output was lost by {stops} stop()"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("starts", [2, 3])
def test_one_stop_is_enough_after_several_starts(
    rounds: LeventDriver, channels: Channels, starts: int
) -> None:
    inlet = ReceivingBuffer(rounds, channels.pair())
    for _ in range(starts):
        inlet.evbuf.start()
    rounds.quiet(5)
    inlet.evbuf.stop()
    before = len(rounds.trace)
    inlet.send(10)
    rounds.quiet()
    assert len(rounds.trace) == before, (
        f"{rounds.trace[-1]} was called after {starts} start() and a stop()"
    )
    assert inlet.waiting == 10, "the file was read after several start() and a stop()"


@rule("levent.bufevent.stop")
def test_a_stop_before_the_first_start_is_made_good_by_it(
    rounds: LeventDriver, channels: Channels
) -> None:
    """A loop may refuse to stop what is not started."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    with suppress(Exception):
        inlet.evbuf.stop()
    inlet.evbuf.start()
    inlet.send(10)
    assert rounds.until_count("read"), "data came after stop() and start(), and readcb did not run"


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("size", [10, 50_000, 100_000])
@pytest.mark.parametrize("room", [True, False], ids=["with output", "without output"])
def test_nothing_moves_after_a_stop_in_a_callback(
    rounds: LeventDriver, channels: Channels, size: int, room: bool
) -> None:
    """The first call stops it, whichever it is; what is in the file then stays there."""
    levels: list[int] = []

    def act(*_arguments: object) -> None:
        if armed and not levels:
            inlet.evbuf.stop()
            levels.append(inlet.level)

    armed = False
    inlet = ReceivingBuffer(rounds, channels.pair(), None if room else act, act)
    inlet.evbuf.start()
    rounds.quiet(5)
    armed = True
    inlet.send(size)
    if room:
        inlet.evbuf.write(b"output")
    rounds.until(lambda: levels)  # that one is called is for other rules
    if levels:
        rounds.quiet(5)
        inlet.send(10)
    rounds.quiet()
    assert not levels or inlet.level == levels[0], (
        f"{inlet.level - levels[0]} bytes were read from the file after stop() in a callback"
    )


@rule("levent.bufevent.stop")
@pytest.mark.parametrize("callback", ["readcb", "writecb"])
def test_a_start_after_the_stop_in_the_same_callback_holds(
    rounds: LeventDriver, channels: Channels, callback: str
) -> None:
    """The last word counts, in the pass that is going on and later.

    Three times only: a start may bring a call of writecb, which would go on for ever.
    """

    def act(name: str) -> None:
        if name == callback and len(called) < 3:
            inlet.evbuf.stop()
            inlet.evbuf.start()
            called.append(name)

    called: list[str] = []
    inlet = ReceivingBuffer(
        rounds, channels.pair(), lambda *_: act("readcb"), lambda *_: act("writecb")
    )
    inlet.evbuf.start()
    for _ in range(3):
        inlet.evbuf.write(b"output")
        inlet.send(10)
        rounds.quiet(10)
    if called:
        assert not inlet.waiting, (
            f"{inlet.waiting} bytes still wait in the file of one that was stopped and started in "
            f"{callback}"
        )
        came = receive(inlet.far, 100)
        assert came == b"output" * 3, f"{came!r} left of one stopped and started in {callback}"
