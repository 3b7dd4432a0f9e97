"""levent, events: a started event is served, and loop waits for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import paced
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, act_in, either_evtype, every_howmany
from looptck.testing.situations import Situation, everywhere

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
@everywhere
@either_evtype
@every_past
@pytest.mark.parametrize("ready", ["before start", "after start"])
def test_a_started_event_is_called(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtype: str,
    past: str,
    ready: str,
) -> None:
    """The callback takes all data, so that each call needs a reason of its own."""
    switch = ReadinessToggle(channels, evtype)
    event = _taking(driver, switch, evtype)
    _with_past(past, driver, switch, event)

    def start() -> None:
        if ready == "before start":
            switch.on()
        event.start()

    act_in(situation, driver, channels, start)
    if ready == "after start":
        driver.run_idle(3)
        switch.on()
    assert driver.until_count("event"), f"an event that was {past} was started and is not called"
    driver.run_idle(5)
    assert driver.trace == ["event"], "an event was called again after it had stopped itself"


# What a callback may do to be called again.
AGAIN: dict[str, Callable[[Event], object]] = {
    "start": lambda event: event.start(),
    "start twice": lambda event: (event.start(), event.start()),
    "stop and start": lambda event: (event.stop(), event.start()),
    "start, stop and start": lambda event: (event.start(), event.stop(), event.start()),
}


@rule("levent.event.start")
@either_evtype
@pytest.mark.parametrize("again", AGAIN)
@every_howmany
def test_an_event_that_starts_itself_is_called_again(
    driver: LeventDriver, channels: Channels, evtype: str, again: str, howmany: int | None
) -> None:
    """The file is ready all the time; the fifth call is the last, and ends the loop."""
    switch = ReadinessToggle(channels, evtype, on=True)

    def go_on() -> None:
        if driver.count("event") < 5:
            AGAIN[again](event)
        else:
            event.stop()

    event = driver.event("event", switch.number, evtype, lambda *_: go_on())
    event.start()
    if howmany is None:
        driver.run_once(None)
    elif howmany:
        for _ in range(5):
            driver.run_once(howmany)
    else:
        driver.until_count("event", 5)
    assert driver.count("event") == 5, (
        f"an event whose callback goes on by {again} is to be called until it stops, in the fifth "
        f"call; with loop({howmany}) there were {driver.count('event')}"
    )


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
@every_howmany
@pytest.mark.parametrize("starts", [1, 2])
@pytest.mark.parametrize("stopped", [False, True])
def test_an_event_that_another_callback_starts_is_called(
    driver: LeventDriver,
    channels: Channels,
    evtype: str,
    howmany: int | None,
    starts: int,
    stopped: bool,
) -> None:
    """The file is ready long before; only the other callback's start can bring the call."""
    switch, opener = ReadinessToggle(channels, evtype, on=True), ReadinessToggle(channels, on=True)
    event = driver.event("event", switch.number, evtype, lambda *_: event.stop())

    def start() -> None:
        starter.stop()
        if stopped:
            event.start()
            event.stop()
        for _ in range(starts):
            event.start()

    starter = driver.event("starter", opener.number, "r", lambda *_: start())
    starter.start()
    if howmany == 0:
        driver.until_count("event")
    else:
        driver.run_once(howmany)
        if howmany and not driver.count("event"):
            driver.run_once(howmany)
    driver.run_idle(3)
    assert driver.trace == ["starter", "event"], (
        f"an event that another's callback started was to be called once, after that; the calls "
        f"were {', '.join(driver.trace)}"
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


@rule("levent.event.start")
@pytest.mark.parametrize("evtypes", ["r r", "w w", "r w", "w r", "rw r", "w rw"])
@pytest.mark.parametrize("where", ["before loop", "between passes", "in a callback"])
def test_starting_an_event_leaves_another_of_its_file_active(
    driver: LeventDriver, channels: Channels, evtypes: str, where: str
) -> None:
    """The other event was started first; both are ready, and each stops when it is called."""
    first, second = evtypes.split()
    switch = ReadinessToggle(channels, "".join(sorted(set(first + second))))
    other = driver.event("other", switch.number, first, lambda *_: other.stop())
    event = driver.event("event", switch.number, second, lambda *_: event.stop())
    other.start()
    if where != "before loop":
        driver.run_idle(3)
    if where == "in a callback":
        act_in(Situation.INSIDE, driver, channels, lambda *_: event.start())
    else:
        event.start()
    driver.run_idle(3)
    switch.on()
    driver.until(lambda: len(set(driver.trace)) == 2)
    assert sorted(driver.trace) == ["event", "other"], (
        f'an event for "{second}" was started {where} while one for "{first}" of the same file '
        f"was active; when it was ready, {', '.join(driver.trace) or 'neither'} was called"
    )
