"""Exceptions that callbacks raised in an asyncio loop, which would otherwise only log it."""

from __future__ import annotations

from typing import Any


class Errors:
    """Keeps the exceptions of callbacks until the loop is left."""

    def __init__(self) -> None:
        self._kept: list[BaseException] = []

    def keep(self, error: BaseException) -> None:
        self._kept.append(error)

    def keep_context(self, context: dict[str, Any]) -> None:
        """Keep what an exception handler was told of."""
        self.keep(context.get("exception") or RuntimeError(context["message"]))

    def raise_first(self) -> None:
        """Raises the first exception, with a note of those that came after it."""
        if not self._kept:
            return
        first, *others = self._kept
        self._kept.clear()
        for other in others:
            first.add_note(f"later in the same turn: {other!r}")
        raise first
