"""luaevent, bufferevent: what is open."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from looptck.rules.markers import rule
from looptck.testing.bufferevent_driver import BufferEventDriver, Script
from looptck.testing.channels import Channels
from looptck.testing.observation import Observation


@rule("luaevent.bufferevent.chunks")
def test_how_much_comes_with_each_call(
    turns: BufferEventDriver, channels: Channels, observe: Observation
) -> None:
    """How many calls there are may depend on the machine; whether it is one does not."""
    near, far = channels.pair()
    levels: list[int] = []

    def script() -> Script:
        held = turns.bufferevent(near, read=lambda held: levels.append(held.level))
        size = far.send(bytes(60_000))
        held.enable(turns.read)
        yield from turns.until(lambda: held.level == size)
        yield from turns.quiet()

    turns.play(script)
    said = {0: "no call", 1: "one call"}.get(len(levels), "several calls")
    observe(said, of="60 000 bytes that wait")


@rule("luaevent.bufferevent.chunks")
def test_which_callback_comes_first(
    turns: BufferEventDriver, channels: Channels, observe: Observation
) -> None:
    """The first call with nothing to send, which a loop may make or not, has gone by."""
    near, far = channels.pair()

    def script() -> Script:
        held = turns.bufferevent(near)
        held.enable(turns.both)
        yield from turns.quiet()
        turns.trace.clear()
        far.send(b"in")
        held.output.add(b"out")
        yield from turns.until(lambda: turns.count("read") and turns.count("write"))

    turns.play(script)
    observe(f"{turns.trace[0]} first" if turns.trace else "no call", of="data and room in one turn")


class _OopsError(Exception):
    """What a callback raises."""


@rule("luaevent.bufferevent.error-in-callback")
@pytest.mark.parametrize("callback", ["read", "write", "error"])
def test_an_exception_in_a_callback(
    turns: BufferEventDriver, channels: Channels, observe: Observation, callback: str
) -> None:
    """The loop goes round a second time, to see whether it serves the bufferevent still."""
    near, far = channels.pair()
    calls: list[str] = []

    def acting(name: str) -> Any:
        def act(*_arguments: Any) -> None:
            if len(calls) < 1000:
                calls.append(name)
                if name == callback:
                    raise _OopsError(name)

        return act

    made = turns.luaevent.bufferevent.new(
        turns.base, near.fileno(), acting("read"), acting("write"), acting("error")
    )

    def happen() -> Script:
        held = again.keep(made)
        held.enable(turns.both)
        far.send(b"in")
        held.output.add(b"out")
        if callback == "error" and not calls:
            far.close()
        yield from again.quiet()

    said = []
    for of in ("the exception", "the next one"):
        again = BufferEventDriver(turns.luaevent, channels)
        again.base = turns.base
        before = calls.count(callback)
        came_out = "is lost"
        try:
            with suppress(OSError):  # the peer may be gone
                again.play(happen)
        except _OopsError:
            came_out = "comes out of loop()"
        except Exception as error:
            came_out = f"becomes a {type(error).__name__}"
        said.append(came_out if calls.count(callback) > before else "does not come")
        observe(said[-1], of=f"{of} in {callback}")
