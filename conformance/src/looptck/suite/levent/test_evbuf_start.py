"""levent, buffered events: nothing happens before the start, and everything after it.

Little is asked here of what the other rules promise: that bytes come or go at
all, but not which.
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
def test_nothing_is_read_and_nothing_called_before_the_start(
    rounds: LeventDriver, channels: Channels, end: bool
) -> None:
    """Data waits in the file, and there is room for output."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.send_bytes(_DATA)
    if end:
        inlet.far.close()
    rounds.quiet()
    assert not rounds.trace, f"{rounds.trace[0]} was called before start()"
    assert inlet.waiting == len(_DATA), (
        f"{len(_DATA) - inlet.waiting} bytes were read from the file before start()"
    )


@rule("levent.bufevent.start")
@pytest.mark.parametrize("file", ["data", "data and the end"])
def test_nothing_is_read_when_it_is_made(
    rounds: LeventDriver, channels: Channels, file: str
) -> None:
    """What it might read was there before."""
    near, far = channels.pair()
    far.send(_DATA)
    if file == "data and the end":
        far.close()
    rounds.evbuf(near.fileno())
    assert unread(near) == len(_DATA), "newevbuf() read from the file"
    rounds.quiet(5)
    assert not rounds.trace, f"{rounds.trace[0]} was called before start()"
    assert unread(near) == len(_DATA), "the file was read before start()"


@rule("levent.bufevent.start")
@pytest.mark.parametrize("looped", [False, True], ids=["new base", "base that ran"])
def test_what_is_not_started_keeps_no_loop_from_returning(
    rounds: LeventDriver, channels: Channels, looped: bool
) -> None:
    """Data waits, so that a loop that serves it anyway calls, and is not silent for ever."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.send_bytes(_DATA)
    if looped:
        rounds.once()
    rounds.once(None)
    assert not rounds.trace, f"{rounds.trace[0]} was called before start()"


@rule("levent.bufevent.start")
def test_what_waited_in_the_file_arrives_after_the_start(
    rounds: LeventDriver, channels: Channels
) -> None:
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.send_bytes(_DATA)
    rounds.quiet(5)
    inlet.evbuf.start()
    assert rounds.until_count("read"), (
        f"{len(_DATA)} bytes waited in the file, and after start() readcb did not run"
    )
    assert inlet.take(), "after start() readcb ran, and read() gave nothing"


@rule("levent.bufevent.start")
@pytest.mark.parametrize("idle", [0, 200])
def test_what_comes_after_the_start_arrives(
    rounds: LeventDriver, channels: Channels, idle: int
) -> None:
    """At once, or when the loop has had nothing to do for some passes; and then again."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    for _ in range(3):
        rounds.quiet(idle)
        before = rounds.count("read")
        inlet.send_bytes(_DATA)
        assert rounds.until_count("read", before + 1), (
            "data came after start(), and readcb did not run"
        )
        inlet.arrive()
        assert inlet.take(), "readcb ran, and read() gave nothing"


@rule("levent.bufevent.start")
def test_output_leaves_after_the_start(rounds: LeventDriver, channels: Channels) -> None:
    """And then again, when all of it has left."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    for _ in range(3):
        outlet.write(100)
        assert rounds.until(outlet.drain), "output was written after start(), and did not leave"


@rule("levent.bufevent.start")
def test_one_that_is_started_in_a_callback_is_served(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Data for it has waited; the first one is served before."""
    first = ReceivingBuffer(rounds, channels.pair(), lambda *_: second.evbuf.start(), name="first")
    second = ReceivingBuffer(rounds, channels.pair(), name="second")
    second.send_bytes(_DATA)
    first.send_bytes(_DATA)
    first.evbuf.start()
    assert rounds.until_count("first read"), "a started buffered event was not served"
    assert rounds.until_count("second read"), (
        "a buffered event that was started in a callback was not served"
    )


