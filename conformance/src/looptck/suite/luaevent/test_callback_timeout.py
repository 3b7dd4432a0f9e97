"""luaevent, event_callback: the timeout that it returns, or does not."""

from __future__ import annotations

import socket

import pytest

from looptck.clocks import Clock
from looptck.markers import rule
from looptck.probes.attempts import one_attempt_succeeds
from looptck.probes.stage import Stage
from looptck.probes.stopwatch import Stopwatch, assert_not_early
from looptck.probes.wires import Wires, drain, fill
from looptck.profiles.luaevent import Answer, Luaevent

# Timeouts in seconds: two that pass in a test, and one that does not.
_SHORT = 0.01
_LONGER = 0.025
_NEVER = 30.0

_KINDS = ("timer", "read", "write", "both")
any_kind = pytest.mark.parametrize("kind", _KINDS)


def _idle(luaevent: Luaevent, wires: Wires, kind: str) -> tuple[int | None, int]:
    """A descriptor on which nothing happens, and what to wait for on it."""
    near, _far = wires.pair()
    fill(near)
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    return near.fileno(), {"read": read, "write": write, "both": read | write}[kind]


class _Waits:
    """Asserts that no call came earlier than its event was told to wait.

    The n-th call after `begin` is due n timeouts after it.  So a loop may go by
    the points of a grid, on which one late call does not make the next one late.
    """

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._timeout = 0.0
        self._calls = 0

    def begin(self, timeout: float) -> None:
        self._timeout = timeout
        self._calls = 0
        self._stopwatch.restart()

    def over(self) -> None:
        self._calls += 1
        assert_not_early(self._stopwatch.elapsed(), self._calls * self._timeout)


@pytest.fixture
def waits(stopwatch: Stopwatch) -> _Waits:
    return _Waits(stopwatch)


_FORMS = pytest.mark.parametrize("form", ["flags", "flags and None"])


@rule("luaevent.callback.newtimeout-optional")
@any_kind
@_FORMS
def test_a_timeout_is_kept_when_none_is_returned(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, kind: str, form: str
) -> None:
    """It passes three times; that takes three times as long as once."""
    fd, flags = _idle(luaevent, wires, kind)

    def called(_flags: int) -> Answer:
        waits.over()
        if len(stage.trace) == 3:
            return luaevent.LEAVE
        return flags if form == "flags" else (flags, None)

    waits.begin(_SHORT)
    stage.add("event", fd, flags, called, timeout=_SHORT)
    stage.run()
    stage.went("event timeout", "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-optional")
@_FORMS
def test_a_timeout_starts_anew_with_a_call_for_readiness(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, form: str
) -> None:
    """The data comes when most of the timeout has passed, so that one that goes on comes early.

    On a slow machine it may have passed; what counts is the wait that follows the data.
    """
    near, far = wires.pair()
    timeout = 0.03
    read = False

    def called(_flags: int) -> Answer:
        nonlocal read
        if drain(near):
            read = True
            waits.begin(timeout)
        elif read:
            waits.over()
            return luaevent.LEAVE
        return luaevent.EV_READ if form == "flags" else (luaevent.EV_READ, None)

    stage.add("event", near.fileno(), luaevent.EV_READ, called, timeout=timeout)
    stage.after("sender", timeout * 0.7, lambda: far.send(b"data"))
    stage.run()
    assert stage.trace[-1:] == ["event timeout"], (
        f"data, then nothing: the timeout that the event was added with was due; there came "
        f"{', '.join(stage.trace) or 'none'}{stage.excuse}"
    )


@rule("luaevent.callback.newtimeout-optional")
@pytest.mark.parametrize("direction", ["read", "write"])
@_FORMS
def test_an_event_without_a_timeout_gets_none(
    luaevent: Luaevent, stage: Stage, wires: Wires, direction: str, form: str
) -> None:
    """Ready once, and then silent until a timer makes it ready again."""
    near, far = wires.pair()
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE

    def called(_flags: int) -> Answer:
        if direction == "read":
            drain(near)
            stage.after("peer", _LONGER, lambda: far.send(b"more"))
        else:
            fill(near)
            stage.after("peer", _LONGER, lambda: drain(far))
        return flags if form == "flags" else (flags, None)

    far.send(b"data")
    stage.add("event", near.fileno(), flags, called, luaevent.LEAVE)
    stage.run()
    stage.went(f"event {direction}", "peer timeout", f"event {direction}")


