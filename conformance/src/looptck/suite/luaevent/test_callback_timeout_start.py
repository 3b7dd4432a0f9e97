"""luaevent, event_callback: the start of a returned timeout, alone or with other flags."""

from __future__ import annotations

import socket

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Answer, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.event_kinds import any_idle_kind, idle_arguments
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.stopwatch import TimeoutSequence, assert_not_early

# Timeouts in seconds: two that pass in a test, and one that does not.
_SHORT = 0.01
_LONGER = 0.025
_NEVER = 30.0

_DIRECTIONS = pytest.mark.parametrize("first", ["read", "write"])


def _turning(
    luaevent: Luaevent, channels: Channels, first: str
) -> tuple[socket.socket, socket.socket, int, int]:
    """Return a pair whose near end is ready in the first direction only, and the flags of both
    directions."""
    near, far = channels.pair()
    if first == "read":
        fill(near)
        far.send(b"unread")
        return near, far, luaevent.EV_READ, luaevent.EV_WRITE
    return near, far, luaevent.EV_WRITE, luaevent.EV_READ


@rule("luaevent.callback.newtimeout-with-change")
@_DIRECTIONS
@pytest.mark.parametrize("old", [None, _NEVER], ids=["no timeout before", "a long one before"])
def test_direction_and_timeout_change_together(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    first: str,
    old: float | None,
) -> None:
    """The descriptor stays ready in the old direction, and is silent until the new timeout; then
    it becomes ready in the new one."""
    near, far, before, after = _turning(luaevent, channels, first)

    def turn(_flags: int) -> Answer:
        waits.begin(_SHORT)
        return after, _SHORT

    def timed_out(_flags: int) -> Answer:
        waits.assert_not_early()
        drain(far)
        far.send(b"more")
        return after, _NEVER

    driver.add("event", near.fileno(), before, turn, timed_out, luaevent.LEAVE, timeout=old)
    driver.run()
    second = "write" if first == "read" else "read"
    driver.assert_calls(f"event {first}", "event timeout", f"event {second}")


@rule("luaevent.callback.newtimeout-with-change")
@_DIRECTIONS
@pytest.mark.parametrize("form", ["flags", "flags and None"])
def test_a_changed_direction_keeps_the_old_timeout(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    first: str,
    form: str,
) -> None:
    """The descriptor stays ready in the old direction. On a slow machine the timeout may pass
    before it is first found ready; that call changes nothing."""
    near, _far, before, after = _turning(luaevent, channels, first)
    turned = False

    def called(flags: int) -> Answer:
        nonlocal turned
        if turned:
            waits.assert_not_early()
            if driver.count("event timeout") >= 2:
                return luaevent.LEAVE
        elif flags & luaevent.EV_TIMEOUT:
            driver.trace.clear()
            return before
        else:
            turned = True
            waits.begin(_LONGER)
        return after if form == "flags" else (after, None)

    driver.add("event", near.fileno(), before, called, timeout=_LONGER)
    driver.run()
    driver.assert_calls(f"event {first}", "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-from")
@pytest.mark.parametrize("kind", ["timer", "read", "write", "ready"])
@pytest.mark.parametrize("takes", [0.02, 0.05])
def test_a_new_timeout_runs_from_the_end_of_the_callback(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    clock: Clock,
    waits: TimeoutSequence,
    channels: Channels,
    kind: str,
    takes: float,
) -> None:
    """The callback takes about as long as the timeout, or much longer."""
    timeout = 0.03
    if kind == "ready":
        near, far = channels.pair()
        far.send(b"data")
        fd: int | None = near.fileno()
        flags = luaevent.EV_READ
    else:
        fd, flags = idle_arguments(luaevent, channels, kind)

    def slow(_flags: int) -> Answer:
        if kind == "ready":
            drain(near)
        clock.advance(takes)
        waits.begin(timeout)
        return flags, timeout

    def over(_flags: int) -> Answer:
        waits.assert_not_early()
        return luaevent.LEAVE

    driver.add("event", fd, flags, slow, over, timeout=None if kind == "ready" else _SHORT)
    driver.run()
    driver.assert_calls("event read" if kind == "ready" else "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-from")
def test_a_new_timeout_does_not_run_from_the_start_of_the_turn(
    luaevent: Luaevent, driver: LuaeventDriver, clock: Clock, channels: Channels
) -> None:
    """Three events are ready in one turn, and each callback delays the others: the last one sets
    its timeout long after the turn began."""
    timeout = 0.02
    ended: dict[str, float] = {}

    def add(name: str) -> None:
        near, far = channels.pair()
        far.send(b"data")

        def called(_flags: int) -> Answer:
            if name in ended:
                passed = clock.now() - ended[name]
                assert_not_early(passed, timeout)
                return luaevent.LEAVE
            drain(near)
            clock.advance(timeout * 0.75)
            ended[name] = clock.now()
            return luaevent.EV_READ, timeout

        driver.add(name, near.fileno(), luaevent.EV_READ, called)

    names = ["one", "two", "three"]
    for name in names:
        add(name)
    driver.run()
    missing = [name for name in names if driver.count(f"{name} timeout") != 1]
    assert not missing, (
        f"each of three events was due data and a timeout; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.callback.newtimeout-same")
@any_idle_kind
def test_returning_the_timeout_in_force_keeps_the_period(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    kind: str,
) -> None:
    """The test waits for five periods; a loop that sets a second timer beside the first calls
    twice as often."""
    fd, flags = idle_arguments(luaevent, channels, kind)

    def called(_flags: int) -> Answer:
        waits.assert_not_early()
        return luaevent.LEAVE if len(driver.trace) == 5 else (flags, _SHORT)

    waits.begin(_SHORT)
    driver.add("event", fd, flags, called, timeout=_SHORT)
    driver.run()
    driver.assert_calls(*["event timeout"] * 5)


@rule("luaevent.callback.newtimeout-same")
def test_returning_the_timeout_in_force_keeps_it_after_readiness(
    luaevent: Luaevent, driver: LuaeventDriver, waits: TimeoutSequence, channels: Channels
) -> None:
    """Three pieces of data are read, each in a call of its own; then nothing happens until the
    timeout."""
    near, far = channels.pair()
    timeout = 0.02

    def called(_flags: int) -> Answer:
        if drain(near):
            waits.begin(timeout)
            if driver.count("event read") < 3:
                far.send(b"more")
            return luaevent.EV_READ, timeout
        waits.assert_not_early()
        return luaevent.LEAVE

    far.send(b"data")
    driver.add("event", near.fileno(), luaevent.EV_READ, called, timeout=timeout)
    driver.run()
    assert driver.trace[-1:] == ["event timeout"], (
        f"data, and then nothing for the timeout; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )
