"""luaevent, constants: EVBUFFER_READ beside output that waits, and with nothing in the input."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 10])
def test_evbuffer_read_comes_while_output_waits(
    turns: BufferEventDriver, channels: Channels, low: int
) -> None:
    """The peer sends and does not read."""
    near, far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_read_watermarks(low, 0)
        held.enable(turns.both)
        fill(near)
        held.output.add(b"waits")
        yield from turns.quiet()
        for times in (1, 2):
            before = turns.count("read")
            far.send(bytes(low + 1))
            called = yield from turns.until(lambda: turns.count("read") > before)  # noqa: B023  looked at before it changes
            assert called, (
                f"output waits for room, {low + 1} bytes arrived for the {times}. time, more than "
                "the low watermark, and read was not called"
            )
            held.input.drain(held.level)

    turns.play(script)


@rule("luaevent.constants.evbuffer-read")
@pytest.mark.parametrize("low", [0, 1, 10])
def test_evbuffer_read_does_not_come_to_an_empty_input(
    turns: BufferEventDriver, channels: Channels, low: int
) -> None:
    """Bytes go out, directions and watermarks change, and the end comes, with nothing to read."""
    near, far = channels.pair()
    empty = False

    def read(held: OwnedBufferEvent) -> None:
        assert not empty, "read was called with an empty input, and nothing had arrived"
        held.input.drain(held.level)

    def script() -> Script:
        nonlocal empty
        held = turns.bufferevent(near, read=read)
        held.set_read_watermarks(low, 0)
        held.enable(turns.read)
        far.send(bytes(low + 1))
        yield from turns.until(lambda: turns.count("read"))
        yield from turns.quiet()
        held.input.drain(held.level)
        empty = True
        for flags in (turns.read, turns.write, turns.both):
            held.output.add(b"out")
            yield from turns.quiet(5)
            held.disable(flags)
            yield from turns.quiet(5)
            held.enable(flags)
            held.set_read_watermarks(low, 100)
            yield from turns.quiet(5)
        far.shutdown(socket.SHUT_WR)
        yield from turns.quiet()

    turns.play(script)
