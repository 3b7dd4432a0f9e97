"""Checks of watched descriptors: who is called when, and who is called no more."""

from __future__ import annotations

from ..testing.channels import Channels
from .verbs import Script, Watching, turns, until


def test_a_watch_that_ended_is_not_called(loop: Watching, channels: Channels) -> None:
    """The descriptor stays readable, so a loop that forgot to tell the kernel would call."""
    near, far = channels.pair()
    calls = loop.calls("reader")

    def script() -> Script:
        watch = loop.watch(near.fileno(), "r", calls)
        far.send(b"x")
        yield until("the reader is called", lambda: calls.count)
        loop.unwatch(watch)
        calls.clear()
        yield turns()
        assert calls.count == 0, f"a watch that had ended was called {calls.count} times"

    loop.play(script())
