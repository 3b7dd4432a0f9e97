"""luaevent, core:addevent: a callback may close its own event or another's."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Answer, Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.event_kinds import KINDS, event_arguments
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere
from looptck.testing.trace import Trace

_ANSWERS: dict[str, Callable[[Luaevent, int], Answer]] = {
    "None": lambda luaevent, event: None,
    "the same flags": lambda luaevent, event: event,
    "other flags": lambda luaevent, event: luaevent.EV_READ | luaevent.EV_WRITE,
    "the flags and a timeout": lambda luaevent, event: (event, 0.002),
    "LEAVE": lambda luaevent, event: luaevent.LEAVE,
}


@rule("luaevent.addevent.close-own-callback")
@everywhere
@pytest.mark.parametrize("kind", ["ready reader", "ready writer", "silent reader", "timer"])
@pytest.mark.parametrize("answer", _ANSWERS)
@pytest.mark.parametrize("timeout", [None, 0.002])
def test_a_callback_can_close_its_own_event(
    luaevent: Luaevent,
    channels: Channels,
    situation: Situation,
    kind: str,
    answer: str,
    timeout: float | None,
) -> None:
    """The condition goes on to hold, and the timeout would pass before the timer that ends the
    loop."""
    if timeout is None and not kind.startswith("ready"):
        timeout = 0.003
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    own: list[Event] = []

    def on_event(_flags: int) -> Answer:
        own[0].close()
        driver.stop_expecting("own")
        driver.after("end", 0.005, lambda: None)
        return _ANSWERS[answer](luaevent, event)

    driver.run(
        lambda: own.append(driver.add("own", fd, event, on_event, timeout=timeout)), situation
    )
    # readiness or the timeout: where they meet in one turn, either may come
    calls = [call.partition(" ")[0] for call in driver.trace]
    assert calls == ["own", "end"], (
        "an event closed itself in its first call; due were own, end; "
        f"called were {', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.addevent.close-own-callback")
@pytest.mark.parametrize("kind", ["ready reader", "ready writer", "silent reader", "timer"])
def test_an_exception_does_not_bring_a_closed_event_back(
    luaevent: Luaevent, channels: Channels, kind: str
) -> None:
    """Whether the exception comes out of the loop is open, so the loop is called again."""
    base = luaevent.new()
    fd, event = event_arguments(luaevent, channels, kind)
    trace = Trace()
    events: list[Event] = []

    def on_event(_flags: int) -> int:
        trace("own")
        events[0].close()
        if len(trace) < 5:
            raise ValueError("raised on purpose")
        return luaevent.LEAVE

    def end(_flags: int) -> int:
        trace("end")
        return luaevent.LEAVE

    events.append(base.addevent(fd, event, on_event, 0.002))
    with suppress(Exception):  # as it is, or in another of the loop's own
        base.loop()
    events.append(base.addevent(None, luaevent.EV_TIMEOUT, end, 0.006))
    with suppress(Exception):  # as it is, or in another of the loop's own
        base.loop()
    assert trace == ["own", "end"], "an event that closed itself and raised was called again"


@rule("luaevent.addevent.close-own-callback")
@pytest.mark.parametrize("kind", ["ready reader", "ready writer"])
@pytest.mark.parametrize("answer", _ANSWERS)
def test_a_callback_can_put_a_new_event_in_the_place_of_its_own(
    luaevent: Luaevent, channels: Channels, kind: str, answer: str
) -> None:
    """A loop must not apply the value that the old callback returns to the new event."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    own: list[Event] = []

    def on_event(_flags: int) -> Answer:
        own[0].close()
        driver.stop_expecting("old")
        driver.add("new", fd, event, event, event, luaevent.LEAVE)
        return _ANSWERS[answer](luaevent, event)

    own.append(driver.add("old", fd, event, on_event))
    driver.run()
    served = "read" if kind == "ready reader" else "write"
    driver.assert_calls(f"old {served}", *[f"new {served}"] * 3)


