"""luaevent, core:addevent: closing an event ends it."""

from __future__ import annotations

import gc
import os
import socket
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill
from looptck.testing.event_kinds import event_arguments, every_kind, first_call, short_timeout
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere, luaevent_in
from looptck.testing.stopwatch import Stopwatch
from looptck.testing.trace import Trace

# The timeout of an event that is closed long before.  A loop that is still
# kept from returning by it shows by its length.
FAR = 1.0


@rule("luaevent.addevent.close-erases")
@everywhere
@every_kind
@pytest.mark.parametrize("timeout", [None, 0.002, FAR])
def test_an_event_closed_before_it_was_served_is_never_called(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    kind: str,
    timeout: float | None,
) -> None:
    """A timer ends the loop after all possible calls; without the event nothing is waited for."""
    if kind == "timer" and timeout is None:
        timeout = 0.004
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    since = Stopwatch(clock)

    def act() -> None:
        since.restart()
        closed = driver.add("closed", fd, event, luaevent.LEAVE, timeout=timeout)
        closed.close()
        driver.stop_expecting("closed")
        driver.after("end", 0.006, lambda: None)

    driver.run(act, situation)
    driver.assert_calls("end timeout")
    assert since.elapsed() < FAR, "loop() went on until the timeout of an event that was closed"


