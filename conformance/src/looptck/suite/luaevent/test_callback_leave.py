"""luaevent, event_callback: LEAVE, and what is left of the event after it."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.markers import rule
from looptck.probes.attempts import one_attempt_succeeds
from looptck.probes.leftovers import alive
from looptck.probes.stage import Stage
from looptck.probes.stopwatch import Stopwatch, assert_prompt, cpu_seconds
from looptck.probes.wires import Wires, fill
from looptck.profiles.luaevent import Answer, Event, Luaevent

# How long an event that left has to be silent, and a shorter timeout, in seconds.
_QUIET = 0.03
_SHORT = 0.01

_KINDS = ("data", "room", "room, with a timeout", "a read timeout", "a write timeout", "a timer")
any_kind = pytest.mark.parametrize("kind", _KINDS)


def _event(
    luaevent: Luaevent, wires: Wires, kind: str
) -> tuple[int | None, int, float | None, str]:
    """What makes an event of that kind: descriptor, flags, timeout; and how its call is noted."""
    if kind == "a timer":
        return None, luaevent.EV_TIMEOUT, _SHORT, "timeout"
    near, far = wires.pair()
    if kind == "data":
        far.send(b"unread")
        return near.fileno(), luaevent.EV_READ, None, "read"
    if kind == "room":
        return near.fileno(), luaevent.EV_WRITE, None, "write"
    if kind == "room, with a timeout":
        return near.fileno(), luaevent.EV_WRITE, 30.0, "write"
    if kind == "a read timeout":
        return near.fileno(), luaevent.EV_READ, _SHORT, "timeout"
    fill(near)
    return near.fileno(), luaevent.EV_WRITE, _SHORT, "timeout"


@rule("luaevent.callback.output-leave")
@any_kind
@pytest.mark.parametrize("last", [1, 2])
def test_an_event_that_left_is_silent_in_the_turns_that_follow(
    luaevent: Luaevent, stage: Stage, clock: Clock, wires: Wires, kind: str, last: int
) -> None:
    """Another event, always ready, is called turn after turn until all timeouts have passed."""
    fd, flags, timeout, _ = _event(luaevent, wires, kind)
    ticks = 0

    def leave(_flags: int) -> int:
        stage.add("ticker", wires.pair()[0].fileno(), luaevent.EV_WRITE, tick)
        return luaevent.LEAVE

    def tick(_flags: int) -> int:
        nonlocal ticks
        ticks += 1
        clock.advance(_SHORT / 5)
        return luaevent.EV_WRITE if ticks < 8 else luaevent.LEAVE

    stage.add("event", fd, flags, *[flags] * (last - 1), leave, timeout=timeout)
    stage.run()
    calls = [call for call in stage.trace if call.startswith("event")]
    assert len(calls) <= last, f"returned LEAVE in call {last}; the calls were {', '.join(calls)}"


@rule("luaevent.callback.output-leave")
def test_the_number_of_a_descriptor_that_left_can_be_reused(
    luaevent: Luaevent, stage: Stage, wires: Wires
) -> None:
    """A new file with the old number, ready as well, is nobody's; then it is a new event's."""
    near, _ = wires.pair()
    number = near.fileno()

    def leave(_flags: int) -> int:
        stage.after("reuse", 0.001, reuse)
        return luaevent.LEAVE

    def reuse() -> None:
        other, _ = wires.pair()
        near.close()
        os.dup2(other.fileno(), number)
        wires.keep(lambda: os.close(number))
        stage.after("watch", _SHORT, watch)

    def watch() -> None:
        stage.add("new", number, luaevent.EV_WRITE, luaevent.LEAVE)

    stage.add("old", number, luaevent.EV_WRITE, leave)
    stage.run()
    stage.went("old write", "reuse timeout", "watch timeout", "new write")


@rule("luaevent.callback.output-leave")
@pytest.mark.parametrize("direction", ["read", "write", "the end of the stream"])
def test_a_descriptor_that_left_does_not_wake_the_loop(
    luaevent: Luaevent, wires: Wires, direction: str
) -> None:
    """It stays ready while the loop waits for a timer.  A loop that is woken by it for nothing
    uses the processor all the time, or as much of it as a busy machine leaves.
    """
    wait = 0.1

    def attempt() -> None:
        stage = Stage(luaevent)
        near, far = wires.pair()
        if direction == "read":
            far.send(b"unread")
        elif direction != "write":
            far.close()

        def leave(_flags: int) -> int:
            stage.after("timer", wait, lambda: None)
            return luaevent.LEAVE

        flags = luaevent.EV_WRITE if direction == "write" else luaevent.EV_READ
        stage.add("event", near.fileno(), flags, leave)
        used = cpu_seconds(stage.run)
        assert used < wait / 10, (
            f"while it waited {wait * 1000:.0f} ms, with the event gone, the loop used "
            f"{used * 1000:.0f} ms of the processor"
        )

    one_attempt_succeeds(attempt)


_PAIRS = pytest.mark.parametrize(
    "leaves, stays",
    [
        ("read", "write"),
        ("write", "read"),
        ("read", "read"),
        ("write", "write"),
        ("timer", "timer"),
    ],
    ids=lambda name: name,
)


def _register(
    stage: Stage, wires: Wires, kinds: tuple[str, str]
) -> list[tuple[int | None, int, float | None]]:
    """The arguments for two events, on one descriptor that is ready for both, or two timers."""
    near, far = wires.pair()
    far.send(b"unread")
    made: dict[str, tuple[int | None, int, float | None]] = {
        "read": (near.fileno(), stage.luaevent.EV_READ, None),
        "write": (near.fileno(), stage.luaevent.EV_WRITE, None),
        "timer": (None, stage.luaevent.EV_TIMEOUT, _SHORT),
    }
    return [made[kind] for kind in kinds]


@rule("luaevent.callback.leave-only-this")
@_PAIRS
@pytest.mark.parametrize("order", ["the one that leaves first", "the one that stays first"])
def test_the_other_event_goes_on(
    luaevent: Luaevent, stage: Stage, wires: Wires, leaves: str, stays: str, order: str
) -> None:
    """Both are ready throughout."""
    leaving, staying = _register(stage, wires, (leaves, stays))

    def add_leaving() -> None:
        fd, flags, timeout = leaving
        stage.add("leaving", fd, flags, luaevent.LEAVE, timeout=timeout)

    if order == "the one that leaves first":
        add_leaving()
    fd, flags, timeout = staying
    stage.add("staying", fd, flags, *[flags] * 4, luaevent.LEAVE, timeout=timeout)
    if order != "the one that leaves first":
        add_leaving()
    stage.run()
    how = {"timer": "timeout"}
    assert sorted(stage.trace) == [
        f"leaving {how.get(leaves, leaves)}",
        *[f"staying {how.get(stays, stays)}"] * 5,
    ], (
        f"expected one call of the event that left and 5 of the one that stayed; there came "
        f"{', '.join(stage.trace) or 'none'}{stage.excuse}"
    )


@rule("luaevent.callback.leave-only-this")
@_PAIRS
def test_the_other_event_goes_on_with_the_same_callback(
    luaevent: Luaevent, stage: Stage, wires: Wires, leaves: str, stays: str
) -> None:
    """Whichever is called first leaves; the calls that follow are the other's."""
    left = False

    def callback(flags: int) -> int:
        nonlocal left
        stage.trace("call")
        if not left:
            left = True
            return luaevent.LEAVE
        if len(stage.trace) >= 6:
            stage.gone("both")
            return luaevent.LEAVE
        if flags & luaevent.EV_TIMEOUT:
            return luaevent.EV_TIMEOUT
        return flags

    stage.expect("both")
    for fd, flags, timeout in _register(stage, wires, (leaves, stays)):
        if timeout is None:
            stage.keep(stage.base.addevent(fd, flags, callback))
        else:
            stage.keep(stage.base.addevent(fd, flags, callback, timeout))
    stage.run()
    assert len(stage.trace) == 6, (
        f"one event left in the first call, the other in its fifth; there came {len(stage.trace)} "
        f"calls, not 6{stage.excuse}"
    )


