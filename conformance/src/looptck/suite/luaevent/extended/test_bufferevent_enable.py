"""luaevent, bufferevent: directions that are enabled, and disabled."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_pair, pattern, receive, same, unread
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.hop_driver import error_of

disabled_ways = pytest.mark.parametrize("flags", ["read", "both"])


def _nothing_read(
    turns: BufferEventDriver, held: OwnedBufferEvent, near: Any, level: int, calls: int, when: str
) -> None:
    """Raises AssertionError if a disabled direction was served."""
    assert held.level >= level, f"{when}, {level - held.level} bytes of the input are gone"
    assert held.level == level, (
        f"{when}, reading is disabled, and {held.level - level} bytes were read"
    )
    late = turns.trace[calls:]
    assert "read" not in late, f"{when}, reading is disabled, and read was called"
    assert not any(call.startswith("error") for call in late), (
        f"{when}, reading is disabled, and there came {', '.join(late)}"
    )


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("waits", [True, False], ids=["data waits", "data comes later"])
@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "is closed"])
def test_nothing_is_read_before_reading_is_enabled(
    turns: BufferEventDriver, channels: Channels, *, waits: bool, closes: bool
) -> None:
    """All that waited comes once it is enabled, and the end after it."""
    near, far = channels.pair()

    def script() -> Script:
        if waits:
            far.send(pattern(300))
        held = turns.bufferevent(near)
        yield from turns.quiet()
        if not waits:
            far.send(pattern(300))
        if closes:
            far.close()
        yield from turns.quiet()
        _nothing_read(turns, held, near, 0, 0, "at first")
        held.enable(turns.read)
        yield from turns.until(lambda: held.level == 300)
        same(held.input.get_data(), pattern(300), "what is in the input once reading is enabled")
        called = yield from turns.until(lambda: turns.count("read"))
        assert called, "reading was enabled, 300 bytes came in, and read was not called"
        if closes:
            told = yield from turns.until(lambda: turns.errors)
            assert told, "reading was enabled at the end of a stream, which was not reported"

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_loop_does_not_return_while_bytes_can_move(
    turns: BufferEventDriver, channels: Channels, direction: str
) -> None:
    """Nothing but the bufferevent keeps the loop; its own callback disables it."""
    near, far = channels.pair()

    def stop(held: OwnedBufferEvent) -> None:
        if held.level >= 10 or (direction == "write" and not held.left):
            held.disable(turns.both)

    held = turns.bufferevent(near, read=stop, write=stop if direction == "write" else None)
    if direction == "read":
        held.enable(turns.read)
        far.send(pattern(10))
    else:
        held.output.add(pattern(10))
    turns.base.loop()
    if direction == "read":
        same(held.input.get_data(), pattern(10), "what was read before loop() returned")
    else:
        same(receive(far, 20), pattern(10), "what was sent before loop() returned")
    held.end()


@rule("luaevent.bufferevent.enable")
@disabled_ways
@pytest.mark.parametrize("disabled_in", ["read", "another callback"])
@pytest.mark.parametrize("high", [0, 1000])
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_is_read_while_reading_is_disabled(
    turns: BufferEventDriver,
    channels: Channels,
    flags: str,
    disabled_in: str,
    high: int,
    times: int,
) -> None:
    """What came before stays in the input; what comes meanwhile waits, and is read later.

    Who is enabled or disabled twice is so once.
    """
    near, far = channels.pair()
    which = turns.read if flags == "read" else turns.both

    def disable(held: OwnedBufferEvent) -> None:
        if disabled_in == "read" and held.level >= 100:
            held.disable(which)

    def script() -> Script:
        held = turns.bufferevent(near, read=disable)
        held.set_read_watermarks(0, high)
        for _ in range(times):
            held.enable(turns.read)
        far.send(pattern(100))
        yield from turns.until(lambda: held.level == 100)
        if disabled_in != "read":
            held.disable(which)
        yield from turns.quiet()
        calls = len(turns.trace)
        for sent in range(100, 200, 20):
            far.send(pattern(20, sent))
            yield from turns.quiet(8)
        _nothing_read(turns, held, near, 100, calls, "after disable")
        same(held.input.get_data(), pattern(100), "what is in the input while it is disabled")
        held.take()
        yield from turns.quiet()
        _nothing_read(turns, held, near, 0, calls, "when the input is drained after disable")
        for _ in range(times - 1):
            held.disable(which)
        held.enable(turns.read)
        yield from turns.until(lambda: held.level == 100)
        held.take()
        same(held.taken, pattern(200), "what was read before and after")

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@disabled_ways
@pytest.mark.parametrize("change", ["drain some", "drain all", "a higher watermark", "none"])
def test_room_in_a_full_input_does_not_enable_what_is_disabled(
    turns: BufferEventDriver, channels: Channels, flags: str, change: str
) -> None:
    """Two reasons not to read: one of them goes, and the other one stays."""
    near, far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.set_read_watermarks(0, 10)
        held.enable(turns.read)
        far.send(pattern(40))
        yield from turns.until(lambda: held.level >= 10)
        held.disable(turns.read if flags == "read" else turns.both)
        yield from turns.quiet()
        calls = len(turns.trace)
        if change.startswith("drain"):
            held.take(4 if change == "drain some" else None)
        elif change == "none":
            held.set_read_watermarks(0, 0)
        else:
            held.set_read_watermarks(0, 30)
        level = held.level
        yield from turns.quiet()
        _nothing_read(turns, held, near, level, calls, f"with room in the input ({change})")
        held.take()
        yield from turns.quiet()
        _nothing_read(turns, held, near, 0, calls, "with an empty input")
        held.enable(turns.read)
        grown = yield from turns.until(lambda: held.level or not unread(near))
        assert grown, "reading was enabled, and nothing is read into an empty input"

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("size", [1, 5000])
def test_writing_is_enabled_at_first(
    turns: BufferEventDriver, channels: Channels, size: int
) -> None:
    """Nobody calls enable."""
    near, far = channels.pair()
    got = bytearray()

    def came() -> bool:
        if chunk := receive(far, size):
            turns.moved()
        got.extend(chunk)
        return len(got) >= size

    def script() -> Script:
        held = turns.bufferevent(near)
        yield from turns.quiet()
        held.output.add(pattern(size))
        yield from turns.until(came)
        same(got, pattern(size), "what was sent without a call of enable")

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("flags", ["write", "both"])
@pytest.mark.parametrize("when", ["before it is added", "while it waits"])
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_is_sent_while_writing_is_disabled(
    turns: BufferEventDriver, channels: Channels, flags: str, when: str, times: int
) -> None:
    """It is kept, what is added meanwhile comes behind it, and all is sent once it is enabled."""
    near, far = narrow_pair(channels)
    which = turns.write if flags == "write" else turns.both
    got = bytearray()

    def came() -> bool:
        if chunk := receive(far, 1 << 20):
            turns.moved()
        got.extend(chunk)
        return len(got) >= stuffing + 600

    stuffing = fill(near) if when == "while it waits" else 0

    def script() -> Script:
        held = turns.bufferevent(near)
        if when == "before it is added":
            for _ in range(times):
                held.disable(which)
            yield from turns.quiet()
        held.output.add(pattern(300))
        yield from turns.quiet()
        if when == "while it waits":
            for _ in range(times):
                held.disable(which)
            yield from turns.quiet()
            got.extend(receive(far, 1 << 20))
        calls = len(turns.trace)
        yield from turns.quiet()
        held.output.add(pattern(300, 300))
        yield from turns.quiet()
        assert held.left == 600, (
            f"600 bytes were added, none can have left while writing is disabled; "
            f"{held.left} are in the output"
        )
        late = unread(far) + len(got) - stuffing
        assert not late, f"writing is disabled, and {late} bytes were sent"
        assert turns.trace[calls:] == [], (
            f"writing is disabled, and there came {', '.join(turns.trace[calls:])}"
        )
        held.enable(which)
        yield from turns.until(came)
        same(got[stuffing:], pattern(600), "what was sent once writing is enabled again")

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("disabled", ["read", "write"])
@pytest.mark.parametrize("how", ["disable", "back and forth", "both and enable the other"])
def test_one_direction_leaves_the_other_alone(
    turns: BufferEventDriver, channels: Channels, disabled: str, how: str
) -> None:
    """Bytes go in the direction that is enabled, and in no other."""
    near, far = channels.pair()
    which = turns.read if disabled == "read" else turns.write

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.both)
        yield from turns.quiet()
        held.disable(turns.both if how.startswith("both") else which)
        if how == "back and forth":
            held.enable(which)
            held.disable(which)
        elif how != "disable":
            held.enable(turns.both & ~which)
        yield from turns.quiet()
        far.send(pattern(50))
        held.output.add(pattern(50))
        if disabled == "read":
            went = yield from turns.until(lambda: unread(far) == 50)
            assert went, "reading is disabled, and nothing is written"
        else:
            went = yield from turns.until(lambda: held.level == 50)
            assert went, "writing is disabled, and nothing is read"
        yield from turns.quiet()
        stayed = held.level == 0 if disabled == "read" else unread(far) == 0
        assert stayed, f"{disabled} is disabled, and bytes moved in that direction"

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("size, high", [(100, 0), (5000, 1000), (100_000, 0), (100_000, 4096)])
@pytest.mark.parametrize("added", ["at first", "when some has arrived", "in each call"])
def test_an_error_of_writing_leaves_reading_alone(
    turns: BufferEventDriver, channels: Channels, size: int, high: int, added: str
) -> None:
    """The peer has sent its bytes and is gone: nothing can be sent, and everything can be read."""
    near, far = channels.pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * size)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * size)

    def take(held: OwnedBufferEvent) -> None:
        held.take()
        if added == "in each call":
            held.output.add(b"nobody reads this")

    def script() -> Script:
        held = turns.bufferevent(near, read=take)
        held.set_read_watermarks(0, high)
        sent = far.send(pattern(size))
        far.close()
        if added == "at first":
            held.output.add(b"nobody reads this")
        held.enable(turns.read)
        if added == "when some has arrived":
            yield from turns.until(lambda: held.taken)
            held.output.add(b"nobody reads this")
        yield from turns.until(lambda: len(held.taken) >= sent)
        yield from turns.quiet()
        held.take()
        same(held.taken, pattern(sent), "what was read though writing met an error")

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_timeout_of_one_direction_leaves_the_other_alone(
    turns: BufferEventDriver, channels: Channels, direction: str
) -> None:
    """Bytes go in the other direction after the timeout was told."""
    near, far = narrow_pair(channels)

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.read)
        if direction == "read":
            held.set_timeouts(0.01, 0)
        else:
            fill(near)
            held.output.add(b"waits")
            held.set_timeouts(0, 0.01)
        yield from turns.in_time(lambda: turns.reported(turns.luaevent.EVBUFFER_TIMEOUT))
        held.set_timeouts(0, 0)
        if direction == "read":
            held.output.add(pattern(50))
            went = yield from turns.until(lambda: unread(far) == 50)
        else:
            far.send(pattern(50))
            went = yield from turns.until(lambda: held.level == 50)
        other = "write" if direction == "read" else "read"
        assert went, (
            f"after a timeout of {direction}, no bytes move in the other direction, {other}"
        )

    turns.play(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("flags", ["that", "both"])
@pytest.mark.parametrize("when", ["at first", "later", "while it counts"])
def test_a_disabled_direction_has_no_timeout(
    turns: BufferEventDriver, channels: Channels, direction: str, flags: str, when: str
) -> None:
    """It would come several times over in the time that passes."""
    near, far = narrow_pair(channels)
    fill(near)
    which = {"read": turns.read, "write": turns.write}[direction] if flags == "that" else turns.both

    def script() -> Script:
        held = turns.bufferevent(near)
        if when == "at first":
            held.disable(which)
        held.set_timeouts(*((0.02, 0) if direction == "read" else (0, 0.02)))
        held.output.add(b"waits")
        if when != "at first":
            held.enable(turns.both)
            if when == "while it counts":
                yield from turns.quiet(3)
            held.disable(which)
            yield from turns.quiet(3)
            turns.errors.clear()  # a call that was due at once may have come
        for _ in range(5):
            yield 0.02
        assert not turns.errors, (
            f"{direction} is disabled, and its timeout came: {', '.join(turns.trace)}"
        )

    turns.play(script)
    far.close()


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("function", ["enable", "disable"])
def test_the_directions_must_be_named(
    turns: BufferEventDriver, channels: Channels, function: str
) -> None:
    """Neither means everything when it is given nothing."""
    held = turns.bufferevent(channels.pair()[0])
    refusal = error_of(getattr(held, function))
    held.end()
    assert refusal, f"{function}() without a direction did not raise"
