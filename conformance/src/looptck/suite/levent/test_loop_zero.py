"""levent, base:loop: loop(0) makes one pass over the ready events."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.levent import Event, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.kernel import wait_readable
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return
from looptck.testing.readiness import ReadinessToggle
from looptck.testing.stopwatch import Stopwatch, assert_prompt

# A pass may be late for what became ready just before it, and a poller tells of
# so many files at a time.
_PASSES = 3
_FEW = 5

_CHANNELS: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}


def _pass(driver: LeventDriver) -> None:
    with must_return("loop(0)"):
        driver.run_once(0)


def _passes_until(driver: LeventDriver, condition: Callable[[], object]) -> None:
    """Make one pass, and the further ones that a loop may need to notice readiness."""
    for _ in range(_PASSES):
        _pass(driver)
        if condition():
            return


def _ending(driver: LeventDriver, name: str, end: End, evtype: str = "r") -> Event:
    """A started event that stops itself when it is called."""
    event = driver.event(name, end.fileno(), evtype, lambda *_: event.stop())
    event.start()
    return event


@rule("levent.loop.howmany-zero")
@pytest.mark.parametrize("ready, idle", [(1, 0), (1, 3), (3, 0), (2, 1), (40, 40)])
def test_every_ready_event_is_called_and_no_other_is(
    driver: LeventDriver, channels: Channels, ready: int, idle: int
) -> None:
    """One pass serves a few; of forty events, three passes that serve a few at a time miss some."""
    for each in range(max(ready, idle)):
        if each < ready:
            near, far = channels.pipe()
            far.send(b"x")
            _ending(driver, f"ready {each}", near)
        if each < idle:
            _ending(driver, f"idle {each}", channels.pipe()[0])
    if ready <= _FEW:
        _pass(driver)
    else:
        _passes_until(driver, lambda: len(set(driver.trace)) == ready)
    called = set(driver.trace)
    calls = "one call" if ready <= _FEW else f"{_PASSES} calls"
    assert len(called) >= ready, (
        f"of {ready} events that were ready, {calls} of loop(0) served {len(called)}"
    )
    for _ in range(_PASSES):
        _pass(driver)
    others = sorted(name for name in driver.trace if name.startswith("idle"))
    assert not others, f"loop(0) called {others[0]}, for which there was nothing"


@rule("levent.loop.howmany-zero")
@pytest.mark.parametrize("evtypes", ["r w", "w r", "rw r w", "r r w w"])
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
def test_one_pass_calls_ready_readers_and_writers(
    driver: LeventDriver, channels: Channels, evtypes: str, channel: str
) -> None:
    """Each event has a file of its own, which is ready in that event's direction only."""
    names = []
    for at, evtype in enumerate(evtypes.split()):
        near, far = _CHANNELS[channel](channels)
        if "r" in evtype:
            far.send(b"x")
            wait_readable([near])
        if "w" not in evtype:
            fill(near)
        names.append(f"{evtype} {at}")
        _ending(driver, names[-1], near, evtype)
    _pass(driver)
    assert sorted(driver.trace) == sorted(names), (
        f"of {len(names)} events that were ready ({', '.join(names)}), one loop(0) called "
        f"{', '.join(driver.trace) or 'none'}"
    )


@rule("levent.loop.howmany-zero")
@pytest.mark.parametrize("channel", _CHANNELS)
def test_an_event_that_is_ready_later_is_served_by_a_later_pass(
    driver: LeventDriver, channels: Channels, channel: str
) -> None:
    """Earlier passes find neither data nor room; each event serves one arrival."""
    for arrival in range(1, 4):
        near, far = _CHANNELS[channel](channels)
        if channel != "pipe":
            fill(near)
        _ending(driver, "read", near)
        for _ in range(_PASSES):
            _pass(driver)
        assert driver.count("read") == arrival - 1, "loop(0) called an event without any data"
        far.send(b"x")
        _passes_until(driver, lambda: driver.count("read") >= arrival)  # noqa: B023  # called at once
        assert driver.count("read") == arrival, (
            f"arrival {arrival} was not served by {_PASSES} calls of loop(0)"
        )
        drain(near)


def _none(_driver: LeventDriver, _channels: Channels) -> None:
    """Make no event at all."""


def _idle(driver: LeventDriver, channels: Channels) -> None:
    _ending(driver, "idle", channels.pipe()[0])


def _several_idle(driver: LeventDriver, channels: Channels) -> None:
    for each in range(5):
        _ending(driver, f"idle {each}", channels.pipe()[0])