@rule("luaevent.callback.newtimeout-value")
@any_kind
@pytest.mark.parametrize("new", [_LONGER, 0.0237], ids=["longer", "decimals"])
def test_a_new_timeout_is_waited_for_from_now_on(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, kind: str, new: float
) -> None:
    """Returned once, when the old one has passed; two waits follow, and none is shorter."""
    fd, flags = _idle(luaevent, wires, kind)

    def called(_flags: int) -> Answer:
        waits.over()
        if len(stage.trace) == 3:
            return luaevent.LEAVE
        if len(stage.trace) == 2:
            return flags
        waits.begin(new)
        return flags, new

    waits.begin(_SHORT)
    stage.add("event", fd, flags, called, timeout=_SHORT)
    stage.run()
    stage.went(*["event timeout"] * 3)


@rule("luaevent.callback.newtimeout-value")
@any_kind
def test_a_timeout_is_changed_again_and_again(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, kind: str
) -> None:
    """The last value that was returned is the one that counts."""
    fd, flags = _idle(luaevent, wires, kind)
    values = [0.02, 0.005, 0.015]

    def called(_flags: int) -> Answer:
        waits.over()
        if not values:
            return luaevent.LEAVE
        waits.begin(values[0])
        return flags, values.pop(0)

    waits.begin(_SHORT)
    stage.add("event", fd, flags, called, timeout=_SHORT)
    stage.run()
    stage.went(*["event timeout"] * 4)


@rule("luaevent.callback.newtimeout-value")
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("old", [None, _NEVER], ids=["no timeout before", "a long one before"])
def test_a_new_timeout_is_used_after_readiness(
    luaevent: Luaevent,
    stage: Stage,
    waits: _Waits,
    wires: Wires,
    direction: str,
    old: float | None,
) -> None:
    """Ready once, and then no more.  Were the old timeout still in force, or none, the test would
    end the wait.
    """
    near, far = wires.pair()
    far.send(b"data")
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE

    def called(_flags: int) -> Answer:
        if len(stage.trace) == 1:
            drain(near)
            fill(near)
        else:
            waits.over()
        if len(stage.trace) == 4:
            return luaevent.LEAVE
        if len(stage.trace) > 1:
            return flags
        waits.begin(_SHORT)
        return flags, _SHORT

    stage.add("event", near.fileno(), flags, called, timeout=old)
    stage.run()
    stage.went(f"event {direction}", *["event timeout"] * 3)


@rule("luaevent.callback.newtimeout-value")
@pytest.mark.parametrize("kind", ["timer", "read"])
def test_a_shorter_timeout_is_over_sooner(luaevent: Luaevent, wires: Wires, kind: str) -> None:
    """Two short waits against a timer that is far longer than they are together, and shorter
    than two of the old ones.
    """

    def attempt() -> None:
        stage = Stage(luaevent)
        fd, flags = _idle(luaevent, wires, kind)
        old, new = 0.2, 0.004

        def called(_flags: int) -> Answer:
            if len(stage.trace) == 1:
                stage.after("rival", old * 1.5, stage.end)
                return flags, new
            if len(stage.trace) == 3:
                stage.end()
                return luaevent.LEAVE
            return flags

        stage.add("event", fd, flags, called, timeout=old)
        stage.run()
        assert stage.trace == ["event timeout"] * 3, (
            f"with {new * 1000:.0f} ms in place of {old * 1000:.0f}, two waits were due within "
            f"{old * 1500:.0f} ms; there came {', '.join(stage.trace)}"
        )

    one_attempt_succeeds(attempt)


_DIRECTIONS = pytest.mark.parametrize("first", ["read", "write"])


def _turning(
    luaevent: Luaevent, wires: Wires, first: str
) -> tuple[socket.socket, socket.socket, int, int]:
    """A pair whose near end is ready in the first direction, and never in the other."""
    near, far = wires.pair()
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
    stage: Stage,
    waits: _Waits,
    wires: Wires,
    first: str,
    old: float | None,
) -> None:
    """It stays ready in the old direction, and is silent until the new timeout; then it becomes
    ready in the new one.
    """
    near, far, before, after = _turning(luaevent, wires, first)

    def turn(_flags: int) -> Answer:
        waits.begin(_SHORT)
        return after, _SHORT

    def timed_out(_flags: int) -> Answer:
        waits.over()
        drain(far)
        far.send(b"more")
        return after, _NEVER

    stage.add("event", near.fileno(), before, turn, timed_out, luaevent.LEAVE, timeout=old)
    stage.run()
    second = "write" if first == "read" else "read"
    stage.went(f"event {first}", "event timeout", f"event {second}")


