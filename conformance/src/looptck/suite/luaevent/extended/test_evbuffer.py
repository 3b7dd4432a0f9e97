"""luaevent, constants: the EVBUFFER_* flags and what they report of a bufferevent."""

from __future__ import annotations

import socket

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.blocked_writer import BlockedWriter, assert_low_watermark
from looptck.testing.buffer_channels import unread
from looptck.testing.bufferevent_driver import (
    BufferEventDriver,
    OwnedBufferEvent,
    Script,
    error_flag_names,
    flags_argument,
)
from looptck.testing.channels import Channels, drain, fill, reset
from looptck.testing.payload import assert_same, payload


def _told(luaevent: LuaeventExtended, flags: list[int], wanted: int, callback: str) -> None:
    """Raise AssertionError unless all *flags* that *callback* got include *wanted*."""
    for what in flags:
        assert what & wanted == wanted, (
            f"{callback} was called with {error_flag_names(luaevent, what)} ({what}), without "
            f"{error_flag_names(luaevent, wanted)} ({wanted})"
        )


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 1, 2, 10, 1000])
@pytest.mark.parametrize("coming", ["L - 1", "L + 1", "2 L + 1", "one at a time"])
def test_evbuffer_read_tells_of_input_above_the_low_watermark(
    driver: BufferEventDriver, channels: Channels, low: int, coming: str
) -> None:
    """With exactly as many bytes as the watermark a call may come or not."""
    near, far = channels.pair()
    told: list[int] = []
    luaevent = driver.luaevent

    def script() -> Script:
        held = driver.keep(
            luaevent.bufferevent.new(
                driver.base,
                near.fileno(),
                driver.callback(lambda *arguments: told.append(flags_argument(arguments))),
                driver.callback(lambda *_: None),
                driver.callback(lambda *_: None),
            )
        )
        held.set_read_watermarks(low, 0)
        held.enable(driver.read)
        if coming == "one at a time":
            first = max(0, low - 3)
            far.send(bytes(first))
            for _ in range(low - first - 1):
                far.send(b"x")
                yield from driver.run_idle()
                assert not told, f"read was called below the low watermark of {low} bytes"
            for _ in range(min(low, 1)):
                far.send(b"x")
                yield from driver.run_idle()
            told.clear()
            far.send(b"x")
        else:
            far.send(bytes({"L - 1": max(low - 1, 0), "L + 1": low + 1}.get(coming, 2 * low + 1)))
        if coming == "L - 1":
            yield from driver.run_idle()
            assert not told, f"read was called below the low watermark of {low} bytes"
            far.send(b"xx")
        called = yield from driver.until(lambda: told)
        assert called, f"the input rose above {low} bytes, and read was not called"
        _told(luaevent, told, luaevent.EVBUFFER_READ, "read")

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-write")
@pytest.mark.parametrize("low", [0, 1, 2, 10, 1000])
@pytest.mark.parametrize("beside", [-1, 1, 100])
def test_evbuffer_write_tells_of_output_below_the_low_watermark(
    driver: BufferEventDriver, channels: Channels, low: int, beside: int
) -> None:
    """The output is held near the watermark; then all of it is sent."""
    stall = BlockedWriter(driver, channels)
    luaevent = driver.luaevent

    def script() -> Script:
        stall.held.set_write_watermarks(low, 0)
        yield from stall.add(max(low + beside, 0))
        yield from stall.let_one_send_through()
        assert_low_watermark(
            stall.held, low, stall.call_levels, stall.added - stall.held.output_length
        )
        yield from stall.finish()
        assert_low_watermark(stall.held, low, stall.call_levels, stall.added)
        _told(luaevent, stall.flags, luaevent.EVBUFFER_WRITE, "write")

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-write")
@pytest.mark.parametrize("size", [1, 100, 5000])
@pytest.mark.parametrize("low", [0, 1, 100_000])
def test_evbuffer_write_tells_of_output_that_is_empty(
    driver: BufferEventDriver, channels: Channels, low: int, size: int
) -> None:
    """There is room for all of it; a first call, with nothing to send, does not count."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_write_watermarks(low, 0)
        yield from driver.run_idle()
        before = driver.count("write")

        def called_at_last() -> bool:
            if drain(far):
                driver.note_progress()
            return driver.count("write") > before

        held.output.add(bytes(size))
        called = yield from driver.until(called_at_last)
        assert called, (
            f"{size} bytes were sent and none are left; the low watermark is {low}, and write was "
            "not called"
        )

    driver.run_script(script)


def _ended(driver: BufferEventDriver) -> int:
    return driver.count_errors(driver.luaevent.EVBUFFER_EOF, driver.luaevent.EVBUFFER_READ)


@rule("luaevent.constants.evbuffer-eof")
@pytest.mark.parametrize("end", ["close", "shutdown"])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
@pytest.mark.parametrize("sent, low", [(0, 0), (0, 10), (1, 0), (9, 10), (10, 10), (20_000, 0)])
@pytest.mark.parametrize("apart", [False, True], ids=["with the data", "after the data"])
def test_the_end_is_told_after_all_data(
    driver: BufferEventDriver,
    channels: Channels,
    end: str,
    channel: str,
    sent: int,
    low: int,
    *,
    apart: bool,
) -> None:
    """The test compares the input at the call with the sent bytes."""
    near, far = channels.pair() if channel == "socket pair" else channels.tcp_pair()

    def on_error(held: OwnedBufferEvent) -> None:
        held.take()
        assert_same(payload(sent), held.taken, "what came in before the end was told")

    def script() -> Script:
        held = driver.bufferevent(near, error=on_error)
        held.set_read_watermarks(low, 0)
        held.enable(driver.read)
        far.send(payload(sent))
        if apart:
            yield from driver.run_idle()
        if end == "close":
            far.close()
        else:
            far.shutdown(socket.SHUT_WR)
        came = yield from driver.until(lambda: _ended(driver))
        assert came, (
            "the input ended, and the error callback was not called with EVBUFFER_EOF and "
            f"EVBUFFER_READ; the calls were {', '.join(driver.trace) or 'none'}"
        )
        yield from driver.run_idle()
        if sent < low or not sent:
            assert not driver.count("read"), (
                f"{sent} bytes came and then the end; the low watermark is {low}, and read was "
                "called"
            )

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-error")
@pytest.mark.parametrize("sent", [0, 50])
@pytest.mark.parametrize("low, high", [(0, 0), (100, 0), (0, 50), (0, 51)])
def test_a_reset_connection_is_an_error_of_reading(
    driver: BufferEventDriver, channels: Channels, sent: int, low: int, high: int
) -> None:
    """Bytes sent before have come in. With the input full the loop meets the error after a
    drain."""
    near, far = channels.tcp_pair()
    luaevent = driver.luaevent

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(low, high)
        held.enable(driver.read)
        far.send(bytes(sent))
        yield from driver.until(lambda: not unread(near))
        yield from driver.run_idle()
        reset(far)
        if high == sent:
            yield from driver.run_idle()
            held.set_read_watermarks(0, 0)
        came = yield from driver.until(
            lambda: driver.count_errors(luaevent.EVBUFFER_ERROR, luaevent.EVBUFFER_READ)
        )
        assert came, (
            "the peer reset the connection, and the error callback was not called with "
            f"EVBUFFER_ERROR and EVBUFFER_READ; the calls were {', '.join(driver.trace) or 'none'}"
        )

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-error")
@pytest.mark.parametrize("waits", [True, False], ids=["output waits", "output comes later"])
@pytest.mark.parametrize("reads", [False, True], ids=["writes", "reads and writes"])
@pytest.mark.parametrize("size", [1, 30_000])
def test_a_peer_that_is_gone_is_an_error_of_writing(
    driver: BufferEventDriver, channels: Channels, size: int, *, waits: bool, reads: bool
) -> None:
    """With reading enabled too, the loop may meet the error there and report the end of the
    input."""
    near, far = channels.pair()
    luaevent = driver.luaevent

    def script() -> Script:
        held = driver.bufferevent(near)
        if reads:
            held.enable(driver.read)
        yield from driver.run_idle()
        if waits:
            fill(near)
            held.output.add(bytes(size))
            yield from driver.run_idle()
            assert not driver.errors, (
                f"the output waits for room, and there came {', '.join(driver.trace)}"
            )
        far.close()
        if not waits:
            held.output.add(bytes(size))
        tags = luaevent.EVBUFFER_WRITE | (luaevent.EVBUFFER_READ if reads else 0)
        came = yield from driver.until(
            lambda: any(what & luaevent.EVBUFFER_ERROR and what & tags for what in driver.errors)
        )
        assert came, (
            "output was sent to a peer that is gone, and the error callback was not called with "
            f"EVBUFFER_ERROR and {error_flag_names(luaevent, tags).replace(' ', ' or ')}; the "
            "calls were "
            f"{', '.join(driver.trace) or 'none'}"
        )

    try:
        driver.run_script(script)
    except OSError as error:
        raise AssertionError(f"a write failed, and out of loop() came {error!r}") from error


@rule("luaevent.constants.evbuffer-error")
def test_waiting_is_no_error(driver: BufferEventDriver, channels: Channels) -> None:
    """The bufferevent waits for data, or for room."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.both)
        far.send(b"in")
        fill(near)
        held.output.add(b"out")
        yield from driver.run_idle()
        yield 0.02
        assert not driver.errors, f"nothing failed, and there came {', '.join(driver.trace)}"

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-timeout")
@pytest.mark.parametrize("direction", ["READ", "WRITE"])
@pytest.mark.parametrize("other", [0, 60], ids=["the other none", "the other far"])
@pytest.mark.parametrize("data", [0, 5])
def test_a_timeout_is_told_with_its_direction(
    driver: BufferEventDriver, channels: Channels, direction: str, other: int, data: int
) -> None:
    """Both directions wait, with data in the input or without."""
    near, far = channels.pair()
    luaevent = driver.luaevent
    tag = getattr(luaevent, f"EVBUFFER_{direction}")

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(10, 0)
        held.set_timeouts(*((0.02, other) if direction == "READ" else (other, 0.02)))
        fill(near)
        held.output.add(b"out")
        held.enable(driver.read)
        far.send(bytes(data))
        came = yield from driver.within_time(lambda: driver.count_errors(luaevent.EVBUFFER_TIMEOUT))
        assert came, "20 ms were the timeout, and the error callback did not tell of it"
        assert driver.count_errors(luaevent.EVBUFFER_TIMEOUT, tag), (
            f"a timeout of {direction} passed, and the calls were {', '.join(driver.trace)}"
        )

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-timeout")
@pytest.mark.parametrize("before", ["nothing", "something"])
@pytest.mark.parametrize("reads", [False, True], ids=["writes", "reads and writes"])
def test_an_empty_output_has_no_write_timeout(
    driver: BufferEventDriver, channels: Channels, before: str, *, reads: bool
) -> None:
    """The output was always empty, or has been sent; several timeouts' time goes by."""
    near, _far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_timeouts(0, 0.02)
        if reads:
            held.enable(driver.both)
        if before == "something":
            held.output.add(b"out")
        for _ in range(5):
            yield 0.02
        assert not driver.errors, (
            f"there is nothing to write, and there came {', '.join(driver.trace)}"
        )

    driver.run_script(script)
