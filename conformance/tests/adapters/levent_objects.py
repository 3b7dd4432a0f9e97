"""Objects of levent as the tests of its adapters make them."""

from __future__ import annotations

import socket
import weakref
from typing import Any

Pair = tuple[socket.socket, socket.socket]

Calls = list[tuple[Any, ...]]


def noting_evbuf(base: Any, near: socket.socket) -> tuple[Any, Calls]:
    """A new buffered event, and the list in which its callbacks note what they are given."""
    calls: Calls = []
    evbuf = base.newevbuf(
        near.fileno(),
        lambda *given: calls.append(("read", *given)),
        lambda *given: calls.append(("write", *given)),
        lambda *given: calls.append(("error", *given)),
    )
    return evbuf, calls


class DroppedWhenCalled:
    """Holds the only reference to a started event, of either *kind*, until it is called."""

    def __init__(self, base: Any, near: socket.socket, kind: str) -> None:
        make = base.newevent if kind == "event" else base.newevbuf
        self.kept: dict[str, Any] = {}
        self.kept["it"] = make(near.fileno(), lambda _: self.kept.clear())
        self.kept["it"].start()
        self._it = weakref.ref(self.kept["it"])

    def is_gone(self) -> bool:
        return self._it() is None
