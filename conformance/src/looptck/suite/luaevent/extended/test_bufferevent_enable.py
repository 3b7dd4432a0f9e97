"""luaevent, bufferevent: enabling and disabling its directions."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_channel, receive, unread
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, payload


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
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_timeout_of_one_direction_leaves_the_other_alone(
    driver: BufferEventDriver, channels: Channels, direction: str
) -> None:
    """Bytes go in the other direction after the timeout was told.

    The peer takes what leaves: single bytes would soon fill a narrow channel.
    """
    near, far = narrow_channel(channels)
    taken = bytearray()

    def has_left() -> bool:
        taken.extend(drain(far))
        return len(taken) == 50

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
            went = yield from driver.until(has_left)
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
