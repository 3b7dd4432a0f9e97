"""The type that every profile accepts where its document says `fd`."""

from __future__ import annotations

from typing import Protocol


class HasFileno(Protocol):
    def fileno(self) -> int:
        """The number of the open file."""


Descriptor = int | HasFileno
