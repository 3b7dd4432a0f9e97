"""luaevent, bufferevent: its two buffers, and every byte that goes through them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.subjects.call_counter import unwrap
from looptck.testing.buffer_channels import narrow_channel, receive, unread
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill, reset
from looptck.testing.payload import assert_same, payload


@rule("luaevent.bufferevent.get_read")
@pytest.mark.parametrize("which", ["input", "output"])
def test_the_input_is_the_same_object_each_time(
    driver: BufferEventDriver, channels: Channels, which: str
) -> None:
    """The test looks before anything came, after, after a drain, while output waits, and at the
    end; the output is another object."""
    near, far = channels.pair()
    seen: list[object] = []

    def script() -> Script:
        held = driver.bufferevent(near, read=lambda held: seen.append(held.input))
        seen.append(held.input)
        held.enable(driver.read)
        far.send(b"in")
        yield from driver.until(lambda: len(seen) > 1)
        held.take()
        seen.append(held.input)
        fill(near)
        held.output.add(b"waits")
        seen.append(held.input)
        held.set_read_watermarks(1, 10)
        far.send(b"last")
        far.shutdown(socket.SHUT_WR)
        yield from driver.until(lambda: driver.errors)
        seen.append(held.input)
        held.take()
        seen.append(held.input)
        assert all(each is seen[0] for each in seen), "get_read() gave different objects"
        if which == "output":
            assert held.output is not held.input, "get_read() and get_write() give one buffer"

    driver.run_script(script)


@rule("luaevent.bufferevent.get_read")
@pytest.mark.parametrize(
    "happens", ["the end", "an error", "an error of writing", "a timeout", "disabling"]
)
@pytest.mark.parametrize("low, high", [(0, 0), (500, 0), (0, 100)])
def test_arrived_bytes_stay_until_they_are_taken(
    luaevent: LuaeventExtended,
    driver: BufferEventDriver,
    channels: Channels,
    happens: str,
    low: int,
    high: int,
) -> None:
    """Events that come later must not remove bytes that arrived before."""
    near, far = channels.tcp_pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(low, high)
        held.enable(driver.read)
        far.send(payload(99))
        yield from driver.until(lambda: held.input_length == 99)
        if happens == "the end":
            far.close()
        elif happens == "an error":
            reset(far)
        elif happens == "an error of writing":
            held.disable(driver.read)
            yield from driver.run_idle()
            reset(far)
            held.output.add(b"out")
        elif happens == "a timeout":
            held.set_timeouts(0.01, 0)
        else:
            held.disable(driver.both)
        yield from driver.within_time(lambda: driver.errors or happens == "disabling")
        yield from driver.run_idle()
        held.take()
        assert_same(payload(99), held.taken, f"what is in the input after {happens}")

    driver.run_script(script)


def _read(near: socket.socket, waiting: int) -> bool:
    """Return whether fewer than *waiting* bytes wait in the socket."""
    return unread(near) < waiting


# {way: how a part of the input is taken by it}
_DIRECTIONS: dict[str, Callable[[BufferEventDriver, Channels, OwnedBufferEvent], object]] = {
    "drain": lambda _driver, _channels, held: held.input.drain(4),
    "drain of all": lambda _driver, _channels, held: held.input.drain(held.input_length),
    "readline": lambda _driver, _channels, held: held.input.readline(),
    "write": lambda _driver, channels, held: held.input.write(channels.pair()[0].fileno()),
    "add to another": lambda driver, _channels, held: driver.luaevent.buffer.new().add(held.input),
    "add to the output": lambda _driver, _channels, held: held.output.add(held.input),
}


@rule("luaevent.bufferevent.get_read")
@pytest.mark.parametrize("way", _DIRECTIONS)
@pytest.mark.parametrize("taken_in", ["read", "another callback"])
@pytest.mark.parametrize("low", [0, 4, 8])
def test_any_removal_from_a_full_input_lets_reading_go_on(
    driver: BufferEventDriver, channels: Channels, way: str, taken_in: str, low: int
) -> None:
    """The test does so several times in a row: a loop may notice once by chance.

    With the low watermark at the high one the script takes, since whether that calls is open.
    """
    near, far = channels.pair()
    takes = taken_in == "read" and low < 8

    def take(held: OwnedBufferEvent) -> None:
        if takes and held.input_length == 8:
            _DIRECTIONS[way](driver, channels, held)

    def script() -> Script:
        held = driver.bufferevent(near, read=take)
        held.set_read_watermarks(low, 8)
        held.enable(driver.both)
        far.send(b"abc\n" * 12)
        while waiting := unread(near):
            if not takes:
                yield from driver.until(lambda: held.input_length == 8)
                waiting = unread(near)
                _DIRECTIONS[way](driver, channels, held)
            moved = not waiting or (yield from driver.until(partial(_read, near, waiting)))
            assert moved, (
                f"{way} made room in a full input, and the {waiting} bytes that wait are not read"
            )

    driver.run_script(script)


@rule("luaevent.bufferevent.get_write")
def test_the_output_is_the_same_object_each_time(
    driver: BufferEventDriver, channels: Channels
) -> None:
    """The test looks before anything was added, while it waits, and after it was sent."""
    near, far = narrow_channel(channels)
    seen: list[object] = []

    def script() -> Script:
        held = driver.bufferevent(near, write=lambda held: seen.append(held.output))
        seen.append(held.output)
        held.output.add(payload(30_000))
        seen.append(held.output)
        yield from driver.run_idle()
        yield from _received(driver, far, bytearray(), 30_000)
        seen.append(held.output)
        assert all(each is seen[0] for each in seen), "get_write() gave different objects"

    driver.run_script(script)


def _received(
    driver: BufferEventDriver, far: socket.socket, got: bytearray, size: int, portion: int = 65536
) -> Script:
    """Let the peer take *portion* bytes in each turn, until it got *size* or nothing comes."""

    def more() -> bool:
        chunk = receive(far, portion)
        if chunk:
            driver.note_progress()
        got.extend(chunk)
        return len(got) >= size

    yield from driver.until(more)
    yield from driver.run_idle(5)
    more()


@rule("luaevent.bufferevent.get_write")
@pytest.mark.parametrize("source", ["a buffer", "several arguments", "its own input"])
def test_output_is_sent_whatever_adds_it(
    driver: BufferEventDriver, channels: Channels, source: str
) -> None:
    """The test adds three times, with quiet turns between: a loop that looks only while it is
    awake shows."""
    near, far = channels.pair()

    def script() -> Script:
        got = bytearray()
        held = driver.bufferevent(near)
        held.enable(driver.read)
        for begin in (0, 300, 600):
            yield from driver.run_idle()
            data = payload(300, begin)
            if source == "a buffer":
                buffer = driver.luaevent.buffer.new()
                buffer.add(data)
                held.output.add(unwrap(buffer))
            elif source == "several arguments":
                held.output.add(data[:1], data[1:100], data[100:])
            else:
                far.send(data)
                yield from driver.until(lambda: held.input_length >= 300)
                held.output.add(held.input)
            yield from _received(driver, far, got, begin + 300)
        assert_same(payload(900), got, f"what the peer got of {source}")

    driver.run_script(script)
