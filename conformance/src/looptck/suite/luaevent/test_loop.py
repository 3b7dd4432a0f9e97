"""luaevent, core:loop: it serves events, waits, and returns without events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Base, Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.event_kinds import event_arguments, every_kind, first_call, short_timeout
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import Stopwatch, assert_prompt
from looptck.testing.trace import Trace

# A loop with a coarse clock is judged by luaevent.addevent.timeout-not-early
# alone, in seconds.
SLACK = 0.005


@rule("luaevent.loop.begins")
@every_kind
@pytest.mark.parametrize("calls", [1, 3])
def test_loop_returns_when_the_last_event_has_ended(
    luaevent: Luaevent, channels: Channels, kind: str, calls: int
) -> None:
    """Only one event is registered; only its end can let the loop return."""
    base = luaevent.new()
    fd, event = event_arguments(luaevent, channels, kind)
    trace = Trace()

    def on_event(_flags: int) -> int:
        trace("called")
        return luaevent.LEAVE if len(trace) == calls else event

    kept = base.addevent(fd, event, on_event, short_timeout(kind))
    base.loop()
    trace("returned")
    del kept
    assert trace == ["called"] * calls + ["returned"]


@rule("luaevent.loop.begins")
def test_loop_serves_events_of_every_kind(luaevent: Luaevent, channels: Channels) -> None:
    """Some descriptors are ready, one gets ready; timers run, and events are added meanwhile."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()

    def on_write(_flags: int) -> int:
        driver.after("late timer", 0.002, lambda: far.send(b"x"))
        driver.add("late writer", far.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
        return luaevent.LEAVE

    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, on_write)
    driver.after("timer", 0.004, lambda: None)
    driver.run()
    expected = [
        "late timer timeout",
        "late writer write",
        "reader read",
        "timer timeout",
        "writer write",
    ]
    assert sorted(driver.trace) == expected, (
        f"due were {', '.join(expected)}; called were {', '.join(sorted(driver.trace))}"
        f"{driver.timeout_note}"
    )


def _none_added(luaevent: Luaevent, channels: Channels, base: Base) -> list[Event]:
    return []


def _all_left(luaevent: Luaevent, channels: Channels, base: Base) -> list[Event]:
    near, _ = channels.pair()
    leave = luaevent.LEAVE
    events = [
        base.addevent(near.fileno(), luaevent.EV_WRITE, lambda _: leave),
        base.addevent(None, luaevent.EV_TIMEOUT, lambda _: leave, 0.001),
    ]
    base.loop()
    return events


def _all_closed(luaevent: Luaevent, channels: Channels, base: Base) -> list[Event]:
    events = []
    for kind in ("silent reader", "ready reader", "ready writer", "timer"):
        fd, flags = event_arguments(luaevent, channels, kind)
        event = base.addevent(fd, flags, lambda _: luaevent.LEAVE, 1)
        event.close()
        events.append(event)
    return events


def _closed_in_the_loop(luaevent: Luaevent, channels: Channels, base: Base) -> list[Event]:
    fd, flags = event_arguments(luaevent, channels, "silent reader")
    events = [base.addevent(fd, flags, lambda _: luaevent.LEAVE, 1)]

    def close(_flags: int) -> int:
        events[0].close()
        return luaevent.LEAVE

    events.append(base.addevent(None, luaevent.EV_TIMEOUT, close, 0.001))
    base.loop()
    return events


_EMPTY: dict[str, Callable[[Luaevent, Channels, Base], list[Event]]] = {
    "none was ever added": _none_added,
    "all have left": _all_left,
    "all were closed": _all_closed,
    "one was closed by the last": _closed_in_the_loop,
}


def _lateness(luaevent: Luaevent, channels: Channels, clock: Clock, empty: str) -> float:
    """Return how long `loop()` takes in seconds, on the loop's clock or the machine's, whichever
    saw more."""
    base = luaevent.new()
    kept = _EMPTY[empty](luaevent, channels, base)
    since, began = Stopwatch(clock), time.monotonic()
    base.loop()
    took = max(since.elapsed(), time.monotonic() - began)
    kept.clear()
    return took


