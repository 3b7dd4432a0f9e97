"""levent, events: a stopped event is not called, and loop does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import (
    IndependentCancel,
    MutualCancel,
    crowds,
    neighbourhoods,
    on_one_file_or_two,
    paced,
)
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import (
    ReadinessToggle,
    act_in,
    either_evtype,
    every_evtype,
    every_howmany,
    run,
)
from looptck.testing.situations import Situation, everywhere

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
@everywhere
@every_evtype
@every_stop
@pytest.mark.parametrize("ready", ["before", "after"])
def test_an_event_stopped_before_its_first_call_is_silent(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtype: str,
    stop: str,
    ready: str,
) -> None:
    """The file is ready in every pass; a start at the end shows that only the stop kept it
    silent."""
    switch = ReadinessToggle(channels, evtype)
    event = driver.event("event", switch.number, evtype, lambda *_: event.stop())

    def act() -> None:
        if ready == "before":
            switch.on()
        event.start()
        STOPS[stop](event)
        if ready == "after":
            switch.on()

    act_in(situation, driver, channels, act)
    driver.run_idle()
    assert not driver.trace, f"an event was started, then stopped by {stop}, and is called"
    event.start()
    assert driver.until_count("event"), "an event that was stopped and started again is silent"


@rule("levent.event.stop")
@every_evtype
@every_stop
@pytest.mark.parametrize("known", ["called before", "silent before"])
def test_an_event_stopped_between_passes_is_silent(
    driver: LeventDriver, channels: Channels, evtype: str, stop: str, known: str
) -> None:
    """The kernel knows the event; each time it is started it is called again."""
    switch = ReadinessToggle(channels, evtype, on=known == "called before")
    event = driver.event("event", switch.number, evtype, lambda *_: event.start())
    event.start()
    for _ in range(3):
        if known == "called before":
            assert driver.until_count("event"), "a started event was not called"
        else:
            driver.run_idle(3)
        STOPS[stop](event)
        switch.on()
        driver.trace.clear()
        driver.run_idle()
        assert not driver.trace, (
            f"an event was stopped by {stop}, between two passes, and is called"
        )
        event.start()
        assert driver.until_count("event"), "an event that was stopped and started again is silent"
        driver.trace.clear()


@rule("levent.event.stop")
@every_evtype
@every_stop
@every_howmany
def test_an_event_stopped_in_its_callback_is_not_called_again(
    driver: LeventDriver, channels: Channels, evtype: str, stop: str, howmany: int | None
) -> None:
    """The file stays ready; `loop()` returns, since no other event is active."""
    switch = ReadinessToggle(channels, evtype, on=True)
    event = driver.event("event", switch.number, evtype, lambda *_: STOPS[stop](event))
    event.start()
    run(driver, howmany)
    driver.run_idle()
    assert driver.trace == ["event"], (
        f"an event whose callback stops it by {stop} is to be called once; "
        f"it was called {len(driver.trace)} times"
    )
    event.start()
    assert driver.until_count("event", 2), "an event that was stopped and started again is silent"


@rule("levent.event.stop")
@crowds
@every_howmany
@pytest.mark.parametrize("pause", [0, 3])
def test_a_ready_event_stopped_by_another_is_not_called(
    driver: LeventDriver,
    channels: Channels,
    evtypes: list[str],
    one_file: bool,
    howmany: int | None,
    pause: int,
) -> None:
    """The first callback stops the others, so one call is right in any order."""
    rivals = MutualCancel(driver, channels, "stop", evtypes, one_file=one_file)
    rivals.expect_one_call(howmany, pause)
    for name, event in rivals.events.items():
        driver.trace.clear()
        event.start()
        assert driver.until_count(name), f"{name} was stopped, then started again, and is silent"


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
@everywhere
@neighbourhoods
@pytest.mark.parametrize("past", ["active", "stopped", "new"])
@pytest.mark.parametrize("stops", [1, 2])
@on_one_file_or_two
def test_stopping_an_event_leaves_the_others_as_they_are(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtypes: str,
    past: str,
    stops: int,
    files: str,
) -> None:
    """The other event has waited for some passes, and its file is ready only afterwards."""
    pair = IndependentCancel(driver, channels, evtypes, past=past, files=files)

    def act() -> None:
        for _ in range(stops):
            pair.ended.stop()

    act_in(situation, driver, channels, act)
    pair.expect_only_other(f"stopped {stops} times")


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
