"""luaevent, bufferevent: the end of the stream, and the time after it."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_channel, receive
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.payload import assert_same, payload

every_end = pytest.mark.parametrize("end", ["close", "shutdown", "shutdown of TCP"])


def _pair(channels: Channels, end: str) -> tuple[socket.socket, socket.socket]:
    return channels.tcp_pair() if end.endswith("TCP") else channels.pair()


def _end(far: socket.socket, end: str) -> None:
    if end == "close":
        far.close()
    else:
        far.shutdown(socket.SHUT_WR)


def _ends(driver: BufferEventDriver) -> int:
    return driver.count_errors(driver.luaevent.EVBUFFER_EOF)


def _reported(driver: BufferEventDriver, times: int) -> bool:
    return _ends(driver) >= times


def _once(driver: BufferEventDriver, when: str) -> None:
    row = ", ".join(driver.trace[:4]) or "none"
    if len(driver.trace) > 4:
        row += f" and {len(driver.trace) - 4} more"
    assert _ends(driver) == 1, f"the end is reported once {when}; the calls were {row}"


@rule("luaevent.bufferevent.eof-once")
@every_end
@pytest.mark.parametrize("sent", [0, 1, 20])
@pytest.mark.parametrize("taken", ["at once", "in error", "never"])
@pytest.mark.parametrize("low, high", [(0, 0), (30, 0), (0, 20), (0, 7)])
def test_the_end_is_reported_once(
    driver: BufferEventDriver,
    channels: Channels,
    end: str,
    sent: int,
    taken: str,
    low: int,
    high: int,
) -> None:
    """A stream stays at its end: a loop that goes on watching reports it in each turn."""
    near, far = _pair(channels, end)

    def take(held: OwnedBufferEvent) -> None:
        held.input.drain(held.input_length)

    def script() -> Script:
        held = driver.bufferevent(
            near,
            read=take if taken == "at once" else None,
            error=take if taken == "in error" else None,
        )
        held.set_read_watermarks(low, high)
        held.enable(driver.read)
        far.send(bytes(sent))
        _end(far, end)
        while not _ends(driver):
            yield from driver.until(lambda: _ends(driver) or (high and held.input_length >= high))
            assert _ends(driver) or held.input_length, (
                "the input ended, and the end was not reported"
            )
            if not _ends(driver):
                held.input.drain(held.input_length)
        yield from driver.run_idle()
        _once(driver, "while nothing is done")
        held.input.drain(held.input_length)
        yield from driver.run_idle()
        _once(driver, "when the input is drained after it")
        held.set_read_watermarks(0, 50)
        held.output.add(b"x" * (end != "close"))
        held.disable(driver.read)
        yield from driver.run_idle()
        _once(driver, "whatever else is done than to enable reading")

    driver.run_script(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
def test_the_end_is_reported_again_if_its_callback_enables(
    driver: BufferEventDriver, channels: Channels, end: str
) -> None:
    """The callback enables reading three times; a loop that disables it afterwards undoes that."""
    near, far = _pair(channels, end)

    def again(held: OwnedBufferEvent) -> None:
        if _ends(driver) < 3:
            held.enable(driver.read)

    def script() -> Script:
        held = driver.bufferevent(near, error=again)
        held.enable(driver.read)
        _end(far, end)
        yield from driver.until(lambda: _ends(driver) >= 3)
        yield from driver.run_idle()
        assert _ends(driver) == 3, (
            "the error callback enabled reading at the end of the stream, twice; the end was "
            f"reported {_ends(driver)} times, not three"
        )

    driver.run_script(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
def test_the_end_is_reported_again_when_reading_is_enabled_again(
    driver: BufferEventDriver, channels: Channels, end: str
) -> None:
    """The test enables reading twice, so that a loop that allows one report only shows."""
    near, far = _pair(channels, end)

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.read)
        _end(far, end)
        for times in (1, 2, 3):
            due = partial(_reported, driver, times)
            yield from driver.until(due)
            yield from driver.run_idle()
            assert _ends(driver) == times, (
                f"reading was enabled {times} times at the end of the stream; the end was "
                f"reported {_ends(driver)} times"
            )
            held.enable(driver.read)

    driver.run_script(script)


@rule("luaevent.bufferevent.eof-once")
@pytest.mark.parametrize("enabled_in", ["error", "later"])
def test_writing_goes_on_after_the_end(
    driver: BufferEventDriver, channels: Channels, enabled_in: str
) -> None:
    """The peer shut its own side only, and waits for the answer."""
    near, far = channels.pair()
    answer = bytes(range(256)) * 4
    received = bytearray()

    def reply(held: OwnedBufferEvent) -> None:
        if enabled_in == "error":
            held.output.add(answer)

    def arrived() -> bool:
        if chunk := receive(far, len(answer) + 1):
            driver.note_progress()
        received.extend(chunk)
        return len(received) >= len(answer)

    def script() -> Script:
        held = driver.bufferevent(near, error=reply)
        held.enable(driver.read)
        far.send(b"question")
        far.shutdown(socket.SHUT_WR)
        yield from driver.until(lambda: _ends(driver))
        _once(driver, "when the peer shuts its side")
        if enabled_in == "later":
            yield from driver.run_idle()
            held.output.add(answer)
        yield from driver.until(arrived)
        assert_same(answer, received, "the answer that came to a peer which shut its own side")

    driver.run_script(script)


@rule("luaevent.bufferevent.eof-once")
@pytest.mark.parametrize("size", [10, 20_000])
def test_output_that_waits_at_the_end_is_sent(
    driver: BufferEventDriver, channels: Channels, size: int
) -> None:
    """The channel is blocked until the end was reported; the write callback must come
    afterwards, too."""
    near, far = narrow_channel(channels)
    received = bytearray()

    def arrived() -> bool:
        chunk = receive(far, 65536)
        received.extend(chunk)
        if chunk:
            driver.note_progress()
        return len(received) >= blocked + size

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.read)
        held.output.add(payload(size, blocked))
        yield from driver.run_idle()
        far.shutdown(socket.SHUT_WR)
        yield from driver.until(lambda: _ends(driver))
        _once(driver, "while output waits")
        before = driver.count("write")
        yield from driver.until(arrived)
        assert_same(
            payload(size, blocked), received[blocked:], "output that waited when the end came"
        )
        called = yield from driver.until(lambda: driver.count("write") > before)
        assert called, "output that waited when the end came was sent, and write was not called"

    blocked = fill(near)
    driver.run_script(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
@pytest.mark.parametrize("sent", [b"", b"data"], ids=["nothing sent", "data sent"])
def test_a_loop_does_not_wait_for_a_bufferevent_at_its_end(
    driver: BufferEventDriver, channels: Channels, end: str, sent: bytes
) -> None:
    """No event ends the loop: a loop that still counts the bufferevent never returns."""
    near, far = _pair(channels, end)
    held = driver.bufferevent(near)
    held.disable(driver.write)
    held.enable(driver.read)
    far.send(sent)
    _end(far, end)
    driver.base.loop()
    driver.trace("loop() returned")
    _once(driver, "and loop() returns after it")
    held.disable_and_drop()
