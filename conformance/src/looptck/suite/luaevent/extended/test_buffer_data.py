"""luaevent's complete library, buffer: its length, and copies of its contents."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from typing import cast

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, outcome, payload

# How the same contents may have come into a buffer.
_DIRECTIONS = ("at once", "byte by byte", "in three pieces", "behind others that were drained")

every_way = pytest.mark.parametrize("way", _DIRECTIONS)


def _buffer(luaevent: LuaeventExtended, contents: bytes, way: str) -> Buffer:
    """Return a buffer with the *contents*, which came into it in that *way*."""
    buffer = luaevent.buffer.new()
    pieces = [contents]
    if way == "byte by byte" and len(contents) < 1000:
        pieces = [contents[at : at + 1] for at in range(len(contents))]
    if way == "in three pieces":
        third = len(contents) // 3 + 1
        pieces = [contents[:third], contents[third : 2 * third], contents[2 * third :]]
    if way == "behind others that were drained":
        pieces = [b"gone", b"gone" + contents[:2], contents[2:]]
    for piece in pieces:
        if piece:
            buffer.add(piece)
    if way == "behind others that were drained":
        buffer.drain(8)
    return buffer


_FORMS: dict[str, Callable[[Buffer], bytes]] = {
    "get_data()": lambda buffer: buffer.get_data(),
    "get_data(4)": lambda buffer: buffer.get_data(4),
    "get_data(9000)": lambda buffer: buffer.get_data(9000),
    "get_data(2, 3)": lambda buffer: buffer.get_data(2, 3),
    "get_data(1, 9000)": lambda buffer: buffer.get_data(1, 9000),
    "get_data(-3, 2)": lambda buffer: buffer.get_data(-3, 2),
    "bytes()": lambda buffer: bytes(buffer),
}

# {what is special: bytes added by one call after the other}
_CONTENTS: dict[str, list[bytes]] = {
    "none": [],
    "one byte": [b"x"],
    "a zero byte in the middle": [b"a\0b"],
    "zero bytes alone": [b"\0\0\0"],
    "line ends": [b"a\r\nb\n\rc\r\r\n"],
    "every value of a byte": [bytes(range(256))],
    "two pieces": [b"abc", b"def"],
    "many pieces": [payload(3, at * 3) for at in range(100)],
    "large pieces": [payload(70_000, at * 70_000) for at in range(3)],
    "a million bytes": [payload(1_000_000)],
}


@rule("luaevent.buffer.get_data-all")
@pytest.mark.parametrize("case", _CONTENTS)
@pytest.mark.parametrize("form", ["get_data()", "bytes()"])
def test_get_data_returns_all_contents_and_removes_none(
    luaevent: LuaeventExtended, channels: Channels, case: str, form: str
) -> None:
    """The test asks three times: bytes that the first call removed are missing the second time.

    If the buffer's length is that of the returned bytes, and `write` gives others too, `add` is to
    blame.
    """
    pieces = _CONTENTS[case]
    buffer = _added(luaevent, pieces)
    expected = b"".join(pieces)
    for time in ("first", "second", "third"):
        got = outcome(_FORMS[form], buffer)
        is_other = isinstance(got, bytes) and got != expected and len(got) == buffer.length()
        if is_other and _written(_added(luaevent, pieces), channels) != expected:
            return
        assert_same(expected, got, f"{form} with contents of {case}, the {time} time")


def _added(luaevent: LuaeventExtended, pieces: list[bytes]) -> Buffer:
    buffer = luaevent.buffer.new()
    for piece in pieces:
        buffer.add(piece)
    return buffer


def _written(buffer: Buffer, channels: Channels) -> bytes:
    """Return the bytes that `write` sends of the whole buffer."""
    near, far = channels.pair()
    got = b""
    while True:
        size = outcome(buffer.write, near.fileno())
        got += (arrived := drain(far))
        if not isinstance(size, int) or size <= 0 or not arrived:
            return got


@rule("luaevent.buffer.get_data-all")
@pytest.mark.parametrize("form", ["get_data()", "bytes()"])
def test_get_data_does_not_return_drained_bytes(luaevent: LuaeventExtended, form: str) -> None:
    """The test judges only if another function shows that drain removed the bytes."""
    buffer = luaevent.buffer.new()
    buffer.add(b"abc")
    buffer.add(b"def")
    buffer.drain(2)
    got = outcome(_FORMS[form], buffer)
    shown: set[bytes] = set()
    for begin_and_length in ((1, 9), (9,), ()):
        with suppress(Exception):
            shown.add(buffer.get_data(*begin_and_length))
    if b"cdef" in shown:
        assert_same(b"cdef", got, f"{form} after 2 of the 6 bytes abcdef were drained")


@rule("luaevent.buffer.get_data-len")
@every_way
@pytest.mark.parametrize("size", [0, 1, 2, 9])
def test_get_data_with_a_length_gives_the_first_bytes(
    luaevent: LuaeventExtended, way: str, size: int
) -> None:
    """The test tries every length from none to more than all."""
    contents = b"abcdefghi"[:size]
    buffer = _buffer(luaevent, contents, way)
    for n in [*range(size + 3), 1000, 2**31 - 1]:
        got = outcome(buffer.get_data, n)
        assert_same(contents[:n], got, f"get_data({n}) of {size} bytes, added {way}")
    assert_same(contents, buffer.get_data(), "all of it, afterwards")


@rule("luaevent.buffer.get_data-len")
@pytest.mark.parametrize("n", [-1, -3, -100])
def test_get_data_with_a_negative_length_gives_no_part(luaevent: LuaeventExtended, n: int) -> None:
    """All bytes, none and an error are fine; a part of the contents has no reading."""
    got: list[bytes] = []
    buffer = _buffer(luaevent, b"abcdef", "at once")
    if error_of(lambda: got.append(buffer.get_data(n))) is None:
        assert got[0] in (b"", b"abcdef"), f"get_data({n}) of abcdef returned {got[0]!r}"


@rule("luaevent.buffer.get_data-begin")
@every_way
@pytest.mark.parametrize("size", [0, 1, 2, 6])
def test_get_data_counts_begin_from_one(luaevent: LuaeventExtended, way: str, size: int) -> None:
    """The test tries every pair of a begin and a length, on and beyond all borders."""
    contents = b"abcdefghi"[:size]
    buffer = _buffer(luaevent, contents, way)
    for begin, n in product(range(1, size + 4), [*range(size + 3), 2**31 - 1]):
        expected = contents[begin - 1 : begin - 1 + n]
        got = outcome(buffer.get_data, begin, n)
        assert_same(expected, got, f"get_data({begin}, {n}) of {contents!r}, added {way}")
    assert_same(contents, buffer.get_data(), "all of it, afterwards")


@rule("luaevent.buffer.get_data-begin")
@pytest.mark.parametrize("n", [0, 1, 3, 9])
def test_get_data_from_begin_0_gives_only_contents(luaevent: LuaeventExtended, n: int) -> None:
    """The meaning is open, but only bytes of the buffer can be returned."""
    _expect_a_part(luaevent, 0, n)


@rule("luaevent.buffer.get_data-negative")
@every_way
@pytest.mark.parametrize("size", [1, 2, 6])
def test_get_data_counts_a_negative_begin_from_the_end(
    luaevent: LuaeventExtended, way: str, size: int
) -> None:
    """The test tries every begin from the last byte to the first, with every length."""
    contents = b"abcdefghi"[:size]
    buffer = _buffer(luaevent, contents, way)
    for back, n in product(range(1, size + 1), [*range(size + 3), 2**31 - 1]):
        expected = contents[size - back :][:n]
        got = outcome(buffer.get_data, -back, n)
        assert_same(expected, got, f"get_data({-back}, {n}) of {contents!r}, added {way}")
    assert_same(contents, buffer.get_data(), "all of it, afterwards")


@rule("luaevent.buffer.get_data-negative")
@pytest.mark.parametrize("begin", [-7, -8, -12, -1000])
@pytest.mark.parametrize("n", [0, 1, 3, 9])
def test_get_data_before_the_first_byte_gives_only_contents(
    luaevent: LuaeventExtended, begin: int, n: int
) -> None:
    """The meaning is open, but only bytes of the buffer can be returned."""
    _expect_a_part(luaevent, begin, n)


def _expect_a_part(luaevent: LuaeventExtended, begin: int, n: int) -> None:
    """Assert that `get_data(begin, n)` raises, or returns bytes of the buffer, *n* at most."""
    got: list[bytes] = []
    buffer = _buffer(luaevent, b"abcdef", "at once")
    if error_of(lambda: got.append(buffer.get_data(begin, n))) is None:
        assert got[0] in b"abcdef", (
            f"get_data({begin}, {n}) of abcdef returned {got[0]!r:.80}, which is not in it"
        )
        assert len(got[0]) <= n, f"get_data({begin}, {n}) returned {len(got[0])} bytes"


@rule("luaevent.buffer.get_data-copy")
@pytest.mark.parametrize("form", _FORMS)
def test_each_get_data_returns_a_copy_of_its_own(luaevent: LuaeventExtended, form: str) -> None:
    """The buffer changes between the calls, so that storage shared by both results shows."""
    buffer = _buffer(luaevent, b"abcdefg", "at once")
    got = _returned(buffer, form)
    before = bytes(got)
    outcome(buffer.drain, 3)
    buffer.add(b"hij")
    _returned(buffer, form)
    assert_same(before, bytes(got), f"what {form} returned, after the next {form}")


def _returned(buffer: Buffer, form: str) -> bytes:
    """Return the result of that *form* of `get_data`, or b"" if it is refused: another rule
    judges that."""
    got = outcome(_FORMS[form], buffer)
    return b"" if isinstance(got, Exception) else cast("bytes", got)


# {step: does it to a buffer; near and far are connected}
_STEPS: dict[str, Callable[[LuaeventExtended, Buffer, socket.socket, socket.socket], object]] = {
    "add nothing": lambda _, buffer, near, far: buffer.add(b""),
    "add a line": lambda _, buffer, near, far: buffer.add(b"ab\r\n"),
    "add bytes": lambda _, buffer, near, far: buffer.add(b"abc", b"d"),
    "add a buffer": lambda entry, buffer, near, far: buffer.add(_buffer(entry, b"12", "at once")),
    "give it to another": lambda entry, buffer, near, far: entry.buffer.new().add(buffer),
    "drain 1": lambda _, buffer, near, far: buffer.drain(1),
    "drain all": lambda _, buffer, near, far: buffer.drain(-1),
    "drain too much": lambda _, buffer, near, far: buffer.drain(1000),
    "readline": lambda _, buffer, near, far: buffer.readline(),
    "read": lambda _, buffer, near, far: (far.send(b"xyz"), buffer.read(near.fileno(), 2)),
    "write": lambda _, buffer, near, far: buffer.write(near.fileno()),
    "look": lambda _, buffer, near, far: (buffer.get_data(2), buffer.get_data(-1, 1)),
}


def _rows() -> Iterator[tuple[str, ...]]:
    for size in (1, 2, 3):
        yield from product(_STEPS, repeat=size)


@rule("luaevent.buffer.length")
def test_the_length_agrees_with_get_data_after_any_steps(
    luaevent: LuaeventExtended, channels: Channels
) -> None:
    """The test makes every row of one, two and three steps."""
    near, far = channels.pair()
    for row in _rows():
        buffer = luaevent.buffer.new()
        buffer.add(b"a\nb")
        for step in row:
            with suppress(Exception):  # what is refused is not counted
                _STEPS[step](luaevent, buffer, near, far)
        contents = outcome(buffer.get_data)
        if isinstance(contents, bytes):
            _expect_length(buffer, len(contents), f"after {', '.join(row)}")
        buffer.close()
        if "write" in row or "read" in row:
            drain(far)
            drain(near)


@rule("luaevent.buffer.length")
@every_way
@pytest.mark.parametrize("size", [0, 1, 5, 255, 256, 257, 70_000])
def test_the_length_is_the_number_of_added_bytes(
    luaevent: LuaeventExtended, way: str, size: int
) -> None:
    """Zero bytes and line ends are among them."""
    _expect_length(_buffer(luaevent, payload(size), way), size, f"{size} bytes, added {way}")


def _expect_length(buffer: Buffer, expected: int, when: str) -> None:
    got = buffer.length()
    assert got == expected, f"{when}: there are {expected} bytes, and length() is {got!r}"
    counted = len(buffer)
    assert counted == expected, f"{when}: there are {expected} bytes, and len() is {counted}"
