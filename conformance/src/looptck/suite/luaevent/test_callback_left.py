"""luaevent, event_callback: LEAVE frees the event, its callback and its descriptor."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.event_kinds import any_kind, due_event
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.resources import alive


def _close(event: Event) -> None:
    try:
        event.close()
    except Exception as error:
        raise AssertionError(
            f"close() of an event that had left raised {type(error).__name__}: {error}"
        ) from error


@rule("luaevent.callback.leave-then-close")
@any_kind
@pytest.mark.parametrize("closed", ["after the loop", "in a later callback"])
@pytest.mark.parametrize("times", [1, 2])
def test_closing_an_event_that_left_does_nothing(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    kind: str,
    closed: str,
    times: int,
) -> None:
    """The test catches every exception of close(), inside the loop as well."""
    due = due_event(luaevent, channels, kind)

    def close() -> None:
        for _ in range(times):
            _close(event)

    def leave(_flags: int) -> int:
        if closed == "in a later callback":
            driver.after("later", 0.001, close)
        return luaevent.LEAVE

    event = driver.add("event", due.fd, due.event, leave, timeout=due.timeout)
    driver.run()
    if closed == "after the loop":
        close()
    driver.assert_calls(
        f"event {due.flag_text}", *["later timeout"] * (closed == "in a later callback")
    )


@rule("luaevent.callback.leave-then-close")
@pytest.mark.parametrize("how", ["closed", "closed twice", "collected"])
@pytest.mark.parametrize("when", ["before the loop", "in the loop"])
@pytest.mark.parametrize("timeout", [None, 30.0], ids=["no timeout", "with a timeout"])
def test_closing_an_event_that_left_spares_a_new_event(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    how: str,
    when: str,
    timeout: float | None,
) -> None:
    """The old event's object is closed or lost when a new event watches the descriptor."""
    near, _ = channels.pair()
    number, write = near.fileno(), luaevent.EV_WRITE
    old: list[Event] = []
    leave = driver.callback("old", luaevent.LEAVE)
    if timeout is None:
        old.append(driver.base.addevent(number, write, leave))
    else:
        old.append(driver.base.addevent(number, write, leave, timeout))
    driver.run()

    def lose() -> None:
        if how == "collected":
            old.clear()
            gc.collect()
            return
        for _ in range(2 if how == "closed twice" else 1):
            _close(old[0])

    def lose_and_go_on(_flags: int) -> int:
        lose()
        return write

    if when == "before the loop":
        driver.add("new", number, write, write, write, luaevent.LEAVE)
        lose()
    else:
        driver.add("new", number, write, lose_and_go_on, write, luaevent.LEAVE)
    driver.run()
    driver.assert_calls("old write", "new write", "new write", "new write")


@rule("luaevent.callback.leave-then-close")
def test_an_event_that_left_may_be_closed_after_its_descriptor(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """A program may clean up in this order."""
    near, _ = channels.pair()
    event = driver.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    driver.run()
    near.close()
    _close(event)
    driver.assert_calls("event write")


class _Token:
    """An object that only a callback holds."""


def _closure(
    luaevent: Luaevent, kept: list[Event]
) -> tuple[Callable[[int], int], Callable[[], object]]:
    """Return a callback that returns LEAVE and holds *kept*, and a weak reference that tells
    whether it is alive."""
    token = _Token()

    def callback(_flags: int) -> int:
        assert token
        assert kept is not None
        return luaevent.LEAVE

    return callback, weakref.ref(token)


@rule("luaevent.callback.leave-releases")
@any_kind
@pytest.mark.parametrize("ends", ["LEAVE", "close before the loop", "close in a callback"])
@pytest.mark.parametrize("cycle", [False, True], ids=["plain", "cycle"])
def test_the_callback_of_an_event_that_is_over_can_be_collected(
    luaevent: Luaevent, channels: Channels, kind: str, ends: str, cycle: bool
) -> None:
    """Only the loop holds the closure. The base lives on; so does the event's object, unless the
    closure refers to it."""
    base = luaevent.new()
    due = due_event(luaevent, channels, kind)
    events: list[Event] = []
    callback, token = _closure(luaevent, events if cycle else [])
    arguments: tuple[Any, ...] = (due.fd, due.event, callback)
    if due.timeout is not None:
        arguments += (due.timeout,)
    if ends == "close in a callback":
        # before any timeout; what is ready may be called first, and leaves
        def close(_flags: int) -> int:
            events[0].close()
            return luaevent.LEAVE

        closer = base.addevent(None, luaevent.EV_TIMEOUT, close, 0.0001)
    event = base.addevent(*arguments)
    del callback, arguments
    events.append(event)
    if ends == "close before the loop":
        event.close()
    base.loop()
    if cycle:
        events = []
        del event
        if ends == "close in a callback":
            del closer, close
    assert not alive([token]), (  # type: ignore[list-item]  # weakly referenced things
        f"the event ended by {ends}, and its callback is still referenced"
    )


@rule("luaevent.callback.leave-then-add")
@pytest.mark.parametrize("where", ["in its callback", "in another callback", "in a later loop"])
@pytest.mark.parametrize("old", ["read", "write"])
@pytest.mark.parametrize("new", ["read", "write"])
@pytest.mark.parametrize("timeout", [None, 30.0], ids=["no timeout", "with a timeout"])
def test_a_descriptor_that_left_can_be_watched_again(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    where: str,
    old: str,
    new: str,
    timeout: float | None,
) -> None:
    """The descriptor is ready in both directions throughout."""
    near, far = channels.pair()
    far.send(b"unread")
    number = near.fileno()
    flags = {"read": luaevent.EV_READ, "write": luaevent.EV_WRITE}

    def add() -> None:
        driver.add("new", number, flags[new], flags[new], luaevent.LEAVE)

    def leave(_flags: int) -> int:
        if where == "in its callback":
            add()
        elif where == "in another callback":
            driver.after("other", 0.001, add)
        return luaevent.LEAVE

    driver.add("old", number, flags[old], leave, timeout=timeout)
    driver.run()
    if where == "in a later loop":
        add()
        driver.run()
    between = ["other timeout"] * (where == "in another callback")
    driver.assert_calls(f"old {old}", *between, f"new {new}", f"new {new}")


@rule("luaevent.callback.leave-then-add")
def test_a_descriptor_can_be_watched_by_many_events_in_turn(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """Each event makes the next one on the same descriptor, and leaves."""
    near, _ = channels.pair()

    def hand_over(_flags: int) -> int:
        made = len(driver.trace)
        if made < 5:
            driver.add(f"event {made + 1}", near.fileno(), luaevent.EV_WRITE, hand_over)
        return luaevent.LEAVE

    driver.add("event 1", near.fileno(), luaevent.EV_WRITE, hand_over)
    driver.run()
    driver.assert_calls(*[f"event {number} write" for number in range(1, 6)])
