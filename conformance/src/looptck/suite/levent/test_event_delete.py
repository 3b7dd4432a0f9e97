"""levent, events: a deleted event is never called, and loop does not wait for it."""

from __future__ import annotations

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
@everywhere
@every_evtype
@every_past
def test_a_deleted_event_is_never_called(
    driver: LeventDriver, channels: Channels, situation: Situation, evtype: str, past: str
) -> None:
    """The file is ready in every pass, and the program keeps the object."""
    switch = ReadinessToggle(channels, evtype, on=True)
    event = driver.event("event", switch.number, evtype)

    def act() -> None:
        _with_past(past if situation is not Situation.INSIDE else "active", driver, event)
        event.delete()

    act_in(situation, driver, channels, act)
    driver.run_idle()
    assert not driver.trace, f"an event that was {past} was deleted, and is called"
    assert switch.is_open, "delete has closed the file of its event"


@rule("levent.event.delete")
@every_evtype
@every_howmany
@pytest.mark.parametrize("calls", [1, 3])
def test_an_event_deleted_in_its_callback_is_not_called_again(
    driver: LeventDriver, channels: Channels, evtype: str, howmany: int | None, calls: int
) -> None:
    """The file stays ready; `loop()` returns, since no other event is active."""
    switch = ReadinessToggle(channels, evtype, on=True)

    def act() -> None:
        if driver.count("event") < calls:
            event.start()
        else:
            event.delete()

    event = driver.event("event", switch.number, evtype, lambda *_: act())
    event.start()
    run(driver, howmany)
    driver.run_idle()
    assert driver.trace == ["event"] * calls, (
        f"an event whose callback deletes it in call {calls} was called {len(driver.trace)} times"
    )


@rule("levent.event.delete")
@crowds
@every_howmany
@pytest.mark.parametrize("pause", [0, 3])
def test_a_ready_event_deleted_by_another_is_not_called(
    driver: LeventDriver,
    channels: Channels,
    evtypes: list[str],
    one_file: bool,
    howmany: int | None,
    pause: int,
) -> None:
    """The first callback deletes the others, so one call is right in any order."""
    rivals = MutualCancel(driver, channels, "delete", evtypes, one_file=one_file)
    rivals.expect_one_call(howmany, pause)


@rule("levent.event.delete")
@everywhere
@neighbourhoods
@pytest.mark.parametrize("past", ["active", "stopped", "new"])
@on_one_file_or_two
def test_deleting_an_event_leaves_the_others_as_they_are(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtypes: str,
    past: str,
    files: str,
) -> None:
    """The other event has waited for some passes, and its file is ready only afterwards."""
    pair = IndependentCancel(driver, channels, evtypes, past=past, files=files)
    act_in(situation, driver, channels, pair.ended.delete)
    pair.expect_only_other("deleted")


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