@rule("levent.bufevent.start")
def test_the_loop_does_not_return_as_long_as_one_is_started(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Each of five has nothing to do until the one before it stops and sends to it."""

    def pass_on(at: int) -> None:
        inlets[at].evbuf.stop()
        if at + 1 < len(inlets):
            inlets[at + 1].send_bytes(_DATA)

    inlets = [
        ReceivingBuffer(rounds, channels.pair(), lambda *_, at=at: pass_on(at), name=str(at))
        for at in range(5)
    ]
    for inlet in inlets:
        inlet.evbuf.start()
    rounds.quiet(5)  # first calls of writecb
    inlets[0].send_bytes(_DATA)
    rounds.once(None)
    for at in range(5):
        assert rounds.count(f"{at} read"), (
            f"loop() returned when {5 - at} buffered events were still started"
        )


@rule("levent.bufevent.start")
def test_the_loop_waits_for_one_that_only_listens(rounds: LeventDriver, channels: Channels) -> None:
    """Nothing is ready when the loop begins to wait; a thread sends a moment later."""
    inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: inlet.evbuf.stop())
    inlet.evbuf.start()
    rounds.quiet(5)  # a first call of writecb
    sender = threading.Timer(_A_MOMENT, lambda: inlet.far.send(_DATA))
    sender.start()
    rounds.once(None)
    sender.join()
    assert rounds.count("read"), (
        "loop() returned when a buffered event was started; nothing had come for it yet"
    )


@rule("levent.bufevent.start")
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "in a callback"])
def test_to_start_again_changes_nothing(
    rounds: LeventDriver, channels: Channels, inside: bool
) -> None:
    """It is not served twice, and bytes that are there stay."""

    def read(*_arguments: object) -> None:
        if inside:
            inlet.evbuf.start()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.start()
    inlet.evbuf.start()
    inlet.send_bytes(_DATA)
    inlet.arrive()
    inlet.evbuf.start()
    inlet.send_bytes(_DATA)
    inlet.arrive()
    inlet.take_whatever()
    assert inlet.taken == inlet.sent, (
        f"{bytes(inlet.sent)!r} was sent to a buffered event that was started twice, and "
        f"{bytes(inlet.taken)!r} was read"
    )


@rule("levent.bufevent.start")
@pytest.mark.parametrize("starts", [2, 3])
def test_to_start_again_serves_nobody_twice(
    rounds: LeventDriver, channels: Channels, starts: int
) -> None:
    """Each call takes everything, so that another one would find less than it waits for."""
    empty: list[int] = []

    def read(*_arguments: object) -> None:
        if inlet.level < 1:
            empty.append(inlet.level)
        inlet.take_whatever()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.set_read_watermarks(1, 0)
    for _ in range(starts):
        inlet.evbuf.start()
    for _ in range(3):
        inlet.send(10)
        inlet.arrive()
    assert not empty, (
        f"after {starts} start(), readcb ran again when it had taken all; its low watermark is 1"
    )


@rule("levent.bufevent.start")
def test_to_start_again_keeps_the_output(rounds: LeventDriver, channels: Channels) -> None:
    """Output waits for a peer that takes nothing."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    outlet.write(100)
    rounds.quiet(5)
    outlet.evbuf.start()
    rounds.until(lambda: outlet.drain() and len(outlet.received) >= 100)
    assert len(outlet.received) >= 100, (
        f"{len(outlet.received)} of 100 bytes left that waited when start() was called again"
    )


@rule("levent.bufevent.start-without-readcb")
@pytest.mark.parametrize("writecb", [True, False], ids=["with a writecb", "without any callback"])
def test_bytes_that_nobody_is_told_of(
    rounds: LeventDriver, channels: Channels, observe: Observation, writecb: bool
) -> None:
    near, far = channels.pair()
    of = "only writecb" if writecb else "no callback"
    callback = rounds.callback("write") if writecb else None
    try:
        evbuf = rounds.keep(rounds.base.newevbuf(near.fileno(), None, callback, None))
        evbuf.start()
        far.send(_DATA)
        rounds.quiet()
        observe("arrive" if evbuf.read() else "wait in the file", of=of)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
