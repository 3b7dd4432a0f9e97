"""luaevent, bufferevent: the watermarks of the output."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.rules.markers import rule
from looptck.testing.blocked_writer import BlockedWriter, assert_low_watermark
from looptck.testing.buffer_channels import narrow_channel, receive
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.payload import assert_same, payload


@rule("luaevent.bufferevent.write-low")
@pytest.mark.parametrize("low", [0, 1, 2, 10, 1000])
@pytest.mark.parametrize("beside", [-2, -1, 0, 1, 2, 300])
def test_write_is_called_below_the_low_watermark_and_not_above(
    driver: BufferEventDriver, channels: Channels, low: int, beside: int
) -> None:
    """The output is held near the watermark; exactly at it a call may come or not."""
    stall = BlockedWriter(driver, channels)

    def script() -> Script:
        stall.held.set_write_watermarks(low, 0)
        yield from stall.add(max(low + beside, 0))
        yield from stall.let_one_send_through()
        assert_low_watermark(
            stall.held, low, stall.call_levels, stall.added - stall.held.output_length
        )
        yield from stall.finish()
        assert_low_watermark(stall.held, low, stall.call_levels, stall.added)
        assert_same(payload(stall.added), stall.got, "what the peer got")

    driver.run_script(script)


@rule("luaevent.bufferevent.write-low")
@pytest.mark.parametrize("before, after", [(0, 60), (60, 0), (40, 60), (60, 40), (1000, 49)])
def test_a_changed_low_watermark_counts_for_the_next_send(
    driver: BufferEventDriver, channels: Channels, before: int, after: int
) -> None:
    """The watermark changes while the output waits, with 50 bytes more than the next send takes."""
    stall = BlockedWriter(driver, channels)

    def script() -> Script:
        stall.held.set_write_watermarks(before, 0)
        yield from stall.add(50)
        stall.held.set_write_watermarks(after, 0)
        stall.call_levels.clear()
        waiting = stall.held.output_length
        yield from stall.let_one_send_through()
        assert_low_watermark(
            stall.held, after, stall.call_levels, waiting - stall.held.output_length
        )
        yield from stall.finish()
        assert_low_watermark(stall.held, after, stall.call_levels, waiting)

    driver.run_script(script)


@rule("luaevent.bufferevent.write-low")
@pytest.mark.parametrize("low", [0, 1, 5, 100_000])
@pytest.mark.parametrize("size", [1, 5, 3000])
@pytest.mark.parametrize("read", ["", "read"], ids=["writes", "reads and writes"])
def test_output_added_by_write_is_sent_and_brings_a_call(
    driver: BufferEventDriver, channels: Channels, low: int, size: int, read: str
) -> None:
    """The write callback adds twenty times in a row; each time all of it can be sent at once."""
    near, far = channels.pair()
    got = bytearray()
    added = 0

    def add(held: OwnedBufferEvent) -> None:
        nonlocal added
        if added < 20 * size:
            data = payload(size, added)
            added += size
            held.output.add(data)

    def on_write(held: OwnedBufferEvent) -> None:
        if added:
            add(held)

    def script() -> Script:
        yield from driver.run_idle()
        held = driver.bufferevent(near, write=on_write)
        held.set_write_watermarks(low, 0)
        if read:
            held.enable(driver.read)
        yield from driver.run_idle()
        add(held)
        for times in range(1, 21):
            if not (yield from driver.until(partial(_has, driver, far, got, times * size))):
                break
        yield from driver.run_idle()
        got.extend(receive(far, size))
        assert added == 20 * size, (
            f"write was to be called whenever its output is sent, 20 times; after {len(got)} of "
            f"{added} bytes were received it is not called any more"
        )
        assert_same(payload(20 * size), got, "what the peer got")

    driver.run_script(script)


def _has(driver: BufferEventDriver, far: socket.socket, got: bytearray, size: int) -> bool:
    chunk = receive(far, 1 << 20)
    if chunk:
        driver.note_progress()
    got.extend(chunk)
    return len(got) >= size


@rule("luaevent.bufferevent.write-low")
@pytest.mark.parametrize("low", [0, 1, 100, 15_000])
@pytest.mark.parametrize("portion", [900, 20_000], ids="reads {} bytes a turn".format)
@pytest.mark.parametrize("high", [0, 50])
def test_write_waits_while_the_level_is_above_low(
    driver: BufferEventDriver, channels: Channels, low: int, portion: int, high: int
) -> None:
    """The level falls in steps, each of which may bring a call or not; below the watermark one
    must come."""
    near, far = narrow_channel(channels)
    levels: list[int] = []
    got = bytearray()

    def script() -> Script:
        held = driver.bufferevent(near, write=lambda held: levels.append(held.output_length))
        held.set_write_watermarks(low, high)
        yield from driver.run_idle()
        levels.clear()
        held.output.add(payload(20_000))

        def all_came() -> bool:
            chunk = receive(far, portion)
            if chunk:
                driver.note_progress()
            got.extend(chunk)
            return len(got) >= 20_000

        yield from driver.until(all_came)
        yield from driver.run_idle()
        assert_low_watermark(held, low, levels, len(got))
        assert_same(payload(20_000), got, "what the peer got")

    driver.run_script(script)


@rule("luaevent.bufferevent.write-high")
@pytest.mark.parametrize("low, high", [(0, 1), (0, 2), (0, 5), (5, 2), (3, 3), (0, 1000), (0, 0)])
@pytest.mark.parametrize("pieces", [[5], [1] * 5, [1, 5000, 3], [30_000]], ids=str)
@pytest.mark.parametrize("set_when", ["before", "while it waits"])
def test_the_high_watermark_of_the_output_limits_nothing(
    driver: BufferEventDriver,
    channels: Channels,
    low: int,
    high: int,
    pieces: list[int],
    set_when: str,
) -> None:
    """The channel is stuffed, so that all bytes are in the output at once."""
    near, far = narrow_channel(channels)
    got = bytearray()
    total = sum(pieces)

    def script() -> Script:
        stuffing = fill(near)
        held = driver.bufferevent(near)
        if set_when == "before":
            held.set_write_watermarks(low, high)
        added = 0
        for size in pieces:
            try:
                held.output.add(payload(size, added))
            except Exception as error:
                raise AssertionError(
                    f"add of {size} bytes to an output of {added} raised {error!r}; its high "
                    f"watermark {high} is to limit nothing"
                ) from error
            added += size
        if set_when != "before":
            held.set_write_watermarks(low, high)
        yield from driver.run_idle()
        assert held.output_length == total, (
            f"{total} bytes were added and cannot leave; {held.output_length} are in the "
            "output, whose high "
            f"watermark {high} is to limit nothing"
        )
        yield from driver.until(partial(_has, driver, far, got, stuffing + total))
        assert_same(payload(total), got[stuffing:], "what the peer got")

    driver.run_script(script)
