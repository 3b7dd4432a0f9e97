"""levent, events: a deleted event is never called, and loop does not wait for it."""

from __future__ import annotations

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import (
    paced,
)
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import (
    ReadinessToggle,
    either_evtype,
)

# What an event may have gone through before it is deleted.
every_past = pytest.mark.parametrize(
    "past", ["new", "active", "called", "stopped", "started twice"]
)


def _with_past(past: str, driver: LeventDriver, event: Event) -> None:
    """Give *event*, whose file is ready, the *past* of that name; the trace is empty afterwards."""
    if past == "new":
        return
    event.start()
    if past == "started twice":
        event.start()
    if past == "called":
        assert driver.until_count("event"), "a started event was not called"
        driver.trace.clear()
    if past == "stopped":
        event.stop()


@rule("levent.event.delete")
@either_evtype
@every_past
@pytest.mark.parametrize("deleted_in", ["its own callback", "another's callback", "no callback"])
def test_loop_does_not_wait_for_a_deleted_event(
    driver: LeventDriver, channels: Channels, evtype: str, past: str, deleted_in: str
) -> None:
    """No other event is active in the end: a loop that counts wrong never returns."""
    switch = ReadinessToggle(channels, evtype, on=True)

    def act() -> None:
        if deleted_in == "its own callback":
            event.delete()
        else:
            switch.off()
            event.start()

    event = driver.event("event", switch.number, evtype, lambda *_: act())
    _with_past(past, driver, event) if deleted_in != "its own callback" else event.start()
    if deleted_in == "no callback":
        event.delete()
    elif deleted_in == "another's callback":
        paced(driver, channels, {1: switch.off, 4: event.delete})
    driver.trace("loop() begins")
    driver.run_once(None)
    driver.trace("loop() returned")
    calls = driver.count("event")
    most = {"its own callback": 1, "no callback": 0}.get(deleted_in, 2)
    assert calls <= most, f"an event that was deleted in {deleted_in} was called {calls} times"


@rule("levent.event.delete")
@either_evtype
@pytest.mark.parametrize("past", ["active", "stopped", "new"])
def test_loop_does_not_return_too_early_after_a_delete(
    driver: LeventDriver, channels: Channels, evtype: str, past: str
) -> None:
    """Another event waits to the last; a count that went down too often ends the loop before."""
    switch = ReadinessToggle(channels, evtype)
    last = driver.event("last", switch.number, evtype, lambda *_: last.stop())
    last.start()
    victims = []
    for _ in range(3):
        victim = driver.event("victim", ReadinessToggle(channels).number, "r")
        if past != "new":
            victim.start()
        if past == "stopped":
            victim.stop()
        victims.append(victim)
    paced(driver, channels, {1: lambda: [victim.delete() for victim in victims], 3: switch.on})
    driver.run_once(None)
    assert driver.trace == ["pace", "pace", "pace", "last"], (
        f"loop() was to serve an event that waited, after others that were {past} were deleted; "
        f"instead the calls were {', '.join(driver.trace)}"
    )