@rule("luaevent.addevent.close-other-same-turn")
@pytest.mark.parametrize("kind", [*KINDS, "mixed"])
@pytest.mark.parametrize("number", [2, 8])
@everywhere
def test_an_event_closed_by_one_of_the_same_turn_is_not_called(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    kind: str,
    number: int,
) -> None:
    """All are due when the turn begins; the first callback closes the rest."""
    driver = LuaeventDriver(luaevent)
    events: list[Event] = []

    def on_event(_flags: int) -> int:
        for event in events:
            event.close()
        for each in range(number):
            driver.stop_expecting(f"event {each}")
        driver.after("end", 0.004, lambda: None)
        return luaevent.LEAVE

    def act() -> None:
        for each in range(number):
            this = KINDS[each % len(KINDS)] if kind == "mixed" else kind
            fd, event = event_arguments(luaevent, channels, this)
            events.append(driver.add(f"event {each}", fd, event, on_event, timeout=0.002))
        clock.advance(0.003)

    driver.run(act, situation)
    assert len(driver.trace) == 2, (
        f"of {number} events that were due together, the first closed all the others; "
        f"called were {', '.join(driver.trace[:-1])}{driver.timeout_note}"
    )
    assert driver.trace[-1] == "end timeout"


@rule("luaevent.addevent.close-other-same-turn")
def test_closing_events_already_called_in_the_turn_is_harmless(
    luaevent: Luaevent, channels: Channels
) -> None:
    """Each callback closes only events that came before it, so all must be called."""
    driver = LuaeventDriver(luaevent)
    events: list[Event] = []
    called: list[int] = []

    def on_event(number: int) -> int:
        for before in called:
            events[before].close()
        called.append(number)
        driver.stop_expecting(f"event {number}")
        return luaevent.EV_WRITE if len(called) < 4 else luaevent.LEAVE

    def add(number: int) -> None:
        near, _ = channels.pair()
        callback = _partial(on_event, number)
        events.append(driver.add(f"event {number}", near.fileno(), luaevent.EV_WRITE, callback))

    for number in range(4):
        add(number)
    driver.run()
    # one may be called again before another comes, but none that was closed
    first = [call for at, call in enumerate(driver.trace) if call not in driver.trace[:at]]
    assert len(first) == 4, (
        f"of 4 events these were called: {', '.join(first)}{driver.timeout_note}"
    )


@rule("luaevent.addevent.close-other-same-turn")
@everywhere
def test_a_number_reused_in_the_turn_does_not_inherit_readiness(
    luaevent: Luaevent, channels: Channels, situation: Situation
) -> None:
    """The first callback closes the other event and gives its number to a silent file."""
    driver = LuaeventDriver(luaevent)
    ends = [channels.pair(), channels.pair()]
    silent, other = channels.pair()
    events: list[Event] = []

    def on_ready(number: int) -> int:
        events[1 - number].close()
        victim = ends[1 - number][0].fileno()
        os.dup2(silent.fileno(), victim)
        driver.stop_expecting("event 0")
        driver.stop_expecting("event 1")
        driver.add("new", victim, luaevent.EV_READ, lambda _: on_new(victim))
        driver.after("sender", 0.006, lambda: other.send(b"x"))
        return luaevent.LEAVE

    def on_new(number: int) -> int:
        twin = socket.socket(fileno=os.dup(number))
        twin.setblocking(False)
        try:
            twin.recv(1)
        except BlockingIOError:
            driver.trace("new had nothing to read")
        finally:
            twin.close()
        return luaevent.LEAVE

    def act() -> None:
        for number, (near, far) in enumerate(ends):
            far.send(b"x")
            callback = _partial(on_ready, number)
            events.append(driver.add(f"event {number}", near.fileno(), luaevent.EV_READ, callback))

    driver.run(act, situation)
    assert driver.trace[1:] == ["sender timeout", "new read"], (
        "a new event on the number of one closed in the same turn: due were sender timeout, "
        f"new read; after the first call there came {', '.join(driver.trace[1:]) or 'nothing'}"
    )


def _partial(function: Callable[[int], int], number: int) -> Callable[[int], int]:
    return lambda _flags: function(number)
