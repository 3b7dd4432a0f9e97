"""levent, buffered events: taking bytes from the input."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, pattern, same
from looptck.testing.channels import Channels
from looptck.testing.guards import Guard
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

# Around what loops read at once, or copy at once.
LARGE = [4095, 4096, 4097, 16383, 16384, 16385, 50_000, 65535, 65536, 65537, 99_999]

HUGE = 1 << 30


def _holding(
    rounds: LeventDriver, channels: Channels, data: bytes, pieces: int = 1
) -> ReceivingBuffer:
    """A started buffered event with *data* in its input, in so many arrivals or more."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    for piece in range(pieces):
        part = data[len(data) * piece // pieces : len(data) * (piece + 1) // pieces]
        if part:
            inlet.send_bytes(part)
            inlet.arrive()
    return inlet


def _read(inlet: ReceivingBuffer, size: int, expected: bytes) -> None:
    """`read(size)` gives *expected*, whatever it makes of nothing."""
    before = len(inlet.taken)
    got = inlet.take(size)
    there = len(inlet.sent) - before
    assert len(got) == len(expected), (
        f"read({size}) gave {len(got)} bytes when {there} were in the input"
    )
    same(got, expected, f"what read({size}) gave of {there} bytes")


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("size", [1, 2, 9, 10, 11, 20, HUGE])
@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_as_much_is_read_as_was_asked_for_or_is_there(
    rounds: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """Ten bytes; the rest of them stays, and is read after it."""
    data = pattern(10)
    inlet = _holding(rounds, channels, data, pieces)
    _read(inlet, size, data[:size])
    _read(inlet, HUGE, data[size:])
    _read(inlet, 1, b"")


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("before", [0, 3, 10])
def test_to_read_0_bytes_takes_nothing(
    rounds: LeventDriver, channels: Channels, before: int
) -> None:
    """0 is a size, and not a missing one; the input is full, partly read, empty."""
    data = pattern(10)
    inlet = _holding(rounds, channels, data)
    if before:
        _read(inlet, before, data[:before])
    for _ in range(3):
        _read(inlet, 0, b"")
    _read(inlet, HUGE, data[before:])


@rule("levent.bufevent.read-size")
@pytest.mark.parametrize("size", [1, 3, 1000, 16384, 30_000, 65537])
@pytest.mark.parametrize("pieces", [1, 7])
def test_repeated_reads_give_everything_in_order(
    rounds: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """Whole portions, and at last what is left."""
    data = pattern(size * 3 + size // 2 if size > 10 else 1000)
    inlet = _holding(rounds, channels, data[:100_000], pieces)
    for begin in range(0, len(inlet.sent), size):
        _read(inlet, size, bytes(inlet.sent[begin : begin + size]))
    _read(inlet, size, b"")
    same(inlet.taken, inlet.sent, f"what repeated calls of read({size}) gave")


@rule("levent.bufevent.read-size")
def test_every_byte_is_data(rounds: LeventDriver, channels: Channels) -> None:
    """All 256 of them, zeros, carriage returns and line feeds included, cut at all places."""
    data = bytes(range(256)) + b"\0\0\0\n\r\n\0\xff"
    inlet = _holding(rounds, channels, data, 3)
    at = 0
    for size in (1, 9, 1, 2, 100, 30, 200):
        _read(inlet, size, data[at : at + size])
        at += size


@rule("levent.bufevent.read-size")
def test_reads_and_arrivals_alternate(rounds: LeventDriver, channels: Channels) -> None:
    """More comes than is read at first, and then less."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    for number in range(60):
        inlet.send(40 - number // 2)
        inlet.arrive()
        at = len(inlet.taken)
        _read(inlet, 10 + number, bytes(inlet.sent[at : at + 10 + number]))
    same(inlet.taken, inlet.sent[: len(inlet.taken)], "what was read between arrivals")


@rule("levent.bufevent.read-size")
def test_read_gives_as_much_in_a_callback(rounds: LeventDriver, channels: Channels) -> None:
    """Two bytes, three, and what is left, in each call of readcb."""
    left: list[bytes | None] = []

    def read(*_arguments: object) -> None:
        for size in (2, 3, HUGE):
            inlet.take(size)
        left.append(inlet.evbuf.read(1))

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    assert rounds.count("read"), "10 bytes came, and readcb did not run"
    same(inlet.taken, inlet.sent, "what readcb read: 2 bytes, 3 bytes and the rest")
    assert not any(left), f"read({HUGE}) of 10 bytes left {left[0]!r} in the input"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("size", [1, 2, 100, *LARGE])
@pytest.mark.parametrize("asked", ["read()", "read(None)"])
def test_read_without_a_size_gives_everything(
    rounds: LeventDriver, channels: Channels, size: int, asked: str
) -> None:
    """It was sent at once; nothing is left."""
    inlet = _holding(rounds, channels, pattern(size))
    got = inlet.evbuf.read() if asked == "read()" else inlet.evbuf.read(None)
    same(got or b"", inlet.sent, f"what {asked} gave")
    inlet.send(1)
    inlet.arrive()
    again = inlet.evbuf.read() or b""
    assert len(again) == 1, f"after {asked}, 1 byte more came, and read() gave {len(again)}"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("data", [b"\n", b"a\nb\n", b"\r\n\r\n", b" a ", b"\0a\0", b"\xff\n\0\t "])
def test_read_without_a_size_gives_what_looks_like_nothing(
    rounds: LeventDriver, channels: Channels, data: bytes
) -> None:
    """Line breaks, spaces and zero bytes at both ends."""
    inlet = _holding(rounds, channels, data)
    got = inlet.evbuf.read()
    assert got == data, f"{data!r} was in the input, and read() gave {got!r}"


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("low, size", [(10, 9), (10, 25), (1, 5), (70_000, 69_999)])
def test_read_without_a_size_looks_at_no_watermark(
    rounds: LeventDriver, channels: Channels, low: int, size: int
) -> None:
    """Below the low watermark of the input, and above it."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.set_read_watermarks(low, 0)
    inlet.evbuf.start()
    inlet.send(size)
    inlet.arrive()
    same(inlet.take(), inlet.sent, f"what read() gave with a low watermark of {low}")


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("pieces", [2, 5, 50])
@pytest.mark.parametrize("size", [50, 5000, 90_000])
def test_read_without_a_size_gives_all_arrivals(
    rounds: LeventDriver, channels: Channels, size: int, pieces: int
) -> None:
    """They came one after the other."""
    inlet = _holding(rounds, channels, pattern(size), pieces)
    same(inlet.take(), inlet.sent, f"what read() gave of {pieces} arrivals")


@rule("levent.bufevent.read-all")
def test_read_without_a_size_gives_more_than_the_kernel_holds(
    rounds: LeventDriver, channels: Channels
) -> None:
    """More than a megabyte, sent in portions while the loop runs."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    guard = Guard(1.5)  # a loop may read byte by byte
    while len(inlet.sent) < 1_100_000 and not guard.is_over:
        inlet.send(50_000)
        inlet.arrive()
    same(inlet.take(), inlet.sent, f"what read() gave of {len(inlet.sent)} bytes")


@rule("levent.bufevent.read-all")
@pytest.mark.parametrize("taken", [1, 999, 20_000])
def test_read_without_a_size_gives_what_another_read_left(
    rounds: LeventDriver, channels: Channels, taken: int
) -> None:
    """Some was taken before."""
    inlet = _holding(rounds, channels, pattern(60_000), 2)
    inlet.take(taken)
    inlet.take()
    same(inlet.taken, inlet.sent, f"what read({taken}) and read() gave")
    before = len(inlet.taken)
    inlet.send(10)
    inlet.arrive()
    same(inlet.take(), inlet.sent[before:], "what read() gave of an arrival after all was read")


@rule("levent.bufevent.read-all")
def test_read_without_a_size_gives_everything_in_a_callback(
    rounds: LeventDriver, channels: Channels
) -> None:
    """In as many calls as there are arrivals."""
    inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: inlet.take())
    inlet.evbuf.start()
    inlet.send(50_000)
    inlet.arrive()
    same(inlet.taken, inlet.sent, "what read() gave in readcb")


def _asked(inlet: ReceivingBuffer, size: int | None) -> bytes:
    """What `read` gives; a size that is None is not given."""
    return (inlet.evbuf.read() if size is None else inlet.evbuf.read(size)) or b""


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 1, 10, HUGE])
@pytest.mark.parametrize("started", [False, True], ids=["not started", "started"])
def test_what_waits_in_the_file_is_not_read(
    rounds: LeventDriver, channels: Channels, size: int | None, started: bool
) -> None:
    """It came when no loop ran."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    if started:
        inlet.evbuf.start()
        rounds.quiet(5)
    inlet.send(10)
    for _ in range(3):
        got = _asked(inlet, size)
        assert not got, f"read({size}) gave {got!r}, which no loop had read from the file"
    assert inlet.waiting == 10, f"read({size}) took {10 - inlet.waiting} bytes from the file"


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 5, 6, 20, HUGE])
def test_what_is_missing_in_the_input_is_not_fetched_from_the_file(
    rounds: LeventDriver, channels: Channels, size: int | None
) -> None:
    """Five letters have arrived, and ten others wait.  It is asked twice, stopped or not."""
    inlet = _holding(rounds, channels, b"a" * 5)
    inlet.send_bytes(b"b" * 10)
    for _ in range(2):
        got = _asked(inlet, size)
        assert b"b" not in got, f"read({size}) gave {got!r}; b'aaaaa' was in the input"
        assert inlet.waiting == 10, f"read({size}) took {10 - inlet.waiting} bytes from the file"


@rule("levent.bufevent.read-buffer-only")
@pytest.mark.parametrize("size", [None, 5, 20])
@pytest.mark.parametrize("there", [0, 5])
def test_what_comes_while_it_is_stopped_is_not_fetched_from_the_file(
    rounds: LeventDriver, channels: Channels, size: int | None, there: int
) -> None:
    """It was started before, and some of what is asked for may have arrived."""
    inlet = _holding(rounds, channels, b"a" * there)
    rounds.quiet(5)
    inlet.evbuf.stop()
    inlet.send_bytes(b"b" * 10)
    for _ in range(2):
        got = _asked(inlet, size)
        assert b"b" not in got, f"read({size}) gave {got!r}, which came after stop()"
        assert inlet.waiting == 10, f"read({size}) took {10 - inlet.waiting} bytes from the file"


@rule("levent.bufevent.read-buffer-only")
def test_read_in_a_callback_does_not_fetch_what_came_meanwhile(
    rounds: LeventDriver, channels: Channels
) -> None:
    """The peer sends more in the middle of readcb."""
    waiting: list[int] = []

    def read(*_arguments: object) -> None:
        if not waiting:
            inlet.take_whatever()
            inlet.send_bytes(b"b" * 10)
            before = inlet.waiting
            got = inlet.evbuf.read(20) or b""
            assert b"b" not in got, f"read(20) gave {got!r}, which came in the middle of readcb"
            waiting.append(before - inlet.waiting)

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.start()
    inlet.send_bytes(b"a" * 10)
    assert rounds.until_count("read"), "10 bytes came, and readcb did not run"
    assert waiting == [0], f"read(20) took {waiting[0]} bytes from the file"


@rule("levent.bufevent.read-negative")
@pytest.mark.parametrize("size", [-1, -100, True, 2.9, "3", b"3"], ids=repr)
def test_sizes_that_are_no_number_of_bytes(
    rounds: LeventDriver, channels: Channels, observe: Observation, size: int
) -> None:
    """Ten bytes are in the input."""
    inlet = _holding(rounds, channels, b"0123456789")
    of = f"read({size!r})"
    try:
        got = inlet.evbuf.read(size)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=of)
        return
    observe(f"gives {len(got or b'')} of 10 bytes", of=of)


@rule("levent.bufevent.read-negative")
def test_what_is_returned_for_nothing(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """An empty input."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    observe(repr(inlet.evbuf.read()), of="read() of nothing")
    observe(repr(inlet.evbuf.read(5)), of="read(5) of nothing")
