"""levent, events: delete lets go of the callback and the number, and leaves the file open."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.cancellation import MutualCancel
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
from looptck.testing.resources import alive
from looptck.testing.situations import Situation, everywhere


class CallCountingProxy:
    """An event whose callback only the loop holds; *act* gets the event."""

    def __init__(
        self, driver: LeventDriver, number: int, evtype: str, act: Callable[[Event], object]
    ) -> None:
        self.calls = calls = driver.trace
        held: list[Event] = []

        def callback(*_: Any) -> None:
            calls("watched")
            act(held[0])

        self.callback = weakref.ref(callback)
        self.event = driver.keep(driver.base.newevent(number, callback, evtype))
        held.append(self.event)

    def check(self, what: str) -> None:
        """Raise AssertionError if the callback is still held."""
        assert not alive([self.callback]), (
            f"an event was deleted {what}; its callback is still referenced"
        )


@rule("levent.event.delete")
@either_evtype
@pytest.mark.parametrize(
    "past", ["new", "active", "called", "stopped", "started twice", "silent", "restarted"]
)
@pytest.mark.parametrize("passes", [0, 5])
def test_the_callback_of_a_deleted_event_is_let_go(
    driver: LeventDriver, channels: Channels, evtype: str, past: str, passes: int
) -> None:
    """The program keeps the event object, so that only delete can have freed the callback."""
    switch = ReadinessToggle(channels, evtype, on=past != "silent")
    watched = CallCountingProxy(driver, switch.number, evtype, lambda event: event.start())
    event = watched.event
    if past != "new":
        event.start()
    if past == "started twice":
        event.start()
    if past in ("called", "silent", "restarted"):
        driver.run_idle(3)
    if past in ("stopped", "restarted"):
        event.stop()
    if past == "restarted":
        event.start()
    event.delete()
    driver.run_idle(passes)
    watched.check(f"that was {past}")


@rule("levent.event.delete")
@every_evtype
@every_howmany
def test_the_callback_of_an_event_that_deletes_itself_is_let_go(
    driver: LeventDriver, channels: Channels, evtype: str, howmany: int | None
) -> None:
    """The test looks when the callback is over and one more pass was made."""
    switch = ReadinessToggle(channels, evtype, on=True)
    watched = CallCountingProxy(driver, switch.number, evtype, lambda event: event.delete())
    watched.event.start()
    run(driver, howmany)
    driver.run_idle(3)
    watched.check("in its own callback")


@rule("levent.event.delete")
@every_evtype
@pytest.mark.parametrize("count", [2, 5])
def test_the_callback_of_an_event_deleted_while_ready_is_freed(
    driver: LeventDriver, channels: Channels, evtype: str, count: int
) -> None:
    """The first callback deletes all the others; in the end all have deleted themselves."""
    crowd: list[CallCountingProxy] = []

    def act(event: Event) -> None:
        for each in crowd:
            if each.event is not event:
                each.event.delete()
        event.delete()

    for _ in range(count):
        switch = ReadinessToggle(channels, evtype, on=True)
        crowd.append(CallCountingProxy(driver, switch.number, evtype, act))
    for each in crowd:
        each.event.start()
    driver.until(lambda: driver.trace)
    driver.run_idle(3)
    assert len(driver.trace) == 1, "a deleted event was called"
    for each in crowd:
        each.check("while it was ready")


@rule("levent.event.delete")
@everywhere
@either_evtype
@pytest.mark.parametrize("new", ["r", "w"])
@pytest.mark.parametrize("file", ["the same file", "another file"])
@pytest.mark.parametrize("ready", [True, False])
def test_the_number_of_a_deleted_event_is_free_for_another(
    driver: LeventDriver,
    channels: Channels,
    situation: Situation,
    evtype: str,
    new: str,
    file: str,
    ready: bool,
) -> None:
    """The kernel knew the number; a new file with it is silent at first, then ready."""
    old = ReadinessToggle(channels, evtype, on=ready)
    deleted: list[bool] = []

    def go_on() -> None:
        assert not deleted, "a deleted event was called"
        event.start()

    event = driver.event("old", old.number, evtype, lambda *_: go_on())
    event.start()
    driver.run_idle(3)
    switch = old if file == "the same file" else ReadinessToggle(channels, new)

    def act() -> None:
        event.delete()
        deleted.append(True)
        if file == "another file":
            os.dup2(switch.number, old.number)
        else:
            old.off()
        fresh = driver.event("new", old.number, new, lambda *_: fresh.stop())
        fresh.start()

    act_in(situation, driver, channels, act)
    if file == "another file":
        driver.run_idle(3)
        assert not driver.count("new"), (
            "a number passed from a deleted event to another file; an event there was called "
            "although that file was not ready"
        )
    switch.on(new)
    assert driver.until_count("new"), (
        "an event was deleted; another on its number is silent although its file is ready"
    )
    driver.run_idle(3)


@rule("levent.event.delete")
@pytest.mark.parametrize("howmany", [0, 1])
def test_a_reused_number_of_a_deleted_event_is_not_ready(
    driver: LeventDriver, channels: Channels, howmany: int
) -> None:
    """Of two ready events the one that is called first gives the number of the other to a silent
    file."""
    rivals = MutualCancel(driver, channels, "delete", ["r", "r"], one_file=False)
    silent = ReadinessToggle(channels)

    def replace(name: str) -> None:
        number = rivals.switches[1 - list(rivals.events).index(name)].number
        os.dup2(silent.number, number)
        fresh = driver.event("new", number, "r", lambda *_: fresh.stop())
        fresh.start()

    rivals.then = replace
    rivals.ready()
    run(driver, howmany)
    driver.run_idle()
    assert len(driver.trace) == 1, (
        "an event was deleted while its file was ready; its number went to a silent file, and an "
        f"event there. Called were {', '.join(driver.trace)}"
    )
    silent.on()
    assert driver.until_count("new"), "an event on the number of a deleted one is silent"


@rule("levent.event.delete")
@everywhere
@either_evtype
@pytest.mark.parametrize("past", ["new", "active", "called"])
def test_the_file_of_a_deleted_event_stays_open(
    driver: LeventDriver, channels: Channels, situation: Situation, evtype: str, past: str
) -> None:
    """Bytes go both ways afterwards: a file that is open but dead shows as well."""
    switch = ReadinessToggle(channels, evtype, on=True)
    event = driver.event("event", switch.number, evtype)
    if past != "new":
        event.start()
    if past == "called":
        assert driver.until_count("event"), "a started event was not called"
    act_in(situation, driver, channels, event.delete)
    driver.run_idle(3)
    switch.off()
    try:
        switch.far.recv(1 << 20)
        switch.near.send(b"out")
        switch.far.send(b"in")
        arrived = switch.near.recv(10)
    except OSError as error:
        raise AssertionError(f"delete took the file of its event with it: {error}") from error
    assert arrived[-2:] == b"in", "delete has left the file of its event in disorder"
