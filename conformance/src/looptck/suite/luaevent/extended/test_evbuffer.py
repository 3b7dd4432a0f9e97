"""luaevent, constants: what the EVBUFFER_* flags tell of a bufferevent."""

from __future__ import annotations

import socket

import pytest

from looptck.profiles.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.blocked_writer import BlockedWriter, judge_low
from looptck.testing.buffer_channels import pattern, same, unread
from looptck.testing.bufferevent_driver import (
    BufferEventDriver,
    OwnedBufferEvent,
    Script,
    flags_in,
    said,
)
from looptck.testing.channels import Channels, drain, fill, reset


def _told(luaevent: LuaeventExtended, flags: list[int], wanted: int, callback: str) -> None:
    """Raises AssertionError unless all the *flags* that *callback* was given have *wanted*."""
    for what in flags:
        assert what & wanted == wanted, (
            f"{callback} was called with {said(luaevent, what)} ({what}), without "
            f"{said(luaevent, wanted)} ({wanted})"
        )


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 1, 2, 10, 1000])
@pytest.mark.parametrize("coming", ["L - 1", "L + 1", "2 L + 1", "one at a time"])
def test_evbuffer_read_tells_of_input_above_the_low_watermark(
    turns: BufferEventDriver, channels: Channels, low: int, coming: str
) -> None:
    """With exactly as many bytes as the watermark a call may come or not."""
    near, far = channels.pair()
    told: list[int] = []
    luaevent = turns.luaevent

    def script() -> Script:
        held = turns.keep(
            luaevent.bufferevent.new(
                turns.base,
                near.fileno(),
                turns.callback(lambda *arguments: told.append(flags_in(arguments))),
                turns.callback(lambda *_: None),
                turns.callback(lambda *_: None),
            )
        )
        held.set_read_watermarks(low, 0)
        held.enable(turns.read)
        if coming == "one at a time":
            first = max(0, low - 3)
            far.send(bytes(first))
            for _ in range(low - first - 1):
                far.send(b"x")
                yield from turns.quiet()
                assert not told, f"read was called below the low watermark of {low} bytes"
            for _ in range(min(low, 1)):
                far.send(b"x")
                yield from turns.quiet()
            told.clear()
            far.send(b"x")
        else:
            far.send(bytes({"L - 1": max(low - 1, 0), "L + 1": low + 1}.get(coming, 2 * low + 1)))
        if coming == "L - 1":
            yield from turns.quiet()
            assert not told, f"read was called below the low watermark of {low} bytes"
            far.send(b"xx")
        called = yield from turns.until(lambda: told)
        assert called, f"the input rose above {low} bytes, and read was not called"
        _told(luaevent, told, luaevent.EVBUFFER_READ, "read")

    turns.play(script)


@rule("luaevent.constants.evbuffer-write")
@pytest.mark.parametrize("low", [0, 1, 2, 10, 1000])
@pytest.mark.parametrize("beside", [-1, 1, 100])
def test_evbuffer_write_tells_of_output_below_the_low_watermark(
    turns: BufferEventDriver, channels: Channels, low: int, beside: int
) -> None:
    """The output is held up beside the watermark; then all of it is sent."""
    stall = BlockedWriter(turns, channels)
    luaevent = turns.luaevent

    def script() -> Script:
        stall.held.set_write_watermarks(low, 0)
        yield from stall.add(max(low + beside, 0))
        yield from stall.give_way()
        judge_low(stall.held, low, stall.called_at, stall.added - stall.held.left)
        yield from stall.finish()
        judge_low(stall.held, low, stall.called_at, stall.added)
        _told(luaevent, stall.told, luaevent.EVBUFFER_WRITE, "write")

    turns.play(script)


@rule("luaevent.constants.evbuffer-write")
@pytest.mark.parametrize("size", [1, 100, 5000])
@pytest.mark.parametrize("low", [0, 1, 100_000])
def test_evbuffer_write_tells_of_output_that_is_empty(
    turns: BufferEventDriver, channels: Channels, low: int, size: int
) -> None:
    """There is room for all of it; a first call, with nothing to send, is not counted."""
    near, far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_write_watermarks(low, 0)
        yield from turns.quiet()
        before = turns.count("write")

        def called_at_last() -> bool:
            if drain(far):
                turns.moved()
            return turns.count("write") > before

        held.output.add(bytes(size))
        called = yield from turns.until(called_at_last)
        assert called, (
            f"{size} bytes were sent and none are left; the low watermark is {low}, and write was "
            "not called"
        )

    turns.play(script)


