"""levent, events: cases that the document leaves open are observed."""

from __future__ import annotations

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.readiness import ReadinessToggle
from looptck.testing.resources import collect

_PASSES = 6


class Mistake(Exception):  # noqa: N818  it is no error of anybody's but the test's
    """The exception that the callbacks here raise."""


def _passes(driver: LeventDriver, count: int = _PASSES) -> tuple[int, str]:
    """Make that many passes; return how many of them raised, and the outcome of the last one."""
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
def test_an_event_for_a_closed_descriptor_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, evtype: str, closed: str
) -> None:
    """The test opens no file meanwhile that could take the number, but the loop may."""
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
def test_an_event_without_a_reference_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, state: str
) -> None:
    """The callback does not refer to the event, so no reference cycle keeps it."""
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
def test_a_loop_whose_callback_raises_is_recorded(
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
def test_an_event_that_always_raises_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The callback raises in each of thousands of passes, beside an event that does its work."""
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
