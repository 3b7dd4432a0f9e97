"""levent, buffered events: the low watermark of the output.

How much is left in the output is known from outside: what was written, less
what the peer has or could have.  The way to the peer is narrow, and stuffed at
first; what one send takes after it was cleared is tried out before on another
one.  A loop that sends in other pieces comes to other levels, and is judged by
those.
"""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import SendingBuffer, room_of_a_stuffed_way
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

LOWS = [0, 1, 2, 100, 5000]


def _started(rounds: LeventDriver, channels: Channels, low: int) -> SendingBuffer:
    """A started outlet with that low watermark of its output."""
    outlet = SendingBuffer(rounds, channels)
    outlet.evbuf.set_write_watermarks(low, 0)
    outlet.start()
    return outlet


def _none_above(outlet: SendingBuffer, low: int) -> None:
    """Every call of writecb since the start was at the watermark or below it."""
    for level in outlet.called_at:
        assert level <= low, (
            f"writecb ran with {level} bytes in the output; the low watermark is {low}"
        )


def _drained(outlet: SendingBuffer, low: int) -> None:
    """The peer takes everything; writecb has run by then, and not above the watermark."""
    assert not outlet.finish() or outlet.told(), (
        f"writecb did not run when all output had left; the low watermark is {low}"
    )
    _none_above(outlet, low)


