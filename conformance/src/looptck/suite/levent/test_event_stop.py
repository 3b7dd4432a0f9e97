"""levent, events: a stopped event is not called, and loop does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import (
    MutualCancel,
    crowds,
    paced,
)
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import (
    ReadinessToggle,
    either_evtype,
    every_howmany,
    run,
)

# How a started event may be stopped.
STOPS: dict[str, Callable[[Event], object]] = {
    "stop": lambda event: event.stop(),
    "stop twice": lambda event: (event.stop(), event.stop()),
    "start, then stop": lambda event: (event.start(), event.stop()),
    "start twice, then stop": lambda event: (event.start(), event.start(), event.stop()),
    "stop, start and stop": lambda event: (event.stop(), event.start(), event.stop()),
}

every_stop = pytest.mark.parametrize("stop", STOPS)


@rule("levent.event.stop")
@crowds
@every_howmany
def test_a_ready_event_restarted_by_another_is_called_once(
    driver: LeventDriver,
    channels: Channels,
    evtypes: list[str],
    one_file: bool,
    howmany: int | None,
) -> None:
    """The first callback stops and starts all others; each one stops itself when it is called."""
    rivals = MutualCancel(driver, channels, "stop", evtypes, one_file=one_file)

    def start_others(name: str) -> None:
        if len(driver.trace) == 1:
            for other, event in rivals.events.items():
                if other != name:
                    event.start()

    def only_the_first_stops(name: str) -> None:
        if len(driver.trace) == 1:
            rivals.end_others(name)

    rivals.others, rivals.then = only_the_first_stops, start_others
    rivals.ready()
    run(driver, howmany)
    driver.until(lambda: len(driver.trace) >= len(evtypes))
    driver.run_idle()
    assert sorted(driver.trace) == sorted(rivals.events), (
        f"of {len(evtypes)} events that were ready at once the first one stopped and started the "
        f"others, so that each was to be called once; called were {', '.join(driver.trace)}"
    )


@rule("levent.event.stop")
@either_evtype
@every_stop
@pytest.mark.parametrize("past", ["silent", "called"])
def test_loop_returns_when_its_last_event_was_stopped_by_another(
    driver: LeventDriver, channels: Channels, evtype: str, stop: str, past: str
) -> None:
    """The other event stops itself after it: a loop that counts wrong never returns."""
    switch = ReadinessToggle(channels, evtype, on=past == "called")

    def act() -> None:
        event.start()
        switch.off()

    event = driver.event("event", switch.number, evtype, lambda *_: act())
    event.start()
    paced(driver, channels, {4: lambda: STOPS[stop](event)})
    driver.run_once(None)
    calls = ["event"] if past == "called" else []
    assert sorted(driver.trace) == [*calls, *["pace"] * 4], (
        f"before its last event was stopped by {stop}, loop() called {', '.join(driver.trace)}"
    )


@rule("levent.event.stop")
@either_evtype
@pytest.mark.parametrize("situation", ["before loop", "in a callback"])
def test_loop_returns_at_once_if_every_event_was_stopped(
    driver: LeventDriver, channels: Channels, evtype: str, situation: str
) -> None:
    """Some events were called before, one never, one was started twice; all files are ready."""
    events = []
    for at in range(4):
        switch = ReadinessToggle(channels, evtype, on=True)
        event = driver.event(f"event {at}", switch.number, evtype)
        if at:
            event.start()
        events.append(event)
    events[1].start()
    if situation == "before loop":
        for each in events:
            each.stop()
    else:
        paced(driver, channels, {1: lambda: [each.stop() for each in events]})
        driver.until_count("pace")
    driver.trace.clear()
    driver.run_once(None)
    assert not [call for call in driver.trace if call != "pace"], (
        f"loop() called {driver.trace[0]} although every event was stopped"
    )


@rule("levent.event.stop")
@either_evtype
@pytest.mark.parametrize("stopped", ["active", "active, twice", "stopped", "new", "itself, twice"])
@pytest.mark.parametrize("times", [1, 5])
def test_loop_does_not_return_too_early_after_a_stop(
    driver: LeventDriver, channels: Channels, evtype: str, stopped: str, times: int
) -> None:
    """Another event waits to the last; a count that went down too often ends the loop before."""
    switch, silent = ReadinessToggle(channels, evtype), ReadinessToggle(channels)
    last = driver.event("last", switch.number, evtype, lambda *_: last.stop())
    last.start()
    victim = driver.event("victim", silent.number, "r", lambda *_: victim.stop())
    if stopped != "new":
        victim.start()
    if stopped == "stopped":
        victim.stop()

    def act() -> None:
        for _ in range(times if stopped != "active" else 1):
            victim.stop()
            if stopped == "itself, twice":
                pacer.stop()

    pacer = paced(driver, channels, {1: act, 3: switch.on})
    driver.run_once(None)
    assert driver.trace == ["pace", "pace", "pace", "last"], (
        "loop() was to serve an event that waited, after others were stopped; instead the calls "
        f"were {', '.join(driver.trace)}"
    )
