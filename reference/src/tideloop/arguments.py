"""Checks of arguments: a wrong type is a TypeError, a wrong value a ValueError.

Each returns what it was given, in the form that is kept, and changes nothing.
A message names the parameter, shows the value and says what to pass instead.
Knows no event and no loop.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import inf, isfinite, isnan
from typing import Any, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class HasFileno(Protocol):
    def fileno(self) -> int:
        """The number of the open file."""


Descriptor: TypeAlias = int | HasFileno

Bytes: TypeAlias = bytes | bytearray | memoryview

# the largest number that the calls of the system take for a descriptor: a C int
_MOST = 2**31 - 1


def shown(value: object) -> str:
    """*value* as a message shows it: in one line, and not too long."""
    try:
        text = repr(value)
    except Exception:  # the caller's mistake must be told whatever its value does
        return f"an object of type {type(value).__name__!r}"
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def callback(value: Callable[..., T], name: str) -> Callable[..., T]:
    """*value*, which can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {shown(value)}; pass a function")
    return value


def maybe_callback(value: Callable[..., T] | None, name: str) -> Callable[..., T] | None:
    """*value*, which can be called or is None."""
    if value is not None and not callable(value):
        raise TypeError(
            f"{name} must be callable or None, not {shown(value)}; pass a function, or None"
        )
    return value


def seconds(value: object, name: str) -> float:
    """*value* as a length of time, 0 or more; infinite is for ever."""
    if type(value) is float and value >= 0:  # luaevent.addevent.timeout-decimal
        return value
    length = number(value, name)
    if length < 0:
        raise ValueError(
            f"{name} must be 0 or more seconds, not {shown(value)}; pass 0 for at once"
        )
    return length


def number(value: object, name: str) -> float:
    """*value*, whatever kind of number it is, as a float that is not NaN."""
    if isinstance(value, timedelta):
        raise TypeError(
            f"{name} must be a number of seconds, not {shown(value)}; pass its total_seconds()"
        )
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(
            f"{name} must be a number of seconds, not {shown(value)}; pass an int or a float"
        )
    try:
        found = float(value)
    except OverflowError:
        found = inf if value > 0 else -inf  # type: ignore[operator]  # a number, if too long a one
    except TypeError:
        raise TypeError(
            f"{name} must be a number of seconds, not {shown(value)}; pass an int or a float"
        ) from None
    except ValueError:  # a signalling NaN
        found = float("nan")
    if isnan(found):
        raise ValueError(
            f"{name} must be a number of seconds, not {shown(value)}; pass a number that is not NaN"
        )
    return found


def moment(value: object, name: str) -> float:
    """*value* as a point of time: finite."""
    found = number(value, name)
    if not isfinite(found):
        raise ValueError(f"{name} must be finite, not {shown(value)}; pass a number of seconds")
    return found


def size(value: object, name: str, least: int = 0) -> int:
    """*value*, a number of bytes, *least* or more."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of bytes, not {shown(value)}; pass an int")
    if value < least:
        raise ValueError(
            f"{name} must be {least} or more bytes, not {shown(value)}; pass {least} or more"
        )
    return value


def whole(value: object, name: str) -> int:
    """*value*, any whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {shown(value)}; pass an int")
    return value


def watermarks(low: object, high: object) -> tuple[int, int]:
    """A low and a high watermark; a *high* of 0 is none."""
    least, most = size(low, "the low watermark"), size(high, "the high watermark")
    if most and least > most:
        raise ValueError(
            f"the low watermark must not be above the high one, not {shown(low)} above"
            f" {shown(high)}; pass a high watermark of {shown(low)} or more, or 0 for none"
        )
    return least, most


def flag(value: object, name: str) -> bool:
    """*value*, True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {shown(value)}; pass True or False")
    return value


def descriptor(value: object) -> int:
    """The number of the descriptor *value*: an int, or what its `fileno()` returns."""
    # luaevent.fd.kinds-integer
    if type(value) is int and 0 <= value <= _MOST:  # luaevent.addevent.fd-integer
        return value
    found = value
    if not isinstance(value, int):
        try:
            fileno: Any = getattr(value, "fileno", None)
            # luaevent.fd.kinds-light
            found = fileno() if callable(fileno) else None  # luaevent.fd.kinds-socket
        except Exception as error:  # whatever it is, it is a reason why there is no descriptor
            raise ValueError(
                f"{shown(value)} must be an open file, but its fileno() raised {shown(error)};"
                " pass a descriptor that is open"
            ) from error
        if not callable(fileno):
            raise TypeError(
                f"a descriptor must be an int or have a fileno(), not {shown(value)};"
                " pass a socket, a file or its number"
            )
    if not isinstance(found, int) or isinstance(found, bool):
        of = "" if found is value else f" as the fileno() of {shown(value)}"
        raise TypeError(
            f"a descriptor must be an int, not {shown(found)}{of};"
            " pass a socket, a file or its number"
        )
    if not 0 <= found <= _MOST:
        of = "" if found is value else f" as the fileno() of {shown(value)}"
        raise ValueError(
            f"a descriptor must be from 0 to {_MOST}, not {shown(found)}{of}; pass one that is open"
        )
    return int(found)


def data(value: object, name: str) -> bytes:
    """The bytes of *value*, a `bytes` or any other buffer."""
    try:
        return bytes(memoryview(value))  # type: ignore[arg-type]  # bytes() alone takes a number
    except TypeError:
        hint = "encode() makes bytes of text" if isinstance(value, str) else "pass bytes"
        raise TypeError(
            f"{name} must be bytes or another buffer, not {shown(value)}; {hint}"
        ) from None
    except (ValueError, BufferError) as error:
        raise ValueError(
            f"{name} must be a buffer that can be read, not {shown(value)}: {error}; pass bytes"
        ) from None