def _ended(turns: BufferEventDriver) -> int:
    return turns.reported(turns.luaevent.EVBUFFER_EOF, turns.luaevent.EVBUFFER_READ)


@rule("luaevent.constants.evbuffer-eof")
@pytest.mark.parametrize("end", ["close", "shutdown"])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
@pytest.mark.parametrize("sent, low", [(0, 0), (0, 10), (1, 0), (9, 10), (10, 10), (20_000, 0)])
@pytest.mark.parametrize("apart", [False, True], ids=["with the data", "after the data"])
def test_the_end_is_told_after_all_data(
    turns: BufferEventDriver,
    channels: Channels,
    end: str,
    channel: str,
    sent: int,
    low: int,
    *,
    apart: bool,
) -> None:
    """What is in the input at the call is compared with what was sent."""
    near, far = channels.pair() if channel == "socket pair" else channels.tcp_pair()

    def on_error(held: OwnedBufferEvent) -> None:
        held.take()
        same(held.taken, pattern(sent), "what came in before the end was told")

    def script() -> Script:
        held = turns.bufferevent(near, error=on_error)
        held.set_read_watermarks(low, 0)
        held.enable(turns.read)
        far.send(pattern(sent))
        if apart:
            yield from turns.quiet()
        if end == "close":
            far.close()
        else:
            far.shutdown(socket.SHUT_WR)
        came = yield from turns.until(lambda: _ended(turns))
        assert came, (
            "the input ended, and the error callback was not called with EVBUFFER_EOF and "
            f"EVBUFFER_READ; the calls were {', '.join(turns.trace) or 'none'}"
        )
        yield from turns.quiet()
        if sent < low or not sent:
            assert not turns.count("read"), (
                f"{sent} bytes came and then the end; the low watermark is {low}, and read was "
                "called"
            )

    turns.play(script)


@rule("luaevent.constants.evbuffer-eof")
@pytest.mark.parametrize("sent", [7, 8, 9, 16, 17, 100])
@pytest.mark.parametrize("taken", [1, 8])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
def test_the_end_waits_behind_what_the_high_watermark_keeps_out(
    turns: BufferEventDriver, channels: Channels, sent: int, taken: int, channel: str
) -> None:
    """The poller reports a hang-up all the time; 8 bytes are let in at once."""
    near, far = channels.pair() if channel == "socket pair" else channels.tcp_pair()

    def on_error(held: OwnedBufferEvent) -> None:
        there = len(held.taken) + held.level
        assert there == sent, (
            f"the end was told with {there} of {sent} bytes come in; {unread(near)} wait"
        )

    def script() -> Script:
        held = turns.bufferevent(near, error=on_error)
        held.set_read_watermarks(0, 8)
        held.enable(turns.read)
        far.send(pattern(sent))
        far.close()
        while len(held.taken) < sent:
            there = yield from turns.until(lambda: held.level == 8 or not unread(near))
            yield from turns.quiet(5)
            assert there, f"{unread(near)} bytes wait, and the input stays at {held.level} of 8"
            assert held.level, (
                f"{sent} bytes were sent, {len(held.taken)} taken; {unread(near)} wait, and the "
                f"input holds {held.level} of at most 8"
            )
            held.take(taken)
        came = yield from turns.until(lambda: _ended(turns))
        assert came, "all data was taken, and the end was not told"
        same(held.taken, pattern(sent), "what came before the end")

    turns.play(script)


@rule("luaevent.constants.evbuffer-error")
@pytest.mark.parametrize("sent", [0, 50])
@pytest.mark.parametrize("low, high", [(0, 0), (100, 0), (0, 50), (0, 51)])
def test_a_reset_connection_is_an_error_of_reading(
    turns: BufferEventDriver, channels: Channels, sent: int, low: int, high: int
) -> None:
    """What was sent before has come in.  With the input full the error is met after a drain."""
    near, far = channels.tcp_pair()
    luaevent = turns.luaevent

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_read_watermarks(low, high)
        held.enable(turns.read)
        far.send(bytes(sent))
        yield from turns.until(lambda: not unread(near))
        yield from turns.quiet()
        reset(far)
        if high == sent:
            yield from turns.quiet()
            held.set_read_watermarks(0, 0)
        came = yield from turns.until(
            lambda: turns.reported(luaevent.EVBUFFER_ERROR, luaevent.EVBUFFER_READ)
        )
        assert came, (
            "the peer reset the connection, and the error callback was not called with "
            f"EVBUFFER_ERROR and EVBUFFER_READ; the calls were {', '.join(turns.trace) or 'none'}"
        )

    turns.play(script)


