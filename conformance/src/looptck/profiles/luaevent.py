"""The profile `luaevent`: how a luaevent base is reached, checked and judged."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..checks import registration, timers
from ..checks.verbs import Direction, Script, Verbs, play_inside
from ..clocks import Clock
from ..protocols.luaevent import ENTRY_NAMES, LOOP_NAMES, Event, Luaevent
from .api import Profile


def a_timer(entry: Any, ran: Callable[[], None]) -> None:
    """a timer"""
    timer_of(entry, 0.001, ran)


def a_descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a writable socket"""
    near, far = socket.socketpair()
    base = entry.new()
    kept = base.addevent(near.fileno(), entry.EV_WRITE, _leaving(entry, ran))
    base.loop()
    del kept, far


def timer_of(entry: Any, seconds: float, ran: Callable[[], None]) -> None:
    """Run a base until a timer of *seconds* has called *ran*."""
    base = entry.new()
    kept = base.addevent(None, entry.EV_TIMEOUT, _leaving(entry, ran), seconds)
    base.loop()
    del kept


def _leaving(entry: Any, ran: Callable[[], None]) -> Callable[[int], int]:
    def callback(_flags: int) -> int:
        ran()
        leave: int = entry.LEAVE
        return leave

    return callback


def _answering_nothing(callback: Callable[[], object]) -> Callable[[int], None]:
    def answer(_flags: int) -> None:
        callback()

    return answer


class LuaeventVerbs(Verbs):
    """A base in the verbs of the shared checks; its events are kept until the script ends."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, luaevent: Luaevent, clock: Clock) -> None:
        super().__init__(luaevent, clock)
        self._base = luaevent.new()
        self._flags: dict[Direction, int] = {"r": luaevent.EV_READ, "w": luaevent.EV_WRITE}
        self._kept: list[Event] = []

    def play(self, script: Script) -> None:
        play_inside(script, after=self.set_timer, run=self._base.loop, stop=self._stop)

    def _stop(self) -> None:
        for event in self._kept:
            with suppress(Exception):
                event.close()
        self._kept.clear()

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Event:
        return self._keep(self._base.addevent(fd, self._flags[direction], callback))

    def unwatch(self, watch: Event) -> None:
        watch.close()

    def set_timer(self, seconds: float, callback: Callable[[], Any]) -> Event:
        leaving = _leaving(self.entry, callback)
        return self._keep(self._base.addevent(None, self.entry.EV_TIMEOUT, leaving, seconds))

    def set_interval(self, seconds: float, callback: Callable[[], Any]) -> Event:
        return self._keep(
            self._base.addevent(None, self.entry.EV_TIMEOUT, _answering_nothing(callback), seconds)
        )

    def clear(self, timer: Event) -> None:
        timer.close()

    def _keep(self, event: Event) -> Event:
        self._kept.append(event)
        return event


PROFILE = Profile(
    name="luaevent",
    document="luaevent",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("addevent", "loop"),
    parts={"new": "loop", "loop.addevent": "event"},
    smoke_checks=(a_timer, a_descriptor),
    timer_check=timer_of,
    verbs=LuaeventVerbs,
    checks={
        "luaevent.addevent.close-erases": (registration.test_a_watch_that_ended_is_not_called,),
        "luaevent.addevent.timeout-not-early": (timers.test_no_timer_is_called_early,),
    },
)
