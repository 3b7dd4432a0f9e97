"""levent, newevent: each call makes an event of its own, which is not active yet."""

from __future__ import annotations

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, act_in, either_evtype
from looptck.testing.situations import Situation, everywhere

one_file_or_two = pytest.mark.parametrize("files", ["one file", "two files"])


def _two(driver: LeventDriver, channels: Channels, evtype: str, files: str) -> list[Event]:
    """Two events that share the callback, ready for *evtype* and not started."""
    switch = ReadinessToggle(channels, evtype, on=True)
    other = switch if files == "one file" else ReadinessToggle(channels, evtype, on=True)
    callback = driver.callback("called")
    return [
        driver.keep(driver.base.newevent(each.number, callback, evtype)) for each in (switch, other)
    ]


@rule("levent.newevent.creates")
@either_evtype
@one_file_or_two
@pytest.mark.parametrize("started", [0, 1])
def test_starting_one_event_does_not_start_the_other(
    driver: LeventDriver, channels: Channels, evtype: str, files: str, started: int
) -> None:
    """Both share the callback: it is called for the stopped event if both were started."""
    events = _two(driver, channels, evtype, files)
    events[started].start()
    assert driver.until_count("called"), "one of two events was started and not called"
    events[started].stop()
    before = driver.count("called")
    driver.run_idle()
    assert driver.count("called") == before, (
        f"of two events on {files} one was started and stopped: the other is active"
    )


@rule("levent.newevent.creates")
@either_evtype
@one_file_or_two
@pytest.mark.parametrize("ended_by", ["stop", "delete"])
@pytest.mark.parametrize("ended", [0, 1])
@pytest.mark.parametrize("since", ["before loop", "while the loop runs"])
def test_ending_one_event_does_not_end_the_other(
    driver: LeventDriver,
    channels: Channels,
    evtype: str,
    files: str,
    ended_by: str,
    ended: int,
    since: str,
) -> None:
    """Both share the callback, and only the other event is left to call it."""
    events = _two(driver, channels, evtype, files)
    for event in events:
        event.start()
    if since == "while the loop runs":
        driver.until_count("called")
    getattr(events[ended], ended_by)()
    if since == "while the loop runs":
        events[1 - ended].start()  # it may have been active for one call
    before = driver.count("called")
    assert driver.until_count("called", before + 1), (
        f"of two active events on {files} one was ended by {ended_by}(): the other is silent"
    )


@rule("levent.newevent.creates")
@pytest.mark.parametrize("evtypes", [("r", "r"), ("w", "w"), ("r", "w"), ("w", "r")])
@pytest.mark.parametrize("when", ["before loop", "while the loop runs"])
def test_each_event_of_a_file_is_called(
    driver: LeventDriver, channels: Channels, evtypes: tuple[str, str], when: str
) -> None:
    """Each event stops itself, so that none can be called in the other's place."""
    switch = ReadinessToggle(channels, "".join(sorted(set(evtypes))))
    events = [
        _stopping(driver, str(at), switch.number, evtype) for at, evtype in enumerate(evtypes)
    ]
    for event in events:
        event.start()
    if when == "while the loop runs":
        driver.run_idle(3)
    switch.on()
    driver.until(lambda: len(set(driver.trace)) == 2)
    assert sorted(driver.trace) == ["0", "1"], (
        f"of two events on one file, which is ready for both, these were called: "
        f"{', '.join(driver.trace) or 'none'}"
    )


@rule("levent.newevent.creates")
@pytest.mark.parametrize("evtypes", [("r", "r"), ("w", "w"), ("rw", "rw"), ("rw", "r")])
def test_each_event_of_a_file_that_stays_ready_is_called(
    driver: LeventDriver, channels: Channels, evtypes: tuple[str, str]
) -> None:
    """Three events go on after each call and take nothing, so none depends on data that another
    left."""
    switch = ReadinessToggle(channels, "".join(sorted(set("".join(evtypes)))), on=True)
    names = [f"event {at}" for at in range(3)]
    events: dict[str, Event] = {}
    for name, evtype in zip(names, (*evtypes, evtypes[0]), strict=True):
        events[name] = driver.event(
            name, switch.number, evtype, lambda *_, n=name: events[n].start()
        )
    for event in events.values():
        event.start()
    driver.run_idle()
    rare = min(names, key=driver.count)
    assert driver.count(rare) > 2, (
        f"three events of one file go on after each call, and the file stays ready; of "
        f"{len(driver.trace)} calls {driver.count(rare)} were for {rare}"
    )


