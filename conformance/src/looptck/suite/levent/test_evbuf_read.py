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
    """A started buffered event with *data* in its input, in so many arrivals or more."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for piece in range(pieces):
        part = data[len(data) * piece // pieces : len(data) * (piece + 1) // pieces]
        if part:
            receiver.send_bytes(part)
            receiver.run_until_received()
    return receiver


def _read(receiver: ReceivingBuffer, size: int, expected: bytes) -> None:
    """`read(size)` gives *expected*, whatever it makes of nothing."""
    before = len(receiver.taken)
    got = receiver.take(size)
    there = len(receiver.sent) - before
    assert len(got) == len(expected), (
        f"read({size}) gave {len(got)} bytes when {there} were in the input"
    )
    assert_same(expected, got, f"what read({size}) gave of {there} bytes")


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("size", [1, 2, 9, 10, 11, 20, HUGE])
@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_as_much_is_read_as_was_asked_for_or_is_there(
    driver: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """Ten bytes; the rest of them stays, and is read after it."""
    data = payload(10)
    receiver = _holding(driver, channels, data, pieces)
    _read(receiver, size, data[:size])
    _read(receiver, HUGE, data[size:])
    _read(receiver, 1, b"")


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("before", [0, 3, 10])
def test_to_read_0_bytes_takes_nothing(
    driver: LeventDriver, channels: Channels, before: int
) -> None:
    """0 is a size, and not a missing one; the input is full, partly read, empty."""
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
    """Whole portions, and at last what is left."""
    data = payload(size * 3 + size // 2 if size > 10 else 1000)
    receiver = _holding(driver, channels, data[:100_000], pieces)
    for begin in range(0, len(receiver.sent), size):
        _read(receiver, size, bytes(receiver.sent[begin : begin + size]))
    _read(receiver, size, b"")
    assert_same(receiver.sent, receiver.taken, f"what repeated calls of read({size}) gave")


@rule("levent.bufevent.read-size")
def test_every_byte_is_data(driver: LeventDriver, channels: Channels) -> None:
    """All 256 of them, zeros, carriage returns and line feeds included, cut at all places."""
    data = bytes(range(256)) + b"\0\0\0\n\r\n\0\xff"
    receiver = _holding(driver, channels, data, 3)
    at = 0
    for size in (1, 9, 1, 2, 100, 30, 200):
        _read(receiver, size, data[at : at + size])
        at += size


@rule("levent.bufevent.read-size")
def test_reads_and_arrivals_alternate(driver: LeventDriver, channels: Channels) -> None:
    """More comes than is read at first, and then less."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for number in range(60):
        receiver.send(40 - number // 2)
        receiver.run_until_received()
        at = len(receiver.taken)
        _read(receiver, 10 + number, bytes(receiver.sent[at : at + 10 + number]))
    assert_same(
        receiver.sent[: len(receiver.taken)], receiver.taken, "what was read between arrivals"
    )


@rule("levent.bufevent.read-size")
def test_read_gives_as_much_in_a_callback(driver: LeventDriver, channels: Channels) -> None:
    """Two bytes, three, and what is left, in each call of readcb."""
    left: list[bytes | None] = []

    def read(*_arguments: object) -> None:
        for size in (2, 3, HUGE):
            receiver.take(size)
        left.append(receiver.evbuf.read(1))

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    assert driver.count("read"), "10 bytes came, and readcb did not run"
    assert_same(receiver.sent, receiver.taken, "what readcb read: 2 bytes, 3 bytes and the rest")
    assert not any(left), f"read({HUGE}) of 10 bytes left {left[0]!r} in the input"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("size", [1, 2, 100, *LARGE])
@pytest.mark.parametrize("asked", ["read()", "read(None)"])
def test_read_without_a_size_gives_everything(
    driver: LeventDriver, channels: Channels, size: int, asked: str
) -> None:
    """It was sent at once; nothing is left."""
    receiver = _holding(driver, channels, payload(size))
    got = receiver.evbuf.read() if asked == "read()" else receiver.evbuf.read(None)
    assert_same(receiver.sent, got or b"", f"what {asked} gave")
    receiver.send(1)
    receiver.run_until_received()
    again = receiver.evbuf.read() or b""
    assert len(again) == 1, f"after {asked}, 1 byte more came, and read() gave {len(again)}"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("data", [b"\n", b"a\nb\n", b"\r\n\r\n", b" a ", b"\0a\0", b"\xff\n\0\t "])
def test_read_without_a_size_gives_what_looks_like_nothing(
    driver: LeventDriver, channels: Channels, data: bytes
) -> None:
    """Line breaks, spaces and zero bytes at both ends."""
    receiver = _holding(driver, channels, data)
    got = receiver.evbuf.read()
    assert got == data, f"{data!r} was in the input, and read() gave {got!r}"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("low, size", [(10, 9), (10, 25), (1, 5), (70_000, 69_999)])
def test_read_without_a_size_looks_at_no_watermark(
    driver: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """Below the low watermark of the input, and above it."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(low, 0)
    receiver.evbuf.start()
    receiver.send(size)
    receiver.run_until_received()
    assert_same(receiver.sent, receiver.take(), f"what read() gave with a low watermark of {low}")


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("pieces", [2, 5, 50])
@pytest.mark.parametrize("size", [50, 5000, 90_000])
def test_read_without_a_size_gives_all_arrivals(
    driver: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """They came one after the other."""
    receiver = _holding(driver, channels, payload(size), pieces)
    assert_same(receiver.sent, receiver.take(), f"what read() gave of {pieces} arrivals")


@rule("levent.bufevent.read-all")
def test_read_without_a_size_gives_more_than_the_kernel_holds(
    driver: LeventDriver, channels: Channels
) -> None:
    """More than a megabyte, sent in portions while the loop runs."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    guard = Guard(1.5)  # a loop may read byte by byte
    while len(receiver.sent) < 1_100_000 and not guard.is_over:
        receiver.send(50_000)
        receiver.run_until_received()
    assert_same(receiver.sent, receiver.take(), f"what read() gave of {len(receiver.sent)} bytes")


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("taken", [1, 999, 20_000])
def test_read_without_a_size_gives_what_another_read_left(
    driver: LeventDriver, channels: Channels, taken: int
) -> None:
    """Some was taken before."""
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


@rule("levent.bufevent.read-all")
def test_read_without_a_size_gives_everything_in_a_callback(
    driver: LeventDriver, channels: Channels
) -> None:
    """In as many calls as there are arrivals."""
    receiver = ReceivingBuffer(driver, channels.pair(), lambda *_: receiver.take())
    receiver.evbuf.start()
    receiver.send(50_000)
    receiver.run_until_received()
    assert_same(receiver.sent, receiver.taken, "what read() gave in readcb")


def _asked(receiver: ReceivingBuffer, size: int | None) -> bytes:
    """What `read` gives; a size that is None is not given."""
    return (receiver.evbuf.read() if size is None else receiver.evbuf.read(size)) or b""


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 1, 10, HUGE])
@pytest.mark.parametrize("started", [False, True], ids=["not started", "started"])
def test_what_waits_in_the_file_is_not_read(
    driver: LeventDriver, channels: Channels, size: int | None, started: bool
) -> None:
    """It came when no loop ran."""
    receiver = ReceivingBuffer(driver, channels.pair())
    if started:
        receiver.evbuf.start()
        driver.run_idle(5)
    receiver.send(10)
    for _ in range(3):
        got = _asked(receiver, size)
        assert not got, f"read({size}) gave {got!r}, which no loop had read from the file"
    assert receiver.waiting == 10, f"read({size}) took {10 - receiver.waiting} bytes from the file"


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 5, 6, 20, HUGE])
def test_what_is_missing_in_the_input_is_not_fetched_from_the_file(
    driver: LeventDriver, channels: Channels, size: int | None
) -> None:
    """Five letters have arrived, and ten others wait.  It is asked twice, stopped or not."""
    receiver = _holding(driver, channels, b"a" * 5)
    receiver.send_bytes(b"b" * 10)
    for _ in range(2):
        got = _asked(receiver, size)
        assert b"b" not in got, f"read({size}) gave {got!r}; b'aaaaa' was in the input"
        assert receiver.waiting == 10, (
            f"read({size}) took {10 - receiver.waiting} bytes from the file"
        )


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 5, 20])
@pytest.mark.parametrize("there", [0, 5])
def test_what_comes_while_it_is_stopped_is_not_fetched_from_the_file(
    driver: LeventDriver, channels: Channels, size: int | None, there: int
) -> None:
    """It was started before, and some of what is asked for may have arrived."""
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
def test_read_in_a_callback_does_not_fetch_what_came_meanwhile(
    driver: LeventDriver, channels: Channels
) -> None:
    """The peer sends more in the middle of readcb."""
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
def test_sizes_that_are_no_number_of_bytes(
    driver: LeventDriver, channels: Channels, observe: Observation, size: int
) -> None:
    """Ten bytes are in the input."""
    receiver = _holding(driver, channels, b"0123456789")
    of = f"read({size!r})"
    try:
        got = receiver.evbuf.read(size)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
        return
    observe(f"gives {len(got or b'')} of 10 bytes", of=of)


@rule("levent.bufevent.read-negative")
def test_what_is_returned_for_nothing(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """An empty input."""
    receiver = ReceivingBuffer(driver, channels.pair())
    observe(repr(receiver.evbuf.read()), of="read() of nothing")
    observe(repr(receiver.evbuf.read(5)), of="read(5) of nothing")
