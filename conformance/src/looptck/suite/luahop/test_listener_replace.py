"""LuaHop, listeners: set inside callbacks, replaced, and the two directions of a descriptor."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import poll_for, poll_rounds, poll_until
from looptck.testing.kernel import wait_readable
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace


@rule("luahop.listener.replace")
@everywhere
@pytest.mark.parametrize("mask", ["r", "w"])
@pytest.mark.parametrize("times", [1, 4])
def test_only_the_newest_listener_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str, times: int
) -> None:
    """The descriptor gets ready after the replacement: any call of an older listener is a fault."""
    near, far = channels.pair()
    if mask == "w":
        fill(near)
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("old"))

    def use_up(name: str) -> None:
        trace(name)
        if mask == "r":
            drain(near)
        else:
            fill(near)

    def act() -> None:
        for number in range(1, times + 1):
            hop.set_listener(near.fileno(), mask, calling(use_up, f"new {number}"))

    luahop_in(situation, hop, act)
    for calls in (1, 2):
        if mask == "r":
            far.send(b"x")
        else:
            drain(far)
        poll_until(hop, "the new listener is called", partial(reached, trace, calls))
        poll_for(hop, 2, trace)
        assert trace == [f"new {times}"] * calls, "not once for each readiness, and the newest only"


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


@rule("luahop.listener.replace")
def test_a_replaced_listener_is_not_called_for_unread_data(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The old listener was called before and left data for the new one."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("old"))
    poll_until(hop, "the first listener is called", lambda: trace)
    trace.clear()
    hop.set_listener(near.fileno(), "r", lambda: trace(f"new {drain(near)!r}"))
    poll_until(hop, "the second listener is called for what the first one left", lambda: trace)
    poll_for(hop, 2, trace)
    assert trace == ["new b'x'"], f"the calls noted were {trace}, not [\"new b'x'\"]"


@rule("luahop.listener.replace")
def test_a_listener_replaced_by_another_callback_is_not_called(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Both are ready in one batch, and whichever comes first replaces the other's."""
    pairs = [channels.pair(), channels.pair()]
    hop = luahop.new()

    def replace_other(me: int) -> None:
        near, other = pairs[me][0], pairs[1 - me][0]
        drain(near)
        trace("old")
        hop.set_listener(other.fileno(), "r", lambda: trace(f"new {drain(other)!r}"))

    for me in (0, 1):
        hop.set_listener(pairs[me][0].fileno(), "r", calling(replace_other, me))
        pairs[me][1].send(b"x")
    poll_until(hop, "the replacement is called", lambda: "new b'x'" in trace)
    poll_for(hop, 2, trace)
    assert trace == ["old", "new b'x'"], "expected one old listener and the other one's replacement"