@rule("levent.newevent.creates")
@either_evtype
@one_file_or_two
@pytest.mark.parametrize("verb", ["delete", "stop"])
def test_an_event_made_after_deletes_is_a_new_one(
    driver: LeventDriver, channels: Channels, evtype: str, files: str, verb: str
) -> None:
    """A loop that uses deleted objects again lets go of the new event with the old one."""
    deleted = _two(driver, channels, evtype, files)
    for event in deleted:
        event.start()
        event.delete()
    switch = ReadinessToggle(channels, evtype)
    names = ["new 0", "new 1", "new 2"]
    for name in names:
        _stopping(driver, name, switch.number, evtype).start()
    driver.run_idle(3)
    for event in deleted:
        error_of(getattr(event, verb))
    switch.on()
    driver.until(lambda: set(names) <= set(driver.trace))
    assert sorted(driver.trace) == names, (
        f"three events were made and started after others were deleted; when {verb}() was called "
        f"of those again, {', '.join(driver.trace) or 'none'} of the three was called"
    )


@rule("levent.newevent.inactive")
@everywhere
@pytest.mark.parametrize("evtype", ["r", "w", "rw"])
@pytest.mark.parametrize("ready", ["before it was made", "after it was made"])
def test_an_event_that_was_not_started_is_silent(
    driver: LeventDriver, channels: Channels, situation: Situation, evtype: str, ready: str
) -> None:
    """The file is ready in every pass, in both directions if the event is for both."""
    switch = ReadinessToggle(channels, evtype, on=ready == "before it was made")

    def make() -> None:
        _stopping(driver, "new", switch.number, evtype)
        if ready == "after it was made":
            switch.on()

    act_in(situation, driver, channels, make)
    driver.run_idle()
    assert not driver.trace, "an event was called that was never started"


@rule("levent.newevent.inactive")
@either_evtype
@pytest.mark.parametrize("made", ["first", "last", "in the other's callback"])
def test_an_unstarted_event_is_silent_beside_a_called_one(
    driver: LeventDriver, channels: Channels, evtype: str, made: str
) -> None:
    """The kernel reports the file because of the other event."""
    switch = ReadinessToggle(channels, evtype, on=True)

    def on_active(*_: object) -> None:
        if made == "in the other's callback" and driver.count("active") == 1:
            _stopping(driver, "new", switch.number, evtype)
        active.start()

    if made == "first":
        _stopping(driver, "new", switch.number, evtype)
    active = driver.event("active", switch.number, evtype, on_active)
    if made == "last":
        _stopping(driver, "new", switch.number, evtype)
    active.start()
    assert driver.until_count("active", 5), "an active event was not called again and again"
    assert not driver.count("new"), (
        "an event that was never started was called when another of its file was"
    )


@rule("levent.newevent.inactive")
@everywhere
@either_evtype
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("howmany", [None, "missing"])
def test_loop_does_not_wait_for_an_event_that_was_not_started(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtype: str,
    ready: bool,
    howmany: str | None,
) -> None:
    """No event is active: a loop that waits for this one never returns."""
    switch = ReadinessToggle(channels, evtype, on=ready)
    act_in(
        situation,
        driver,
        channels,
        lambda: _stopping(driver, "new", switch.number, evtype),
    )
    driver.trace("loop() begins")
    if howmany is None:
        driver.run_once(None)
    else:
        driver.base.loop()
    driver.trace("loop() returned")
    assert driver.trace == ["loop() begins", "loop() returned"], (
        "loop() called an event that was never started"
    )


def _stopping(driver: LeventDriver, name: str, number: int, evtype: str) -> Event:
    """A new event that stops itself when it is called, so that it cannot keep a loop going."""
    event = driver.event(name, number, evtype, lambda *_: event.stop())
    return event
