"""luaevent, event_callback: the timeout that it returns, or does not return."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from looptck.protocols.luaevent import Answer, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.event_kinds import any_idle_kind, idle_arguments
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.stopwatch import TimeoutSequence

# Timeouts in seconds: two that pass in a test, and one that does not.
_SHORT = 0.01
_LONGER = 0.025
_NEVER = 30.0

_FORMS = pytest.mark.parametrize("form", ["flags", "flags and None"])


@rule("luaevent.callback.newtimeout-optional")
@any_idle_kind
@_FORMS
def test_a_timeout_is_kept_when_none_is_returned(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    kind: str,
    form: str,
) -> None:
    """The timeout passes three times; that takes three times as long as once."""
    fd, flags = idle_arguments(luaevent, channels, kind)

    def called(_flags: int) -> Answer:
        waits.assert_not_early()
        if len(driver.trace) == 3:
            return luaevent.LEAVE
        return flags if form == "flags" else (flags, None)

    waits.begin(_SHORT)
    driver.add("event", fd, flags, called, timeout=_SHORT)
    driver.run()
    driver.assert_calls("event timeout", "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-optional")
@_FORMS
def test_a_timeout_starts_anew_with_a_call_for_readiness(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    form: str,
) -> None:
    """The data comes when most of the timeout has passed: a timeout that goes on comes early.

    On a slow machine it may have passed; only the wait that follows the data counts.
    """
    near, far = channels.pair()
    timeout = 0.03
    read = False

    def called(_flags: int) -> Answer:
        nonlocal read
        if drain(near):
            read = True
            waits.begin(timeout)
        elif read:
            waits.assert_not_early()
            return luaevent.LEAVE
        return luaevent.EV_READ if form == "flags" else (luaevent.EV_READ, None)

    driver.add("event", near.fileno(), luaevent.EV_READ, called, timeout=timeout)
    driver.after("sender", timeout * 0.7, lambda: far.send(b"data"))
    driver.run()
    assert driver.trace[-1:] == ["event timeout"], (
        f"data, then nothing: the timeout that the event was added with was due; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.callback.newtimeout-optional")
@pytest.mark.parametrize("direction", ["read", "write"])
@_FORMS
def test_an_event_without_a_timeout_gets_none(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, direction: str, form: str
) -> None:
    """The descriptor is ready once, and then silent until a timer makes it ready again."""
    near, far = channels.pair()
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE

    def called(_flags: int) -> Answer:
        if direction == "read":
            drain(near)
            driver.after("peer", _LONGER, lambda: far.send(b"more"))
        else:
            fill(near)
            driver.after("peer", _LONGER, lambda: drain(far))
        return flags if form == "flags" else (flags, None)

    far.send(b"data")
    driver.add("event", near.fileno(), flags, called, luaevent.LEAVE)
    driver.run()
    driver.assert_calls(f"event {direction}", "peer timeout", f"event {direction}")


@rule("luaevent.callback.newtimeout-value")
@any_idle_kind
@pytest.mark.parametrize("new", [_LONGER, 0.0237], ids=["longer", "decimals"])
def test_a_new_timeout_holds_for_all_later_waits(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    kind: str,
    new: float,
) -> None:
    """The callback returns it once, when the old one has passed; neither of the next two waits
    may be shorter."""
    fd, flags = idle_arguments(luaevent, channels, kind)

    def called(_flags: int) -> Answer:
        waits.assert_not_early()
        if len(driver.trace) == 3:
            return luaevent.LEAVE
        if len(driver.trace) == 2:
            return flags
        waits.begin(new)
        return flags, new

    waits.begin(_SHORT)
    driver.add("event", fd, flags, called, timeout=_SHORT)
    driver.run()
    driver.assert_calls(*["event timeout"] * 3)


@rule("luaevent.addevent.timeout-not-early")
@pytest.mark.parametrize("seconds", [2200, 2**31 / 1000, 2**32 / 1000, 1e9, 2.0**31])
def test_a_far_new_timeout_is_not_over_at_once(
    luaevent: Luaevent, driver: LuaeventDriver, seconds: float
) -> None:
    """A loop may refuse it.  Another timer ends both."""

    def called(_flags: int) -> Answer:
        return luaevent.EV_TIMEOUT, seconds

    driver.add("event", None, luaevent.EV_TIMEOUT, called, timeout=_SHORT)
    driver.after("end", 3 * _SHORT, driver.close_all)
    try:
        driver.run()
    except (ValueError, OverflowError):
        return
    driver.assert_calls("event timeout", "end timeout")


class _Answer(NamedTuple):
    """Flags and a timeout, for which a program has a type of its own."""

    flags: int
    seconds: float


@rule("luaevent.callback.newtimeout-value")
def test_an_answer_may_be_a_named_tuple(
    luaevent: Luaevent, driver: LuaeventDriver, waits: TimeoutSequence
) -> None:
    """Another timer bounds the wait that must be short."""

    def called(_flags: int) -> Answer:
        waits.assert_not_early()
        if len(driver.trace) == 2:
            return luaevent.LEAVE
        waits.begin(_SHORT)
        return _Answer(luaevent.EV_TIMEOUT, _SHORT)

    waits.begin(_LONGER)
    driver.add("event", None, luaevent.EV_TIMEOUT, called, timeout=_LONGER)
    driver.after("bound", _LONGER + 2 * _SHORT, lambda: None)
    driver.run()
    driver.assert_calls("event timeout", "event timeout", "bound timeout")


@rule("luaevent.callback.newtimeout-value")
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("old", [None, _NEVER], ids=["no timeout before", "a long one before"])
def test_a_new_timeout_is_used_after_readiness(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    waits: TimeoutSequence,
    channels: Channels,
    direction: str,
    old: float | None,
) -> None:
    """The descriptor is ready once, and then no more. If the old timeout were still in force, or
    none, the timer that bounds the test would end the wait."""
    near, far = channels.pair()
    far.send(b"data")
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE

    def called(_flags: int) -> Answer:
        if len(driver.trace) == 1:
            drain(near)
            fill(near)
        else:
            waits.assert_not_early()
        if len(driver.trace) == 4:
            return luaevent.LEAVE
        if len(driver.trace) > 1:
            return flags
        waits.begin(_SHORT)
        return flags, _SHORT

    driver.add("event", near.fileno(), flags, called, timeout=old)
    driver.run()
    driver.assert_calls(f"event {direction}", *["event timeout"] * 3)
