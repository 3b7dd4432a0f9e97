"""Names the moments of a loop's life at which a test acts.

A rule that holds everywhere has one test, with the situations as parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

Act = Callable[[], object]


class Situation(StrEnum):
    FRESH = "before the loop ran"
    AGAIN = "after the loop ran once"
    INSIDE = "inside a callback"


everywhere = pytest.mark.parametrize("situation", list(Situation), ids=lambda s: s.name.lower())


def luaevent_in(situation: Situation, luaevent: Any, base: Any, act: Act) -> None:
    """Do *act* in that situation of *base*, then run the loop until no event is left."""
    if situation is Situation.FRESH:
        act()
        base.loop()
        return

    def once(_flags: int) -> int:
        if situation is Situation.INSIDE:
            act()
        leave: int = luaevent.LEAVE
        return leave

    opener = base.addevent(None, luaevent.EV_TIMEOUT, once, 0.001)
    base.loop()
    if situation is Situation.AGAIN:
        act()
        base.loop()
    del opener  # kept until here: an event that nobody holds is erased


def luahop_in(situation: Situation, hop: Any, act: Act) -> None:
    """Do *act* in that situation of *hop*; polling on is left to the test."""
    if situation is Situation.FRESH:
        act()
        return
    opened: list[bool] = []

    def once() -> None:
        opened.append(True)
        if situation is Situation.INSIDE:
            act()

    hop.set_timeout({"ms": 1}, once)
    while not opened:
        hop.poll()
    if situation is Situation.AGAIN:
        act()