def _left(rounds: LeventDriver, outlet: SendingBuffer, channels: Channels, size: int) -> None:
    """Write so much that after one send *size* bytes are left, and let that send happen."""
    room = room_of_a_stuffed_way(channels)
    outlet.stuff()
    outlet.write(room + size)
    rounds.quiet()
    outlet.make_room()
    rounds.quiet()


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [2, 100, 5000])
def test_writecb_runs_one_byte_below_the_low_watermark(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """The socket is full again then, so that no more leaves."""
    outlet = _started(rounds, channels, low)
    _left(rounds, outlet, channels, low - 1)
    assert outlet.level >= low or outlet.called_at, (
        f"writecb did not run when {outlet.level} bytes were left; the low watermark is {low}"
    )
    _none_above(outlet, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("more", [1, 2, 1000])
def test_writecb_does_not_run_above_the_low_watermark(
    rounds: LeventDriver, channels: Channels, low: int, more: int
) -> None:
    """A byte more is left than the watermark, or two, or many; then all the rest leaves."""
    outlet = _started(rounds, channels, low)
    _left(rounds, outlet, channels, low + more)
    _none_above(outlet, low)
    _drained(outlet, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
def test_writecb_has_run_when_all_output_has_left(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """Exactly the watermark is left at first, for which a call is open."""
    outlet = _started(rounds, channels, low)
    _left(rounds, outlet, channels, low)
    _drained(outlet, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("size", [1, 2, 99, 101, 5001])
def test_output_that_leaves_at_once_is_told(
    rounds: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """There is room for all of it, several times; it may have been below the watermark always."""
    outlet = _started(rounds, channels, low)
    for _ in range(3):
        before = len(outlet.called_at)
        outlet.write(size)
        assert not outlet.finish() or outlet.told(before), (
            f"writecb did not run when {size} bytes had left and none was left; "
            f"the low watermark is {low}"
        )
        _none_above(outlet, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 1, 4096, 30_000])
@pytest.mark.parametrize("step", [500, 5000, 40_000])
def test_a_slow_peer_brings_no_call_above_the_low_watermark(
    rounds: LeventDriver, channels: Channels, low: int, step: int
) -> None:
    """Much more was written than the watermark; the peer takes a little after each pass."""
    outlet = _started(rounds, channels, low)
    outlet.write(60_000)
    while outlet.level and rounds.until(lambda: outlet.drain(step)):
        _none_above(outlet, low)
        if low and outlet.level < low:
            assert outlet.told(), (
                f"writecb did not run when {outlet.level} bytes were left; "
                f"the low watermark is {low}"
            )
    _drained(outlet, low)


@rule("levent.buffer.write-lowwater")
def test_a_low_watermark_that_was_raised_while_output_waits_counts(
    rounds: LeventDriver, channels: Channels
) -> None:
    """It was 0; what is left after the next send is below the new one."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    room = room_of_a_stuffed_way(channels)
    outlet.stuff()
    outlet.write(room + 500)
    rounds.quiet()
    assert not outlet.called_at, "writecb ran when nothing had left; the low watermark is 0"
    outlet.evbuf.set_write_watermarks(501, 0)
    outlet.make_room()
    rounds.quiet()
    assert outlet.level > 500 or outlet.called_at, (
        f"writecb did not run when {outlet.level} bytes were left, after the low watermark was "
        "raised from 0 to 501"
    )


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 499])
def test_a_low_watermark_that_was_lowered_while_output_waits_counts(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """The old one would be met by what is left after the next send, and the new one is not."""
    outlet = _started(rounds, channels, 501)
    room = room_of_a_stuffed_way(channels)
    outlet.stuff()
    outlet.write(room + 500)
    rounds.quiet()
    outlet.evbuf.set_write_watermarks(low, 0)
    outlet.make_room()
    rounds.quiet()
    _none_above(outlet, low)
    _drained(outlet, low)


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 10])
def test_a_full_file_is_no_reason_to_call(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """Nothing can leave, and more waits than the watermark."""
    outlet = _started(rounds, channels, low)
    outlet.stuff()
    outlet.write(1000)
    rounds.quiet()
    assert not outlet.called_at, (
        f"writecb ran with {outlet.called_at[0]} bytes in the output and a peer that takes "
        f"nothing; the low watermark is {low}"
    )


@rule("levent.buffer.write-lowwater")
@pytest.mark.parametrize("low", [0, 100])
def test_output_that_waited_through_a_stop_is_told(
    rounds: LeventDriver, channels: Channels, low: int
) -> None:
    """It leaves after the start; a first call after a start may have gone by before."""
    outlet = _started(rounds, channels, low)
    outlet.stuff()
    outlet.write(10)
    outlet.evbuf.stop()
    outlet.evbuf.start()
    rounds.quiet()
    before = len(outlet.called_at)
    assert not outlet.finish() or outlet.told(before), (
        "writecb did not run when what waited through a stop had left"
    )


@rule("levent.buffer.write-lowwater")
def test_output_is_told_while_input_arrives(rounds: LeventDriver, channels: Channels) -> None:
    """Data is there when the pass begins, as well as room."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    for _ in range(3):
        before = len(outlet.called_at)
        outlet.write(10)
        outlet.far.send(b"data")
        assert outlet.told(before, draining=True), (
            "writecb did not run when all output had left; there was something to read as well"
        )
        outlet.finish()
        rounds.quiet(5)
        outlet.evbuf.read()


@rule("levent.buffer.write-lowwater")
def test_what_is_added_meanwhile_counts_for_the_level(
    rounds: LeventDriver, channels: Channels
) -> None:
    """A little is written whenever something leaves, so that the output is never empty."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.write(50_000)
    for _ in range(30):
        outlet.drain(3000)
        outlet.write(2000)
        rounds.once()
        _none_above(outlet, 0)
    _drained(outlet, 0)


def _said(calls: int) -> str:
    return {0: "no call", 1: "one call"}.get(calls, "called again and again")


@rule("levent.buffer.write-initial")
def test_calls_though_nothing_left(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """How often is seen in twenty passes for each."""
    outlet = SendingBuffer(rounds, channels)

    def look(situation: str) -> None:
        before = rounds.count("write")
        rounds.quiet(20)
        observe(_said(rounds.count("write") - before), of=situation)

    outlet.evbuf.start()
    look("started with nothing to send")
    look("idle")
    outlet.evbuf.stop()
    outlet.evbuf.start()
    look("stopped and started")
    outlet.evbuf.set_write_watermarks(100, 0)
    look("low raised above an empty output")
    outlet.stuff()
    outlet.write(10)
    look("10 bytes that cannot leave, low 100")
    outlet.evbuf.set_write_watermarks(5, 0)
    outlet.evbuf.set_write_watermarks(100, 0)
    look("low raised above what waits")


@rule("levent.buffer.write-initial")
@pytest.mark.parametrize("low", [1, 100, 5000])
def test_calls_at_exactly_the_low_watermark(
    rounds: LeventDriver, channels: Channels, observe: Observation, low: int
) -> None:
    """If the loop sends in other pieces than most, the level is another, and that is said."""
    outlet = _started(rounds, channels, low)
    _left(rounds, outlet, channels, low)
    situation = f"{low} bytes left, low {low}"
    if outlet.level != low:
        observe("the loop does not come to this level", of=situation)
    else:
        observe("called" if outlet.called_at else "no call", of=situation)
