"""levent, newevent: cases that the document leaves open are observed."""

from __future__ import annotations

from typing import Any

import pytest

from looptck.rules.markers import rows_by_rule, rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.readiness import ReadinessToggle, every_evtype

# So many passes, or exceptions of the loop, are enough to see what it does.
_PASSES = 6

# {what it is: the callback}
NO_CALLBACKS: dict[str, Any] = {"None": None, "a number": 5, "a string": "callback"}


class CanBeCalled:
    """An object that can be called, and is no function."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_: object) -> None:
        self.calls += 1


@rule("levent.newevent.callback-type")
@pytest.mark.parametrize("given", ["nothing", *NO_CALLBACKS])
def test_a_callback_that_is_none_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, given: str
) -> None:
    """The file is ready, so that the loop meets the callback if newevent lets it through."""
    near, far = channels.pair()
    far.send(b"x")
    arguments = () if given == "nothing" else (NO_CALLBACKS[given],)
    newevent: Any = driver.base.newevent
    try:
        event = driver.keep(newevent(near.fileno(), *arguments))
    except Exception as error:
        observe.raised(error, of=f"newevent with {given}")
        return
    observe("accepted", of=f"newevent with {given}")
    try:
        event.start()
        for _ in range(_PASSES):
            driver.base.loop(0)
    except Exception as error:
        observe.raised(error, of=f"served with {given}")


@rule("levent.newevent.callback-type")
def test_an_object_that_can_be_called_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The test makes enough passes for any loop."""
    near, far = channels.pair()
    far.send(b"x")
    callback = CanBeCalled()
    try:
        event = driver.keep(driver.base.newevent(near.fileno(), callback, "r"))
        event.start()
        for _ in range(_PASSES):
            driver.base.loop(0)
    except Exception as error:
        observe.raised(error, of="an object that can be called")
        return
    observe("called" if callback.calls else "not called", of="an object that can be called")


def _heard(driver: LeventDriver, channels: Channels, *evtype: object) -> str:
    """Return the directions for which an event with this evtype is called."""
    heard = []
    newevent: Any = driver.base.newevent
    for ready in ("r", "w"):
        switch = ReadinessToggle(channels, ready, on=True)
        name = f"for {'data' if ready == 'r' else 'room'}"
        event = driver.keep(newevent(switch.number, driver.callback(name), *evtype))
        event.start()
        for _ in range(_PASSES):
            driver.base.loop(0)
        event.stop()
        if driver.count(name):
            heard.append(name)
    return f"called {' and '.join(heard)}" if heard else "never called"


# {rule: [(situation, the arguments after the callback)]}
EVTYPES: dict[str, list[tuple[str, tuple[object, ...]]]] = {
    "levent.newevent.evtype-missing": [("nothing", ()), ("None", (None,))],
    "levent.newevent.evtype-other": [
        (repr(evtype), (evtype,))
        for evtype in ("", "x", "R", "rx", "wr", "rr", "r w", " r", b"r", 0, 2, True, ("r", "w"))
    ],
}


@pytest.mark.parametrize("situation, evtype", rows_by_rule(EVTYPES))
def test_an_event_of_an_odd_evtype_is_recorded(
    driver: LeventDriver,
    channels: Channels,
    observe: Observation,
    situation: str,
    evtype: tuple[object, ...],
) -> None:
    """One file has only data, and then another one only room."""
    try:
        observe(_heard(driver, channels, *evtype), of=situation)
    except Exception as error:
        observe.raised(error, of=situation)


@rule("levent.newevent.one-shot")
@every_evtype
def test_calls_without_another_start_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, evtype: str
) -> None:
    """The file stays ready, and the callback does nothing."""
    switch = ReadinessToggle(channels, evtype, on=True)
    event = driver.event("event", switch.number, evtype)
    event.start()
    try:
        for _ in range(_PASSES):
            driver.base.loop(0)
    except Exception as error:
        observe.raised(error, of=f'"{evtype}"')
        return
    calls = driver.count("event")
    said = "never called" if not calls else "called once" if calls == 1 else "called again"
    observe(said, of=f'"{evtype}"')
