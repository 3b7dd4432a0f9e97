"""LuaHop, listeners: set inside callbacks, replaced, and the two directions of a descriptor."""

from __future__ import annotations

from functools import partial

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, drain, fill
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