@rule("luaevent.callback.leave-cancels-timeout")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_no_timeout_comes_after_leave(
    luaevent: Luaevent, stage: Stage, wires: Wires, direction: str
) -> None:
    """The timer that ends the wait is set when the event leaves, and is longer than its timeout.

    On a slow machine the timeout may have passed before the descriptor is found ready.
    """
    near, far = wires.pair()
    far.send(b"unread")
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE
    left_at: list[int] = []

    def called(received: int) -> int:
        if received & luaevent.EV_TIMEOUT and not left_at:
            return flags
        left_at.append(len(stage.trace))
        stage.after("timer", _QUIET, lambda: None)
        return luaevent.LEAVE

    stage.add("event", near.fileno(), flags, called, timeout=_QUIET / 2)
    stage.run()
    assert left_at, f"the event was not called for readiness{stage.excuse}"
    assert stage.trace[left_at[0] :] == ["timer timeout"], (
        f"after LEAVE a timer was due and nothing else; there came "
        f"{', '.join(stage.trace[left_at[0] :]) or 'nothing'}"
    )


@rule("luaevent.callback.leave-cancels-timeout")
def test_the_loop_does_not_wait_for_the_timeout_of_an_event_that_left(
    luaevent: Luaevent, stopwatch: Stopwatch, wires: Wires
) -> None:
    """It is the only event, and its timeout is far longer than any delay of the machine's."""
    near, _ = wires.pair()
    timeout = 0.8

    def waited() -> float:
        stage = Stage(luaevent)
        stopwatch.restart()
        stage.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE, timeout=timeout)
        stage.run()
        return stopwatch.elapsed()

    assert_prompt(waited, timeout / 2)


