"""luaevent, bufferevent: the watermarks of the output."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_channel, receive
from looptck.testing.bufferevent_driver import BufferEventDriver, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.payload import assert_same, payload


def _has(driver: BufferEventDriver, far: socket.socket, got: bytearray, size: int) -> bool:
    chunk = receive(far, 1 << 20)
    if chunk:
        driver.note_progress()
    got.extend(chunk)
    return len(got) >= size


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