@rule("luaevent.loop.no-events")
@pytest.mark.parametrize("empty", _EMPTY)
def test_loop_returns_at_once_when_there_is_no_event(
    luaevent: Luaevent, channels: Channels, clock: Clock, empty: str
) -> None:
    """A loop that waits for its own next tick first takes too long, or hangs."""
    assert_prompt(lambda: _lateness(luaevent, channels, clock, empty), 0.05)


@rule("luaevent.loop.not-before")
@pytest.mark.parametrize("first", ["timer", "writer"])
@pytest.mark.parametrize("kind", ["timer", "silent reader", "silent writer"])
def test_loop_does_not_return_while_an_event_waits(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, first: str
) -> None:
    """Another event leaves meanwhile; only time can end the event that is left."""
    base = luaevent.new()
    fd, event = event_arguments(luaevent, channels, kind)
    trace = Trace()

    def on_event(_flags: int) -> int:
        trace("last")
        return luaevent.LEAVE

    def on_first(_flags: int) -> int:
        trace("first")
        return luaevent.LEAVE

    ready, _ = channels.pair()
    since = Stopwatch(clock)
    kept = [base.addevent(fd, event, on_event, 0.03)]
    if first == "timer":
        kept.append(base.addevent(None, luaevent.EV_TIMEOUT, on_first, 0.01))
    else:
        kept.append(base.addevent(ready.fileno(), luaevent.EV_WRITE, on_first))
    base.loop()
    elapsed = since.elapsed()
    kept.clear()
    assert trace == ["first", "last"], (
        f"loop() returned with an event left; called were {', '.join(trace) or 'none'}"
    )
    assert elapsed >= 0.03 - SLACK, (
        f"loop() returned after {elapsed * 1000:.3f} ms, with an event left until 30 ms"
    )


@rule("luaevent.loop.not-before")
@pytest.mark.parametrize("kind", ["silent reader", "silent writer"])
def test_loop_waits_for_a_descriptor_without_a_timeout(
    luaevent: Luaevent, channels: Channels, kind: str
) -> None:
    """A timer makes it ready and leaves: then only the descriptor is left."""
    base = luaevent.new()
    near, far = channels.pair()
    fill(near)
    trace = Trace()

    def on_ready(_flags: int) -> int:
        trace("ready")
        return luaevent.LEAVE

    def on_timer(_flags: int) -> int:
        trace("timer")
        drain(far)
        far.send(b"x")
        return luaevent.LEAVE

    flags = luaevent.EV_READ if kind == "silent reader" else luaevent.EV_WRITE
    kept = [
        base.addevent(near.fileno(), flags, on_ready),
        base.addevent(None, luaevent.EV_TIMEOUT, on_timer, 0.005),
    ]
    base.loop()
    kept.clear()
    assert trace == ["timer", "ready"], (
        f"loop() returned with an event left; called were {', '.join(trace) or 'none'}"
    )


@rule("luaevent.loop.not-before")
def test_loop_waits_for_silent_descriptors_alone(luaevent: Luaevent, channels: Channels) -> None:
    """No timer is left: another thread makes the descriptor ready a while later."""
    base = luaevent.new()
    near, far = channels.pair()
    trace = Trace()

    def on_read(_flags: int) -> int:
        trace("read")
        return luaevent.LEAVE

    def send() -> None:
        trace("sent")
        far.send(b"x")

    def on_timer(_flags: int) -> int:
        sender.start()
        trace("timer")
        return luaevent.LEAVE

    sender = threading.Timer(0.03, send)
    kept = [
        base.addevent(near.fileno(), luaevent.EV_READ, on_read),
        base.addevent(None, luaevent.EV_TIMEOUT, on_timer, 0.001),
    ]
    base.loop()
    trace("returned")
    sender.join()
    kept.clear()
    assert trace == ["timer", "sent", "read", "returned"], (
        f"loop() returned with a descriptor still waited for: {', '.join(trace)}"
    )


