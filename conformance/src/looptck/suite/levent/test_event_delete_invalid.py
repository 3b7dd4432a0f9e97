"""levent, events: a deleted event object refuses to be used."""

from __future__ import annotations

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import MutualCancel
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, either_evtype, every_howmany, run

PASTS = ("new", "active", "started twice", "stopped", "called", "in its own callback")

every_past = pytest.mark.parametrize("past", PASTS)
every_verb = pytest.mark.parametrize("verb", ["start", "stop"])


def _deleted(driver: LeventDriver, number: int, evtype: str, past: str) -> Event:
    """A deleted event for a file that is ready; the trace is empty."""

    def act() -> None:
        if past == "in its own callback":
            event.delete()
        else:
            event.stop()

    event = driver.event("deleted", number, evtype, lambda *_: act())
    if past != "new":
        event.start()
    if past == "started twice":
        event.start()
    if past == "stopped":
        event.stop()
    if past in ("called", "in its own callback"):
        assert driver.until_count("deleted"), "a started event was not called"
        driver.trace.clear()
    if past != "in its own callback":
        event.delete()
    return event


def _assert_refused(event: Event, verb: str, what: str) -> None:
    assert error_of(getattr(event, verb)), (
        f"{verb}() of an event that was deleted ({what}) went through as if it were valid"
    )


@rule("levent.event.delete-invalid")
@either_evtype
@every_past
@every_verb
@pytest.mark.parametrize("passes", [0, 3])
@pytest.mark.parametrize("times", [1, 3])
def test_a_deleted_event_refuses_to_be_started_and_stopped(
    driver: LeventDriver,
    channels: Channels,
    evtype: str,
    past: str,
    verb: str,
    passes: int,
    times: int,
) -> None:
    """The file is ready: an event that came to life again is called."""
    switch = ReadinessToggle(channels, evtype, on=True)
    event = _deleted(driver, switch.number, evtype, past)
    driver.run_idle(passes)
    for _ in range(times):
        _assert_refused(event, verb, past)
    driver.run_idle()
    assert not driver.trace, f"{verb}() of a deleted event raised, and yet the event was called"
    driver.run_once(None)
    assert not driver.trace, f"{verb}() of a deleted event raised, and yet the event was called"


@rule("levent.event.delete-invalid")
@either_evtype
@pytest.mark.parametrize("verbs", ["start", "stop", "delete start", "delete stop", "stop start"])
@every_howmany
def test_an_event_deleted_in_its_callback_refuses_start_there(
    driver: LeventDriver, channels: Channels, evtype: str, verbs: str, howmany: int | None
) -> None:
    """The steps that a loop takes after the callback must not bring the event back."""
    switch = ReadinessToggle(channels, evtype, on=True)
    *firsts, last = verbs.split()
    refused: list[bool] = []

    def act() -> None:
        event.delete()
        for verb in firsts:
            error_of(getattr(event, verb))
        refused.append(error_of(getattr(event, last)) is not None)

    event = driver.event("event", switch.number, evtype, lambda *_: act())
    event.start()
    run(driver, howmany)
    driver.run_idle()
    assert refused[:1] == [True], (
        f"{last}() in a callback that had deleted its event went through as if it were valid"
    )
    assert driver.trace == ["event"], "an event was called again after it had deleted itself"


@rule("levent.event.delete-invalid")
@either_evtype
@every_verb
@every_howmany
@pytest.mark.parametrize("one_file", [True, False])
def test_an_event_deleted_while_ready_refuses_start_and_stop(
    driver: LeventDriver,
    channels: Channels,
    evtype: str,
    verb: str,
    howmany: int | None,
    one_file: bool,
) -> None:
    """Of two ready events the one that is called first deletes the other, and then tries it."""
    rivals = MutualCancel(driver, channels, "delete", [evtype, evtype], one_file=one_file)
    refused: list[bool] = []

    def try_other(name: str) -> None:
        other = next(event for each, event in rivals.events.items() if each != name)
        refused.append(error_of(getattr(other, verb)) is not None)

    rivals.then = try_other
    rivals.ready()
    run(driver, howmany)
    driver.run_idle()
    assert refused[:1] == [True], (
        f"{verb}() of an event that was deleted while it was ready went through as if it were valid"
    )
    assert len(driver.trace) == 1, "a deleted event was called"


