"""levent, events: what the document leaves open, observed."""

from __future__ import annotations

import pytest

from looptck.profiles.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.readiness import ReadinessToggle
from looptck.testing.resources import collect

_PASSES = 6


class Mistake(Exception):  # noqa: N818  it is no error of anybody's but the test's
    """What the callbacks here raise."""


def _passes(driver: LeventDriver, count: int = _PASSES) -> tuple[int, str]:
    """Make so many passes; how many of them raised, and what the last one did."""
    raised, name = 0, ""
    for _ in range(count):
        try:
            driver.base.loop(0)
        except Exception as error:
            raised, name = raised + 1, type(error).__name__
    return raised, name


@rule("levent.event.start-bad-fd")
@pytest.mark.parametrize("evtype", ["r", "w"])
@pytest.mark.parametrize("closed", ["never open", "closed before newevent", "closed before start"])
def test_where_a_descriptor_that_is_not_open_is_noticed(
    driver: LeventDriver, channels: Channels, observe: Observation, evtype: str, closed: str
) -> None:
    """Nobody else opens a file meanwhile that could take the number, but perhaps the loop."""
    near, _ = channels.pair()
    high = channels.numbered(near, 900)
    number = high.fileno() if closed != "never open" else 930
    if closed == "closed before newevent":
        high.close()
    of = f'"{evtype}", {closed}'
    try:
        event = driver.event("event", number, evtype)
    except Exception as error:
        observe.raised(error, of=f"newevent, {of}")
        return
    if closed == "closed before start":
        high.close()
    try:
        event.start()
    except Exception as error:
        observe.raised(error, of=f"start, {of}")
        return
    raised, name = _passes(driver)
    said = f"raises {name}" if raised else "called" if driver.trace else "nothing"
    observe(said, of=f"loop, {of}")


@rule("levent.event.gc")
@pytest.mark.parametrize("state", ["started", "called before", "inactive"])
def test_whether_an_event_that_nobody_references_is_called(
    driver: LeventDriver, channels: Channels, observe: Observation, state: str
) -> None:
    """Its callback does not know it, so that no circle keeps it."""
    switch = ReadinessToggle(channels, on=state == "called before")
    held: list[Event] = [driver.base.newevent(switch.number, driver.callback("event"), "r")]
    if state != "inactive":
        held[0].start()
    _passes(driver)
    switch.off()
    if state == "called before":
        held[0].start()
    driver.trace.clear()
    held.clear()
    collect()
    switch.on()
    raised, name = _passes(driver)
    said = f"loop raises {name}" if raised else "called" if driver.trace else "not called"
    observe(said, of=state)


@rule("levent.event.error")
@pytest.mark.parametrize("howmany", [0, 1, None])
def test_what_loop_does_when_a_callback_raises(
    driver: LeventDriver, channels: Channels, observe: Observation, howmany: int | None
) -> None:
    """The event has stopped itself, so that every `loop` can return."""
    switch, other = ReadinessToggle(channels, on=True), ReadinessToggle(channels, on=True)

    def raise_it() -> None:
        event.stop()
        switch.off()
        raise Mistake

    event = driver.base.newevent(switch.number, lambda *_: raise_it(), "r")
    driver.keep(event).start()
    of = f"loop({'' if howmany is None else howmany})"
    try:
        for _ in range(_PASSES if howmany == 0 else 1):
            driver.base.loop(howmany)
    except Exception as error:
        observe.raised(error, of=of)
    else:
        observe("goes on", of=of)
    last = driver.event("last", other.number, "r", lambda *_: last.stop())
    last.start()
    raised, _ = _passes(driver)
    served = "is served" if driver.count("last") else "is silent"
    observe(f"{served}{', and loop raises' if raised else ''}", of=f"another event after {of}")


@rule("levent.event.error")
def test_what_becomes_of_an_event_that_always_raises(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Thousands of errors, one in each pass, beside an event that does its work."""
    switch, other = ReadinessToggle(channels, on=True), ReadinessToggle(channels, on=True)
    calls = 0

    def raise_it() -> None:
        nonlocal calls
        calls += 1
        if calls > 9000:  # a pass without an end
            event.stop()
        else:
            event.start()
        raise Mistake

    event = driver.base.newevent(switch.number, lambda *_: raise_it(), "r")
    driver.keep(event).start()
    last = driver.event("last", other.number, "r", lambda *_: last.stop())
    raised, _ = _passes(driver, 5000)
    said = "raised each time" if raised == calls else "raised sometimes" if raised else "swallowed"
    observe(f"{said}, of {'many' if calls > 1000 else 'few'} calls", of="5000 passes")
    last.start()
    _passes(driver)
    observe("served" if driver.count("last") else "silent", of="another event after 5000 passes")
