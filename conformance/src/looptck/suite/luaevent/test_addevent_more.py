"""luaevent, core:addevent: several events, events added by callbacks, and refused ones."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.resources import alive
from looptck.testing.retry import retry
from looptck.testing.situations import Situation, everywhere, luaevent_in
from looptck.testing.trace import Trace


@rule("luaevent.addevent.from-callback")
@pytest.mark.parametrize("kind", ["timer", "reader", "writer"])
def test_a_callback_may_add_many_events(luaevent: Luaevent, channels: Channels, kind: str) -> None:
    """The loop's tables have to grow while the loop walks through them."""
    driver = LuaeventDriver(luaevent, most=200)
    near, far = channels.pair()
    far.send(b"x")
    number = 40

    def add_all(_flags: int) -> int:
        for each in range(number):
            end, other = channels.pair()
            other.send(b"x")
            if each % 3 == 0:
                driver.add(f"{each}", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=0.001)
            else:
                event = luaevent.EV_READ if each % 3 == 1 else luaevent.EV_WRITE
                driver.add(f"{each}", end.fileno(), event, luaevent.LEAVE)
        return luaevent.LEAVE

    if kind == "timer":
        driver.add("first", None, luaevent.EV_TIMEOUT, add_all, timeout=0.001)
    else:
        event = luaevent.EV_READ if kind == "reader" else luaevent.EV_WRITE
        driver.add("first", near.fileno(), event, add_all)
    driver.run()
    served = {call.partition(" ")[0] for call in driver.trace} - {"first"}
    missing = sorted({str(each) for each in range(number)} - served, key=int)
    assert not missing, f"of {number} events added by a callback these were never called: {missing}"
    assert len(driver.trace) == number + 1, "an event that left was called again"


@rule("luaevent.addevent.from-callback")
@pytest.mark.parametrize("opener", ["timer", "writer"])
def test_the_running_loop_waits_for_an_event_a_callback_added(
    luaevent: Luaevent, channels: Channels, opener: str
) -> None:
    """The new event is not ready when it is added: the next wait has to include it."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    reading, writing = channels.pair()

    def open_reader(_flags: int) -> int:
        driver.add("reader", reading.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        driver.after("sender", 0.004, lambda: writing.send(b"x"))
        return luaevent.LEAVE

    if opener == "timer":
        driver.add("opener", None, luaevent.EV_TIMEOUT, open_reader, timeout=0.001)
        served = "timeout"
    else:
        driver.add("opener", near.fileno(), luaevent.EV_WRITE, open_reader)
        served = "write"
    driver.run()
    far.close()
    driver.assert_calls(f"opener {served}", "sender timeout", "reader read")


@rule("luaevent.addevent.from-callback")
def test_a_new_event_shortens_the_wait(luaevent: Luaevent, clock: Clock) -> None:
    """A far timer is there already; a near one, added later, must come first."""
    driver = LuaeventDriver(luaevent)
    driver.add("far", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=0.06)
    driver.after("opener", 0.002, lambda: driver.after("near", 0.005, lambda: None))
    driver.run()
    driver.assert_calls("opener timeout", "near timeout", "far timeout")


@rule("luaevent.addevent.from-callback")
@pytest.mark.parametrize("first", ["timer", "reader", "writer"])
def test_the_last_event_may_add_a_new_one_and_leave(
    luaevent: Luaevent, channels: Channels, first: str
) -> None:
    """There is never a second event: a loop that counts too early finds none and returns."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(b"x")
    order = ["timer", "reader", "writer", "timer", "timer", "writer", "reader", "reader"]
    order = order[order.index(first) :]

    def add(number: int) -> None:
        kind = order[number]

        def on_event(_flags: int) -> int:
            if number + 1 < len(order):
                add(number + 1)
            return luaevent.LEAVE

        if kind == "timer":
            driver.add("timer", None, luaevent.EV_TIMEOUT, on_event, timeout=0.001)
        else:
            event = luaevent.EV_READ if kind == "reader" else luaevent.EV_WRITE
            driver.add(kind, near.fileno(), event, on_event)

    add(0)
    driver.base.loop()
    word = {"timer": "timeout", "reader": "read", "writer": "write"}
    expected = [f"{kind} {word[kind]}" for kind in order]
    assert driver.trace == expected, (
        "each event added the next and left; loop() returned before all were served"
    )


