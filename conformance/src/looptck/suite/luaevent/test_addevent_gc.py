"""luaevent, core:addevent: an event lives as long as its object."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, EventCallback, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.event_kinds import event_arguments, every_kind
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.resources import collect
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import Stopwatch
from looptck.testing.trace import Trace

# The timeout of an event that is collected long before.  A loop that is still
# kept from returning by it shows by its length.
FAR = 1.0


@rule("luaevent.addevent.gc-erases")
@everywhere
@every_kind
@pytest.mark.parametrize("timeout", [0.002, FAR])
def test_an_event_lost_before_it_was_served_is_never_called(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    kind: str,
    timeout: float,
) -> None:
    """No turn has seen the event, so the loop has no reason to hold it for a moment longer."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    calls = Trace()
    since = Stopwatch(clock)

    def on_event(_flags: int) -> int:
        calls("lost")
        return luaevent.LEAVE

    def act() -> None:
        since.restart()
        driver.base.addevent(fd, event, on_event, timeout)
        collect()
        driver.after("end", 0.006, lambda: None)

    driver.run(act, situation)
    assert calls == [], "an event was called although its object had been collected"
    driver.assert_calls("end timeout")
    assert since.elapsed() < FAR, "loop() went on until the timeout of an event that was collected"


@rule("luaevent.addevent.gc-erases")
@every_kind
@pytest.mark.parametrize("dropped_by", ["another callback", "its own callback"])
def test_an_event_lost_while_the_loop_runs_is_not_called_again(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, dropped_by: str
) -> None:
    """Calls count only after three turns and collections: the loop may hold an event that it
    just served."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    fd, event = event_arguments(luaevent, channels, kind)
    held: list[Event] = []
    gone = Trace()

    def on_event(_flags: int) -> int:
        assert not gone, "an event was called again although its object had been collected"
        clock.advance(0.0005)
        if dropped_by == "its own callback":
            held.clear()
            collect()
        return event

    def drop(turns: int) -> None:
        if dropped_by == "another callback" or turns < 3:
            held.clear()
        collect()
        if turns:
            driver.after(f"turn {turns - 1}", 0.005, lambda: drop(turns - 1))
        else:
            gone("gone")
            driver.after("end", 0.01, lambda: None)

    callback = driver.callback("lost", on_event)
    held.append(base.addevent(fd, event, callback, 0.002))
    driver.stop_expecting("lost")
    driver.after("turn 3", 0.004, lambda: drop(3))
    driver.run()
    assert driver.trace[-1] == "end timeout"


@rule("luaevent.addevent.gc-erases")
@pytest.mark.parametrize("kind", ["silent reader", "silent writer", "timer"])
def test_a_lost_event_does_not_keep_the_loop_from_returning(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """The event is dropped while the loop runs; its timeout is far away."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    fd, event = event_arguments(luaevent, channels, kind)
    held: list[Event] = []

    def drop(turns: int) -> None:
        held.clear()
        collect()
        if turns:
            driver.after(f"turn {turns - 1}", 0.002, lambda: drop(turns - 1))

    since = Stopwatch(clock)
    held.append(base.addevent(fd, event, lambda _: luaevent.LEAVE, FAR))
    driver.after("turn 2", 0.002, lambda: drop(2))
    driver.run()
    driver.assert_calls("turn 2 timeout", "turn 1 timeout", "turn 0 timeout")
    assert since.elapsed() < FAR, "loop() went on until the timeout of an event that was collected"


@rule("luaevent.addevent.gc-erases")
def test_a_lost_event_is_not_called_for_later_data(luaevent: Luaevent, channels: Channels) -> None:
    """The data comes after the collection; another event on the descriptor shows that it came."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    near, far = channels.pair()
    calls = Trace()
    held: list[Event] = []

    def on_event(_flags: int) -> int:
        calls("lost")
        return luaevent.LEAVE

    def drop(turns: int) -> None:
        held.clear()
        collect()
        if turns:
            driver.after(f"turn {turns - 1}", 0.002, lambda: drop(turns - 1))
        else:
            far.send(b"x")
            driver.add("other", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)

    held.append(base.addevent(near.fileno(), luaevent.EV_READ, on_event))
    driver.after("turn 2", 0.002, lambda: drop(2))
    driver.run()
    assert calls == [], "an event was called although its object had been collected"
    driver.assert_calls("turn 2 timeout", "turn 1 timeout", "turn 0 timeout", "other read")


class _Listener:
    """An object whose bound method alone keeps it alive."""

    def __init__(self, callback: EventCallback) -> None:
        self._callback = callback

    def called(self, flags: int) -> object:
        return self._callback(flags)


_CALLABLES: dict[str, Callable[[EventCallback], object]] = {
    "a closure": lambda callback: lambda flags: callback(flags),
    "a bound method": lambda callback: _Listener(callback).called,
}


@rule("luaevent.addevent.gc-preserve")
@everywhere
@every_kind
@pytest.mark.parametrize("callable_", _CALLABLES)
def test_an_event_whose_object_is_kept_survives_every_collection(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    kind: str,
    callable_: str,
) -> None:
    """Only the event refers to the callback: a loop with a weak reference loses it."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    fd, event = event_arguments(luaevent, channels, kind)

    def on_event(_flags: int) -> int:
        collect()
        return luaevent.LEAVE if len(driver.trace) >= 5 else event

    def act() -> None:
        callback: object = _CALLABLES[callable_](driver.callback("event", on_event))
        driver.keep(base.addevent(fd, event, callback, 0.004))  # type: ignore[arg-type]  # an object with fileno() or a number
        del callback
        collect()
        driver.after("collector", 0.002, collect)

    driver.run(act, situation)
    calls = [call for call in driver.trace if call.startswith("event")]
    assert len(calls) >= 4, (
        f"an event with {callable_} for a callback was collected although its object is kept: "
        f"{len(calls)} calls came{driver.timeout_note}"
    )