def _idle_again(driver: LeventDriver, channels: Channels) -> None:
    near, far = channels.pipe()

    def on_read(*_: object) -> None:
        drain(near)
        event.start()

    event = driver.event("served", near.fileno(), "r", on_read)
    event.start()
    far.send(b"x")
    _passes_until(driver, lambda: driver.trace)
    assert driver.trace, "an event that was ready was never called by loop(0)"
    driver.trace.clear()


_NOTHING_READY: dict[str, Callable[[LeventDriver, Channels], None]] = {
    "no event": _none,
    "an event without data": _idle,
    "several events without data": _several_idle,
    "an event whose data was read": _idle_again,
}


@rule("levent.loop.howmany-zero")
@pytest.mark.parametrize("left", _NOTHING_READY)
def test_a_pass_does_not_wait(
    driver: LeventDriver, channels: Channels, clock: Clock, left: str
) -> None:
    """A pass is late only if every attempt is late, by the loop's clock or the machine's."""
    _NOTHING_READY[left](driver, channels)

    def lateness() -> float:
        since, began = Stopwatch(clock), time.monotonic()
        _pass(driver)
        return max(since.elapsed(), time.monotonic() - began)

    assert_prompt(lateness, 0.05)
    assert not driver.trace, f"loop(0) called {driver.trace[0]!r}, and nothing was ready"


def _took(driver: LeventDriver, before: int) -> list[str]:
    return driver.trace[before:]


@rule("levent.loop.howmany-zero-bounded")
@pytest.mark.parametrize("data", ["is left", "comes anew"])
@pytest.mark.parametrize("evtype", ["r", "w"])
@pytest.mark.parametrize("events", [1, 3])
def test_an_event_that_is_ready_again_is_called_once_in_a_pass(
    driver: LeventDriver, channels: Channels, data: str, evtype: str, events: int
) -> None:
    """Each callback starts its event again; a count ends a pass that would never end."""

    def add(name: str) -> None:
        switch = ReadinessToggle(channels, evtype, on=True)

        def on_ready(*_: object) -> None:
            if data == "comes anew":
                switch.off()
                switch.on()
            event.start()

        event = driver.event(name, switch.number, evtype, on_ready)
        event.start()

    names = [f"event {each}" for each in range(events)]
    for name in names:
        add(name)
    for _ in range(5):
        before = len(driver.trace)
        _pass(driver)
        calls = _took(driver, before)
        often = [name for name in names if calls.count(name) > 1]
        assert not often, f"one loop(0) called {often[0]} {calls.count(often[0])} times"
    missing = [name for name in names if driver.count(name) < 5 - _PASSES + 1]
    assert not missing, (
        f"{missing[0]} was ready throughout, and five calls of loop(0) "
        f"called it {driver.count(missing[0])} times"
    )


@rule("levent.loop.howmany-zero-bounded")
def test_events_that_ready_each_other_do_not_prolong_a_pass(
    driver: LeventDriver, channels: Channels
) -> None:
    """A byte goes to and fro between two events; another pass may see it go on."""
    one, two = channels.pair()

    def add(name: str, end: End) -> None:
        def on_read(*_: object) -> None:
            end.send(drain(end))
            event.start()

        event = driver.event(name, end.fileno(), "r", on_read)
        event.start()

    add("one", one)
    add("two", two)
    two.send(b"x")
    for _ in range(5):
        before = len(driver.trace)
        _pass(driver)
        calls = _took(driver, before)
        assert calls.count("one") <= 1, f"in one loop(0) the calls were {', '.join(calls[:8])}"
        assert calls.count("two") <= 1, f"in one loop(0) the calls were {', '.join(calls[:8])}"
    assert driver.count("one"), "what was ready from the beginning was never called by loop(0)"


@rule("levent.loop.howmany-zero-bounded")
def test_events_that_make_new_ones_do_not_prolong_a_pass(
    levent: Levent, channels: Channels
) -> None:
    """Each event stops, and starts a new event for the same file, whose data is never read."""
    most = 60
    driver = LeventDriver(levent)
    near, far = channels.pipe()
    far.send(b"x")

    def add() -> None:
        def on_read(*_: object) -> None:
            event.stop()
            if driver.count("event") < most:
                add()

        event = driver.event("event", near.fileno(), "r", on_read)
        event.start()

    add()
    _passes_until(driver, lambda: driver.trace)
    driver.stop_all()
    assert driver.trace, "an event that was ready was never called by loop(0)"
    assert len(driver.trace) < most, (
        f"one loop(0) called {len(driver.trace)} events, each started by the one before"
    )
