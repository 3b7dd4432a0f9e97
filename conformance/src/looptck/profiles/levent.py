"""The profile `levent`: how a levent base is reached, checked and judged."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ..checks import registration
from ..checks.verbs import Direction, Script, Verbs, play_by_turns
from ..clocks import Clock
from ..protocols.levent import ENTRY_NAMES, LOOP_NAMES, Event, Levent
from .api import Profile

# A pass may move nothing now and then.
_MOST_PASSES = 100


def _descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a readable socket"""
    near, far = _with_a_byte()
    base = entry.newbase()
    event = base.newevent(near.fileno(), lambda *_: ran(), "r")
    event.start()
    base.loop(1)
    del far


def _buffer(entry: Any, ran: Callable[[], None]) -> None:
    """a byte for a buffered event"""
    near, far = _with_a_byte()
    base = entry.newbase()
    evbuf = base.newevbuf(near.fileno(), lambda *_: ran(), lambda *_: None, lambda *_: None)
    evbuf.start()
    for _ in range(_MOST_PASSES):
        base.loop(0)
    del far


def _with_a_byte() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets; the first has a byte to read."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.send(b"x")
    return near, far


class LeventVerbs(Verbs):
    """A base in the verbs of the shared checks; the document has no timers."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, levent: Levent, clock: Clock) -> None:
        super().__init__(levent, clock)
        self._base = levent.newbase()

    def play(self, script: Script) -> None:
        play_by_turns(script, lambda _seconds: self._base.loop(0))

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        event = self._base.newevent(fd, callback, direction)
        event.start()
        return event

    def unwatch(self, watch: Event) -> None:
        watch.stop()


PROFILE = Profile(
    name="levent",
    document="levent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("loop",),
    constructor="newbase",
    parts={"newbase": "loop", "loop.newevent": "event", "loop.newevbuf": "evbuf"},
    smoke_checks=(_descriptor, _buffer),
    verbs=LeventVerbs,
    checks={
        "levent.event.stop": (registration.test_a_watch_that_ended_is_not_called,),
    },
)
