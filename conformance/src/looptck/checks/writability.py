"""Checks of writers: they are called when a write would not wait, and only then."""

from __future__ import annotations

import os
import socket

import pytest

from ..testing.channels import Channels, drain, fill
from ..testing.kernel import wait_writable
from ..testing.situations import Situation, everywhere
from .scenes import CHANNELS, act_in, early_or_late
from .verbs import Script, Watching, turns, until


@everywhere
@pytest.mark.parametrize("kind", ["pair", "pipe", "tcp"])
def test_a_writer_is_called_if_there_is_room(
    loop: Watching, channels: Channels, situation: Situation, kind: str
) -> None:
    """The room was there before the watch."""
    far, near = CHANNELS[kind](channels)
    calls = loop.calls("writer")

    def script() -> Script:
        yield from act_in(situation, loop, channels, lambda: loop.watch(near.fileno(), "w", calls))
        yield until("the writer is called", lambda: calls.count)

    loop.play(script())
    del far


def test_a_writer_is_called_while_room_is_left(loop: Watching, channels: Channels) -> None:
    """Nothing is written, so that the room stays."""
    calls = loop.calls("writer")

    def script() -> Script:
        loop.watch(channels.pair()[0].fileno(), "w", calls)
        yield until("the writer is called again and again", lambda: calls.count >= 5)

    loop.play(script())


@everywhere
@pytest.mark.parametrize("kind", ["pair", "pipe"])
@pytest.mark.parametrize("readable", [False, True])
def test_a_writer_is_silent_until_there_is_room(
    loop: Watching, channels: Channels, situation: Situation, kind: str, readable: bool
) -> None:
    """The socket may be readable meanwhile.  The writer uses up the room."""
    far, near = CHANNELS[kind](channels)
    fill(near)
    if readable and isinstance(far, socket.socket):
        far.send(b"x")
    calls = loop.calls("writer", lambda: fill(near))

    def script() -> Script:
        yield from act_in(situation, loop, channels, lambda: loop.watch(near.fileno(), "w", calls))
        yield turns()
        assert calls.count == 0, f"the writer was called {calls.count} times without room"
        drain(far)
        yield until("the writer is called once there is room", lambda: calls.count)
        yield turns()
        assert calls.count == 1, f"room was made and used up once, and {calls.count} calls came"

    loop.play(script())


@pytest.mark.parametrize("kind", ["pair", "pipe"])
def test_a_writer_is_called_when_its_reader_is_gone(
    loop: Watching, channels: Channels, kind: str
) -> None:
    """The channel was full; a write does not wait any more, it fails."""
    far, near = CHANNELS[kind](channels)
    fill(near)
    calls = loop.calls("writer")

    def script() -> Script:
        watch = loop.watch(near.fileno(), "w", calls)
        yield turns()
        assert calls.count == 0, f"the writer was called {calls.count} times without room"
        far.close()
        yield until("the writer is called when its reader is gone", lambda: calls.count)
        loop.unwatch(watch)

    loop.play(script())


def test_the_reading_end_of_a_pipe_is_not_writable(loop: Watching, channels: Channels) -> None:
    """A loop may refuse to watch it; data comes and goes meanwhile."""
    near, far = channels.one_way_pipe()
    calls = loop.calls("writer")

    def script() -> Script:
        try:
            loop.watch(near.fileno(), "w", calls)
        except Exception:
            return
        yield turns()
        far.send(b"x")
        yield turns()

    loop.play(script())
    assert calls.count == 0, f"the reading end of a pipe was called writable {calls.count} times"


@early_or_late
def test_a_writer_is_called_when_its_connection_is_made(
    loop: Watching, channels: Channels, early: bool
) -> None:
    """The socket is connecting when it is watched, or connected already."""
    listening = channels.listener()
    client = channels.connecting(listening.getsockname())
    calls = loop.calls("client")
    if early:
        channels.accept(listening)

    def script() -> Script:
        loop.watch(client.fileno(), "w", calls)
        wait_writable(client)
        yield until("the client is called when it is connected", lambda: calls.count, within=2)

    loop.play(script())
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error == 0, f"the client was called, and its connection failed: {os.strerror(error)}"


def test_a_writer_is_called_when_its_connection_fails(loop: Watching, channels: Channels) -> None:
    """Nobody listens at the address; the error is there when the call comes."""
    client = channels.refused()
    calls = loop.calls("client")

    def script() -> Script:
        watch = loop.watch(client.fileno(), "w", calls)
        wait_writable(client)
        yield until("the client is called when it is refused", lambda: calls.count, within=2)
        loop.unwatch(watch)

    loop.play(script())
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error != 0, "the client was called, and there was no error of its connection"
