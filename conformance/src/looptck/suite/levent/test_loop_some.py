"""levent, base:loop: loop(n) waits for the next event and serves it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return, run_beside


def _loop(driver: LeventDriver, howmany: int = 1) -> None:
    with must_return(f"loop({howmany})"):
        driver.run_once(howmany)


def _silent(driver: LeventDriver, channels: Channels) -> None:
    """An active event for which nothing comes."""
    driver.event("silent", channels.pipe()[0].fileno(), "r").start()


def _always_ready(driver: LeventDriver, channels: Channels) -> None:
    """An active event whose data is never read, and which starts itself again."""
    near, far = channels.pipe()
    far.send(b"x")
    event = driver.event("event", near.fileno(), "r", lambda *_: event.start())
    event.start()


def _serves_one_call(driver: LeventDriver, channels: Channels, howmany: int) -> None:
    _always_ready(driver, channels)
    _silent(driver, channels)
    for calls in range(1, 4):
        _loop(driver, howmany)
        assert driver.trace == ["event"] * calls, (
            f"one event is ready all the time; after {calls} times loop({howmany}) "
            f"it was called {len(driver.trace)} times"
        )


def _waits(driver: LeventDriver, channels: Channels, howmany: int) -> None:
    near, far = channels.pipe()

    def on_read(*_: object) -> None:
        drain(near)
        event.start()

    def send() -> None:
        driver.trace("sent")
        far.send(b"x")

    event = driver.event("event", near.fileno(), "r", on_read)
    event.start()
    _silent(driver, channels)
    for _ in range(3):
        driver.trace.clear()
        with run_beside(send):
            _loop(driver, howmany)
        assert driver.trace == ["sent", "event"], (
            f"nothing was ready when loop({howmany}) was called; it returned after "
            f"{', '.join(driver.trace) or 'nothing'}"
        )


@rule("levent.loop.howmany-positive")
def test_loop_1_calls_an_event_that_is_ready_once_and_returns(
    driver: LeventDriver, channels: Channels
) -> None:
    """The event stays ready and active beside a silent one: nothing else ends the loop."""
    _serves_one_call(driver, channels, 1)


@rule("levent.loop.howmany-positive")
def test_loop_1_waits_for_the_next_event(driver: LeventDriver, channels: Channels) -> None:
    """The test runs three times: a machine that is slow to call the loop cannot hide an early
    return."""
    _waits(driver, channels, 1)


@rule("levent.loop.howmany-positive")
@pytest.mark.parametrize("ready", [2, 3, 8])
@pytest.mark.parametrize("beside", ["nothing", "a silent event"])
def test_repeated_loop_1_serves_each_of_several_events(
    driver: LeventDriver, channels: Channels, ready: int, beside: str
) -> None:
    """Each call may serve one event or all; calls are made only while some are left."""
    if beside != "nothing":
        _silent(driver, channels)

    def add(name: str) -> None:
        near, far = channels.pipe()
        far.send(b"x")
        event = driver.event(name, near.fileno(), "r", lambda *_: event.stop())
        event.start()

    names = {f"event {each}" for each in range(ready)}
    for name in sorted(names):
        add(name)
    while served := names - set(driver.trace):
        _loop(driver)
        assert names - set(driver.trace) < served, (
            f"{len(served)} events were ready, and loop(1) returned without calling one of them"
        )


def _never_started(_event: Event) -> None:
    """Leave the event as it was made."""


def _stopped(event: Event) -> None:
    event.start()
    event.stop()


def _deleted(event: Event) -> None:
    event.start()
    event.delete()


_INACTIVE: dict[str, Callable[[Event], None]] = {
    "never started": _never_started,
    "stopped": _stopped,
    "deleted": _deleted,
}


@rule("levent.loop.howmany-positive")
@pytest.mark.parametrize("past", _INACTIVE)
def test_loop_1_waits_although_an_inactive_event_is_ready(
    driver: LeventDriver, channels: Channels, past: str
) -> None:
    """A loop that wakes up for the inactive event has served nothing, and has to go on waiting."""
    near, far = channels.pipe()
    far.send(b"x")
    inactive = driver.event("inactive", near.fileno(), "r")
    _INACTIVE[past](inactive)
    _waits(driver, channels, 1)


@rule("levent.loop.howmany-positive")
def test_loop_1_does_not_return_for_a_stopped_event(
    driver: LeventDriver, channels: Channels
) -> None:
    """The stopped event left its data unread; the next call must wait for another event."""
    near, far = channels.pipe()
    far.send(b"x")
    event = driver.event("stopped", near.fileno(), "r", lambda *_: event.stop())
    event.start()
    _loop(driver)
    assert driver.trace == ["stopped"], "loop(1) did not call the one event that was ready"
    _waits(driver, channels, 1)


more_than_one = pytest.mark.parametrize("howmany", [2, 5, 1000])


@rule("levent.loop.howmany-not-a-count")
@more_than_one
def test_loop_n_calls_an_event_that_is_ready_once_and_returns(
    driver: LeventDriver, channels: Channels, howmany: int
) -> None:
    """The event stays ready, and could be called n times."""
    _serves_one_call(driver, channels, howmany)


@rule("levent.loop.howmany-not-a-count")
@more_than_one
def test_loop_n_returns_after_one_event(
    driver: LeventDriver, channels: Channels, howmany: int
) -> None:
    """Only one arrival comes, and the event stays active."""
    _waits(driver, channels, howmany)


@rule("levent.loop.howmany-not-a-count")
@pytest.mark.parametrize("howmany, ready", [(2, 1), (5, 2), (5, 4), (2, 5)])
def test_loop_n_returns_with_fewer_or_more_events_than_n(
    driver: LeventDriver, channels: Channels, howmany: int, ready: int
) -> None:
    """Each event is ready once and stops; a silent one holds up a loop that wants to count to n."""
    _silent(driver, channels)

    def add(name: str) -> None:
        near, far = channels.pipe()
        far.send(b"x")
        event = driver.event(name, near.fileno(), "r", lambda *_: event.stop())
        event.start()

    for each in range(ready):
        add(f"event {each}")
    _loop(driver, howmany)
    assert driver.trace, f"{ready} events were ready, and loop({howmany}) called none"