@rule("luaevent.addevent.close-erases")
@every_kind
def test_an_event_closed_by_another_is_not_called_again(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """The event was called twice before, and its condition goes on to hold."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    closed = Trace()
    calls = 0

    def on_event(_flags: int) -> int:
        nonlocal calls
        assert not closed, "a closed event was called again"
        clock.advance(0.001)
        calls += 1
        if calls == 2:
            driver.after("closer", 0.004, close)
        return event

    victim = driver.add("victim", fd, event, on_event, timeout=0.003)

    def close() -> None:
        victim.close()
        closed("closed")
        driver.stop_expecting("victim")
        driver.after("end", 0.006, lambda: None)

    driver.run()
    assert driver.trace[-2:] == ["closer timeout", "end timeout"], (
        "the loop did not go on after an event was closed: "
        f"{', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.addevent.close-erases")
@every_kind
@pytest.mark.parametrize("closed_in", ["a timer", "a descriptor"])
def test_a_closed_event_does_not_keep_the_loop_from_returning(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, closed_in: str
) -> None:
    """The event that closes it is the only other one: a loop that waits for the closed one is
    late."""
    base = luaevent.new()
    near, _ = channels.pair()
    fd, event = event_arguments(luaevent, channels, kind)
    calls = Trace()
    events: list[Event] = []

    def on_event(_flags: int) -> int:
        calls("victim")
        return event if len(calls) < 50 else luaevent.LEAVE

    def close(_flags: int) -> int:
        calls("closer")
        events[0].close()
        return luaevent.LEAVE

    since = Stopwatch(clock)
    events.append(base.addevent(fd, event, on_event, FAR))
    if closed_in == "a timer":
        events.append(base.addevent(None, luaevent.EV_TIMEOUT, close, 0.0006))
        clock.advance(0.001)
    else:
        events.append(base.addevent(near.fileno(), luaevent.EV_WRITE, close))
    base.loop()
    assert since.elapsed() < FAR, "loop() went on until the timeout of an event that was closed"
    assert "closer" in calls, "loop() returned before its last event was served"


@rule("luaevent.addevent.close-erases")
@pytest.mark.parametrize("old", ["reader", "writer"])
@pytest.mark.parametrize("new", ["reader", "writer"])
@pytest.mark.parametrize("other_file", [False, True])
@everywhere
def test_the_number_of_a_closed_event_is_free_for_another(
    luaevent: Luaevent,
    channels: Channels,
    situation: Situation,
    old: str,
    new: str,
    other_file: bool,
) -> None:
    """The kernel knew the old event, since a turn has gone by with it."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    silent, other = channels.pair()
    if old == "reader":
        first = driver.add("old", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    else:
        fill(near)
        first = driver.add("old", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    driver.after("turn", 0.002, lambda: replace())

    def replace() -> None:
        first.close()
        driver.stop_expecting("old")
        if other_file:
            os.dup2(silent.fileno(), near.fileno())
        sender = other if other_file else far
        sender.send(b"x")
        if new == "reader":
            driver.add("new", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        elif other_file or old == "reader":
            driver.add("new", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
        else:
            driver.after("room", 0.002, lambda: _drain(far))
            driver.add("new", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)

    driver.run(None, situation)
    told = [call for call in driver.trace if call != "room timeout"]
    expected = ["turn timeout", "new read" if new == "reader" else "new write"]
    assert told == expected, (
        f"expected the calls {expected}; there came {told}{driver.timeout_note}"
    )


@rule("luaevent.addevent.close-idempotent")
@everywhere
@every_kind
def test_closing_an_event_twice_is_harmless(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str
) -> None:
    """Other events wait beside it, one on the same descriptor: a wrong count or removal shows
    there."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    first: list[Event] = []

    def on_same(_flags: int) -> int:
        first[0].close()
        driver.after("timer", 0.004, first[0].close)
        return luaevent.LEAVE

    def act() -> None:
        first.append(driver.add("first", fd, event, luaevent.LEAVE, timeout=FAR))
        driver.stop_expecting("first")
        first[0].close()
        driver.add("same", fd, event, on_same, timeout=short_timeout(kind))
        first[0].close()

    driver.run(act, situation)
    driver.assert_calls(f"same {first_call(kind)}", "timer timeout")


@rule("luaevent.addevent.close-idempotent")
@every_kind
def test_closing_an_event_that_left_is_harmless(
    luaevent: Luaevent, channels: Channels, kind: str
) -> None:
    """The event left by itself; another event on the same descriptor must still be served."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    left: list[Event] = []

    def on_left(_flags: int) -> int:
        driver.after("closer", 0.002, close_and_add)
        return luaevent.LEAVE

    def close_and_add() -> None:
        left[0].close()
        driver.add("same", fd, event, luaevent.LEAVE, timeout=short_timeout(kind))
        left[0].close()
        left[0].close()

    left.append(driver.add("left", fd, event, on_left, timeout=short_timeout(kind)))
    driver.run()
    left[0].close()
    driver.assert_calls(f"left {first_call(kind)}", "closer timeout", f"same {first_call(kind)}")


@rule("luaevent.addevent.close-idempotent")
@every_kind
@pytest.mark.parametrize("ended_by", ["close", "LEAVE"])
def test_collecting_an_event_that_ended_is_harmless(
    luaevent: Luaevent, channels: Channels, kind: str, ended_by: str
) -> None:
    """The object is collected while another event waits on the same descriptor."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    fd, event = event_arguments(luaevent, channels, kind)
    ended: list[Event] = []

    def collect() -> None:
        if ended_by == "close":
            ended[0].close()
        driver.add("same", fd, event, luaevent.LEAVE, timeout=short_timeout(kind))
        ended.clear()
        gc.collect()

    def answer(_flags: int) -> int:
        return luaevent.LEAVE

    ended.append(base.addevent(fd, event, answer, 0.001 if ended_by == "LEAVE" else FAR))
    if ended_by == "close":
        ended[0].close()
    driver.after("collector", 0.01, collect)
    driver.run()
    driver.assert_calls("collector timeout", f"same {first_call(kind)}")


@rule("luaevent.addevent.close-not-fd")
@everywhere
@pytest.mark.parametrize("ended_by", ["close", "LEAVE", "collection", "close and collection"])
@pytest.mark.parametrize("first_call", [False, True])
def test_the_descriptor_of_an_ended_event_stays_open(
    luaevent: Luaevent, channels: Channels, situation: Situation, ended_by: str, first_call: bool
) -> None:
    """Bytes go both ways afterwards: a descriptor that is open but dead shows as well."""
    near, far = channels.pair()
    base = luaevent.new()
    events: list[Event] = []

    def on_write(_flags: int) -> int:
        if ended_by != "LEAVE" and first_call:
            end()
        return luaevent.LEAVE

    def end() -> None:
        if "close" in ended_by:
            events[0].close()
        if "collection" in ended_by:
            events.clear()
            gc.collect()

    def act() -> None:
        events.append(base.addevent(near.fileno(), luaevent.EV_WRITE, on_write, 0.01))
        if ended_by != "LEAVE" and not first_call:
            end()

    luaevent_in(situation, luaevent, base, act)
    base.loop()
    if ended_by == "LEAVE":
        events.clear()
        gc.collect()
    _assert_open(near, far, f"an event that ended by {ended_by}")


def _assert_open(near: socket.socket, far: socket.socket, what: str) -> None:
    try:
        near.send(b"out")
        far.send(b"in")
        went = (far.recv(10), near.recv(10))
    except OSError as error:
        raise AssertionError(f"{what} took its descriptor with it: {error}") from error
    assert went == (b"out", b"in"), f"{what} left its descriptor in disorder: {went}"


def _drain(end: socket.socket) -> None:
    with suppress(BlockingIOError):
        while end.recv(65536):
            pass
