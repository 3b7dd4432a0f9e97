"""Texts with places in them, which are written out and read back.

    timer {after:1}[, loop {loop:1}][, all arguments given]

A place is `{name}`, the name of an actor; `{channel}`, the number of a channel;
`{n:1}`, a number from 1 on; or `{way:read|write}`, one of these words, the
simplest first.  What stands in brackets may be left out; without a place it is
a mark, which is there or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

# A number, a word, or True for a mark.
Value: TypeAlias = int | str

NAME = "[A-Z][A-Za-z0-9]*"


@dataclass(frozen=True)
class Place:
    """One place of a phrase, and the values that fit into it."""

    name: str
    # empty for actors and channels, else the least number or the words
    fits: str
    is_optional: bool = False
    # a part without a place that can be left out: it is there or not
    is_mark: bool = False

    @property
    def is_number(self) -> bool:
        return self.fits.isdigit()

    @property
    def is_actor(self) -> bool:
        return not self.fits and not self.is_channel and not self.is_mark

    @property
    def is_channel(self) -> bool:
        return self.name == "channel"

    @property
    def pattern(self) -> str:
        if self.is_number or self.is_channel:
            return r"\d+"
        return self.fits or NAME

    def read(self, text: str) -> Value:
        return int(text) if self.is_number or self.is_channel else text

    def simpler(self, value: Value) -> Iterator[Value]:
        """The values that are simpler than *value*, the simplest first."""
        if self.is_number and isinstance(value, int):
            least = int(self.fits)
            fewer = {least, least + 1, value // 2, value - value // 8, value - 1}
            yield from sorted(number for number in fewer if least <= number < value)
        elif self.fits and isinstance(value, str):
            words = self.fits.split("|")
            yield from words[: words.index(value)]


_PLACE = re.compile(r"{(\w+):?([^}]*)}")


@dataclass(frozen=True)
class Phrase:
    """A text with places; *template* is written as the module says."""

    template: str

    @cached_property
    def _parts(self) -> list[tuple[str, Place | None]]:
        """[(its text, the place or mark in it)]"""
        parts: list[tuple[str, Place | None]] = []
        for at, part in enumerate(re.split(r"\[(.*?)\]", self.template)):
            is_optional = at % 2 == 1
            pieces = re.split(r"(?={)|(?<=})", part)
            if is_optional and "{" not in part:
                parts.append((part, Place(part.strip(", "), "", True, True)))
            elif is_optional:
                name, fits = _found(part)
                parts.append((part, Place(name, fits, is_optional=True)))
            else:
                for piece in pieces:
                    place = Place(*_found(piece)) if piece.startswith("{") else None
                    parts.append((piece, place))
        return parts

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The places and marks, in the order of the text."""
        return tuple(place for _, place in self._parts if place is not None)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        said = ""
        for number, (text, place) in enumerate(self._parts):
            if place is None:
                said += re.escape(text)
            elif place.is_mark:
                said += f"(?P<p{number}>{re.escape(text)})?"
            else:
                before, _, rest = text.partition("{")
                after = rest.partition("}")[2]
                group = f"(?P<p{number}>{place.pattern})"
                whole = re.escape(before) + group + re.escape(after)
                said += f"(?:{whole})?" if place.is_optional else whole
        return re.compile(said)

    def text(self, values: Mapping[str, Value]) -> str:
        """Write it out with these *values*, by the names of the places."""
        return "".join(
            text if place is None else _PLACE.sub(str(values[place.name]), text)
            for text, place in self._parts
            if place is None or place.name in values
        )

    def read(self, text: str) -> dict[str, Value] | None:
        """Return the values that *text* gives to the places, or None if it is another phrase."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        return {
            place.name: True if place.is_mark else place.read(match[f"p{number}"])
            for number, (_, place) in enumerate(self._parts)
            if place is not None and match[f"p{number}"] is not None
        }


def _found(part: str) -> tuple[str, str]:
    match = _PLACE.search(part)
    assert match is not None, part
    return match[1], match[2]
