"""luaevent, core:close: closing a base."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Base, Event, EventCallback, Luaevent
from looptck.rules.markers import rule
from looptck.subjects.subject import Subject
from looptck.testing.channels import Channels, drain
from looptck.testing.child_process import run_program
from looptck.testing.event_kinds import KINDS, event_arguments, every_kind
from looptck.testing.hop_driver import error_of
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation
from looptck.testing.resources import ResourceSnapshot, alive, collect, forget_signals, left_since
from looptck.testing.situations import Situation
from looptck.testing.trace import Trace

# Where in its life a base is when its loop is not running.
_FRESH, _AFTERWARDS = "before its loop ran", "after its loop ran"
resting = pytest.mark.parametrize("life", [_FRESH, _AFTERWARDS])

References = list[weakref.ref[Any]]


def _live(luaevent: Luaevent, channels: Channels, life: str) -> Base:
    """Return a fresh base, or one whose loop has run and returned."""
    base = luaevent.new()
    if life == _AFTERWARDS:
        _serve(luaevent, channels, base)
    return base


def _serve(luaevent: Luaevent, channels: Channels, base: Base) -> None:
    """Run the loop of *base* until a timer, a writer and a reader were served and left."""
    near, far = channels.pair()
    far.send(b"x")
    leave = luaevent.LEAVE
    kept = [
        base.addevent(None, luaevent.EV_TIMEOUT, lambda _: leave, 0.001),
        base.addevent(near.fileno(), luaevent.EV_READ, lambda _: leave),
        base.addevent(far.fileno(), luaevent.EV_WRITE, lambda _: leave),
    ]
    base.loop()
    kept.clear()


@rule("luaevent.close.exists")
@resting
def test_a_base_without_events_can_be_closed(
    luaevent: Luaevent, channels: Channels, life: str
) -> None:
    """The test calls `close`, and another base has to work afterwards."""
    base = _live(luaevent, channels, life)
    assert callable(getattr(base, "close", None)), "a base has no close()"
    base.close()
    driver = LuaeventDriver(luaevent)
    driver.after("timer", 0.001, lambda: None)
    driver.run()
    driver.assert_calls("timer timeout")


@rule("luaevent.close.exists")
@resting
def test_closing_a_base_leaves_descriptors_open(
    luaevent: Luaevent, channels: Channels, life: str
) -> None:
    """Bytes have to go both ways afterwards."""
    near, far = channels.pair()
    base = _live(luaevent, channels, life)
    kept = base.addevent(
        near.fileno(), luaevent.EV_READ | luaevent.EV_WRITE, lambda _: luaevent.LEAVE
    )
    base.close()
    kept.close()
    try:
        near.send(b"out")
        far.send(b"in")
        went = (drain(far), drain(near))
    except OSError as error:
        raise AssertionError(f"closing a base took a watched descriptor along: {error}") from error
    assert went == (b"out", b"in")


@rule("luaevent.close.exists")
@resting
@every_kind
def test_the_events_of_a_closed_base_are_never_called(
    luaevent: Luaevent, channels: Channels, clock: Clock, life: str, kind: str
) -> None:
    """Another base runs for longer than their timeouts and watches the same descriptor."""
    base = _live(luaevent, channels, life)
    fd, event = event_arguments(luaevent, channels, kind)
    trace = Trace()

    def on_event(_flags: int) -> int:
        trace("called")
        return luaevent.LEAVE

    kept = base.addevent(fd, event, on_event, 0.002)
    base.close()
    clock.advance(0.003)
    other = LuaeventDriver(luaevent)
    if fd is not None:
        other.add("other", fd, event, luaevent.LEAVE, timeout=0.002)
    other.after("end", 0.005, lambda: None)
    other.run()
    # what a closed base does is open, but not that it serves its events
    error_of(base.loop)
    kept.close()
    assert trace == [], "an event of a closed base was called"
    assert "end timeout" in other.trace, f"another base did not work any more{other.timeout_note}"


@rule("luaevent.close.exists")
@resting
def test_closing_events_after_their_base_is_harmless(
    luaevent: Luaevent, channels: Channels, life: str
) -> None:
    """Each event is closed twice and then collected; another base on the descriptors goes on."""
    base = _live(luaevent, channels, life)
    events = []
    other = LuaeventDriver(luaevent)
    for kind in KINDS:
        fd, event = event_arguments(luaevent, channels, kind)
        events.append(base.addevent(fd, event, lambda _: luaevent.LEAVE, 0.5))
        if fd is not None:
            other.add(kind, fd, event, luaevent.LEAVE, timeout=0.005)
    base.close()
    for each in (*events, *events):
        each.close()
    events.clear()
    collect()
    other.run()
    assert len(other.trace) == len(KINDS) - 1, (
        f"another base was served {', '.join(other.trace)}{other.timeout_note}"
    )


def _use(luaevent: Luaevent, channels: Channels, base: Base, references: References) -> list[Event]:
    """Use *base* in every way; return the events that are left, and add weak references to all
    callbacks."""
    callbacks: list[EventCallback] = []

    def make(answer: int) -> EventCallback:
        def callback(_flags: int) -> int:
            return answer

        callbacks.append(callback)
        return callback

    _serve(luaevent, channels, base)
    events = []
    for kind in KINDS:
        # one that leaves, one that is closed, one that lives on
        fd, event = event_arguments(luaevent, channels, kind)
        events.append(base.addevent(fd, event, make(luaevent.LEAVE), 0.001))
        fd, event = event_arguments(luaevent, channels, kind)
        closed = base.addevent(fd, event, make(event), 0.5)
        closed.close()
    base.loop()
    for kind in KINDS:
        fd, event = event_arguments(luaevent, channels, kind)
        events.append(base.addevent(fd, event, make(event), 0.5))
        fd, event = event_arguments(luaevent, channels, kind)
        events.append(base.addevent(fd, event, make(event), None if fd is not None else 0.5))
    references += map(weakref.ref, callbacks)
    return events


@rule("luaevent.close.gc")
def test_a_collected_base_leaves_nothing_behind(luaevent: Luaevent, channels: Channels) -> None:
    """Three bases are made in a row, so that one thing kept for each of them shows."""
    references: References = []
    _use(luaevent, channels, luaevent.new(), references)  # what is there once for all bases
    bound = Channels()
    before = ResourceSnapshot.take()
    for _ in range(3):
        _use(luaevent, bound, luaevent.new(), references)
    held = alive(references)
    bound.close()
    left = left_since(before)
    assert not left, f"after three bases were collected there was left: {', '.join(left)}"
    assert not held, f"of {len(references)} callbacks of collected bases {held} are still held"


@rule("luaevent.close.gc")
def test_closing_events_of_a_base_that_is_gone_is_harmless(
    luaevent: Luaevent, channels: Channels
) -> None:
    """Whether an event keeps its base is open; closing it works in either case."""
    base = luaevent.new()
    events = _use(luaevent, channels, base, [])
    del base
    collect()
    for event in (*events, *events):
        event.close()
    events.clear()
    collect()
    driver = LuaeventDriver(luaevent)
    driver.after("timer", 0.001, lambda: None)
    driver.run()
    driver.assert_calls("timer timeout")


@rule("luaevent.close.gc")
def test_a_base_lives_while_its_loop_runs(luaevent: Luaevent) -> None:
    """Only the running loop refers to the base, and every callback collects garbage."""
    bases = [luaevent.new()]
    trace = Trace()
    leave = luaevent.LEAVE

    def first(_flags: int) -> int:
        collect()
        trace("first")
        return leave

    def later(_flags: int) -> int:
        collect()
        trace("later")
        return leave

    add = bases[0].addevent
    kept = [
        add(None, luaevent.EV_TIMEOUT, first, 0.001),
        add(None, luaevent.EV_TIMEOUT, later, 0.006),
        add(None, luaevent.EV_TIMEOUT, later, 0.011),
    ]
    del add
    bases.pop().loop()
    kept.clear()
    assert trace == ["first", "later", "later"], (
        f"a running base without a reference was collected; the calls were {', '.join(trace)}"
    )


@rule("luaevent.close.not-in-loop")
@pytest.mark.parametrize("kind", ["ready reader", "ready writer", "silent reader", "timer"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("situation", [Situation.FRESH, Situation.AGAIN])
def test_a_base_cannot_be_closed_by_its_own_callback(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str, times: int
) -> None:
    """Afterwards the loop serves its old and new events, and then close works."""
    base = luaevent.new()
    driver = LuaeventDriver(luaevent, base)
    fd, event = event_arguments(luaevent, channels, kind)
    other, far = channels.pair()
    errors: list[BaseException | None] = []

    def on_event(_flags: int) -> int:
        errors.extend(error_of(base.close) for _ in range(times))
        driver.after("later", 0.003, lambda: far.send(b"x"))
        return luaevent.LEAVE

    def act() -> None:
        driver.add("closer", fd, event, on_event, timeout=0.002)
        driver.add("other", other.fileno(), luaevent.EV_READ, luaevent.LEAVE)

    driver.run(act, situation)
    assert errors, f"the callback was never called{driver.timeout_note}"
    assert None not in errors, (
        "close() of a base went through inside its own running loop; it must raise"
    )
    assert driver.trace[1:] == ["later timeout", "other read"], (
        "after close() was refused the loop did not go on: "
        f"called were {', '.join(driver.trace)}{driver.timeout_note}"
    )
    base.close()


@rule("luaevent.close.not-in-loop")
def test_a_running_base_cannot_be_closed_from_a_loop_inside_it(luaevent: Luaevent) -> None:
    """The outer loop is still running, though it waits for its callback."""
    outer, inner = luaevent.new(), luaevent.new()
    trace = Trace()
    errors: list[BaseException | None] = []
    leave = luaevent.LEAVE
    events: list[Event] = []

    def on_inner(_flags: int) -> int:
        errors.append(error_of(outer.close))
        trace("inner")
        return leave

    def on_outer(_flags: int) -> int:
        events.append(inner.addevent(None, luaevent.EV_TIMEOUT, on_inner, 0.001))
        error_of(inner.loop)  # if it is refused, luaevent.loop.nested-other says so
        trace("outer")
        return leave

    def on_later(_flags: int) -> int:
        trace("later")
        return leave

    events.append(outer.addevent(None, luaevent.EV_TIMEOUT, on_outer, 0.001))
    events.append(outer.addevent(None, luaevent.EV_TIMEOUT, on_later, 0.01))
    outer.loop()
    assert errors != [None], "close() of a running base went through in a loop inside it"
    if errors:
        trace.remove("inner")
    assert trace == ["outer", "later"], f"called were {', '.join(trace)}"
    inner.close()
    outer.close()


@rule("luaevent.close.not-in-loop")
@pytest.mark.parametrize("life", [_FRESH, _AFTERWARDS, "after its loop ran in this callback"])
def test_a_callback_may_close_another_base(
    luaevent: Luaevent, channels: Channels, life: str
) -> None:
    """One base runs its loop, and another base, which does not, is closed."""
    driver = LuaeventDriver(luaevent)
    resting_base = _live(luaevent, channels, life)
    errors: list[BaseException | None] = []

    def close(_flags: int) -> int:
        if "callback" in life:
            # if it is refused, luaevent.loop.nested-other says so
            error_of(_serve, luaevent, channels, resting_base)
        errors.append(error_of(resting_base.close))
        driver.after("later", 0.002, lambda: None)
        return luaevent.LEAVE

    driver.add("closer", None, luaevent.EV_TIMEOUT, close, timeout=0.001)
    driver.run()
    assert errors == [None], (
        f"a base whose loop is not running could not be closed by another's callback: {errors[0]!r}"
    )
    driver.assert_calls("closer timeout", "later timeout")


@rule("luaevent.close.not-in-loop")
def test_a_base_can_be_closed_after_a_callback_raised(
    luaevent: Luaevent, channels: Channels
) -> None:
    """A loop that ended by an exception is not running any more."""
    base = luaevent.new()
    near, _ = channels.pair()
    calls = 0

    def fail(_flags: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("raised on purpose")
        return luaevent.LEAVE

    kept = base.addevent(near.fileno(), luaevent.EV_WRITE, fail)
    raised = error_of(base.loop)
    error = error_of(base.close)
    kept.close()
    how = "raised" if raised else "returned"
    assert error is None, f"loop() had {how}, and yet close() was refused: {error!r}"


@rule("luaevent.close.idempotent")
@pytest.mark.parametrize("life", [_FRESH, _AFTERWARDS])
def test_closing_a_base_twice_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation, life: str
) -> None:
    """The second close is observed, and the collection after it must come to an end."""
    base = _live(luaevent, channels, life)
    base.close()
    error = error_of(base.close)
    if error is None:
        observe("is harmless", of=life)
    else:
        observe.raised(error, of=life)
    del base
    collect()


@rule("luaevent.close.use-after")
@pytest.mark.parametrize("of", ["addevent", "loop", "addevent, then loop"])
def test_the_use_of_a_closed_base_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation, of: str
) -> None:
    """The event added is a ready descriptor with a timeout, so that a loop would soon end."""
    base = luaevent.new()
    near, _ = channels.pair()
    kept: list[Event] = []
    calls = Trace()

    def on_event(_flags: int) -> int:
        calls("called")
        return luaevent.LEAVE

    def add() -> None:
        kept.append(base.addevent(near.fileno(), luaevent.EV_WRITE, on_event, 0.01))

    base.close()
    said = []
    for name, act in (("addevent", add), ("loop", base.loop)):
        if name in of:
            error = error_of(act)
            said.append(
                f"{name} raises {type(error).__name__}" if error else f"{name} goes through"
            )
    if calls:
        said.append("the event is called")
    observe(", ".join(said), of=of)


def _ends_with_live_events(luaevent: Luaevent) -> object:
    """End a program whose events were never served."""
    channels = Channels()
    base = luaevent.new()
    return channels, base, _some_events(luaevent, channels, base)


def _ends_after_the_loop(luaevent: Luaevent) -> object:
    """End a program with served events, and others that are left."""
    channels = Channels()
    base = luaevent.new()
    _serve(luaevent, channels, base)
    return channels, base, _some_events(luaevent, channels, base)


def _ends_with_a_cycle(luaevent: Luaevent) -> object:
    """End a program whose base, events and callbacks refer to each other."""
    channels = Channels()
    base = luaevent.new()
    kept: list[object] = [channels, base]
    _serve(luaevent, channels, base)
    kept += _some_events(luaevent, channels, base, kept)
    kept.append(kept)
    return kept


def _ends_without_a_reference(luaevent: Luaevent) -> object:
    """End a program that lost its base and kept its events."""
    channels = Channels()
    base = luaevent.new()
    return channels, _some_events(luaevent, channels, base)


def _some_events(
    luaevent: Luaevent, channels: Channels, base: Base, held: object = None
) -> list[Event]:
    def callback(_flags: int) -> int:
        assert held is not luaevent
        return luaevent.LEAVE

    events = []
    for kind in KINDS:
        fd, event = event_arguments(luaevent, channels, kind)
        events.append(base.addevent(fd, event, callback, 31))
    return events


_PROGRAMS = {
    "with live events": _ends_with_live_events,
    "after the loop returned": _ends_after_the_loop,
    "with events that refer to their base": _ends_with_a_cycle,
    "with events whose base is lost": _ends_without_a_reference,
}


@rule("luaevent.close.exit")
@pytest.mark.parametrize("program", _PROGRAMS)
def test_a_program_may_end_with_an_open_base(
    luaevent: Luaevent, subject: Subject, program: str
) -> None:
    """The test runs a process of its own, since only its end shows a crash at the end."""
    luaevent.new()  # for the witness: it does not see what the program calls
    ended = run_program(lambda: _PROGRAMS[program](subject.entry("luaevent")))
    assert not ended.complaint, f"a program that ended {program}: {ended.complaint}"


@rule("luaevent.close.nothing-left")
@pytest.mark.parametrize("order", ["events first", "base first", "events lost before"])
def test_nothing_is_left_of_closed_bases(
    luaevent: Luaevent, channels: Channels, order: str
) -> None:
    """Three bases are made in a row, so that one thing kept for each of them shows."""

    def live_and_close(bound: Channels) -> None:
        base = luaevent.new()
        events = _use(luaevent, bound, base, references)
        if order == "events first":
            for event in events:
                event.close()
        if order == "events lost before":
            events.clear()
            collect()
        base.close()
        del base
        for event in events:
            event.close()

    references: References = []
    live_and_close(channels)  # what is there once for all bases is there before the census
    bound = Channels()
    before = ResourceSnapshot.take()
    for _ in range(3):
        live_and_close(bound)
    held = alive(references)
    bound.close()
    left = left_since(before)
    assert not left, f"after three bases were closed there was left: {', '.join(left)}"
    assert not held, f"of {len(references)} callbacks of closed bases {held} are still held"


@rule("luaevent.close.nothing-left")
def test_closing_restores_signal_handling(luaevent: Luaevent, channels: Channels) -> None:
    """The process has no handler before the base is made, so any that is left is the base's."""
    forget_signals()
    before = ResourceSnapshot.take()
    base = luaevent.new()
    _serve(luaevent, channels, base)
    base.close()
    del base
    left = [each for each in left_since(before) if "handler" in each or "wake-up" in each]
    assert not left, f"after a base was closed there was left: {', '.join(left)}"


@rule("luaevent.close.nothing-left")
def test_nothing_is_left_after_a_callback_raised(luaevent: Luaevent, channels: Channels) -> None:
    """The loop ended by an exception; the base is closed all the same."""
    references: References = []

    def fail_once(bound: Channels) -> None:
        base = luaevent.new()
        calls = 0

        def fail(_flags: int) -> int:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ValueError("raised on purpose")
            return luaevent.LEAVE

        near, _ = bound.pair()
        kept = base.addevent(near.fileno(), luaevent.EV_WRITE, fail)
        references.append(weakref.ref(fail))
        error_of(base.loop)
        base.close()
        kept.close()

    fail_once(channels)
    bound = Channels()
    before = ResourceSnapshot.take()
    for _ in range(3):
        fail_once(bound)
    held = alive(references)
    bound.close()
    left = left_since(before)
    assert not left, f"after three bases were closed there was left: {', '.join(left)}"
    assert not held, f"of {len(references)} callbacks of closed bases {held} are still held"
