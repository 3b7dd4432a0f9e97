"""The stream of events from the runner to the command line."""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from ..rules.catalogue import Catalogue
from .channel import Sender
from .messages import Message, Progress

# How often the command line is told that the runner works, in seconds.
_HEARTBEAT = 1.0


class EventStream:
    """A plugin of pytest that reports to the process which started this one."""

    KEY: ClassVar[pytest.StashKey[EventStream]] = pytest.StashKey()

    def __init__(self, sender: Sender | None = None, catalogue: Catalogue | None = None) -> None:
        self._sender = sender
        # the rules that the command line has read; None if the plugin reads them
        self.catalogue = catalogue
        self._last_sent = 0.0

    @property
    def is_read(self) -> bool:
        """Whether such a process exists; without one, people read pytest's output."""
        return self._sender is not None

    def send(self, message: Message) -> None:
        if self._sender is not None:
            self._last_sent = time.monotonic()
            self._sender.send(message)

    def note_progress(self) -> None:
        """Send `Progress`, unless a message was sent a moment ago."""
        if time.monotonic() - self._last_sent > _HEARTBEAT:
            self.send(Progress())

    def pytest_itemcollected(self) -> None:
        self.note_progress()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[self.KEY] = self
