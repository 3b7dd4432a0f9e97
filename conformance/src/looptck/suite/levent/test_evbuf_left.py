"""levent, buffered events: a dropped one leaves nothing behind."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import EvBuf, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill
from looptck.testing.payload import payload
from looptck.testing.resources import ResourceSnapshot, alive, left_since


class Callback:
    """A callback that accepts weak references, so that a test sees whether it is still held."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_arguments: object) -> None:
        self.calls += 1


def _used(
    levent: Levent, near: Any, far: Any, state: str
) -> tuple[list[weakref.ref[Callback]], Callable[[], None]]:
    """Return the callbacks of a buffered event that has served, and a function that drops it
    with its base."""
    base = levent.newbase()
    callbacks = [Callback() for _ in range(3)]
    evbuf = base.newevbuf(near.fileno(), *callbacks)
    kept: list[object] = [base, evbuf]
    evbuf.start()
    far.send(b"data")
    for _ in range(50):
        base.loop(0)
    assert callbacks[0].calls, "readcb did not run, so nothing is shown by what is left of it"
    _bring(evbuf, near, far, state)
    for _ in range(25):
        base.loop(0)
    evbuf.stop()
    return [weakref.ref(each) for each in callbacks], kept.clear


def _bring(evbuf: EvBuf, near: Any, far: Any, state: str) -> None:
    """Bring the buffered event, whose input is not empty, into the *state* in which it is
    dropped."""
    if state == "output waits":
        fill(near)
        evbuf.write(payload(1000))
    elif state == "the file ended":
        far.shutdown(socket.SHUT_WR)


every_state = pytest.mark.parametrize("state", ["idle", "output waits", "the file ended"])


@rule("levent.newevbuf.nothing-left")
@every_state
def test_callbacks_of_a_dropped_buffered_event_are_freed(
    levent: Levent, channels: Channels, state: str
) -> None:
    """Five are dropped, one after the other; garbage is collected before the look."""
    references: list[weakref.ref[Callback]] = []
    for _ in range(5):
        near, far = channels.pair()
        made, drop = _used(levent, near, far, state)
        references += made
        drop()
    left = alive(references)
    assert not left, (
        f"{left} of {len(references)} callbacks are still held, of buffered events that were "
        "stopped and dropped with their bases"
    )


@rule("levent.newevbuf.nothing-left")
@every_state
def test_a_dropped_buffered_event_leaves_no_descriptor(
    levent: Levent, channels: Channels, state: str
) -> None:
    """One is used and dropped before the count, since a process may keep something once."""
    pairs = [channels.pair() for _ in range(4)]
    _, drop = _used(levent, *pairs[0], state)
    drop()
    before = ResourceSnapshot.take()
    for near, far in pairs[1:]:
        _, drop = _used(levent, near, far, state)
        drop()
    left = left_since(before)
    assert not left, (
        f"left of buffered events that were dropped with their bases: {', '.join(left)}"
    )


@rule("levent.newevbuf.nothing-left")
@every_state
def test_the_file_stays_open_when_its_buffered_event_is_dropped(
    levent: Levent, channels: Channels, state: str
) -> None:
    """The file belongs to the program, which may go on with it."""
    near, far = channels.pair()
    _, drop = _used(levent, near, far, state)
    drop()
    alive([])
    try:
        os.fstat(near.fileno())
    except OSError:
        raise AssertionError("the file was closed with its buffered event") from None
