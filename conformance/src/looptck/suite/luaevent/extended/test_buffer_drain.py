"""luaevent's complete library, buffer: drain and close."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, outcome, payload


def _filled(luaevent: LuaeventExtended, contents: bytes, pieces: int = 1) -> Buffer:
    """Return a buffer with the *contents*, which came into it in so many *pieces*."""
    buffer = luaevent.buffer.new()
    step = max(1, -(-len(contents) // pieces))
    for at in range(0, len(contents), step):
        buffer.add(contents[at : at + step])
    return buffer


@rule("luaevent.buffer.drain")
@pytest.mark.parametrize("contents", [b"", b"kept"], ids=["empty", "with contents"])
def test_drain_without_a_number_is_refused(luaevent: LuaeventExtended, contents: bytes) -> None:
    """drain has no default."""
    buffer = _filled(luaevent, contents)
    drain: Callable[..., object] = buffer.drain
    assert error_of(drain) is not None, "drain() without a number raised no error"
    assert_same(contents, buffer.get_data() or b"", "after drain() without a number")


@rule("luaevent.buffer.drain-negative")
@pytest.mark.parametrize("n", [-1, -2, -5, -6, -1000, -(2**31)])
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("size", [0, 1, 5, 6, 200_000])
def test_drain_of_a_negative_number_leaves_nothing(
    luaevent: LuaeventExtended, n: int, pieces: int, size: int
) -> None:
    """The number is as large as the contents, smaller or larger; new bytes must be alone
    afterwards."""
    buffer = _filled(luaevent, payload(size), pieces)
    refused = error_of(buffer.drain, n)
    assert refused is None, f"drain({n}) of {size} bytes raised {refused!r}"
    left = buffer.get_data() or b""
    assert not left, f"drain({n}) of {size} bytes left {len(left)}: {left[:20]!r}"
    buffer.add(b"new")
    assert_same(b"new", buffer.get_data(), f"bytes that were added after drain({n})")


# {method: calls it; a descriptor with data waiting and room is at hand}
_METHODS: dict[str, Callable[[Buffer, Any, int], object]] = {
    "add of bytes": lambda closed, other, fd: closed.add(b"x"),
    "add of no bytes": lambda closed, other, fd: closed.add(b""),
    "add of a buffer": lambda closed, other, fd: closed.add(other),
    "length": lambda closed, other, fd: closed.length(),
    "len()": lambda closed, other, fd: len(closed),
    "get_data()": lambda closed, other, fd: closed.get_data(),
    "get_data(1)": lambda closed, other, fd: closed.get_data(1),
    "get_data(1, 1)": lambda closed, other, fd: closed.get_data(1, 1),
    "bytes()": lambda closed, other, fd: bytes(closed),
    "readline": lambda closed, other, fd: closed.readline(),
    "drain(1)": lambda closed, other, fd: closed.drain(1),
    "drain(0)": lambda closed, other, fd: closed.drain(0),
    "drain(-1)": lambda closed, other, fd: closed.drain(-1),
    "read": lambda closed, other, fd: closed.read(fd, 10),
    "write": lambda closed, other, fd: closed.write(fd),
    "add to another": lambda closed, other, fd: other.add(closed),
}


@rule("luaevent.buffer.close")
@pytest.mark.parametrize("method", _METHODS)
@pytest.mark.parametrize("contents", [b"", b"line\nand more"], ids=["empty", "with contents"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_closed_buffer_refuses_every_method(
    luaevent: LuaeventExtended, channels: Channels, method: str, contents: bytes, times: int
) -> None:
    """The descriptor has data and room, so that only the close can be the reason."""
    near, far = channels.pair()
    far.send(b"data")
    closed = _filled(luaevent, contents)
    for _ in range(times):
        with suppress(Exception):  # whether that is harmless is another test's business
            closed.close()
    other = _filled(luaevent, b"other")
    refused = error_of(_METHODS[method], closed, other, near.fileno())
    assert refused is not None, f"{method} of a buffer that was closed raised no error"


@rule("luaevent.buffer.close")
@pytest.mark.parametrize("contents", [b"", b"contents"], ids=["empty", "with contents"])
def test_closing_a_buffer_again_is_harmless(luaevent: LuaeventExtended, contents: bytes) -> None:
    """A buffer made after the first close may have taken over what the second one would free."""
    closed = _filled(luaevent, contents)
    closed.close()
    fresh = _filled(luaevent, b"fresh")
    for time in ("second", "third"):
        refused = error_of(closed.close)
        assert refused is None, f"close() failed the {time} time: {refused!r}"
        assert_same(b"fresh", outcome(fresh.get_data), f"another buffer, after the {time} close()")
    assert error_of(fresh.add, b"!") is None, "closing one buffer twice closed another"


@rule("luaevent.buffer.close")
def test_closing_a_buffer_leaves_other_buffers_alone(luaevent: LuaeventExtended) -> None:
    """One got its bytes from the closed one, one gave its bytes to it, and one had nothing to do
    with it."""
    closed, heir, giver, stranger = (
        _filled(luaevent, name) for name in (b"closed", b"heir ", b"giver", b"stranger")
    )
    heir.add(closed)
    closed.add(giver)
    giver.add(b"again")
    closed.close()
    for buffer, expected in (heir, b"heir closed"), (giver, b"again"), (stranger, b"stranger"):
        assert_same(expected, outcome(buffer.get_data), "another buffer, after one was closed")
        refused = error_of(buffer.add, b"!")
        assert refused is None, f"another buffer took no bytes after one was closed: {refused!r}"
        assert_same(expected + b"!", buffer.get_data(), "another buffer, added to")