@rule("luaevent.addevent.same-fd")
@everywhere
@pytest.mark.parametrize("flags", ["EV_READ", "EV_WRITE"])
@pytest.mark.parametrize("number", [2, 5])
def test_every_event_on_a_descriptor_is_called(
    luaevent: Luaevent, channels: Channels, situation: Situation, flags: str, number: int
) -> None:
    """The descriptor stays ready, and every event stays until all were called."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(b"x")
    event: int = getattr(luaevent, flags)
    called: set[int] = set()

    def add(each: int) -> None:
        def on_event(_flags: int) -> int:
            called.add(each)
            # nobody makes way for the others before all were called, or far too late
            done = len(called) == number or len(driver.trace) > 40
            return luaevent.LEAVE if done else event

        driver.add(f"{each}", near.fileno(), event, on_event)

    def act() -> None:
        for each in range(number):
            add(each)

    driver.run(act, situation)
    early = {call.partition(" ")[0] for call in driver.trace[:40]}
    assert len(early) == number, (
        f"of {number} events on one descriptor that stays ready, {len(early)} were called "
        f"in {len(driver.trace)} calls{driver.timeout_note}"
    )


@rule("luaevent.addevent.same-fd")
@everywhere
@pytest.mark.parametrize("first", ["reader", "writer"])
@pytest.mark.parametrize("ready", ["read", "write", "both"])
def test_a_reader_and_a_writer_may_share_a_descriptor(
    luaevent: Luaevent, channels: Channels, situation: Situation, first: str, ready: str
) -> None:
    """A direction that is not ready yet gets ready later, and must not be told before."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    if ready != "write":
        far.send(b"x")
    if ready == "read":
        fill(near)

    def add(name: str) -> None:
        event = luaevent.EV_READ if name == "reader" else luaevent.EV_WRITE
        driver.add(name, near.fileno(), event, luaevent.LEAVE)

    def later() -> None:
        if ready == "read":
            drain(far)
        else:
            far.send(b"x")

    def act() -> None:
        add(first)
        add("writer" if first == "reader" else "reader")
        if ready != "both":
            driver.after("later", 0.005, later)

    driver.run(act, situation)
    if ready == "both":
        assert sorted(driver.trace) == ["reader read", "writer write"], (
            f"called were {', '.join(driver.trace)}{driver.timeout_note}"
        )
    elif ready == "read":
        driver.assert_calls("reader read", "later timeout", "writer write")
    else:
        driver.assert_calls("writer write", "later timeout", "reader read")


