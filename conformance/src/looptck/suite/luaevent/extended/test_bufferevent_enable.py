"""luaevent, bufferevent: enabling and disabling its directions."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_channel, receive, unread
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, payload

disabled_ways = pytest.mark.parametrize("flags", ["read", "both"])


def _nothing_read(
    driver: BufferEventDriver, held: OwnedBufferEvent, near: Any, level: int, calls: int, when: str
) -> None:
    """Raise AssertionError if a disabled direction was served."""
    assert held.input_length >= level, (
        f"{when}, {level - held.input_length} bytes of the input are gone"
    )
    assert held.input_length == level, (
        f"{when}, reading is disabled, and {held.input_length - level} bytes were read"
    )
    late = driver.trace[calls:]
    assert "read" not in late, f"{when}, reading is disabled, and read was called"
    assert not any(call.startswith("error") for call in late), (
        f"{when}, reading is disabled, and there came {', '.join(late)}"
    )


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("waits", [True, False], ids=["data waits", "data comes later"])
@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "is closed"])
def test_nothing_is_read_before_reading_is_enabled(
    driver: BufferEventDriver, channels: Channels, *, waits: bool, closes: bool
) -> None:
    """All bytes that waited come once reading is enabled, and the end after them."""
    near, far = channels.pair()

    def script() -> Script:
        if waits:
            far.send(payload(300))
        held = driver.bufferevent(near)
        yield from driver.run_idle()
        if not waits:
            far.send(payload(300))
        if closes:
            far.close()
        yield from driver.run_idle()
        _nothing_read(driver, held, near, 0, 0, "at first")
        held.enable(driver.read)
        yield from driver.until(lambda: held.input_length == 300)
        assert_same(
            payload(300), held.input.get_data(), "what is in the input once reading is enabled"
        )
        called = yield from driver.until(lambda: driver.count("read"))
        assert called, "reading was enabled, 300 bytes came in, and read was not called"
        if closes:
            told = yield from driver.until(lambda: driver.errors)
            assert told, "reading was enabled at the end of a stream, which was not reported"

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_loop_does_not_return_while_bytes_can_move(
    driver: BufferEventDriver, channels: Channels, direction: str
) -> None:
    """Only the bufferevent keeps the loop; its own callback disables it."""
    near, far = channels.pair()

    def stop(held: OwnedBufferEvent) -> None:
        if held.input_length >= 10 or (direction == "write" and not held.output_length):
            held.disable(driver.both)

    held = driver.bufferevent(near, read=stop, write=stop if direction == "write" else None)
    if direction == "read":
        held.enable(driver.read)
        far.send(payload(10))
    else:
        held.output.add(payload(10))
    driver.base.loop()
    if direction == "read":
        assert_same(payload(10), held.input.get_data(), "what was read before loop() returned")
    else:
        assert_same(payload(10), receive(far, 20), "what was sent before loop() returned")
    held.disable_and_drop()


@rule("luaevent.bufferevent.enable")
@disabled_ways
@pytest.mark.parametrize("disabled_in", ["read", "another callback"])
@pytest.mark.parametrize("high", [0, 1000])
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_is_read_while_reading_is_disabled(
    driver: BufferEventDriver,
    channels: Channels,
    flags: str,
    disabled_in: str,
    high: int,
    times: int,
) -> None:
    """Bytes that came before stay in the input; later ones wait in the socket, and are read
    afterwards.

    A second enable or disable changes nothing.
    """
    near, far = channels.pair()
    which = driver.read if flags == "read" else driver.both

    def disable(held: OwnedBufferEvent) -> None:
        if disabled_in == "read" and held.input_length >= 100:
            held.disable(which)

    def script() -> Script:
        held = driver.bufferevent(near, read=disable)
        held.set_read_watermarks(0, high)
        for _ in range(times):
            held.enable(driver.read)
        far.send(payload(100))
        yield from driver.until(lambda: held.input_length == 100)
        if disabled_in != "read":
            held.disable(which)
        yield from driver.run_idle()
        calls = len(driver.trace)
        for sent in range(100, 200, 20):
            far.send(payload(20, sent))
            yield from driver.run_idle(8)
        _nothing_read(driver, held, near, 100, calls, "after disable")
        assert_same(
            payload(100), held.input.get_data(), "what is in the input while it is disabled"
        )
        held.take()
        yield from driver.run_idle()
        _nothing_read(driver, held, near, 0, calls, "when the input is drained after disable")
        for _ in range(times - 1):
            held.disable(which)
        held.enable(driver.read)
        yield from driver.until(lambda: held.input_length == 100)
        held.take()
        assert_same(payload(200), held.taken, "what was read before and after")

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@disabled_ways
@pytest.mark.parametrize("change", ["drain some", "drain all", "a higher watermark", "none"])
def test_room_in_a_full_input_does_not_enable_reading(
    driver: BufferEventDriver, channels: Channels, flags: str, change: str
) -> None:
    """Two reasons keep the loop from reading: one of them goes, and the other one stays."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(0, 10)
        held.enable(driver.read)
        far.send(payload(40))
        yield from driver.until(lambda: held.input_length >= 10)
        held.disable(driver.read if flags == "read" else driver.both)
        yield from driver.run_idle()
        calls = len(driver.trace)
        if change.startswith("drain"):
            held.take(4 if change == "drain some" else None)
        elif change == "none":
            held.set_read_watermarks(0, 0)
        else:
            held.set_read_watermarks(0, 30)
        level = held.input_length
        yield from driver.run_idle()
        _nothing_read(driver, held, near, level, calls, f"with room in the input ({change})")
        held.take()
        yield from driver.run_idle()
        _nothing_read(driver, held, near, 0, calls, "with an empty input")
        held.enable(driver.read)
        grown = yield from driver.until(lambda: held.input_length or not unread(near))
        assert grown, "reading was enabled, and nothing is read into an empty input"

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("size", [1, 5000])
def test_writing_is_enabled_at_first(
    driver: BufferEventDriver, channels: Channels, size: int
) -> None:
    """The test never calls enable."""
    near, far = channels.pair()
    got = bytearray()

    def came() -> bool:
        if chunk := receive(far, size):
            driver.note_progress()
        got.extend(chunk)
        return len(got) >= size

    def script() -> Script:
        held = driver.bufferevent(near)
        yield from driver.run_idle()
        held.output.add(payload(size))
        yield from driver.until(came)
        assert_same(payload(size), got, "what was sent without a call of enable")

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("flags", ["write", "both"])
@pytest.mark.parametrize("when", ["before it is added", "while it waits"])
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_is_sent_while_writing_is_disabled(
    driver: BufferEventDriver, channels: Channels, flags: str, when: str, times: int
) -> None:
    """The output is kept, new bytes follow it, and all is sent once writing is enabled."""
    near, far = narrow_channel(channels)
    which = driver.write if flags == "write" else driver.both
    got = bytearray()

    def came() -> bool:
        if chunk := receive(far, 1 << 20):
            driver.note_progress()
        got.extend(chunk)
        return len(got) >= stuffing + 600

    stuffing = fill(near) if when == "while it waits" else 0

    def script() -> Script:
        held = driver.bufferevent(near)
        if when == "before it is added":
            for _ in range(times):
                held.disable(which)
            yield from driver.run_idle()
        held.output.add(payload(300))
        yield from driver.run_idle()
        if when == "while it waits":
            for _ in range(times):
                held.disable(which)
            yield from driver.run_idle()
            got.extend(receive(far, 1 << 20))
        calls = len(driver.trace)
        yield from driver.run_idle()
        held.output.add(payload(300, 300))
        yield from driver.run_idle()
        assert held.output_length == 600, (
            f"600 bytes were added, none can have left while writing is disabled; "
            f"{held.output_length} are in the output"
        )
        late = unread(far) + len(got) - stuffing
        assert not late, f"writing is disabled, and {late} bytes were sent"
        assert driver.trace[calls:] == [], (
            f"writing is disabled, and there came {', '.join(driver.trace[calls:])}"
        )
        held.enable(which)
        yield from driver.until(came)
        assert_same(payload(600), got[stuffing:], "what was sent once writing is enabled again")

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("disabled", ["read", "write"])
@pytest.mark.parametrize("how", ["disable", "back and forth", "both and enable the other"])
def test_disabling_one_direction_leaves_the_other_alone(
    driver: BufferEventDriver, channels: Channels, disabled: str, how: str
) -> None:
    """Bytes go in the enabled direction only."""
    near, far = channels.pair()
    which = driver.read if disabled == "read" else driver.write

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.both)
        yield from driver.run_idle()
        held.disable(driver.both if how.startswith("both") else which)
        if how == "back and forth":
            held.enable(which)
            held.disable(which)
        elif how != "disable":
            held.enable(driver.both & ~which)
        yield from driver.run_idle()
        far.send(payload(50))
        held.output.add(payload(50))
        if disabled == "read":
            went = yield from driver.until(lambda: unread(far) == 50)
            assert went, "reading is disabled, and nothing is written"
        else:
            went = yield from driver.until(lambda: held.input_length == 50)
            assert went, "writing is disabled, and nothing is read"
        yield from driver.run_idle()
        stayed = held.input_length == 0 if disabled == "read" else unread(far) == 0
        assert stayed, f"{disabled} is disabled, and bytes moved in that direction"

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("size, high", [(100, 0), (5000, 1000), (100_000, 0), (100_000, 4096)])
@pytest.mark.parametrize("added", ["at first", "when some has arrived", "in each call"])
def test_an_error_of_writing_leaves_reading_alone(
    driver: BufferEventDriver, channels: Channels, size: int, high: int, added: str
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
        held = driver.bufferevent(near, read=take)
        held.set_read_watermarks(0, high)
        sent = far.send(payload(size))
        far.close()
        if added == "at first":
            held.output.add(b"nobody reads this")
        held.enable(driver.read)
        if added == "when some has arrived":
            yield from driver.until(lambda: held.taken)
            held.output.add(b"nobody reads this")
        yield from driver.until(lambda: len(held.taken) >= sent)
        yield from driver.run_idle()
        held.take()
        assert_same(payload(sent), held.taken, "what was read though writing met an error")

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_timeout_of_one_direction_leaves_the_other_alone(
    driver: BufferEventDriver, channels: Channels, direction: str
) -> None:
    """Bytes go in the other direction after the timeout was told."""
    near, far = narrow_channel(channels)

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.read)
        if direction == "read":
            held.set_timeouts(0.01, 0)
        else:
            fill(near)
            held.output.add(b"waits")
            held.set_timeouts(0, 0.01)
        yield from driver.within_time(lambda: driver.count_errors(driver.luaevent.EVBUFFER_TIMEOUT))
        held.set_timeouts(0, 0)
        if direction == "read":
            held.output.add(payload(50))
            went = yield from driver.until(lambda: unread(far) == 50)
        else:
            far.send(payload(50))
            went = yield from driver.until(lambda: held.input_length == 50)
        other = "write" if direction == "read" else "read"
        assert went, (
            f"after a timeout of {direction}, no bytes move in the other direction, {other}"
        )

    driver.run_script(script)


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("flags", ["that", "both"])
@pytest.mark.parametrize("when", ["at first", "later", "while it counts"])
def test_a_disabled_direction_has_no_timeout(
    driver: BufferEventDriver, channels: Channels, direction: str, flags: str, when: str
) -> None:
    """The time that passes is several times the timeout."""
    near, far = narrow_channel(channels)
    fill(near)
    which = (
        {"read": driver.read, "write": driver.write}[direction] if flags == "that" else driver.both
    )

    def script() -> Script:
        held = driver.bufferevent(near)
        if when == "at first":
            held.disable(which)
        held.set_timeouts(*((0.02, 0) if direction == "read" else (0, 0.02)))
        held.output.add(b"waits")
        if when != "at first":
            held.enable(driver.both)
            if when == "while it counts":
                yield from driver.run_idle(3)
            held.disable(which)
            yield from driver.run_idle(3)
            driver.errors.clear()  # a call that was due at once may have come
        for _ in range(5):
            yield 0.02
        assert not driver.errors, (
            f"{direction} is disabled, and its timeout came: {', '.join(driver.trace)}"
        )

    driver.run_script(script)
    far.close()


@rule("luaevent.bufferevent.enable")
@pytest.mark.parametrize("function", ["enable", "disable"])
def test_enable_and_disable_refuse_a_missing_direction(
    driver: BufferEventDriver, channels: Channels, function: str
) -> None:
    """No argument must not mean all directions."""
    held = driver.bufferevent(channels.pair()[0])
    refusal = error_of(getattr(held, function))
    held.disable_and_drop()
    assert refusal, f"{function}() without a direction did not raise"