@rule("levent.event.delete-invalid")
@either_evtype
@every_past
@pytest.mark.parametrize("verb", ["start", "stop", "delete"])
@pytest.mark.parametrize("files", ["one file", "two files"])
@pytest.mark.parametrize("made", ["before", "after"])
def test_use_of_a_deleted_event_leaves_the_others_alone(
    driver: LeventDriver,
    channels: Channels,
    evtype: str,
    past: str,
    verb: str,
    files: str,
    made: str,
) -> None:
    """The others are made before the delete or after it; they wait, and are ready only later."""
    deleted_file = ReadinessToggle(channels, evtype, on=True)
    shared = deleted_file if files == "one file" else ReadinessToggle(channels, evtype)
    others: dict[str, Event] = {}

    def make() -> None:
        for at in range(3):
            name = f"other {at}"
            others[name] = driver.event(
                name, shared.number, evtype, lambda *_, n=name: others[n].stop()
            )

    if made == "before":
        make()
    event = _deleted(driver, deleted_file.number, evtype, past)
    deleted_file.off()
    if made == "after":
        make()
    for other in others.values():
        other.start()
    driver.run_idle(3)
    error_of(getattr(event, verb))
    error_of(getattr(event, verb))
    driver.run_idle(3)
    assert not driver.trace, "an event was called although its file was not ready"
    shared.on()
    driver.until(lambda: set(others) <= set(driver.trace))
    assert set(driver.trace) == set(others), (
        f"after {verb}() of a deleted event three others were to be called; "
        f"called were {', '.join(sorted(set(driver.trace))) or 'none'}"
    )


@rule("levent.event.delete-invalid")
@either_evtype
@every_past
def test_deleting_an_event_twice_changes_nothing(
    driver: LeventDriver, channels: Channels, evtype: str, past: str
) -> None:
    """The second delete may raise; loop() neither waits for the event nor forgets another."""
    switch, other = (
        ReadinessToggle(channels, evtype, on=True),
        ReadinessToggle(channels, evtype, on=True),
    )
    last = driver.event("last", other.number, evtype, lambda *_: last.stop())
    event = _deleted(driver, switch.number, evtype, past)
    for _ in range(3):
        error_of(event.delete)
    last.start()
    for _ in range(3):
        error_of(event.delete)
    driver.run_once(None)
    assert driver.trace == ["last"], (
        f"an event was deleted again and again, and another was to be called; the calls were "
        f"{', '.join(driver.trace) or 'none'}"
    )
    _assert_refused(event, "start", f"{past}, several times")


@rule("levent.event.delete-invalid")
@either_evtype
@every_past
@every_verb
def test_a_deleted_event_does_not_stand_for_one_made_after_it(
    driver: LeventDriver, channels: Channels, evtype: str, past: str, verb: str
) -> None:
    """Three are made after it, for files that are ready: two are never started, the last one is
    active."""
    event = _deleted(driver, ReadinessToggle(channels, evtype, on=True).number, evtype, past)
    made: list[Event] = []
    for at in range(3):
        number = ReadinessToggle(channels, evtype, on=True).number
        made.append(driver.event(f"new {at}", number, evtype, lambda *_, n=at: made[n].stop()))
    made[2].start()
    for _ in range(3):
        _assert_refused(event, verb, past)
    driver.until_count("new 2")
    driver.run_idle(3)
    assert driver.trace == ["new 2"], (
        f"{verb}() of a deleted event; of three that were made after it one was active, and "
        f"called were {', '.join(driver.trace) or 'none'}"
    )
