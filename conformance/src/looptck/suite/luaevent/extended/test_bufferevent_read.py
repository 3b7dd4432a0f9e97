"""luaevent, bufferevent: the watermarks of the input."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import unread
from looptck.testing.bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script
from looptck.testing.channels import Channels
from looptck.testing.payload import assert_same, payload


def _within(held: OwnedBufferEvent, high: int, most: int | None = None) -> None:
    level = held.input_length
    limit = high if most is None else most
    assert not limit or level <= limit, (
        f"the input holds {level} bytes; the high watermark is {high}"
        + (f", and it held {limit} when that was set" if limit > high else "")
    )


def _assert_rest(held: OwnedBufferEvent, sent: int, near: socket.socket) -> None:
    """Assert that all bytes that are not in the input wait in the socket."""
    waiting = unread(near)
    there = waiting + held.input_length + len(held.taken)
    assert there == sent, (
        f"of {sent} bytes {held.input_length} are in the input, {len(held.taken)} were taken and "
        f"{waiting} wait in the socket; the loop holds {sent - there} somewhere else"
    )


@rule("luaevent.bufferevent.read-high")
@pytest.mark.parametrize("high", [1, 4, 9, 10, 11, 0])
@pytest.mark.parametrize("low", [0, 1, 4, 12])
@pytest.mark.parametrize("portion", [1, 3, 10])
@pytest.mark.parametrize("taken", [None, 1, 0], ids=["takes all", "takes 1", "takes none"])
def test_the_input_never_holds_more_than_the_high_watermark(
    driver: BufferEventDriver,
    channels: Channels,
    low: int,
    high: int,
    portion: int,
    taken: int | None,
) -> None:
    """10 bytes come; the test looks at the level in each call and after each turn."""
    near, far = channels.pair()

    def take(held: OwnedBufferEvent) -> None:
        _within(held, high)
        if taken != 0:
            held.take(taken)

    def script() -> Script:
        held = driver.bufferevent(near, read=take)
        try:
            held.set_read_watermarks(low, high)
        except Exception:  # the class is open
            assert low > high > 0, f"the watermarks {low} and {high} were refused"
            return
        held.enable(driver.read)
        sent = 0
        while sent < 10:
            size = min(portion, 10 - sent)
            far.send(payload(size, sent))
            sent += size
            for _ in range(10):
                yield None
                _within(held, high)
                _assert_rest(held, sent, near)
        # whatever the callback left, taking it bit by bit brings all of it
        while len(held.taken) < 10:
            before = held.input_length
            yield from driver.until(lambda: held.input_length or len(held.taken) == 10)
            _within(held, high)
            assert held.input_length or len(held.taken) == 10, (
                f"{len(held.taken)} bytes were taken, {unread(near)} wait, and the empty input "
                f"gets none of them; the high watermark is {high}"
            )
            held.take(max(1, before - 1))
        assert_same(payload(10), held.taken, "what was taken")

    driver.run_script(script)


@rule("luaevent.bufferevent.read-high")
@pytest.mark.parametrize("high", [1, 100, 4096, 5000])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
def test_bytes_beyond_the_high_watermark_stay_in_the_socket(
    driver: BufferEventDriver, channels: Channels, high: int, channel: str
) -> None:
    """The bytes are as many as a loop likes to read at once; the input fills up again, three
    times."""
    near, far = channels.pair() if channel == "socket pair" else channels.tcp_pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.set_read_watermarks(0, high)
        held.enable(driver.read)
        sent = far.send(payload(20_000))
        for _ in range(3):
            full = yield from driver.until(lambda: held.input_length >= high)
            yield from driver.run_idle()
            _within(held, high)
            assert full, (
                f"{unread(near)} bytes wait, and the input stays at {held.input_length}; the high "
                f"watermark is {high}"
            )
            _assert_rest(held, sent, near)
            held.take()
        assert_same(payload(3 * high), held.taken, "what was taken")

    driver.run_script(script)


@rule("luaevent.bufferevent.read-high")
@pytest.mark.parametrize("taken", [1, 4, 9, 10])
@pytest.mark.parametrize("taken_in", ["read", "another callback"])
def test_taking_any_of_a_full_input_lets_reading_go_on(
    driver: BufferEventDriver, channels: Channels, taken: int, taken_in: str
) -> None:
    """The input is full again after each time: one byte of room is enough."""
    near, far = channels.pair()
    due = 0

    def take(held: OwnedBufferEvent) -> None:
        nonlocal due
        if taken_in == "read" and due and held.input_length == 10:
            due -= 1
            held.take(taken)

    def script() -> Script:
        nonlocal due
        held = driver.bufferevent(near, read=take)
        held.set_read_watermarks(0, 10)
        held.enable(driver.read)
        due = 3
        far.send(payload(40))
        for times in range(1, 4):
            if taken_in == "another callback":
                yield from driver.until(lambda: held.input_length == 10)
                held.take(taken)
            wanted = partial(_full_after, held, times * taken)
            full = yield from driver.until(wanted)
            _within(held, 10)
            assert full, (
                f"{len(held.taken)} bytes were taken of a full input of 10, the last {taken} at "
                f"once; {unread(near)} wait, and it stays at {held.input_length}"
            )
        held.take()
        assert_same(payload(3 * taken + 10), held.taken, "what was taken")

    driver.run_script(script)


def _full_after(held: OwnedBufferEvent, taken: int) -> bool:
    return len(held.taken) >= taken and held.input_length == 10


@rule("luaevent.bufferevent.read-high")
@pytest.mark.parametrize("before, after", [(5, 6), (5, 20), (5, 0), (5, 5), (0, 5), (10, 9)])
@pytest.mark.parametrize("changed_in", ["read", "another callback"])
def test_a_changed_high_watermark_holds_at_once(
    driver: BufferEventDriver, channels: Channels, before: int, after: int, changed_in: str
) -> None:
    """The input is full, or holds more than the new watermark allows."""
    near, far = channels.pair()
    there = before or 10
    changed = False

    def change(held: OwnedBufferEvent) -> None:
        nonlocal changed
        if changed_in == "read" and not changed and held.input_length == there:
            changed = True
            held.set_read_watermarks(0, after)

    def script() -> Script:
        held = driver.bufferevent(near, read=change)
        held.set_read_watermarks(0, before)
        held.enable(driver.read)
        far.send(payload(there))
        yield from driver.until(lambda: held.input_length == there)
        yield from driver.run_idle()
        if not changed:
            held.set_read_watermarks(0, after)
        far.send(payload(30 - there, there))
        limit = max(there, after) if after else 30
        grown = yield from driver.until(lambda: held.input_length == limit)
        yield from driver.run_idle()
        _within(held, after, limit)
        assert grown, (
            f"the high watermark was set from {before} to {after}; {unread(near)} bytes wait, "
            f"and the input stays at {held.input_length}"
        )
        _assert_rest(held, 30, near)
        if after and there > after:
            held.take(there - after)
            yield from driver.run_idle()
            _within(held, after)
        while len(held.taken) < 30:
            yield from driver.until(lambda: held.input_length)
            _within(held, after, None if held.taken or not after else limit)
            assert held.input_length, (
                f"{unread(near)} bytes wait, and an empty input gets none of them"
            )
            held.take()
        assert_same(payload(30), held.taken, "what was taken")

    driver.run_script(script)
