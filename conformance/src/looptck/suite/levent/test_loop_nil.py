"""levent, base:loop: loop() and loop(None) serve until no event is active."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest

from looptck.clocks import Clock
from looptck.protocols.levent import Event
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return, run_beside
from looptck.testing.stopwatch import Stopwatch, assert_prompt

both_forms = pytest.mark.parametrize("form", ["loop()", "loop(None)"])


def _loop(driver: LeventDriver, form: str) -> None:
    with must_return(form):
        if form == "loop()":
            driver.base.loop()
        else:
            driver.run_once(None)


# What another thread waits for comes at once, or never, in seconds.
_SOON = 1.0


def _reader(
    driver: LeventDriver,
    name: str,
    end: End,
    *,
    calls: int = 1,
    served: threading.Event | None = None,
) -> Event:
    """An event that reads all data, notes *served*, and stops at its last call."""

    def on_read(*_: object) -> None:
        drain(end)
        if served is not None:
            served.set()
        if driver.count(name) < calls:
            event.start()
        else:
            event.stop()

    event = driver.event(name, end.fileno(), "r", on_read)
    return event


def _ready(driver: LeventDriver, channels: Channels) -> Event:
    """An event with data, which is not started."""
    near, far = channels.pipe()
    far.send(b"x")
    return _reader(driver, "event", near)


def _none(_driver: LeventDriver, _channels: Channels) -> None:
    """Make no event at all."""


def _made(driver: LeventDriver, channels: Channels) -> None:
    _ready(driver, channels)


def _stopped(driver: LeventDriver, channels: Channels) -> None:
    event = _ready(driver, channels)
    event.start()
    event.stop()


def _deleted(driver: LeventDriver, channels: Channels) -> None:
    for event in (_ready(driver, channels), _ready(driver, channels)):
        event.start()
        event.delete()


def _served(driver: LeventDriver, channels: Channels) -> None:
    _ready(driver, channels).start()
    assert driver.until_count("event"), "an event that was ready was never called by loop(0)"
    driver.trace.clear()


_NONE_ACTIVE: dict[str, Callable[[LeventDriver, Channels], None]] = {
    "no event": _none,
    "never started": _made,
    "stopped": _stopped,
    "deleted": _deleted,
    "served and stopped": _served,
}


@rule("levent.loop.nil")
@pytest.mark.parametrize("past", _NONE_ACTIVE)
@both_forms
def test_loop_returns_at_once_when_no_event_is_active(
    driver: LeventDriver, channels: Channels, clock: Clock, past: str, form: str
) -> None:
    """All files have data: a loop that takes an event for active serves it, or waits."""
    _NONE_ACTIVE[past](driver, channels)

    def lateness() -> float:
        since, began = Stopwatch(clock), time.monotonic()
        _loop(driver, form)
        return max(since.elapsed(), time.monotonic() - began)

    assert_prompt(lateness, 0.05)
    assert not driver.trace, f"{form} called an event that was not active: {past}"


@rule("levent.loop.nil")
@both_forms
def test_loop_serves_an_event_again_and_again_until_it_stops(
    driver: LeventDriver, channels: Channels, form: str
) -> None:
    """Each of five calls reads its byte and sends the next one; the last one stops."""
    near, far = channels.pipe()

    def on_read(*_: object) -> None:
        drain(near)
        far.send(b"x")
        if driver.count("event") < 5:
            event.start()
        else:
            event.stop()

    event = driver.event("event", near.fileno(), "r", on_read)
    event.start()
    far.send(b"x")
    _loop(driver, form)
    assert driver.count("event") == 5, (
        f"an event was active up to its fifth call; {form} returned after {driver.count('event')}"
    )


@rule("levent.loop.nil")
@both_forms
@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_loop_waits_for_an_event_that_is_silent_for_long(
    driver: LeventDriver, channels: Channels, form: str, attempt: int
) -> None:
    """Another thread sends, twice; the test makes three attempts, as a slow machine may hide an
    early return."""
    near, far = channels.pipe()

    served = threading.Event()

    def send() -> None:
        driver.trace("sent")
        far.send(b"x")

    def send_again() -> None:
        # what is sent before the first call is read by the first call
        served.wait(_SOON)
        send()

    _reader(driver, "event", near, calls=2, served=served).start()
    with run_beside(send, send_again):
        _loop(driver, form)
    assert driver.trace == ["sent", "event", "sent", "event"], (
        f"{form} with an event that is active up to its second call: "
        f"{', '.join(driver.trace) or 'nothing'}, and then it returned"
    )


@rule("levent.loop.nil")
@both_forms
@pytest.mark.parametrize("first", [0, 1, 2])
def test_loop_waits_for_the_last_of_several_events(
    driver: LeventDriver, channels: Channels, form: str, first: int
) -> None:
    """One of three events is ready at once; each other one is ready after the one before it
    ended."""
    names = ["a", "b", "c"]
    order = names[first:] + names[:first]
    pairs = {name: channels.pipe() for name in names}
    served = {name: threading.Event() for name in names}
    for name in names:
        _reader(driver, name, pairs[name][0], served=served[name]).start()
    pairs[order[0]][1].send(b"x")

    def send(name: str, former: str) -> None:
        served[former].wait(_SOON)
        pairs[name][1].send(b"x")

    senders = [partial(send, name, former) for former, name in pairwise(order)]
    with run_beside(*senders):
        _loop(driver, form)
    assert driver.trace == order, (
        f"{form} returned after {', '.join(driver.trace) or 'nothing'}; "
        f"three events were active, due in the order {', '.join(order)}"
    )


@rule("levent.loop.nil")
@both_forms
@pytest.mark.parametrize("end", ["stop", "delete"])
@pytest.mark.parametrize("whose", ["its own", "another one's", "both"])
def test_loop_returns_when_a_callback_ends_the_last_event(
    driver: LeventDriver, channels: Channels, form: str, end: str, whose: str
) -> None:
    """The last event is silent, so that only its end can let the loop return."""
    near, far = channels.pipe()
    silent, _ = channels.pipe()
    other = driver.event("other", silent.fileno(), "r")
    if whose != "its own":
        other.start()

    def on_read(*_: object) -> None:
        if whose == "both":
            event.start()
        if whose != "its own":
            getattr(other, end)()
        getattr(event, end)()

    event = driver.event("event", near.fileno(), "r", on_read)
    event.start()
    far.send(b"x")
    _loop(driver, form)
    assert driver.trace == ["event"], (
        f"the first call ended what was active; called were {', '.join(driver.trace) or 'none'}"
    )


@rule("levent.loop.nil")
@pytest.mark.parametrize("times", [2, 5])
def test_loop_serves_as_before_when_it_is_called_again(
    driver: LeventDriver, channels: Channels, times: int
) -> None:
    """The same event is started again for each loop, and a loop without any comes in between."""
    near, far = channels.pipe()

    def on_read(*_: object) -> None:
        drain(near)
        event.stop()

    event = driver.event("event", near.fileno(), "r", on_read)
    for _ in range(times):
        event.start()
        with run_beside(lambda: far.send(b"x")):
            _loop(driver, "loop()")
        _loop(driver, "loop()")
    assert driver.trace == ["event"] * times, (
        f"{times} loops with one call each; there came {len(driver.trace)}"
    )


_SOURCES = ["ready", "later, by a callback", "later, by another thread"]


@rule("levent.loop.add-in-callback")
@pytest.mark.parametrize("made", ["in the callback", "before"])
@pytest.mark.parametrize("data", _SOURCES)
@pytest.mark.parametrize("beside", ["nothing", "a silent event"])
def test_an_event_started_in_a_callback_is_served(
    driver: LeventDriver, channels: Channels, made: str, data: str, beside: str
) -> None:
    """The event that starts it has stopped, or stops at its next call: no third event is active."""
    near, far = channels.pipe()
    fresh, sender = channels.pipe()
    quiet, _ = channels.pipe()
    silent = driver.event("silent", quiet.fileno(), "r")

    def on_fresh(*_: object) -> None:
        new[0].stop()
        silent.stop()

    def make() -> Event:
        return driver.event("new", fresh.fileno(), "r", on_fresh)

    new = [make()] if made == "before" else []

    def on_read(*_: object) -> None:
        if data == "ready" or driver.count("starter") == 2:
            sender.send(b"x")
        if driver.count("starter") == 1:
            new[:] = new or [make()]
            new[0].start()
            if data == "later, by a callback":
                far.send(b"x")
                starter.start()
                return
        starter.stop()

    starter = driver.event("starter", near.fileno(), "r", on_read)
    starter.start()
    if beside != "nothing":
        silent.start()
    far.send(b"x")
    acts = [lambda: sender.send(b"x")] if data == "later, by another thread" else []
    with run_beside(*acts):
        _loop(driver, "loop()")
    assert driver.trace[-1:] == ["new"], (
        f"an event was started in a callback, its data came {data}; "
        f"loop() called {', '.join(driver.trace) or 'nothing'}, and returned"
    )


@rule("levent.loop.add-in-callback")
@pytest.mark.parametrize("stops", ["before", "after"])
def test_each_callback_may_start_the_next_event(
    driver: LeventDriver, channels: Channels, stops: str
) -> None:
    """Six events start each other in a row; each stops before it starts the next one, or after."""
    names = [f"event {each}" for each in range(6)]
    pairs = [channels.pipe() for _ in names]
    for _, far in pairs:
        far.send(b"x")

    def add(at: int) -> None:
        def on_read(*_: object) -> None:
            if stops == "before":
                event.stop()
            if at + 1 < len(names):
                add(at + 1)
            event.stop()

        event = driver.event(names[at], pairs[at][0].fileno(), "r", on_read)
        event.start()

    add(0)
    _loop(driver, "loop()")
    assert driver.trace == names, (
        f"each of {len(names)} callbacks started the next event; "
        f"loop() called {', '.join(driver.trace) or 'nothing'}, and returned"
    )
