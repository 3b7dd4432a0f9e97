"""luaevent's complete library, buffer: readline takes lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.payload import assert_same, outcome

_TERMINATORS = (b"\r\n", b"\n\r", b"\r", b"\n")

_TWO_TERMINATORS = re.compile(rb"(\r\n|\n\r|\r(?!\n)|\n(?!\r))[\r\n]")


def _first_line(contents: bytes) -> tuple[bytes | None, bytes]:
    """Return the line that the model expects, and the rest."""
    for at in range(len(contents)):
        pair = contents[at : at + 2]
        if pair in _TERMINATORS or pair[:1] in _TERMINATORS:
            return contents[:at], contents[at + (2 if pair in _TERMINATORS[:2] else 1) :]
    return None, contents


def _lines(contents: bytes) -> tuple[list[bytes], bytes]:
    """Return all lines that the model expects, and the rest."""
    lines: list[bytes] = []
    while True:
        line, contents = _first_line(contents)
        if line is None:
            return lines, contents
        lines.append(line)


def _words(longest: int) -> Iterator[bytes]:
    """Make every row of that many letters, carriage returns and line feeds, the shortest first."""
    for size in range(longest + 1):
        for letters in product(b"a\r\n", repeat=size):
            yield bytes(letters)


def _without_end(line: bytes | None) -> bytes | None:
    """Return the line without line ends, which readline should have cut off: another rule judges
    that."""
    return line.rstrip(b"\r\n") if isinstance(line, bytes) else line


@rule("luaevent.buffer.readline")
@pytest.mark.parametrize("way", ["at once", "byte by byte", "behind a line that was read"])
def test_each_terminator_ends_one_line(luaevent: LuaeventExtended, way: str) -> None:
    """The test tries all rows of six letters and line ends; a last letter keeps the end of the
    contents apart."""
    for word in _words(6):
        buffer = luaevent.buffer.new()
        contents = word + b"z"
        if way == "behind a line that was read":
            buffer.add(b"before\nit")
            buffer.readline()
            contents = b"it" + contents
        pieces = [word + b"z"] if way != "byte by byte" else [bytes([byte]) for byte in word + b"z"]
        for piece in pieces:
            buffer.add(piece)
        expected, left = _lines(contents)
        _expect_lines(buffer, expected, f"{contents!r}, added {way}")
        assert_same(left, buffer.get_data(), f"left of {contents!r} after its lines were read")


def _expect_lines(buffer: Buffer, expected: list[bytes], what: str) -> None:
    """Assert that exactly the *expected* lines can be read."""
    got = [_without_end(buffer.readline()) for _ in expected]
    assert got == expected, f"the lines of {what}, are {expected}; readline returned {got}"


# {what happens to contents in which no line was found: what is left of them}
_LEAVING: dict[str, tuple[Callable[[LuaeventExtended, Buffer], object], bytes]] = {
    "nothing": (lambda _, buffer: None, b"unended"),
    "drain(3)": (lambda _, buffer: buffer.drain(3), b"nded"),
    "drain(-1)": (lambda _, buffer: buffer.drain(-1), b""),
    "add to another": (lambda entry, buffer: entry.buffer.new().add(buffer), b""),
}


@rule("luaevent.buffer.readline")
@pytest.mark.parametrize("leaving", _LEAVING)
@pytest.mark.parametrize("terminator", _TERMINATORS, ids=repr)
def test_a_line_is_found_wherever_the_search_ended_before(
    luaevent: LuaeventExtended, leaving: str, terminator: bytes
) -> None:
    """An earlier search passed seven bytes without a line; the new line's end is among the first
    seven, and later."""
    leave, left = _LEAVING[leaving]
    for line in (b"", b"x", b"six...", b"seven..", b"more than seven"):
        buffer = luaevent.buffer.new()
        buffer.add(b"unended")
        outcome(buffer.readline)
        outcome(leave, luaevent, buffer)
        if outcome(buffer.get_data) not in (left, left or None):
            return  # that it does not leave is another rule's business
        buffer.add(line + terminator + b"rest")
        got = _without_end(buffer.readline())
        what = f"the line after readline of b'unended' and {leaving}"
        assert_same(left + line, got, what)
        assert_same(b"rest", buffer.get_data(), f"left after {what}")


@rule("luaevent.buffer.readline")
def test_thousands_of_lines_are_returned(luaevent: LuaeventExtended) -> None:
    """They are as long as their numbers, and some of them are empty."""
    lines = [b"%d" % number if number % 7 else b"" for number in range(5000)]
    buffer = luaevent.buffer.new()
    buffer.add(b"\n".join(lines) + b"\n")
    for number, line in enumerate(lines):
        got = buffer.readline()
        assert got == line, f"line {number} of {len(lines)} is {line!r}, and readline gave {got!r}"


@rule("luaevent.buffer.readline-none")
def test_an_early_readline_leaves_the_line_whole(luaevent: LuaeventExtended) -> None:
    """readline is called after every byte, and then a few bytes come at once."""
    buffer = luaevent.buffer.new()
    for at in range(5):
        buffer.add(b"whole"[at : at + 1])
        line = outcome(buffer.readline)
        assert line is None, (
            f"readline of {b'whole'[: at + 1]!r}: expected None, there came {line!r:.80}"
        )
    buffer.add(b" line\nrest")
    line = _without_end(buffer.readline())
    assert line == b"whole line", f"a line was asked for too early; when it was whole: {line!r}"
    line = outcome(buffer.readline)
    assert line is None, (
        f"readline of what follows the last terminator: expected None, there came {line!r:.80}"
    )
    assert_same(b"rest", buffer.get_data(), "left after the last line")


@rule("luaevent.buffer.readline-strip")
@pytest.mark.parametrize("terminator", _TERMINATORS, ids=repr)
@pytest.mark.parametrize(
    "line", [b"", b"a", b"two words", b" spaces ", b"\t", b"\\n", b"end."], ids=repr
)
def test_a_line_is_returned_without_its_terminator(
    luaevent: LuaeventExtended, terminator: bytes, line: bytes
) -> None:
    """Another line follows, so that no terminator is the last byte of the contents.

    No terminator precedes it, so that the begin of each is clear.
    """
    buffer = luaevent.buffer.new()
    buffer.add(line + terminator + b"next line" + terminator + b"rest")
    for expected in (line, b"next line"):
        got = buffer.readline()
        assert got == expected, f"a line that ends with {terminator!r}: readline returned {got!r}"


@rule("luaevent.buffer.readline-split")
def test_the_lines_do_not_depend_on_the_pieces(luaevent: LuaeventExtended) -> None:
    """The test adds every row of five letters and line ends, in all possible pieces.

    Another rule judges terminators that follow each other in the contents at one time.
    """
    for word in _words(5):
        for cuts in product((False, True), repeat=max(0, len(word) - 1)):
            pieces = _pieces(word, cuts)
            if not _are_apart(pieces):
                continue
            buffer = luaevent.buffer.new()
            left = b""
            for at, piece in enumerate(pieces):
                buffer.add(piece)
                expected, left = _lines(left + piece)
                got = _read_all(buffer, len(expected) + 2)
                assert got == expected, (
                    f"of the pieces {pieces}, after piece {at + 1}: the lines are {expected}, "
                    f"readline returned {got}"
                )
            assert_same(left, buffer.get_data() or b"", f"left of the pieces {pieces}")


def _are_apart(pieces: list[bytes]) -> bool:
    """Return whether no terminator follows another, as long as lines are read after each piece."""
    left = b""
    for piece in pieces:
        if _TWO_TERMINATORS.search(left + piece):
            return False
        _, left = _lines(left + piece)
    return True


def _pieces(word: bytes, cuts: tuple[bool, ...]) -> list[bytes]:
    """Cut *word* after each byte for which *cuts* is true."""
    pieces = [word[:1]]
    for at, cut in enumerate(cuts, start=1):
        if cut:
            pieces.append(b"")
        pieces[-1] += word[at : at + 1]
    return pieces


def _read_all(buffer: Buffer, most: int) -> list[bytes]:
    lines: list[bytes] = []
    while len(lines) < most and (line := buffer.readline()) is not None:
        lines.append(line.rstrip(b"\r\n"))
    return lines
