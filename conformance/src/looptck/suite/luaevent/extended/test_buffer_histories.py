"""luaevent's complete library, buffer: functions tried on buffers with a history.

A buffer may keep its bytes in several pieces, and a mark in the first of them. Two buffers go
through rows of calls; a test compares the contents before and after each call of the function that
its rule is about, and no other call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.payload import assert_same, outcome, payload

_ROWS = settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    # each row makes buffers of its own
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Around what implementations keep as one piece, or read at once.
_SIZES = (0, 1, 2, 10, 300, 1023, 1025, 3000, 5000, 17_000)

# What is taken at once: mostly a part of one piece.
_TAKEN = (0, 1, 2, 10, 500, 1024, 4000, 20_000)

_BREAKS = (b"\n", b"\r\n", b"\r", b"\n\r")


@dataclass(frozen=True)
class Call:
    """A call of one of two buffers: the name of the function, and its arguments."""

    name: str
    at: int
    other: int
    size: int

    def __str__(self) -> str:
        given = {
            "add bytes": f"add({self.size} bytes)",
            "add line": f"add({self.size} bytes and a line break)",
            "add buffer": f"add(buffer {self.other})",
            "readline": "readline()",
        }.get(self.name, f"{self.name}({self.size})")
        return f"buffer {self.at}: {given}"

    def data(self) -> bytes:
        """The argument of `add`; it has no line break, or one at the end."""
        data = payload(self.size, self.at * 7).replace(b"\n", b".").replace(b"\r", b",")
        return data + _BREAKS[self.size % 4] if self.name == "add line" else data

    def make(self, buffers: list[Buffer]) -> Any:
        buffer = buffers[self.at]
        if self.name == "add buffer":
            return outcome(buffer.add, buffers[self.other])
        if self.name.startswith("add"):
            return outcome(buffer.add, self.data())
        if self.name == "readline":
            return outcome(buffer.readline)
        return outcome(getattr(buffer, self.name), self.size)


def _calls(*names: str) -> st.SearchStrategy[list[Call]]:
    """Rows of calls; most of them add something or take a part."""
    usual = ("add bytes", "add line", "add buffer", "drain", "readline")
    call = st.builds(
        lambda name, at, sizes: Call(
            name, at, 1 - at, sizes[1] if name in ("drain", "get_data") else sizes[0]
        ),
        st.sampled_from((*usual, *names)),
        st.integers(0, 1),
        st.tuples(st.sampled_from(_SIZES), st.sampled_from(_TAKEN)),
    )
    return st.lists(call, min_size=8, max_size=16)


_TAKERS: dict[str, Callable[[Buffer, int], object]] = {
    "drain": lambda buffer, size: buffer.drain(size),
    "readline": lambda buffer, _: buffer.readline(),
    "drain and readline": lambda buffer, size: (buffer.drain(size), buffer.readline()),
}

_every_history = pytest.mark.parametrize(
    "pieces",
    [(3000, 3000), (10, 5000), (5000, 10), (1, 1, 1), (1024, 1, 70_000), (17_000, 300, 17_000)],
    ids=str,
)


def _worn(luaevent: LuaeventExtended, pieces: tuple[int, ...], taker: str, size: int) -> Buffer:
    """Return a buffer to which these pieces, each with a line break, were added and from which a
    part was taken."""
    buffer = luaevent.buffer.new()
    for at, length in enumerate(pieces):
        buffer.add(payload(length, at).replace(b"\n", b".").replace(b"\r", b",") + b"\n")
    _TAKERS[taker](buffer, size)
    return buffer


@rule("luaevent.buffer.add")
@_every_history
@pytest.mark.parametrize("taker", _TAKERS)
@pytest.mark.parametrize("size", [1, 10, 3001, 3005])
@pytest.mark.parametrize("into", ["an empty one", "one with bytes", "one of which some was taken"])
def test_add_moves_all_that_is_left_of_a_used_buffer(
    luaevent: LuaeventExtended, pieces: tuple[int, ...], taker: str, size: int, into: str
) -> None:
    """The added buffer has several pieces, and so may have the other one."""
    worn = _worn(luaevent, pieces, taker, size)
    buffer = luaevent.buffer.new()
    if into == "one with bytes":
        buffer.add(payload(2000))
    elif into != "an empty one":
        buffer = _worn(luaevent, (2000, 2000), "drain", 5)
    expected = buffer.get_data() + worn.get_data()
    buffer.add(worn)
    assert_same(expected, buffer.get_data(), f"after {taker} of a part, and add to {into}")


Check = Callable[[Call, list[bytes], list[bytes], Any, str], None]


def _go_through(
    luaevent: LuaeventExtended, row: list[Call], names: tuple[str, ...], check: Check
) -> None:
    """Make the calls of *row*; *check* gets each call whose name is in *names*, and its effects."""
    buffers = [luaevent.buffer.new() for _ in range(2)]
    for number, call in enumerate(row):
        before = [buffer.get_data() for buffer in buffers]
        result = call.make(buffers)
        if call.name in names:
            after = [buffer.get_data() for buffer in buffers]
            story = "; ".join(str(each) for each in row[: number + 1])
            check(call, before, after, result, f"after {story}")


_ADDS = ("add bytes", "add line", "add buffer")


@rule("luaevent.buffer.add")
@_ROWS
@given(row=_calls())
def test_add_appends_everything_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """The arguments are bytes, and buffers of several pieces of which a part was taken."""

    def check(call: Call, before: list[bytes], after: list[bytes], _: Any, story: str) -> None:
        added = before[call.other] if call.name == "add buffer" else call.data()
        assert_same(before[call.at] + added, after[call.at], story)

    _go_through(luaevent, row, _ADDS, check)


@rule("luaevent.buffer.add-output")
@_ROWS
@given(row=_calls())
def test_add_returns_its_count_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """The number must be that by which the contents grew."""

    def check(call: Call, before: list[bytes], after: list[bytes], got: Any, story: str) -> None:
        added = len(after[call.at]) - len(before[call.at])
        assert got == added, f"{story}: {added} bytes were added, and add() returned {got!r}"

    _go_through(luaevent, row, _ADDS, check)


@rule("luaevent.buffer.add-buffer")
@_ROWS
@given(row=_calls())
def test_an_added_buffer_is_empty_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """Later calls of the row use it again."""

    def check(call: Call, _: list[bytes], after: list[bytes], __: Any, story: str) -> None:
        left = after[call.other]
        assert not left, f"{story}: the added buffer still holds {len(left)} bytes"

    _go_through(luaevent, row, ("add buffer",), check)


@rule("luaevent.buffer.drain")
@_ROWS
@given(row=_calls())
def test_drain_removes_the_first_bytes_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """A drain takes a part of the first piece, all of it, or several pieces."""

    def check(call: Call, before: list[bytes], after: list[bytes], _: Any, story: str) -> None:
        assert_same(before[call.at][call.size :], after[call.at], story)

    _go_through(luaevent, row, ("drain",), check)


@rule("luaevent.buffer.readline")
@_ROWS
@given(row=_calls("readline"))
def test_readline_gives_the_first_line_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """The terminator may be in another piece, or be cut in two."""

    def check(call: Call, before: list[bytes], after: list[bytes], got: Any, story: str) -> None:
        there = before[call.at]
        ends = [at for at in (there.find(b"\r"), there.find(b"\n")) if at >= 0]
        if not ends:
            return  # that is luaevent.buffer.readline-none
        end = min(ends)
        width = 2 if there[end : end + 2] in (b"\r\n", b"\n\r") else 1
        assert_same(there[:end], got, story)
        assert_same(there[end + width :], after[call.at], story)

    _go_through(luaevent, row, ("readline",), check)


@rule("luaevent.buffer.get_data-len")
@_ROWS
@given(row=_calls("get_data", "get_data"))
def test_get_data_gives_the_first_bytes_whatever_happened_before(
    luaevent: LuaeventExtended, row: list[Call]
) -> None:
    """The bytes may lie in several pieces."""

    def check(call: Call, before: list[bytes], _: list[bytes], got: Any, story: str) -> None:
        assert_same(before[call.at][: call.size], got, story)

    _go_through(luaevent, row, ("get_data",), check)