@rule("luaevent.addevent.same-fd")
@pytest.mark.parametrize("ended", ["first", "last"])
@pytest.mark.parametrize("ended_by", ["close", "LEAVE"])
@pytest.mark.parametrize("ending", ["reader", "writer"])
@pytest.mark.parametrize("staying", ["reader", "writer"])
def test_the_end_of_an_event_leaves_others_of_its_descriptor(
    luaevent: Luaevent, channels: Channels, ended: str, ended_by: str, ending: str, staying: str
) -> None:
    """The event that stays is not ready when the other ends: the kernel must still watch for it."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    fill(near)
    events: dict[str, Event] = {}

    def on_ending(_flags: int) -> int:
        driver.stop_expecting("ending")
        driver.after("later", 0.003, make_ready)
        return luaevent.LEAVE

    def make_ready() -> None:
        if staying == "reader":
            far.send(b"x")
        else:
            drain(far)

    def end() -> None:
        events["ending"].close()
        driver.stop_expecting("ending")
        driver.after("later", 0.003, make_ready)

    def add_ending() -> None:
        event = luaevent.EV_READ if ending == "reader" else luaevent.EV_WRITE
        timeout = 0.003 if ended_by == "LEAVE" else None
        events["ending"] = driver.add("ending", near.fileno(), event, on_ending, timeout=timeout)

    if ended == "first":
        add_ending()
    event = luaevent.EV_READ if staying == "reader" else luaevent.EV_WRITE
    driver.add("staying", near.fileno(), event, luaevent.LEAVE)
    if ended == "last":
        add_ending()
    if ended_by == "close":
        driver.after("closer", 0.003, end)
    driver.run()
    how = "closer timeout" if ended_by == "close" else "ending timeout"
    driver.assert_calls(
        how, "later timeout", f"staying {'read' if staying == 'reader' else 'write'}"
    )


@rule("luaevent.addevent.same-fd")
def test_events_on_a_descriptor_have_timeouts_of_their_own(
    luaevent: Luaevent, channels: Channels
) -> None:
    """Nothing happens at first; one event has a short timeout, one a longer one, one none."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()

        def on_longer(flags: int) -> int:
            if not flags & luaevent.EV_TIMEOUT:
                return luaevent.LEAVE
            far.send(b"x")
            return luaevent.EV_READ

        read = luaevent.EV_READ
        driver.add("none", near.fileno(), read, luaevent.LEAVE)
        driver.add("short", near.fileno(), read, luaevent.LEAVE, timeout=0.005)
        driver.add("longer", near.fileno(), read, on_longer, timeout=0.015)
        driver.run()
        assert driver.trace[:2] == ["short timeout", "longer timeout"], (
            f"each of three events has a timeout of its own; called were {', '.join(driver.trace)}"
        )
        assert sorted(driver.trace[2:]) == ["longer read", "none read"], (
            f"after the timeouts there came data for two; called were {', '.join(driver.trace)}"
        )

    retry(attempt)


# {what is wrong: addevent's arguments for an open descriptor, the luaevent module, a callback}
_Wrong = Callable[[int, Luaevent, Callable[[int], int]], tuple[object, ...]]
_WRONG: dict[str, _Wrong] = {
    "no callback": lambda fd, le, cb: (fd, le.EV_WRITE),
    "None for a callback": lambda fd, le, cb: (fd, le.EV_WRITE, None),
    "None for a callback and a timeout": lambda fd, le, cb: (fd, le.EV_WRITE, None, 0.001),
    "a number for a callback": lambda fd, le, cb: (fd, le.EV_WRITE, 7, 0.001),
    "a timer without a callback": lambda fd, le, cb: (None, le.EV_TIMEOUT, None, 0.001),
    "a timer without a timeout": lambda fd, le, cb: (None, le.EV_TIMEOUT, cb),
    "a string for fd": lambda fd, le, cb: ("fd", le.EV_WRITE, cb, 0.001),
    "an object for fd": lambda fd, le, cb: (object(), le.EV_WRITE, cb, 0.001),
    "a list for fd": lambda fd, le, cb: ([fd], le.EV_WRITE, cb, 0.001),
    "a negative fd": lambda fd, le, cb: (-1, le.EV_WRITE, cb, 0.001),
    "a closed fd": lambda fd, le, cb: (_closed_number(), le.EV_WRITE, cb, 0.001),
    "None for event": lambda fd, le, cb: (fd, None, cb, 0.001),
    "a string for event": lambda fd, le, cb: (fd, "read", cb, 0.001),
    "LEAVE for event": lambda fd, le, cb: (fd, le.LEAVE, cb, 0.001),
    "EV_SIGNAL": lambda fd, le, cb: (fd, le.EV_SIGNAL, cb, 0.001),
    "EV_SIGNAL | EV_WRITE": lambda fd, le, cb: (fd, le.EV_SIGNAL | le.EV_WRITE, cb, 0.001),
    "a string for the timeout": lambda fd, le, cb: (fd, le.EV_WRITE, cb, "soon"),
    "a list for the timeout": lambda fd, le, cb: (fd, le.EV_WRITE, cb, [1]),
    "a string for a timer's timeout": lambda fd, le, cb: (None, le.EV_TIMEOUT, cb, "soon"),
    "a negative timeout": lambda fd, le, cb: (fd, le.EV_WRITE, cb, -1),
    "a timeout that is no number": lambda fd, le, cb: (fd, le.EV_WRITE, cb, float("nan")),
}
wrong = pytest.mark.parametrize("what", _WRONG)


