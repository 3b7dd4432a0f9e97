"""levent, buffered events: taking bytes from the input."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.guards import Guard
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.payload import assert_same, payload

# Around what loops read at once, or copy at once.
LARGE = [4095, 4096, 4097, 16383, 16384, 16385, 50_000, 65535, 65536, 65537, 99_999]

HUGE = 1 << 30


def _holding(
    driver: LeventDriver, channels: Channels, data: bytes, pieces: int = 1
) -> ReceivingBuffer:
    """A started buffered event with *data* in its input, after that many arrivals or more."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for piece in range(pieces):
        part = data[len(data) * piece // pieces : len(data) * (piece + 1) // pieces]
        if part:
            receiver.send_bytes(part)
            receiver.run_until_received()
    return receiver


def _read(receiver: ReceivingBuffer, size: int, expected: bytes) -> None:
    """Assert that `read(size)` gives *expected*, where None and b"" both stand for no bytes."""
    before = len(receiver.taken)
    got = receiver.take(size)
    there = len(receiver.sent) - before
    assert len(got) == len(expected), (
        f"read({size}) gave {len(got)} bytes when {there} were in the input"
    )
    assert_same(expected, got, f"what read({size}) gave of {there} bytes")


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("before", [0, 3, 10])
def test_read_0_takes_nothing(driver: LeventDriver, channels: Channels, before: int) -> None:
    """A loop may take size 0 for a missing size; the input is full, partly read or empty."""
    data = payload(10)
    receiver = _holding(driver, channels, data)
    if before:
        _read(receiver, before, data[:before])
    for _ in range(3):
        _read(receiver, 0, b"")
    _read(receiver, HUGE, data[before:])


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("size", [1, 3, 1000, 16384, 30_000, 65537])
@pytest.mark.parametrize("pieces", [1, 7])
def test_repeated_reads_give_everything_in_order(
    driver: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """The test reads whole portions, and the rest at last."""
    data = payload(size * 3 + size // 2 if size > 10 else 1000)
    receiver = _holding(driver, channels, data[:100_000], pieces)
    for begin in range(0, len(receiver.sent), size):
        _read(receiver, size, bytes(receiver.sent[begin : begin + size]))
    _read(receiver, size, b"")
    assert_same(receiver.sent, receiver.taken, f"what repeated calls of read({size}) gave")


@rule("levent.bufevent.read-size")
def test_every_byte_is_data(driver: LeventDriver, channels: Channels) -> None:
    """All 256 values come, zeros and line breaks included, cut at all places."""
    data = bytes(range(256)) + b"\0\0\0\n\r\n\0\xff"
    receiver = _holding(driver, channels, data, 3)
    at = 0
    for size in (1, 9, 1, 2, 100, 30, 200):
        _read(receiver, size, data[at : at + size])
        at += size


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("size", [1, 2, 100, *LARGE])
@pytest.mark.parametrize("asked", ["read()", "read(None)"])
def test_read_without_a_size_gives_everything(
    driver: LeventDriver, channels: Channels, size: int, asked: str
) -> None:
    """The bytes were sent at once; nothing may be left."""
    receiver = _holding(driver, channels, payload(size))
    got = receiver.evbuf.read() if asked == "read()" else receiver.evbuf.read(None)
    assert_same(receiver.sent, got or b"", f"what {asked} gave")
    receiver.send(1)
    receiver.run_until_received()
    again = receiver.evbuf.read() or b""
    assert len(again) == 1, f"after {asked}, 1 byte more came, and read() gave {len(again)}"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("low, size", [(10, 9), (10, 25), (1, 5), (70_000, 69_999)])
def test_read_without_a_size_looks_at_no_watermark(
    driver: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """The input is below its low watermark, or above it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(low, 0)
    receiver.evbuf.start()
    receiver.send(size)
    receiver.run_until_received()
    assert_same(receiver.sent, receiver.take(), f"what read() gave with a low watermark of {low}")


@rule("levent.bufevent.read-all")
def test_read_without_a_size_gives_more_than_a_megabyte(
    driver: LeventDriver, channels: Channels
) -> None:
    """The bytes are sent in portions while the loop runs: the kernel never holds all of them."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    guard = Guard(1.5)  # a loop may read byte by byte
    while len(receiver.sent) < 1_100_000 and not guard.is_over:
        receiver.send(50_000)
        receiver.run_until_received()
    assert_same(receiver.sent, receiver.take(), f"what read() gave of {len(receiver.sent)} bytes")


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("taken", [1, 999, 20_000])
def test_read_without_a_size_gives_all_another_read_left(
    driver: LeventDriver, channels: Channels, taken: int
) -> None:
    """An earlier read took some of the input."""
    receiver = _holding(driver, channels, payload(60_000), 2)
    receiver.take(taken)
    receiver.take()
    assert_same(receiver.sent, receiver.taken, f"what read({taken}) and read() gave")
    before = len(receiver.taken)
    receiver.send(10)
    receiver.run_until_received()
    assert_same(
        receiver.sent[before:], receiver.take(), "what read() gave of an arrival after all was read"
    )


def _asked(receiver: ReceivingBuffer, size: int | None) -> bytes:
    """Call `read` with *size*, or without one if *size* is None; return the bytes."""
    return (receiver.evbuf.read() if size is None else receiver.evbuf.read(size)) or b""


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 5, 20])
@pytest.mark.parametrize("there", [0, 5])
def test_read_while_stopped_does_not_take_from_the_file(
    driver: LeventDriver, channels: Channels, size: int | None, there: int
) -> None:
    """The event was started before, and some of the size that is read may have arrived."""
    receiver = _holding(driver, channels, b"a" * there)
    driver.run_idle(5)
    receiver.evbuf.stop()
    receiver.send_bytes(b"b" * 10)
    for _ in range(2):
        got = _asked(receiver, size)
        assert b"b" not in got, f"read({size}) gave {got!r}, which came after stop()"
        assert receiver.waiting == 10, (
            f"read({size}) took {10 - receiver.waiting} bytes from the file"
        )


@rule("levent.bufevent.read-buffer-only")
def test_read_in_a_callback_does_not_take_from_the_file(
    driver: LeventDriver, channels: Channels
) -> None:
    """The peer sends more while readcb runs."""
    waiting: list[int] = []

    def read(*_arguments: object) -> None:
        if not waiting:
            receiver.take_all()
            receiver.send_bytes(b"b" * 10)
            before = receiver.waiting
            got = receiver.evbuf.read(20) or b""
            assert b"b" not in got, f"read(20) gave {got!r}, which came in the middle of readcb"
            waiting.append(before - receiver.waiting)

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.start()
    receiver.send_bytes(b"a" * 10)
    assert driver.until_count("read"), "10 bytes came, and readcb did not run"
    assert waiting == [0], f"read(20) took {waiting[0]} bytes from the file"


@rule("levent.bufevent.read-negative")
@pytest.mark.parametrize("size", [-1, -100, True, 2.9, "3", b"3"], ids=repr)
def test_sizes_that_are_no_number_of_bytes_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, size: int
) -> None:
    """The input holds ten bytes."""
    receiver = _holding(driver, channels, b"0123456789")
    of = f"read({size!r})"
    try:
        got = receiver.evbuf.read(size)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
        return
    observe(f"gives {len(got or b'')} of 10 bytes", of=of)


@rule("levent.bufevent.read-negative")
def test_the_result_of_reading_an_empty_input_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The input is empty."""
    receiver = ReceivingBuffer(driver, channels.pair())
    observe(repr(receiver.evbuf.read()), of="read() of nothing")
    observe(repr(receiver.evbuf.read(5)), of="read(5) of nothing")
