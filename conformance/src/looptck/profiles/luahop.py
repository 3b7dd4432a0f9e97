"""The profile `luahop`: how a LuaHop loop is reached, checked and judged."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ..checks import registration, timers
from ..checks.verbs import Direction, Script, Verbs, play_by_turns
from ..clocks import Clock
from ..protocols.luahop import ENTRY_NAMES, LOOP_NAMES, Luahop, Timer
from .api import Profile

# A poll may return for nothing now and then.
_MOST_POLLS = 100


def _timer(entry: Any, ran: Callable[[], None]) -> None:
    """a timer"""
    hop = entry.new()
    hop.set_timeout({"ms": 1}, ran)
    for _ in range(_MOST_POLLS):
        hop.poll()


def _descriptor(entry: Any, ran: Callable[[], None]) -> None:
    """a writable socket"""
    near, far = socket.socketpair()
    hop = entry.new()
    hop.set_listener(near.fileno(), "w", ran)
    for _ in range(_MOST_POLLS):
        hop.poll()
    del far


def _timer_of(entry: Any, seconds: float, ran: Callable[[], None]) -> None:
    hop = entry.new()
    hop.set_timeout({"ms": round(seconds * 1000)}, ran)
    while True:  # bounded by the patience of whoever waits for this process
        hop.poll()


class HopVerbs(Verbs):
    """A loop in the verbs of the shared checks."""

    directions: tuple[Direction, ...] = ("r", "w")

    def __init__(self, luahop: Luahop, clock: Clock) -> None:
        super().__init__(luahop, clock)
        self._hop = luahop.new()

    def play(self, script: Script) -> None:
        play_by_turns(script, self._turn)

    def _turn(self, seconds: float) -> None:
        awake = self._hop.set_timeout({"ms": seconds * 1000}, lambda: None)
        self._hop.poll()
        self.entry.clear_timer(awake)

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Any:
        self._hop.set_listener(fd, direction, callback)
        return fd, direction

    def unwatch(self, watch: Any) -> None:
        self._hop.remove_listener(*watch)

    def set_timer(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        return self._hop.set_timeout({"ms": seconds * 1000}, callback)

    def set_interval(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        return self._hop.set_interval({"ms": seconds * 1000}, callback)

    def clear(self, timer: Timer) -> None:
        self.entry.clear_timer(timer)


PROFILE = Profile(
    name="luahop",
    document="LuaHop",
    entry_names=ENTRY_NAMES,
    loop_names=LOOP_NAMES,
    indispensable=("poll",),
    parts={"new": "loop"},
    smoke_checks=(_timer, _descriptor),
    timer_check=_timer_of,
    verbs=HopVerbs,
    checks={
        "luahop.listener.remove": (registration.test_a_watch_that_ended_is_not_called,),
        "luahop.timer.timeout-not-early": (timers.test_no_timer_is_called_early,),
    },
)