@rule("luaevent.callback.newtimeout-with-change")
@_DIRECTIONS
@pytest.mark.parametrize("form", ["flags", "flags and None"])
def test_the_old_timeout_goes_on_with_the_new_direction(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, first: str, form: str
) -> None:
    """It stays ready in the old direction.  On a slow machine its timeout may pass before it is
    first found ready; that call changes nothing.
    """
    near, _far, before, after = _turning(luaevent, wires, first)
    turned = False

    def called(flags: int) -> Answer:
        nonlocal turned
        if turned:
            waits.over()
            if stage.count("event timeout") >= 2:
                return luaevent.LEAVE
        elif flags & luaevent.EV_TIMEOUT:
            stage.trace.clear()
            return before
        else:
            turned = True
            waits.begin(_LONGER)
        return after if form == "flags" else (after, None)

    stage.add("event", near.fileno(), before, called, timeout=_LONGER)
    stage.run()
    stage.went(f"event {first}", "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-from")
@pytest.mark.parametrize("kind", ["timer", "read", "write", "ready"])
@pytest.mark.parametrize("takes", [0.02, 0.05])
def test_a_new_timeout_runs_from_the_end_of_the_callback(
    luaevent: Luaevent,
    stage: Stage,
    clock: Clock,
    waits: _Waits,
    wires: Wires,
    kind: str,
    takes: float,
) -> None:
    """The callback takes about as long as the timeout, or much longer."""
    timeout = 0.03
    if kind == "ready":
        near, far = wires.pair()
        far.send(b"data")
        fd: int | None = near.fileno()
        flags = luaevent.EV_READ
    else:
        fd, flags = _idle(luaevent, wires, kind)

    def slow(_flags: int) -> Answer:
        if kind == "ready":
            drain(near)
        clock.advance(takes)
        waits.begin(timeout)
        return flags, timeout

    def over(_flags: int) -> Answer:
        waits.over()
        return luaevent.LEAVE

    stage.add("event", fd, flags, slow, over, timeout=None if kind == "ready" else _SHORT)
    stage.run()
    stage.went("event read" if kind == "ready" else "event timeout", "event timeout")


@rule("luaevent.callback.newtimeout-from")
def test_a_new_timeout_does_not_run_from_the_start_of_the_turn(
    luaevent: Luaevent, stage: Stage, clock: Clock, wires: Wires
) -> None:
    """Three events are ready in one turn, and each keeps the others waiting: whichever comes last
    sets its timeout long after the turn began.
    """
    timeout = 0.02
    ended: dict[str, float] = {}

    def add(name: str) -> None:
        near, far = wires.pair()
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

        stage.add(name, near.fileno(), luaevent.EV_READ, called)

    names = ["one", "two", "three"]
    for name in names:
        add(name)
    stage.run()
    missing = [name for name in names if stage.count(f"{name} timeout") != 1]
    assert not missing, (
        f"each of three events was due data and a timeout; there came "
        f"{', '.join(stage.trace) or 'none'}{stage.excuse}"
    )


@rule("luaevent.callback.newtimeout-same")
@any_kind
def test_returning_the_timeout_in_force_keeps_the_period(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires, kind: str
) -> None:
    """Five periods; with a second timer beside the first there would be time for two."""
    fd, flags = _idle(luaevent, wires, kind)

    def called(_flags: int) -> Answer:
        waits.over()
        return luaevent.LEAVE if len(stage.trace) == 5 else (flags, _SHORT)

    waits.begin(_SHORT)
    stage.add("event", fd, flags, called, timeout=_SHORT)
    stage.run()
    stage.went(*["event timeout"] * 5)


@rule("luaevent.callback.newtimeout-same")
def test_returning_the_timeout_in_force_keeps_it_after_readiness(
    luaevent: Luaevent, stage: Stage, waits: _Waits, wires: Wires
) -> None:
    """Three pieces of data, each read in a call of its own, and then nothing."""
    near, far = wires.pair()
    timeout = 0.02

    def called(_flags: int) -> Answer:
        if drain(near):
            waits.begin(timeout)
            if stage.count("event read") < 3:
                far.send(b"more")
            return luaevent.EV_READ, timeout
        waits.over()
        return luaevent.LEAVE

    far.send(b"data")
    stage.add("event", near.fileno(), luaevent.EV_READ, called, timeout=timeout)
    stage.run()
    assert stage.trace[-1:] == ["event timeout"], (
        f"data, and then nothing for the timeout; there came "
        f"{', '.join(stage.trace) or 'none'}{stage.excuse}"
    )