@rule("luaevent.constants.evbuffer-error")
@pytest.mark.parametrize("waits", [True, False], ids=["output waits", "output comes later"])
@pytest.mark.parametrize("reads", [False, True], ids=["writes", "reads and writes"])
@pytest.mark.parametrize("size", [1, 30_000])
def test_a_peer_that_is_gone_is_an_error_of_writing(
    turns: BufferEventDriver, channels: Channels, size: int, *, waits: bool, reads: bool
) -> None:
    """Where it is read as well, the error may be met there, and the end of the input be told."""
    near, far = channels.pair()
    luaevent = turns.luaevent

    def script() -> Script:
        held = turns.bufferevent(near)
        if reads:
            held.enable(turns.read)
        yield from turns.quiet()
        if waits:
            fill(near)
            held.output.add(bytes(size))
            yield from turns.quiet()
            assert not turns.errors, (
                f"the output waits for room, and there came {', '.join(turns.trace)}"
            )
        far.close()
        if not waits:
            held.output.add(bytes(size))
        tags = luaevent.EVBUFFER_WRITE | (luaevent.EVBUFFER_READ if reads else 0)
        came = yield from turns.until(
            lambda: any(what & luaevent.EVBUFFER_ERROR and what & tags for what in turns.errors)
        )
        assert came, (
            "output was sent to a peer that is gone, and the error callback was not called with "
            f"EVBUFFER_ERROR and {said(luaevent, tags).replace(' ', ' or ')}; the calls were "
            f"{', '.join(turns.trace) or 'none'}"
        )

    try:
        turns.play(script)
    except OSError as error:
        raise AssertionError(f"a write failed, and out of loop() came {error!r}") from error


@rule("luaevent.constants.evbuffer-error")
def test_waiting_is_no_error(turns: BufferEventDriver, channels: Channels) -> None:
    """Neither for data nor for room."""
    near, far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.both)
        far.send(b"in")
        fill(near)
        held.output.add(b"out")
        yield from turns.quiet()
        yield 0.02
        assert not turns.errors, f"nothing failed, and there came {', '.join(turns.trace)}"

    turns.play(script)


@rule("luaevent.constants.evbuffer-timeout")
@pytest.mark.parametrize("direction", ["READ", "WRITE"])
@pytest.mark.parametrize("other", [0, 60], ids=["the other none", "the other far"])
@pytest.mark.parametrize("data", [0, 5])
def test_a_timeout_is_told_with_its_direction(
    turns: BufferEventDriver, channels: Channels, direction: str, other: int, data: int
) -> None:
    """Both directions wait, with data in the input or without."""
    near, far = channels.pair()
    luaevent = turns.luaevent
    tag = getattr(luaevent, f"EVBUFFER_{direction}")

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_read_watermarks(10, 0)
        held.set_timeouts(*((0.02, other) if direction == "READ" else (other, 0.02)))
        fill(near)
        held.output.add(b"out")
        held.enable(turns.read)
        far.send(bytes(data))
        came = yield from turns.in_time(lambda: turns.reported(luaevent.EVBUFFER_TIMEOUT))
        assert came, "20 ms were the timeout, and the error callback did not tell of it"
        assert turns.reported(luaevent.EVBUFFER_TIMEOUT, tag), (
            f"a timeout of {direction} passed, and the calls were {', '.join(turns.trace)}"
        )

    turns.play(script)


@rule("luaevent.constants.evbuffer-timeout")
@pytest.mark.parametrize("before", ["nothing", "something"])
@pytest.mark.parametrize("reads", [False, True], ids=["writes", "reads and writes"])
def test_there_is_no_write_timeout_with_nothing_to_write(
    turns: BufferEventDriver, channels: Channels, before: str, *, reads: bool
) -> None:
    """The output was always empty, or has been sent; several timeouts' time goes by."""
    near, _far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_timeouts(0, 0.02)
        if reads:
            held.enable(turns.both)
        if before == "something":
            held.output.add(b"out")
        for _ in range(5):
            yield 0.02
        assert not turns.errors, (
            f"there is nothing to write, and there came {', '.join(turns.trace)}"
        )

    turns.play(script)