@rule("luaevent.callback.leave-with-newtimeout")
@any_kind
@pytest.mark.parametrize("new", [0, 0.0, 0.005, 1])
def test_leave_with_a_timeout_is_leave(
    luaevent: Luaevent, stage: Stage, wires: Wires, kind: str, new: float
) -> None:
    """A timer that is set at the same moment fires when both timeouts have passed; a whole second
    is left out of the wait, and would make the loop go on after it.
    """
    fd, flags, timeout, said = _event(luaevent, wires, kind)

    def leave(_flags: int) -> Answer:
        stage.after("timer", _QUIET, lambda: None)
        return luaevent.LEAVE, new

    stage.add("event", fd, flags, leave, timeout=timeout)
    stage.run()
    stage.went(f"event {said}", "timer timeout")


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
    luaevent: Luaevent, stage: Stage, wires: Wires, kind: str, closed: str, times: int
) -> None:
    fd, flags, timeout, said = _event(luaevent, wires, kind)

    def close() -> None:
        for _ in range(times):
            _close(event)

    def leave(_flags: int) -> int:
        if closed == "in a later callback":
            stage.after("later", 0.001, close)
        return luaevent.LEAVE

    event = stage.add("event", fd, flags, leave, timeout=timeout)
    stage.run()
    if closed == "after the loop":
        close()
    stage.went(f"event {said}", *["later timeout"] * (closed == "in a later callback"))


@rule("luaevent.callback.leave-then-close")
@pytest.mark.parametrize("how", ["closed", "closed twice", "collected"])
@pytest.mark.parametrize("when", ["before the loop", "in the loop"])
@pytest.mark.parametrize("timeout", [None, 30.0], ids=["no timeout", "with a timeout"])
def test_a_new_event_of_the_descriptor_is_not_touched(
    luaevent: Luaevent, stage: Stage, wires: Wires, how: str, when: str, timeout: float | None
) -> None:
    """The old event's object is closed or lost when the descriptor belongs to a new event."""
    near, _ = wires.pair()
    number, write = near.fileno(), luaevent.EV_WRITE
    old: list[Event] = []
    leave = stage.callback("old", luaevent.LEAVE)
    if timeout is None:
        old.append(stage.base.addevent(number, write, leave))
    else:
        old.append(stage.base.addevent(number, write, leave, timeout))
    stage.run()

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
        stage.add("new", number, write, write, write, luaevent.LEAVE)
        lose()
    else:
        stage.add("new", number, write, lose_and_go_on, write, luaevent.LEAVE)
    stage.run()
    stage.went("old write", "new write", "new write", "new write")