@rule("luahop.listener.replace")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_a_replaced_callback_is_not_kept_alive(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The loop polls once more and garbage is collected: only a reference in the loop can be
    left."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def old() -> None:
        trace("old")

    kept = weakref.ref(old)
    hop.set_listener(near.fileno(), mask, old)
    poll_until(hop, "the first listener is called", lambda: trace)
    hop.set_listener(near.fileno(), mask, lambda: trace("new"))
    del old
    poll_until(hop, "the second listener is called", lambda: "new" in trace)
    poll_rounds(hop, 2)
    gc.collect()
    assert kept() is None, "the callback was replaced, but the loop still holds it"


@rule("luahop.listener.replace-inside")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_a_replacement_is_not_called_for_a_stale_notice(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The old listener uses up the readiness: a call of the new one could only rest on the old
    notice."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def use_up() -> None:
        drain(near) if mask == "r" else fill(near)

    def new() -> None:
        trace("new")
        use_up()

    def old() -> None:
        trace("old begins")
        use_up()
        hop.set_listener(near.fileno(), mask, new)
        trace("old ends")

    hop.set_listener(near.fileno(), mask, old)
    poll_until(hop, "the first listener is called", lambda: trace)
    poll_for(hop, 3, trace)
    assert trace == ["old begins", "old ends"], (
        f"the new listener was called for what the old one was called for: {trace}"
    )
    if mask == "r":
        far.send(b"y")
    else:
        drain(far)
    poll_until(hop, "the listener set inside is called", lambda: "new" in trace)
    poll_for(hop, 2, trace)
    assert trace == ["old begins", "old ends", "new"], f"ready once more: {trace}"


@rule("luahop.listener.replace-inside")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_a_replacement_is_called_for_data_left_unread(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The descriptor stays ready: from now on every call has to be the new listener's."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def old() -> None:
        trace("old")
        hop.set_listener(near.fileno(), mask, lambda: trace("new"))

    hop.set_listener(near.fileno(), mask, old)
    poll_until(hop, "the listener set inside is called", partial(reached, trace, 4))
    assert trace[:4] == ["old", "new", "new", "new"], f"after the replacement: {trace[:4]}"


@rule("luahop.listener.replace-inside")
def test_two_callbacks_may_take_turns(luahop: Luahop, channels: Channels, trace: Trace) -> None:
    """Each callback replaces itself by the other: a loop that restores its own callback is out
    of step."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def ping() -> None:
        trace("ping")
        hop.set_listener(near.fileno(), "r", pong)

    def pong() -> None:
        trace("pong")
        hop.set_listener(near.fileno(), "r", ping)

    hop.set_listener(near.fileno(), "r", ping)
    poll_until(hop, "two listeners that replace each other are called", partial(reached, trace, 6))
    assert trace[:6] == ["ping", "pong"] * 3, f"they took turns like this: {trace[:6]}"


def who_is_called(hop: Hop, trace: Trace, expected: set[str]) -> set[str]:
    """Return the names called until all *expected* ones were, and in some rounds after."""
    trace.clear()
    if not expected:
        poll_for(hop, 3)
        return set(trace)
    poll_until(hop, f"{' and '.join(sorted(expected))} called", lambda: expected <= set(trace))
    poll_rounds(hop, 3)
    return set(trace)


@rule("luahop.listener.rw-independent")
@pytest.mark.parametrize(
    "steps",
    [
        "+r +w *r *w -w -r",
        "+w +r *w *r -r -w",
        "+r +w -r +r -w -r",
        "+w +r -w +w -r -w",
        "+r +w *w -r *w -w",
        "+r -r +w *w +r -w -r",
    ],
)
@pytest.mark.parametrize("kind", ["pair", "tcp"])
def test_after_each_step_the_remaining_directions_are_called(
    luahop: Luahop, channels: Channels, trace: Trace, steps: str, kind: str
) -> None:
    """In the ids + sets, * replaces and - removes. Both directions stay ready throughout."""
    near, far = channels.pair() if kind == "pair" else channels.tcp_pair()
    far.send(b"x")
    wait_readable([near])
    hop = luahop.new()
    left: dict[str, str] = {}
    done: list[str] = []
    for number, step in enumerate(steps.split()):
        what, mask = step[0], step[1]
        if what == "-":
            hop.remove_listener(near.fileno(), mask)
            del left[mask]
        else:
            left[mask] = f"{mask} of step {number}"
            hop.set_listener(near.fileno(), mask, calling(trace, left[mask]))
        done.append(step)
        expected = set(left.values())
        called = who_is_called(hop, trace, expected)
        assert called == expected, (
            f"after {' '.join(done)}: expected {sorted(expected)}, called {sorted(called)}"
        )


@rule("luahop.listener.rw-independent")
def test_a_waiting_direction_does_not_hold_up_the_other(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """One direction has nothing to do all the time; the other must work as if alone."""
    near, far = channels.pair()
    fill(near)
    hop = luahop.new()
    hop.set_listener(near.fileno(), "w", lambda: trace("room"))
    hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near))))
    far.send(b"x")
    poll_until(hop, "the reader of a full socket is called", lambda: trace)
    poll_for(hop, 2, trace)
    assert trace == ["b'x'"], f"the calls noted were {trace}, not [\"b'x'\"]"
    hop.remove_listener(near.fileno(), "r")
    far.send(b"y")
    poll_for(hop, 2, trace)
    assert trace == ["b'x'"], "the removed reader was called, or the writer without room"
    drain(far)
    poll_until(hop, "the writer is called after the reader was removed", lambda: "room" in trace)


@rule("luahop.listener.rw-independent")
def test_both_ends_of_a_connection_may_be_in_one_loop(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Of four listeners on two descriptors one is removed; the other three stay."""
    near, far = channels.pair()
    sides: dict[str, End] = {"near": near, "far": far}
    hop = luahop.new()
    for name, end in sides.items():
        end.send(b"x")
        for mask in "rw":
            hop.set_listener(end.fileno(), mask, calling(trace, f"{name} {mask}"))
    expected = {"near r", "near w", "far r", "far w"}
    assert who_is_called(hop, trace, expected) == expected
    hop.remove_listener(near.fileno(), "w")
    expected.remove("near w")
    assert who_is_called(hop, trace, expected) == expected
