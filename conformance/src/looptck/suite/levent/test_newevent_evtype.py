"""levent, newevent: events for "r", "w" and "rw" wait for their own directions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle

# When a file becomes ready, seen from its event.
at_any_time = pytest.mark.parametrize(
    "when", ["before start", "before loop", "while the loop runs"]
)


def _started(
    event: Event, driver: LeventDriver, when: str, make_ready: Callable[[], object]
) -> None:
    """Start *event*, and make its file ready at the time *when*."""
    if when == "before start":
        make_ready()
    event.start()
    if when == "while the loop runs":
        driver.run_idle(3)
        assert not driver.trace, "an event was called although its file was not ready"
    if when != "before start":
        make_ready()


# The second may be refused.
both_spellings = pytest.mark.parametrize("evtype", ["rw", "wr"])


def _taken(
    driver: LeventDriver, number: int, evtype: str, act: Callable[[Event], object]
) -> list[Event]:
    """Return the event of that evtype, or nothing if the loop refuses the spelling."""
    made: list[Event] = []

    def make() -> None:
        made.append(driver.event("either", number, evtype, lambda *_: act(made[0])))

    if evtype == "rw":
        make()
    else:
        error_of(make)
    return made


@rule("levent.newevent.evtype-rw")
@pytest.mark.parametrize("turns", ["rwrw", "wrrw", "rrww", "wwrr"])
@both_spellings
def test_an_event_for_both_waits_for_both_each_time(
    driver: LeventDriver, channels: Channels, evtype: str, turns: str
) -> None:
    """Between two calls its callback uses up the data and the room."""
    switch = ReadinessToggle(channels, "rw")

    def take(event: Event) -> None:
        switch.off()
        event.start()

    for event in _taken(driver, switch.number, evtype, take):
        event.start()
        for turn in turns:
            before = driver.count("either")
            if turn == "r":
                switch.far.send(b"x")
            else:
                drain(switch.far)
            assert driver.until_count("either", before + 1), (
                f'an event for "{evtype}" was called {before} times, and not again when its file '
                f"was {'readable' if turn == 'r' else 'writable'}"
            )
            driver.run_idle(5)
