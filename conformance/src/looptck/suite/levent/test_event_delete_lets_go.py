"""levent, events: delete lets go of the callback and the number, and leaves the file open."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import (
    ReadinessToggle,
    either_evtype,
    every_evtype,
    every_howmany,
    run,
)
from looptck.testing.resources import alive


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
