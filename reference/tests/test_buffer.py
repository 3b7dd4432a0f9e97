"""The queue of bytes, against a model that is a `bytes`."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tideloop.buffer import Buffer
from tideloop.search import position_of

# Small and large pieces on both sides of what is gathered, with many breaks.
pieces = st.one_of(
    st.lists(st.sampled_from([b"", b"a", b"bc", b"\n", b"\r"]), max_size=6).map(b"".join),
    st.builds(
        lambda filler, size, end: filler * size + end,
        st.sampled_from([b"x", b"\n", b"y\r\n"]),
        st.integers(1, 1500),
        st.sampled_from([b"", b"\n", b"\r"]),
    ),
    st.integers(60_000, 140_000).map(lambda size: b"z" * size),
)
sizes = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 200_000))
any_break = re.compile(rb"\r\n|\n\r|\r|\n")


def first_line(data: bytes) -> tuple[bytes | None, bytes]:
    line, found, rest = data.partition(b"\n")
    return (line.removesuffix(b"\r"), rest) if found else (None, data)


def first_any_line(data: bytes) -> tuple[bytes | None, bytes]:
    found = any_break.search(data)
    return (data[: found.start()], data[found.end() :]) if found else (None, data)


class BufferAgainstBytes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.buffer = Buffer()
        self.model = b""

    @rule(data=pieces, kind=st.sampled_from([bytes, bytearray, memoryview]))
    def append(self, data: bytes, kind: Callable[[bytes], bytes]) -> None:
        self.buffer.append(kind(data))
        self.model += data

    @rule(data=pieces, count=st.integers(2, 40))
    def append_often(self, data: bytes, count: int) -> None:
        for _ in range(count):
            self.buffer.append(data[:60])
            self.model += data[:60]

    @rule(parts=st.lists(pieces, max_size=4), first=st.integers(0, 9))
    def move(self, parts: list[bytes], first: int) -> None:
        other = Buffer()
        for part in parts:
            other.append(part)
        other.drain(first)
        moved = b"".join(parts)[first:]
        assert self.buffer.move(other) == len(moved)
        assert len(other) == 0
        self.model += moved

    @rule(data=st.binary(max_size=3000), size=st.integers(1, 4000))
    def read_from(self, data: bytes, size: int) -> None:
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        assert self.buffer.read_from(reading, size) == len(data[:size])
        os.close(reading)
        self.model += data[:size]

    @rule()
    def write_to(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        sent = self.buffer.write_to(writing)
        os.close(writing)
        got = b""
        while chunk := os.read(reading, 1 << 20):
            got += chunk
        os.close(reading)
        assert sent == len(got)
        assert bool(sent) == bool(self.model)
        assert got == self.model[:sent]
        self.model = self.model[sent:]

    @rule(size=sizes)
    def take(self, size: int | None) -> None:
        taken = self.buffer.take(size)
        assert type(taken) is bytes
        assert taken == self.model[:size]
        self.model = self.model[len(taken) :]

    @rule(size=sizes)
    def drain(self, size: int | None) -> None:
        expected = len(self.model[:size])
        assert self.buffer.drain(size) == expected
        self.model = self.model[expected:]

    @rule()
    def drain_all_but_a_little(self) -> None:
        size = max(0, len(self.model) - 5)
        self.buffer.drain(size)
        self.model = self.model[size:]

    @rule(times=st.integers(1, 30))
    def take_line(self, times: int) -> None:
        for _ in range(times):
            line, self.model = first_line(self.model)
            assert self.buffer.take_line() == line

    @rule(times=st.integers(1, 30))
    def take_any_line(self, times: int) -> None:
        for _ in range(times):
            line, self.model = first_any_line(self.model)
            assert self.buffer.take_any_line() == line

    @rule(size=sizes, start=st.integers(0, 150_000))
    def peek(self, size: int | None, start: int) -> None:
        expected = self.model[start:] if size is None else self.model[start : start + size]
        assert self.buffer.peek(size, start) == expected

    @rule(byte=st.sampled_from([b"\n", b"\r", b"z", b"?"]), start=st.integers(0, 150_000))
    def find(self, byte: bytes, start: int) -> None:
        assert self.buffer.find(byte, start) == self.model.find(byte, start)

    @invariant()
    def same_contents(self) -> None:
        assert len(self.buffer) == len(self.model)
        assert bool(self.buffer) == bool(self.model)
        assert self.buffer.peek() == self.model


TestBufferAgainstBytes = BufferAgainstBytes.TestCase
TestBufferAgainstBytes.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_the_bytes_come_in(data: bytes, cuts: list[int]) -> None:
    data = bytes(b"ab\r\n"[byte % 4] for byte in data)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    buffer = Buffer()
    lines = []
    for start, end in pairwise(places):
        buffer.append(data[start:end])
        while (line := buffer.take_line()) is not None:
            lines.append(line)
    *expected, rest = data.split(b"\n")
    assert lines == [line.removesuffix(b"\r") for line in expected]
    assert buffer.take() == rest


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r"])).map(b"".join), st.integers(1, 40))
def test_any_break_is_found_where_it_is(data: bytes, first: int) -> None:
    buffer = Buffer()
    buffer.append(data[:first])
    buffer.append(data[first:])
    line, rest = first_any_line(data)
    while line is not None:
        assert buffer.take_any_line() == line
        line, rest = first_any_line(rest)
    assert buffer.take_any_line() is None
    assert buffer.take() == rest


@pytest.mark.parametrize(
    "data, lines, rest",
    [
        (b"", [], b""),
        (b"abc", [], b"abc"),
        (b"a\nb\n", [b"a", b"b"], b""),
        (b"a\n\nb", [b"a", b""], b"b"),
        (b"a\r\n\r\nb", [b"a", b""], b"b"),
        (b"a\n\rb\n", [b"a", b"b"], b""),
        (b"a\rb\r", [b"a", b"b"], b""),
        (b"a\rb\nc", [b"a", b"b"], b"c"),
        (b"a\0b\n", [b"a\0b"], b""),
        (b"\n\n\r", [b"", b""], b""),
    ],
)
def test_a_break_is_one_of_four(data: bytes, lines: list[bytes], rest: bytes) -> None:
    buffer = Buffer()
    buffer.append(data)
    assert [buffer.take_any_line() for _ in lines] == lines
    assert buffer.take_any_line() is None
    assert buffer.take() == rest


def test_half_of_a_pair_at_the_end_is_a_break_at_once() -> None:
    buffer = Buffer()
    buffer.append(b"abc\r")
    assert buffer.take_any_line() == b"abc"
    buffer.append(b"\ndef\n")
    assert buffer.take_any_line() == b""
    assert buffer.take_any_line() == b"def"


def test_what_was_given_is_taken_without_a_copy() -> None:
    data = bytes(5000)
    buffer = Buffer()
    buffer.append(data)
    assert buffer.take() is data


def test_a_changed_bytearray_changes_nothing_here() -> None:
    data = bytearray(b"abc")
    buffer = Buffer()
    buffer.append(data)
    data[0] = 0
    buffer.append(data)
    data.clear()
    assert buffer.take() == b"abc\0bc"


@pytest.mark.parametrize("wrong", [5, "text", None, [1]])
def test_only_bytes_are_taken_in(wrong: object) -> None:
    buffer = Buffer()
    buffer.append(b"before")
    with pytest.raises(TypeError):
        buffer.append(wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert buffer.peek() == b"before"


def test_what_is_no_data_is_refused_with_its_value() -> None:
    for wrong, words in (("text", "'text'; encode"), (5, "not 5"), (None, "not None")):
        buffer = Buffer()
        with pytest.raises(TypeError, match=words):
            buffer.append(wrong)  # type: ignore[arg-type]  # that is the point
        assert not buffer


def test_nothing_negative() -> None:
    buffer = Buffer()
    buffer.append(b"abc")
    for call in (
        lambda: buffer.take(-1),
        lambda: buffer.drain(-1),
        lambda: buffer.peek(-1),
        lambda: buffer.peek(1, -1),
        lambda: buffer.find(b"a", -1),
        lambda: buffer.find(b"ab"),
        lambda: buffer.move(buffer),
    ):
        with pytest.raises(ValueError):
            call()
    assert buffer.take() == b"abc"


def test_a_failed_read_or_write_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    buffer = Buffer()
    buffer.append(b"abc")
    with pytest.raises(OSError):
        buffer.write_to(writing)
    with pytest.raises(OSError):
        buffer.read_from(reading, 10)
    assert buffer.take() == b"abc"


def test_memory_follows_the_contents() -> None:
    """Small pieces are gathered, and a head that is nearly used up is given back."""
    tracemalloc.start()
    try:
        buffer = Buffer()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(25_000):
            buffer.append(b"%04d" % (number % 10_000))
        held, _ = tracemalloc.get_traced_memory()
        assert held - before < 200_000
        buffer.take()
        buffer.append(bytes(4_000_000))
        buffer.take(3_900_000)
        held, _ = tracemalloc.get_traced_memory()
        assert held - before < 1_500_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pos", range(4))
def test_a_byte_is_found_in_each_piece(pos: int) -> None:
    """From each place on, however much of it is known to lie before."""
    head, rest = b"abcd", [b"efg", b"hijk", b"lcmd"]
    whole = head + b"".join(rest)
    for since in range(pos, len(whole) + 1):
        for byte in (whole[at : at + 1] for at in range(len(whole))):
            found = position_of(byte, since, pos, head, rest, len(whole) - len(head))
            expected = whole.find(byte, since)
            assert found == (len(whole) if expected < 0 else expected), (byte, since)


@pytest.mark.parametrize("pair", [b"\r\n", b"\n\r"])
def test_a_pair_in_two_pieces_is_one_break(pair: bytes) -> None:
    buffer = Buffer()
    buffer.append(b"a" + pair[:1])
    buffer.append(pair[1:] + b"bc\n")
    assert [buffer.take_any_line(), buffer.take_any_line()] == [b"a", b"bc"]


@pytest.mark.parametrize(
    "take",
    [
        lambda buffer: len(buffer.take(1000)),
        lambda buffer: buffer.drain(1000),
        lambda buffer: len(buffer.take_line()) + 1,
        lambda buffer: len(buffer.take_any_line()) + 1,
    ],
    ids=["take", "drain", "take_line", "take_any_line"],
)
def test_a_byte_is_copied_less_than_once_more(
    take: Callable[[Buffer], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that is taken in parts is copied when more of it was taken than is left."""
    shrink = Buffer._shrink
    copied: list[int] = []

    def counting(self: Buffer) -> None:
        shrink(self)
        copied.append(len(self.head))

    monkeypatch.setattr(Buffer, "_shrink", counting)
    size = 1_000_000
    buffer = Buffer()
    buffer.append((b"x" * 999 + b"\n") * (size // 1000))
    while len(buffer) > 1000:
        assert take(buffer) == 1000
        assert len(buffer.head) <= max(2 * len(buffer) + 1000, len(buffer) + 66_000)
    assert 0 < sum(copied) < size, copied


@pytest.mark.parametrize("method", ["take_line", "take_any_line"])
def test_a_line_asked_for_often_searches_each_byte_once(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions that were searched are never asked for again."""
    buffer = Buffer()
    asked: list[int] = []
    seek = Buffer._seek

    def counting(self: Buffer, byte: bytes, since: int) -> int:
        asked.append(since)
        return seek(self, byte, since)

    monkeypatch.setattr(Buffer, "_seek", counting)
    for _ in range(50):
        buffer.append(b"x" * 2000)
        assert getattr(buffer, method)() is None
    # the second break of `take_any_line` is looked for at the same places
    assert sorted(set(asked)) == list(range(0, 100_000, 2000))
