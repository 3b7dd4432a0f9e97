"""Makes bytes that do not repeat, and describes how the bytes that came differ from them."""

from __future__ import annotations

import struct
from collections.abc import Callable

# A message shows this many bytes from the first difference on.
_SHOWN = 16


def payload(size: int, start: int = 0) -> bytes:
    """*size* bytes, of which no two neighbouring eight are found twice.

    *start* is the position of the first one: what follows `payload(n)` is
    `payload(m, n)`.  All byte values occur.
    """
    global _made
    if start + size > len(_made):
        _made += _numbers(len(_made) // 4, (start + size - len(_made)) // 4 + 1)
    return _made[start : start + size]


def _numbers(first: int, count: int) -> bytes:
    numbers = (at * 0x9E3779B1 & 0xFFFFFFFF for at in range(first + 1, first + 1 + count))
    return struct.pack(f">{count}I", *numbers)


# All bytes that were made so far, from position 0.  Most tests need no more than
# these, which the workers share.
_made = _numbers(0, 1 << 15)


def difference(expected: bytes | bytearray, got: object) -> str:
    """Describe how *got* differs from the *expected* bytes; return "" if it does not."""
    if got == expected:
        return ""
    expected = bytes(expected)
    if isinstance(got, Exception):
        return f"{len(expected)} bytes were expected, {_short(expected)}; it raised {got!r:.80}"
    if not isinstance(got, bytes | bytearray | memoryview):
        return f"{len(expected)} bytes were expected, {_short(expected)}; there came {got!r:.80}"
    came = bytes(got)
    if len(expected) <= 2 * _SHOWN and len(came) <= 4 * _SHOWN:
        return f"expected {expected!r}; there came {came!r}"
    at = next(
        (at for at, (one, other) in enumerate(zip(expected, came, strict=False)) if one != other),
        min(len(expected), len(came)),
    )
    return (
        f"expected {len(expected)} bytes, there came {len(came)}; the first difference is at "
        f"position {at}: expected {_short(expected[at:])}, there came {_short(came[at:])}"
        f"{_origin(expected, came, at)}"
    )


def assert_same(expected: bytes | bytearray, got: object, when: str) -> None:
    """Raises AssertionError, which begins with *when*, unless *got* is the *expected* bytes."""
    if difference_found := difference(expected, got):
        raise AssertionError(f"{when}: {difference_found}")


def outcome(call: Callable[..., object], *args: object) -> object:
    """Return the result of `call(*args)`, or the exception that it raised."""
    try:
        return call(*args)
    except Exception as error:
        return error


def _origin(expected: bytes, came: bytes, at: int) -> str:
    """Say where the bytes that came in the wrong place belong, if that can be known."""
    piece = came[at : at + 8]
    if len(piece) < 8:
        return ""
    belongs = expected.find(piece)
    if belongs < 0:
        return ""
    if belongs > at:
        return f" ({belongs - at} bytes are missing before them)"
    return f" (bytes of position {belongs} again)"


def _short(data: bytes) -> str:
    if not data:
        return "nothing"
    more = "..." if len(data) > _SHOWN else ""
    return f"{data[:_SHOWN]!r}{more}"
