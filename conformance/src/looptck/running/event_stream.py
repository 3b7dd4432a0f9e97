"""What the runner says to the command line, event by event."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import pytest

from .messages import Sender

# How often whoever reads is told that something goes on, in seconds.
_HEARTBEAT = 1.0


class Stream:
    """Reports to the process that started us, and as a plugin brings itself along."""

    KEY: ClassVar[pytest.StashKey[Stream]] = pytest.StashKey()

    def __init__(self, sender: Sender | None = None) -> None:
        self._sender = sender
        self._said = 0.0

    @property
    def is_read(self) -> bool:
        """Whether such a process exists; without, it is pytest's output that people read."""
        return self._sender is not None

    def say(self, message: dict[str, Any]) -> None:
        if self._sender is not None:
            self._said = time.monotonic()
            self._sender.send(message)

    def go_on(self) -> None:
        """Something was done: say so, unless something was said a moment ago."""
        if time.monotonic() - self._said > _HEARTBEAT:
            self.say({"kind": "progress"})

    def pytest_itemcollected(self) -> None:
        self.go_on()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[self.KEY] = self