@rule("luaevent.loop.again")
@every_kind
@pytest.mark.parametrize("times", [2, 5])
def test_loop_can_be_called_again(
    luaevent: Luaevent, channels: Channels, kind: str, times: int
) -> None:
    """Each loop has new events, and one loop between two others has none."""
    driver = LuaeventDriver(luaevent)
    fd, event = event_arguments(luaevent, channels, kind)
    for each in range(times):
        driver.add(f"{each}", fd, event, event, luaevent.LEAVE, timeout=short_timeout(kind))
        driver.run()
        driver.base.loop()
    expected = [f"{each} {first_call(kind)}" for each in range(times) for _ in range(2)]
    driver.assert_calls(*expected)


@rule("luaevent.loop.again")
def test_loop_can_be_called_again_for_other_kinds(luaevent: Luaevent, channels: Channels) -> None:
    """Each loop has other events than the one before, on descriptors that were used already."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    driver.run()
    far.send(b"x")
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    driver.run()
    driver.after("timer", 0.002, lambda: None)
    driver.run()
    driver.add("both", near.fileno(), luaevent.EV_READ | luaevent.EV_WRITE, luaevent.LEAVE)
    driver.run()
    told = [call.partition(" ")[0] for call in driver.trace]
    assert told == ["writer", "reader", "timer", "both"], (
        f"four loops, one event in each; called were {', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.loop.nested-other")
@everywhere
@pytest.mark.parametrize("outer", ["timer", "reader", "writer"])
@pytest.mark.parametrize("inner", ["timer", "ready reader", "nothing"])
def test_the_loop_of_another_base_may_run_in_a_callback(
    luaevent: Luaevent, channels: Channels, situation: Situation, outer: str, inner: str
) -> None:
    """Both go on afterwards: the outer with an event of its own, the inner in a second loop."""
    driver = LuaeventDriver(luaevent)
    nested = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(b"x")
    order = Trace()

    def run_inner() -> None:
        if inner != "nothing":
            fd, event = event_arguments(luaevent, channels, inner)
            nested.add("inner", fd, event, event, luaevent.LEAVE, timeout=short_timeout(inner))
        nested.run()
        order("inner loop returned")

    def on_outer(_flags: int) -> int:
        order("outer begins")
        run_inner()
        run_inner()
        order("outer ends")
        driver.after("later", 0.002, lambda: order("outer went on"))
        return luaevent.LEAVE

    def act() -> None:
        if outer == "timer":
            driver.add("outer", None, luaevent.EV_TIMEOUT, on_outer, timeout=0.001)
        else:
            event = luaevent.EV_READ if outer == "reader" else luaevent.EV_WRITE
            driver.add("outer", near.fileno(), event, on_outer)

    driver.run(act, situation)
    assert order == [
        "outer begins",
        "inner loop returned",
        "inner loop returned",
        "outer ends",
        "outer went on",
    ], f"a loop inside a callback of another: {', '.join(order)}{driver.timeout_note}"
    nested.assert_calls(*([f"inner {first_call(inner)}"] * 4 if inner != "nothing" else []))


@rule("luaevent.loop.nested-other")
def test_the_inner_loop_leaves_the_events_of_the_outer_alone(
    luaevent: Luaevent, channels: Channels, clock: Clock
) -> None:
    """Both are due in the outer turn; the first callback runs the inner loop for a while."""
    driver = LuaeventDriver(luaevent)
    order = Trace()
    running = False

    def on_outer(_flags: int) -> int:
        nonlocal running
        assert not running, "the inner loop called an event of the outer base"
        running = True
        inner = LuaeventDriver(luaevent)
        inner.after("inner", 0.003, lambda: order("inner"))
        inner.run()
        running = False
        order("outer")
        return luaevent.LEAVE

    near, _ = channels.pair()
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, on_outer)
    driver.add("timer", None, luaevent.EV_TIMEOUT, on_outer, timeout=0.001)
    clock.advance(0.002)
    driver.run()
    assert order == ["inner", "outer"] * 2, f"expected inner, outer twice; ran {', '.join(order)}"