@rule("luaevent.callback.leave-then-close")
def test_closing_an_event_that_left_does_nothing_when_its_descriptor_is_closed(
    luaevent: Luaevent, stage: Stage, wires: Wires
) -> None:
    """The usual order of a clean-up, in which the event happens to come last."""
    near, _ = wires.pair()
    event = stage.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    stage.run()
    near.close()
    _close(event)
    stage.went("event write")


class _Token:
    """Something that only a callback holds."""


def _closure(
    luaevent: Luaevent, kept: list[Event]
) -> tuple[Callable[[int], int], Callable[[], object]]:
    """A callback that returns LEAVE and holds *kept*, and whether it is alive."""
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
    luaevent: Luaevent, wires: Wires, kind: str, ends: str, cycle: bool
) -> None:
    """A closure known to nobody but the loop.  The base lives on; so does the event's object,
    unless the closure refers to it.
    """
    base = luaevent.new()
    fd, flags, timeout, _ = _event(luaevent, wires, kind)
    events: list[Event] = []
    callback, token = _closure(luaevent, events if cycle else [])
    arguments = (fd, flags, callback) if timeout is None else (fd, flags, callback, timeout)
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
    assert not alive([token]), (  # type: ignore[list-item]
        f"the event ended by {ends}, and its callback is still held by somebody"
    )


@rule("luaevent.callback.leave-then-add")
@pytest.mark.parametrize("where", ["in its callback", "in another callback", "in a later loop"])
@pytest.mark.parametrize("old", ["read", "write"])
@pytest.mark.parametrize("new", ["read", "write"])
@pytest.mark.parametrize("timeout", [None, 30.0], ids=["no timeout", "with a timeout"])
def test_a_descriptor_that_left_can_be_watched_again(
    luaevent: Luaevent,
    stage: Stage,
    wires: Wires,
    where: str,
    old: str,
    new: str,
    timeout: float | None,
) -> None:
    """The descriptor is ready in both directions throughout."""
    near, far = wires.pair()
    far.send(b"unread")
    number = near.fileno()
    flags = {"read": luaevent.EV_READ, "write": luaevent.EV_WRITE}

    def add() -> None:
        stage.add("new", number, flags[new], flags[new], luaevent.LEAVE)

    def leave(_flags: int) -> int:
        if where == "in its callback":
            add()
        elif where == "in another callback":
            stage.after("other", 0.001, add)
        return luaevent.LEAVE

    stage.add("old", number, flags[old], leave, timeout=timeout)
    stage.run()
    if where == "in a later loop":
        add()
        stage.run()
    between = ["other timeout"] * (where == "in another callback")
    stage.went(f"old {old}", *between, f"new {new}", f"new {new}")


@rule("luaevent.callback.leave-then-add")
def test_a_descriptor_changes_hands_again_and_again(
    luaevent: Luaevent, stage: Stage, wires: Wires
) -> None:
    """Each event makes the next one on the same descriptor, and leaves."""
    near, _ = wires.pair()

    def hand_over(_flags: int) -> int:
        made = len(stage.trace)
        if made < 5:
            stage.add(f"event {made + 1}", near.fileno(), luaevent.EV_WRITE, hand_over)
        return luaevent.LEAVE

    stage.add("event 1", near.fileno(), luaevent.EV_WRITE, hand_over)
    stage.run()
    stage.went(*[f"event {number} write" for number in range(1, 6)])
