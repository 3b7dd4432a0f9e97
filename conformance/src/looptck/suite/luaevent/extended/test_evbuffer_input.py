"""luaevent, constants: EVBUFFER_READ beside output that waits, and with an empty input."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 10])
def test_evbuffer_read_comes_while_output_waits(
    driver: BufferEventDriver, channels: Channels, low: int
) -> None:
    """The peer sends and does not read."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(low, 0)
        held.enable(driver.both)
        fill(near)
        held.output.add(b"waits")
        yield from driver.run_idle()
        for times in (1, 2):
            before = driver.count("read")
            far.send(bytes(low + 1))
            called = yield from driver.until(lambda: driver.count("read") > before)  # noqa: B023  looked at before it changes
            assert called, (
                f"output waits for room, {low + 1} bytes arrived for the {times}. time, more than "
                "the low watermark, and read was not called"
            )
            held.input.drain(held.input_length)

    driver.run_script(script)


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 1, 10])
def test_evbuffer_read_does_not_come_for_an_empty_input(
    driver: BufferEventDriver, channels: Channels, low: int
) -> None:
    """Bytes go out, directions and watermarks change, and the end comes, with nothing to read."""
    near, far = channels.pair()
    empty = False

    def read(held: OwnedBufferEvent) -> None:
        assert not empty, "read was called with an empty input, and nothing had arrived"
        held.input.drain(held.input_length)

    def script() -> Script:
        nonlocal empty
        held = driver.bufferevent(near, read=read)
        held.set_read_watermarks(low, 0)
        held.enable(driver.read)
        far.send(bytes(low + 1))
        yield from driver.until(lambda: driver.count("read"))
        yield from driver.run_idle()
        held.input.drain(held.input_length)
        empty = True
        for flags in (driver.read, driver.write, driver.both):
            held.output.add(b"out")
            yield from driver.run_idle(5)
            held.disable(flags)
            yield from driver.run_idle(5)
            held.enable(flags)
            held.set_read_watermarks(low, 100)
            yield from driver.run_idle(5)
        far.shutdown(socket.SHUT_WR)
        yield from driver.run_idle()

    driver.run_script(script)
