"""levent, base:loop: long silences, many calls, and traces of earlier loops."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return, run_beside
from looptck.testing.readiness import ReadinessToggle, either_evtype

# Longer than what a loop might take for idle, in seconds.
_LONG = 0.3


def _loop(driver: LeventDriver, howmany: int | None = None) -> None:
    with must_return("loop()" if howmany is None else f"loop({howmany})"):
        driver.run_once(howmany)


def _stopping(driver: LeventDriver, name: str, switch: ReadinessToggle) -> Event:
    """A started event that stops itself when it is called."""
    event = driver.event(name, switch.number, switch.evtype, lambda *_: event.stop())
    event.start()
    return event


def _is_waited_for(
    driver: LeventDriver, channels: Channels, evtype: str, howmany: int | None
) -> None:
    """Keep one event silent for long, then make it ready: it must be called."""
    switch = ReadinessToggle(channels, evtype)
    _stopping(driver, "event", switch)

    def make_ready() -> None:
        driver.trace("ready")
        switch.on()

    with run_beside(make_ready, after=_LONG):
        _loop(driver, howmany)
    assert driver.trace == ["ready", "event"], (
        f"an event was active, and ready after {_LONG} s; loop({howmany}) returned after "
        f"{', '.join(driver.trace) or 'nothing'}"
    )


@rule("levent.loop.nil")
@either_evtype
def test_loop_waits_through_a_long_silence(
    driver: LeventDriver, channels: Channels, evtype: str
) -> None:
    """A loop that takes a long silence for the end returns early."""
    _is_waited_for(driver, channels, evtype, None)


@rule("levent.event.start")
@either_evtype
def test_loop_waits_for_a_started_event_that_is_silent_for_long(
    driver: LeventDriver, channels: Channels, evtype: str
) -> None:
    """It is the only event, and nothing else can keep the loop."""
    _is_waited_for(driver, channels, evtype, None)


@rule("levent.loop.howmany-positive")
@either_evtype
def test_loop_1_waits_through_a_long_silence(
    driver: LeventDriver, channels: Channels, evtype: str
) -> None:
    """A loop that bounds its wait returns early."""
    _is_waited_for(driver, channels, evtype, 1)


@rule("levent.loop.nil")
@either_evtype
def test_loop_serves_many_calls(driver: LeventDriver, channels: Channels, evtype: str) -> None:
    """The file stays ready; a loop that bounds its passes returns too early."""
    many = 150
    switch = ReadinessToggle(channels, evtype, on=True)

    def go_on() -> None:
        if driver.count("event") < many:
            event.start()
        else:
            event.stop()

    event = driver.event("event", switch.number, evtype, lambda *_: go_on())
    event.start()
    _loop(driver)
    assert driver.count("event") == many, (
        f"an event was active up to its {many}. call; loop() returned after {driver.count('event')}"
    )


@rule("levent.loop.nil")
@pytest.mark.parametrize("before", [[0], [1], [7], [0, 1, 0]], ids=str)
@pytest.mark.parametrize("idle", [False, True], ids=["served", "with nothing to do"])
def test_loop_does_not_remember_an_earlier_howmany(
    driver: LeventDriver, channels: Channels, before: list[int], idle: bool
) -> None:
    """The event waits for another thread, so that a remembered `howmany` ends the loop early."""
    for howmany in before:
        if not idle:
            _stopping(driver, f"loop({howmany})", ReadinessToggle(channels, on=True))
        if howmany == 0 or not idle:
            _loop(driver, howmany)
    driver.trace.clear()
    switch = ReadinessToggle(channels)
    _stopping(driver, "event", switch)
    with run_beside(switch.on):
        _loop(driver)
    assert driver.trace == ["event"], (
        f"after loops with howmany {', '.join(map(str, before))} loop() was to wait for an event, "
        "and returned before it"
    )


@rule("levent.loop.nil")
@pytest.mark.parametrize("howmany", [None, 0, 1])
@either_evtype
def test_loop_serves_events_after_a_callback_has_raised(
    driver: LeventDriver, channels: Channels, howmany: int | None, evtype: str
) -> None:
    """Whether loop raises or goes on is open; the event that raises has stopped before."""

    def fail() -> None:
        bad.stop()
        raise RuntimeError("on purpose")

    bad = driver.keep(
        driver.base.newevent(
            ReadinessToggle(channels, evtype, on=True).number, lambda *_: fail(), evtype
        )
    )
    bad.start()
    with suppress(RuntimeError):
        _loop(driver, howmany)
    switch = ReadinessToggle(channels, evtype)
    _stopping(driver, "event", switch)
    with run_beside(switch.on):
        _loop(driver)
    assert driver.trace == ["event"], (
        f"a callback raised in loop({howmany}); after it loop() was to wait for another event, "
        "and returned before it"
    )


def _own(_served: ReadinessToggle, channels: Channels) -> tuple[int, Callable[[], object]]:
    """Return the number of a new file, and a function that makes it ready."""
    near, far = channels.pair()
    return near.fileno(), lambda: far.send(b"x")


def _served(served: ReadinessToggle, _channels: Channels) -> tuple[int, Callable[[], object]]:
    """Return the number of the file that the callback is called for, and a function that makes
    it ready."""
    return served.number, served.on


def _reused(served: ReadinessToggle, channels: Channels) -> tuple[int, Callable[[], object]]:
    """Give the number of the served file to a new one; return it and a function that makes it
    ready."""
    number = served.number
    served.near.close()
    near, far = channels.pair_at(number)
    return near.fileno(), lambda: far.send(b"x")


# Where a new event's file comes from: its number, and how it is made ready.
_FILES = {"its own file": _own, "the served file": _served, "a reused number": _reused}


@rule("levent.loop.add-in-callback")
@pytest.mark.parametrize("file", _FILES)
@pytest.mark.parametrize("ended_by", ["stop", "delete"])
@pytest.mark.parametrize("ready", ["at once", "later"])
def test_an_event_made_in_a_callback_may_take_over_its_file(
    driver: LeventDriver, channels: Channels, file: str, ended_by: str, ready: str
) -> None:
    """The event that is called ends itself first; then only the new one is active."""
    served = ReadinessToggle(channels, on=True)
    kept: list[Callable[[], object]] = []

    def take_over() -> None:
        served.off()
        getattr(first, ended_by)()
        number, make_ready = _FILES[file](served, channels)
        event = driver.event("new", number, "r", lambda *_: event.stop())
        event.start()
        kept.append(make_ready)
        if ready == "at once":
            make_ready()

    first = driver.event("first", served.number, "r", lambda *_: take_over())
    first.start()
    with run_beside(*[lambda: kept[0]()] if ready == "later" else []):
        _loop(driver)
    assert driver.trace == ["first", "new"], (
        f"a callback ended its own event by {ended_by} and started a new one for {file}, ready "
        f"{ready}; loop() called {', '.join(driver.trace) or 'nothing'}, and returned"
    )


@rule("levent.loop.add-in-callback")
@pytest.mark.parametrize("many", [2, 3, 10])
@pytest.mark.parametrize("ready", ["at once", "one after the other"])
def test_all_events_started_in_one_callback_are_served(
    driver: LeventDriver, channels: Channels, many: int, ready: str
) -> None:
    """One callback makes them all and stops its own event; each call makes the next one ready."""
    names = [f"new {at}" for at in range(many)]
    switches = {name: ReadinessToggle(channels) for name in names}
    turn = iter(names)

    def on_new(event: Event) -> None:
        event.stop()
        if ready != "at once" and (following := next(turn, None)):
            switches[following].on()

    def make_all() -> None:
        opener.stop()
        for name, switch in switches.items():
            made: list[Event] = []
            made.append(
                driver.event(name, switch.number, "r", lambda *_, made=made: on_new(made[0]))
            )
            made[0].start()
            if ready == "at once":
                switch.on()
        if ready != "at once":
            switches[next(turn)].on()

    opener = driver.event(
        "opener", ReadinessToggle(channels, on=True).number, "r", lambda *_: make_all()
    )
    opener.start()
    _loop(driver)
    assert sorted(driver.trace) == sorted([*names, "opener"]), (
        f"a callback started {many} events; loop() called "
        f"{', '.join(driver.trace) or 'nothing'}, and returned"
    )


@rule("levent.event.start")
@either_evtype
@pytest.mark.parametrize("ended_by", ["stop", "delete"])
@pytest.mark.parametrize("passes", [0, 3])
def test_an_event_started_for_a_reused_number_is_called(
    driver: LeventDriver, channels: Channels, evtype: str, ended_by: str, passes: int
) -> None:
    """The earlier event was ended, its file closed, and the number given to another file."""
    near, far = channels.pair()
    for _ in range(2):
        old = driver.event("old", near.fileno(), evtype, lambda *_: None)
        fill(near)
        old.start()
        driver.run_idle(3)
        old.stop()
        if ended_by == "delete":
            old.delete()
        number = near.fileno()
        near.close()
        driver.run_idle(passes)
        near, far = channels.pair_at(number)
    fill(near)
    event = driver.event("event", near.fileno(), evtype, lambda *_: event.stop())
    event.start()
    driver.run_idle(3)
    far.send(b"x") if evtype == "r" else drain(far)
    assert driver.until_count("event"), (
        "an event was started for a number that was another file's before, and is not called"
    )
    assert driver.trace == ["event"], "an event was called whose file was closed, after its stop"
