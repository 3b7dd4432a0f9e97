"""Text from outside made fit for a terminal, JSON and XML, and near misses of names.

Names, reasons, messages and observations come from the loop under test and may
hold anything that Python calls a string.  `printable` is applied once, where
they enter the command line; whatever is written afterwards is well-formed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")


def printable(value: _T) -> _T:
    """*value* with its unprintable characters as escapes, such as ``\\x1b``.

    Unprintable is what `str.isprintable` says: control characters, which a
    terminal obeys, marks of direction, characters without a width, lone
    surrogates, which UTF-8 has no bytes for, and spaces other than the usual one.
    Strings keep their tabs and line feeds.  In mappings and sequences, which
    are JSON types, keys and members are treated in the same way.
    """
    made: object = value
    if isinstance(value, str):
        made = value if value.isprintable() else "".join(map(_escape, value))
    elif isinstance(value, dict):
        made = {printable(key): printable(member) for key, member in value.items()}
    elif isinstance(value, (list, tuple)):
        made = [printable(member) for member in value]
    return made  # type: ignore[return-value]  # JSON types map to themselves


def one_line(text: str) -> str:
    """*text* printable and without line breaks."""
    return printable(" ".join(text.split()))


def shown(value: object, length: int = 60) -> str:
    """`repr` of *value* for a message: printable, in one line, cut off after *length*."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except Exception as error:  # a loop's own __repr__
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = one_line(text)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """``did you mean 'luahop'? `` if one of *known* is near to *value*, otherwise nothing."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(value.lower(), by_lower_case, n=1)
    return f"did you mean {by_lower_case[near[0]]!r}? " if near else ""


def _escape(character: str) -> str:
    if character.isprintable() or character in "\t\n":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
