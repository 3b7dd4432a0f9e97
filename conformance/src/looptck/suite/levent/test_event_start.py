"""levent, events: a started event is served, and loop waits for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import paced
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, either_evtype

# What may have been done with an event before it is started.
PASTS = ("new", "stopped", "stopped as a new one", "stopped twice", "called", "called and stopped")

every_past = pytest.mark.parametrize("past", PASTS)


def _taking(driver: LeventDriver, switch: ReadinessToggle, evtype: str) -> Event:
    """A new event, whose callback takes all data and stops the event."""

    def take() -> None:
        switch.off()
        event.stop()

    event = driver.event("event", switch.number, evtype, lambda *_: take())
    return event


def _with_past(past: str, driver: LeventDriver, switch: ReadinessToggle, event: Event) -> None:
    """Give the new *event* the *past* of that name; its file is silent then, the trace empty."""
    if past != "new" and past != "stopped as a new one":
        event.start()
    if "called" in past:
        switch.on()
        assert driver.until_count("event"), "a started event was not called"
        driver.run_idle(3)
        driver.trace.clear()
    if "stopped" in past:
        event.stop()
    if past == "stopped twice":
        event.stop()


@rule("levent.event.start")
@either_evtype
@pytest.mark.parametrize("starts", [2, 3])
@pytest.mark.parametrize("where", ["before loop", "between passes", "its callback", "another's"])
def test_an_event_started_twice_is_called_once_per_arrival(
    driver: LeventDriver, channels: Channels, evtype: str, starts: int, where: str
) -> None:
    """The callback takes all data, and starts the event as often again."""
    switch, other = ReadinessToggle(channels, evtype), ReadinessToggle(channels)

    def start(often: int) -> None:
        for _ in range(often):
            event.start()

    def take() -> None:
        switch.off()
        start(starts if where == "its callback" else 1)

    event = driver.event("event", switch.number, evtype, lambda *_: take())

    def on_starter() -> None:
        starter.stop()
        start(starts)

    starter = driver.event("starter", other.number, "r", lambda *_: on_starter())
    start(starts if where == "before loop" else 1)
    if where == "another's":
        starter.start()
        other.on()
    driver.run_idle(3)
    if where == "between passes":
        start(starts)
    for arrivals in range(1, 5):
        switch.on()
        assert driver.until_count("event", arrivals), (
            f"an event that was started {starts} times is silent when its file is ready for the "
            f"{arrivals}. time"
        )
        driver.run_idle(5)
        assert driver.count("event") == arrivals, (
            f"an event that was started {starts} times was called {driver.count('event')} times "
            f"for {arrivals} arrivals; its callback took each"
        )


@rule("levent.event.start")
@either_evtype
@every_past
@pytest.mark.parametrize("where", ["before loop", "in a callback"])
@pytest.mark.parametrize("starts", [1, 2])
def test_loop_does_not_return_before_a_started_event_was_called(
    driver: LeventDriver, channels: Channels, evtype: str, past: str, where: str, starts: int
) -> None:
    """Another event runs three times and stops before it: then only this one is active."""
    switch = ReadinessToggle(channels, evtype)
    event = _taking(driver, switch, evtype)
    _with_past(past, driver, switch, event)

    def start() -> None:
        for _ in range(starts):
            event.start()

    script: dict[int, Callable[[], object]] = {3: switch.on}
    if where == "in a callback":
        script[1] = start
    paced(driver, channels, script)
    if where == "before loop":
        start()
    driver.trace("loop() begins")
    driver.run_once(None)
    driver.trace("loop() returned")
    assert driver.trace == ["loop() begins", "pace", "pace", "pace", "event", "loop() returned"], (
        f"loop() returned before an event that was {past} and then started was called: "
        f"{', '.join(driver.trace)}"
    )


@rule("levent.event.start")
@either_evtype
@pytest.mark.parametrize("where", ["before loop", "between passes", "in its callback"])
def test_an_event_is_served_after_many_starts_and_stops(
    driver: LeventDriver, channels: Channels, evtype: str, where: str
) -> None:
    """The last call is a start, and counts."""
    switch = ReadinessToggle(channels, evtype)

    def turn_about() -> None:
        for _ in range(50):
            event.start()
            event.stop()
        event.start()

    def take() -> None:
        switch.off()
        if where == "in its callback":
            turn_about()
        else:
            event.start()

    event = driver.event("event", switch.number, evtype, lambda *_: take())
    if where == "before loop":
        turn_about()
    else:
        event.start()
        driver.run_idle(2)
    if where == "between passes":
        turn_about()
    for arrivals in (1, 2, 3):
        switch.on()
        assert driver.until_count("event", arrivals), (
            "an event that was started and stopped many times, and started last, is silent"
        )
        driver.run_idle(5)
        assert driver.count("event") == arrivals, (
            "an event that was started and stopped many times was called more than once for an "
            "arrival"
        )
