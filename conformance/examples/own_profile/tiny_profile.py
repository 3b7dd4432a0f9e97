"""A profile of your own: everything that looptck must know of a made-up document.

looptck certify tiny_loop:implementation --profile tiny_profile:PROFILE
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from looptck.checks import cancellation, timers
from looptck.checks.base_verbs import TurnVerbs
from looptck.checks.verbs import Direction
from looptck.clocks import Clock
from looptck.profiles import Profile


class TinyLoop(Protocol):
    """A loop of the document."""

    def watch(self, fd: int, callback: Callable[[], object]) -> None:
        """*callback* is called in each turn in which *fd* is readable."""

    def ignore(self, fd: int) -> None:
        """End the watch of *fd*."""

    def after(self, seconds: float, callback: Callable[[], object]) -> object:
        """*callback* is called once, after that time; the result cancels it."""

    def every(self, seconds: float, callback: Callable[[], object]) -> object:
        """*callback* is called again and again, after that time; the result cancels it."""

    def cancel(self, timer: object) -> None:
        """The timer is not called."""

    def turn(self) -> None:
        """Wait for a descriptor or a timer, call the watches, then the timers."""


class TinyVerbs(TurnVerbs):
    """A loop in the verbs of the shared checks."""

    directions: tuple[Direction, ...] = ("r",)
    intervals = ("interval",)

    def __init__(self, tiny: Any, clock: Clock) -> None:
        super().__init__(tiny, clock)
        self.loop: TinyLoop = tiny.new()

    def turn(self, seconds: float) -> None:
        timer = self.loop.after(seconds, lambda: None)
        self.loop.turn()
        self.loop.cancel(timer)

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> int:
        if direction not in self.directions:
            raise ValueError(f"tiny watches for reading only; the direction was {direction!r}")
        self.loop.watch(int(fd), callback)
        return int(fd)

    def unwatch(self, watch: int) -> None:
        self.loop.ignore(watch)

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> object:
        return self.loop.after(seconds, callback)

    def set_interval(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> object:
        return self.loop.every(seconds, callback)

    def clear(self, timer: object) -> None:
        self.loop.cancel(timer)


def test_timers_run_after_the_watches_of_their_turn(entry: Any) -> None:
    """A check of the document's own: an ordinary test, without a rule."""
    near, far = socket.socketpair()
    with near, far:
        loop: TinyLoop = entry.new()
        calls: list[str] = []
        loop.watch(near.fileno(), lambda: calls.append("watch"))
        loop.after(0, lambda: calls.append("timer"))
        far.send(b"x")
        loop.turn()
        assert calls[:2] == ["watch", "timer"], f"expected watch, timer; the calls were {calls}"
        loop.ignore(near.fileno())


def _timer(entry: Any, ran: Callable[[], None]) -> None:
    """a timer"""
    loop = entry.new()
    loop.after(0.001, ran)
    for _ in range(100):
        loop.turn()


PROFILE = Profile(
    name="tiny",
    document="tiny",
    entry_names=("new",),
    loop_names=("watch", "ignore", "after", "every", "cancel", "turn"),
    indispensable=("turn",),
    parts={"new": "loop"},
    smoke_checks=(_timer,),
    verbs=TinyVerbs,
    checks={
        "tiny.watch.end": (cancellation.test_a_watch_that_ended_is_not_called,),
        "tiny.timer.not-early": (timers.test_no_timer_is_called_early,),
        "tiny.timer.nearest": (timers.test_a_waiting_loop_wakes_for_its_nearest_timer,),
        "tiny.timer.last": (test_timers_run_after_the_watches_of_their_turn,),
    },
    page=Path(__file__).with_name("tiny.md"),
)