@rule("luaevent.addevent.failed-no-trace")
@everywhere
@wrong
def test_a_refused_event_is_never_called_and_let_go(
    luaevent: Luaevent, channels: Channels, situation: Situation, what: str
) -> None:
    """The descriptor is ready and the timeouts short: an event that is left comes at once."""
    base = luaevent.new()
    near, far = channels.pair()
    far.send(b"x")
    calls = Trace()
    refused: list[bool] = []
    callbacks: list[weakref.ref[Callable[[int], int]]] = []

    def refuse() -> None:
        def callback(_flags: int) -> int:
            calls("refused")
            return luaevent.LEAVE

        callbacks.append(weakref.ref(callback))
        arguments = _WRONG[what](near.fileno(), luaevent, callback)
        add: Callable[..., Event] = base.addevent
        refused.append(_refuses(add, *arguments))

    def on_timer(_flags: int) -> int:
        calls("timer")
        return luaevent.LEAVE

    timers: list[Event] = []

    def act() -> None:
        refuse()
        if not refused[0]:
            return  # whether this is refused is not this rule's affair
        timers.append(base.addevent(None, luaevent.EV_TIMEOUT, on_timer, 0.003))

    luaevent_in(situation, luaevent, base, act)
    if not refused[0]:
        return
    assert calls == ["timer"], f"addevent refused {what}, and yet its callback was called"
    assert not alive(callbacks), f"addevent refused {what}, and yet the base holds its callback"


@rule("luaevent.addevent.failed-no-trace")
@wrong
def test_a_refused_event_does_not_keep_the_loop_from_returning(
    luaevent: Luaevent, channels: Channels, what: str
) -> None:
    """No event is registered: a trace of the refused one shows as a call, an error or a hang."""
    base = luaevent.new()
    near, _ = channels.pair()
    fill(near)
    calls = Trace()

    def callback(_flags: int) -> int:
        calls("refused")
        return luaevent.LEAVE

    arguments = _WRONG[what](near.fileno(), luaevent, callback)
    add: Callable[..., Event] = base.addevent
    if not _refuses(add, *arguments):
        return  # whether this is refused is not this rule's affair
    base.loop()
    assert calls == [], f"addevent refused {what}, and yet its callback was called"


@rule("luaevent.addevent.failed-no-trace")
@wrong
def test_after_a_refusal_the_descriptor_serves_other_events(
    luaevent: Luaevent, channels: Channels, what: str
) -> None:
    """One event was there before, and one comes after: a wrong table entry shows in either."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    fill(near)
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    arguments = _WRONG[what](near.fileno(), luaevent, lambda _: luaevent.LEAVE)
    add: Callable[..., Event] = driver.base.addevent
    if not _refuses(add, *arguments):
        return  # whether this is refused is not this rule's affair

    def send() -> None:
        far.send(b"x")
        driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
        drain(far)

    driver.after("sender", 0.002, send)
    driver.run()
    assert driver.trace[0] == "sender timeout", f"called were {', '.join(driver.trace)}"
    assert sorted(driver.trace[1:]) == ["reader read", "writer write"], (
        f"addevent refused {what}; then two good events on the descriptor were due, "
        f"and called were {', '.join(driver.trace[1:]) or 'none'}{driver.timeout_note}"
    )


def _refuses(add: Callable[..., Event], *arguments: object) -> bool:
    """Return whether `addevent` raises; close an event that it accepts."""
    accepted: list[Event] = []
    refused = error_of(lambda: accepted.append(add(*arguments))) is not None
    for event in accepted:
        with suppress(Exception):
            event.close()
    return refused


def _closed_number() -> int:
    """Return a number that was open a moment ago, and is not now."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    return writing
