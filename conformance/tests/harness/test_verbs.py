"""The base classes of verbs: nothing wakes a loop that runs but what a check has arranged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from looptck.checks.base_verbs import InsideVerbs, TurnVerbs, Verbs
from looptck.clocks import VirtualClock


class _Timers:
    """Timers in virtual time; `waits` has the length of each wait."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.pending: list[tuple[float, Callable[[], Any]]] = []
        self.waits: list[float] = []

    def turn(self) -> None:
        due, callback = min(self.pending, key=lambda timer: timer[0])
        self.pending.remove((due, callback))
        self.waits.append(due - self.clock.now())
        self.clock.advance(max(self.waits[-1], 0))
        callback()


class _ByTurns(TurnVerbs):
    def turn(self, seconds: float) -> None:
        self.set_timer(seconds, lambda: None)
        self.entry.turn()

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> None:
        self.entry.pending.append((self.clock.now() + seconds, callback))

    def unwatch(self, watch: object) -> None:
        raise NotImplementedError("a loop of timers has no watches")


class _Inside(InsideVerbs):
    def spin(self) -> None:
        while self.entry.pending:
            self.entry.turn()

    def stop(self) -> None:
        self.entry.pending.clear()

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> None:
        self.entry.pending.append((self.clock.now() + seconds, self.asking(callback)))

    def unwatch(self, watch: object) -> None:
        raise NotImplementedError("a loop of timers has no watches")


@pytest.fixture(params=[_ByTurns, _Inside], ids=["by turns", "inside"])
def verbs(request: pytest.FixtureRequest) -> Any:
    timers = _Timers()
    made: Verbs = request.param(timers, timers.clock)
    return made


def test_a_run_waits_in_one_piece_for_the_timer(verbs: Any) -> None:
    ran: list[bool] = []
    verbs.set_timer(0.08, lambda: ran.append(True))
    verbs.run("a timer of 80 ms runs", lambda: ran)
    waits = verbs.entry.waits
    assert waits == [pytest.approx(0.08)], f"expected one wait of 80 ms, the waits were {waits}"


def test_a_run_that_is_over_starts_no_wait(verbs: Any) -> None:
    verbs.run("nothing", lambda: True)
    assert verbs.entry.waits == []


def test_a_run_tells_what_did_not_come_in_time(verbs: Any) -> None:
    with pytest.raises(AssertionError, match="the moon rises: not "):
        verbs.run("the moon rises", lambda: False, within=0.01)
