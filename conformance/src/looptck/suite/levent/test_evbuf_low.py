"""levent, buffered events: the low watermark of the input."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

LOWS = [1, 2, 10, 100]


def _inlet(
    rounds: LeventDriver, channels: Channels, low: int, *, take: bool = False
) -> ReceivingBuffer:
    """An inlet with that low watermark, started; *take* takes all in each call.

    Every call looks at the level, and takes nothing as long as it is not the test's turn.
    """
    made: list[ReceivingBuffer] = []

    def read(*_arguments: object) -> None:
        inlet = made[0]
        assert inlet.level >= low, (
            f"readcb ran with {inlet.level} bytes in the input; the low watermark is {low}"
        )
        if take:
            got = inlet.take()
            assert len(got) >= low, (
                f"readcb ran and read() gave {len(got)} bytes; the low watermark is {low}"
            )

    made.append(ReceivingBuffer(rounds, channels.pair(), read))
    made[0].evbuf.set_read_watermarks(low, 0)
    made[0].evbuf.start()
    return made[0]


def _silent(rounds: LeventDriver, inlet: ReceivingBuffer, low: int) -> None:
    """All that was sent arrives, and is not told."""
    before = rounds.count("read")
    inlet.arrive()
    assert rounds.count("read") == before, (
        f"readcb ran at {inlet.level} bytes; the low watermark is {low}"
    )


def _told(rounds: LeventDriver, inlet: ReceivingBuffer, low: int, before: int) -> None:
    """There is a call that there was not when *before* was counted."""
    assert rounds.until_count("read", before + 1), (
        f"readcb did not run when {len(inlet.sent)} bytes had been sent and {len(inlet.taken)} "
        f"of them taken; the low watermark is {low}"
    )


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_readcb_waits_for_the_low_watermark_and_not_for_more(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """The bytes come one at a time, so that the call can only be due to the last one."""
    inlet = _inlet(rounds, channels, low)
    for _ in range(low - 1):
        inlet.send(1)
        rounds.until(lambda: not inlet.waiting)
    _silent(rounds, inlet, low)
    inlet.send(1)
    _told(rounds, inlet, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("more", [0, 1, 5000])
def test_one_arrival_that_reaches_the_low_watermark_is_told(
    rounds: LeventDriver, channels: Channels, low: int, more: int
) -> None:
    """Exactly the watermark, a byte more, many more, all at once."""
    inlet = _inlet(rounds, channels, low)
    inlet.send(low + more)
    _told(rounds, inlet, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [2, 10, 100])
def test_one_arrival_below_the_low_watermark_is_not_told(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """One byte less than the watermark, all at once; the last one is told then."""
    inlet = _inlet(rounds, channels, low)
    inlet.send(low - 1)
    _silent(rounds, inlet, low)
    inlet.send(1)
    _told(rounds, inlet, low, before=0)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 3, 4000])
def test_with_a_low_watermark_of_0_or_1_every_arrival_is_told(
    rounds: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """Nothing is taken, so that no call can be due to an emptied buffer."""
    inlet = _inlet(rounds, channels, low)
    for _ in range(4):
        before = rounds.count("read")
        inlet.send(size)
        _told(rounds, inlet, low, before)


@rule("levent.buffer.read-lowwater")
def test_without_a_watermark_a_single_byte_is_told(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Nobody has set one; it is 0 then."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    for _ in range(3):
        before = rounds.count("read")
        inlet.send(1)
        _told(rounds, inlet, 0, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_above_the_low_watermark_every_further_byte_is_told(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """What was told is not taken, and more comes, a byte at a time."""
    inlet = _inlet(rounds, channels, low)
    inlet.send(low)
    _told(rounds, inlet, low, before=0)
    for _ in range(3):
        rounds.quiet(5)
        before = rounds.count("read")
        inlet.send(1)
        _told(rounds, inlet, low, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_after_the_input_was_drained_in_a_call_the_low_watermark_counts_anew(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """Three times; each call takes everything."""
    inlet = _inlet(rounds, channels, low, take=True)
    for _ in range(3):
        before = rounds.count("read")
        if low > 1:
            inlet.send(low - 1)
            _silent(rounds, inlet, low)
        inlet.send(1)
        _told(rounds, inlet, low, before)
        assert not inlet.level, f"{inlet.level} bytes were left by a read() of everything"


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [2, 10, 100])
@pytest.mark.parametrize("left", ["1", "low - 1"])
def test_what_a_program_leaves_in_the_input_counts_for_the_next_call(
    rounds: LeventDriver, channels: Channels, low: int, left: str
) -> None:
    """Taken between two passes: all but one byte, or just one."""
    inlet = _inlet(rounds, channels, low)
    inlet.send(low)
    _told(rounds, inlet, low, before=0)
    rest = 1 if left == "1" else low - 1
    assert len(inlet.take(low - rest)) == low - rest, "read(size) gave less than there was"
    rounds.quiet()
    before = rounds.count("read")
    if rest < low - 1:
        inlet.send(low - 1 - rest)
        _silent(rounds, inlet, low)
    inlet.send(1)
    _told(rounds, inlet, low, before)


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [4, 10, 100])
def test_what_a_call_leaves_in_the_input_counts_for_the_next_one(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """Each call takes half of the watermark, so that half of it brings the next."""
    half = low // 2
    taken_at: list[int] = []

    def read(*_arguments: object) -> None:
        assert inlet.level >= low, (
            f"readcb ran with {inlet.level} bytes in the input; the low watermark is {low}"
        )
        if len(taken_at) < len(inlet.sent) // half - 1:
            taken_at.append(len(inlet.take(half)))

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.set_read_watermarks(low, 0)
    inlet.evbuf.start()
    inlet.send(half)
    _silent(rounds, inlet, low)
    for _ in range(3):
        before = rounds.count("read")
        inlet.send(half)
        _told(rounds, inlet, low, before)
        rounds.quiet(5)
    assert taken_at == [half] * 3, f"read({half}) gave {taken_at} bytes in three calls"


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [16384, 16385, 65536, 70000])
def test_a_low_watermark_above_what_is_read_at_once_is_reached_all_the_same(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """Sent in four parts, while the loop runs; the last byte comes alone."""
    inlet = _inlet(rounds, channels, low)
    parts = [low // 4, low // 4, low // 4, low - 1 - 3 * (low // 4)]
    for part in parts:
        inlet.send(part)
        _silent(rounds, inlet, low)
    inlet.send(1)
    _told(rounds, inlet, low, before=0)


@rule("levent.buffer.read-lowwater")
def test_what_waits_when_it_is_started_counts(rounds: LeventDriver, channels: Channels) -> None:
    """Of ten bytes asked for, nine wait; the tenth comes later."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.set_read_watermarks(10, 0)
    inlet.send(9)
    inlet.evbuf.start()
    _silent(rounds, inlet, 10)
    inlet.send(1)
    _told(rounds, inlet, 10, before=0)


@rule("levent.buffer.read-lowwater-no-data")
@pytest.mark.parametrize("end", ["close", "half close"])
@pytest.mark.parametrize("low", [2, 100])
@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
def test_calls_for_the_rest_at_the_end_of_the_file(
    rounds: LeventDriver,
    channels: Channels,
    observe: Observation,
    low: int,
    end: str,
    together: bool,
) -> None:
    """One byte is missing and will never come; what is there can be read in any case."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.set_read_watermarks(low, 0)
    inlet.evbuf.start()
    inlet.send(low - 1)
    if not together:
        inlet.arrive()
    if end == "close":
        inlet.far.close()
    else:
        inlet.far.shutdown(socket.SHUT_WR)
    rounds.until(lambda: not inlet.waiting)
    rounds.quiet()
    said = "called" if rounds.count("read") else "no call"
    observe(said, of=f"the end of the file with less than low in the input, {end}")
