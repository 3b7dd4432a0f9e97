"""luaevent, bufferevent: the end of the stream, and after it."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_pair, pattern, receive, same
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill

every_end = pytest.mark.parametrize("end", ["close", "shutdown", "shutdown of TCP"])


def _pair(channels: Channels, end: str) -> tuple[socket.socket, socket.socket]:
    return channels.tcp_pair() if end.endswith("TCP") else channels.pair()


def _end(far: socket.socket, end: str) -> None:
    if end == "close":
        far.close()
    else:
        far.shutdown(socket.SHUT_WR)


def _ends(turns: BufferEventDriver) -> int:
    return turns.reported(turns.luaevent.EVBUFFER_EOF)


def _reported(turns: BufferEventDriver, times: int) -> bool:
    return _ends(turns) >= times


def _once(turns: BufferEventDriver, when: str) -> None:
    row = ", ".join(turns.trace[:4]) or "none"
    if len(turns.trace) > 4:
        row += f" and {len(turns.trace) - 4} more"
    assert _ends(turns) == 1, f"the end is reported once {when}; the calls were {row}"


@rule("luaevent.bufferevent.eof-once")
@every_end
@pytest.mark.parametrize("sent", [0, 1, 20])
@pytest.mark.parametrize("taken", ["at once", "in error", "never"])
@pytest.mark.parametrize("low, high", [(0, 0), (30, 0), (0, 20), (0, 7)])
def test_the_end_is_reported_once(
    turns: BufferEventDriver,
    channels: Channels,
    end: str,
    sent: int,
    taken: str,
    low: int,
    high: int,
) -> None:
    """A stream stays at its end, so whoever goes on watching it is told in each turn."""
    near, far = _pair(channels, end)

    def take(held: OwnedBufferEvent) -> None:
        held.input.drain(held.level)

    def script() -> Script:
        held = turns.bufferevent(
            near,
            read=take if taken == "at once" else None,
            error=take if taken == "in error" else None,
        )
        held.set_read_watermarks(low, high)
        held.enable(turns.read)
        far.send(bytes(sent))
        _end(far, end)
        while not _ends(turns):
            yield from turns.until(lambda: _ends(turns) or (high and held.level >= high))
            assert _ends(turns) or held.level, "the input ended, and the end was not reported"
            if not _ends(turns):
                held.input.drain(held.level)
        yield from turns.quiet()
        _once(turns, "while nothing is done")
        held.input.drain(held.level)
        yield from turns.quiet()
        _once(turns, "when the input is drained after it")
        held.set_read_watermarks(0, 50)
        held.output.add(b"x" * (end != "close"))
        held.disable(turns.read)
        yield from turns.quiet()
        _once(turns, "whatever else is done than to enable reading")

    turns.play(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
def test_the_end_is_reported_again_when_its_callback_enables_reading(
    turns: BufferEventDriver, channels: Channels, end: str
) -> None:
    """Three times; what the callback does must not be undone when it returns."""
    near, far = _pair(channels, end)

    def again(held: OwnedBufferEvent) -> None:
        if _ends(turns) < 3:
            held.enable(turns.read)

    def script() -> Script:
        held = turns.bufferevent(near, error=again)
        held.enable(turns.read)
        _end(far, end)
        yield from turns.until(lambda: _ends(turns) >= 3)
        yield from turns.quiet()
        assert _ends(turns) == 3, (
            "the error callback enabled reading at the end of the stream, twice; the end was "
            f"reported {_ends(turns)} times, not three"
        )

    turns.play(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
def test_the_end_is_reported_again_when_reading_is_enabled_again(
    turns: BufferEventDriver, channels: Channels, end: str
) -> None:
    """Twice, so that a loop which counts to one shows."""
    near, far = _pair(channels, end)

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.read)
        _end(far, end)
        for times in (1, 2, 3):
            due = partial(_reported, turns, times)
            yield from turns.until(due)
            yield from turns.quiet()
            assert _ends(turns) == times, (
                f"reading was enabled {times} times at the end of the stream; the end was "
                f"reported {_ends(turns)} times"
            )
            held.enable(turns.read)

    turns.play(script)


@rule("luaevent.bufferevent.eof-once")
@pytest.mark.parametrize("enabled_in", ["error", "later"])
def test_writing_goes_on_after_the_end(
    turns: BufferEventDriver, channels: Channels, enabled_in: str
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
            turns.moved()
        received.extend(chunk)
        return len(received) >= len(answer)

    def script() -> Script:
        held = turns.bufferevent(near, error=reply)
        held.enable(turns.read)
        far.send(b"question")
        far.shutdown(socket.SHUT_WR)
        yield from turns.until(lambda: _ends(turns))
        _once(turns, "when the peer shuts its side")
        if enabled_in == "later":
            yield from turns.quiet()
            held.output.add(answer)
        yield from turns.until(arrived)
        same(received, answer, "the answer that came to a peer which shut its own side")

    turns.play(script)


@rule("luaevent.bufferevent.eof-once")
@pytest.mark.parametrize("size", [10, 20_000])
def test_what_waits_when_the_end_comes_is_sent(
    turns: BufferEventDriver, channels: Channels, size: int
) -> None:
    """The way is blocked until the end was reported; the write callback comes afterwards, too."""
    near, far = narrow_pair(channels)
    received = bytearray()

    def arrived() -> bool:
        chunk = receive(far, 65536)
        received.extend(chunk)
        if chunk:
            turns.moved()
        return len(received) >= blocked + size

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.read)
        held.output.add(pattern(size, blocked))
        yield from turns.quiet()
        far.shutdown(socket.SHUT_WR)
        yield from turns.until(lambda: _ends(turns))
        _once(turns, "while output waits")
        before = turns.count("write")
        yield from turns.until(arrived)
        same(received[blocked:], pattern(size, blocked), "output that waited when the end came")
        called = yield from turns.until(lambda: turns.count("write") > before)
        assert called, "output that waited when the end came was sent, and write was not called"

    blocked = fill(near)
    turns.play(script)


@rule("luaevent.bufferevent.eof-once")
@every_end
@pytest.mark.parametrize("sent", [b"", b"data"], ids=["nothing sent", "data sent"])
def test_a_loop_does_not_wait_for_a_bufferevent_at_its_end(
    turns: BufferEventDriver, channels: Channels, end: str, sent: bytes
) -> None:
    """Nothing ends the loop from within: what still keeps it going would do so for ever."""
    near, far = _pair(channels, end)
    held = turns.bufferevent(near)
    held.disable(turns.write)
    held.enable(turns.read)
    far.send(sent)
    _end(far, end)
    turns.base.loop()
    turns.trace("loop() returned")
    _once(turns, "and loop() returns after it")
    held.end()
