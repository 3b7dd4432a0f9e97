"""LuaHop, listeners: removed, in one direction or both, once or twice."""

from __future__ import annotations

import socket

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace

either = pytest.mark.parametrize("mask", ["r", "w"])


def other(mask: str) -> str:
    return "w" if mask == "r" else "r"


@rule("luahop.listener.remove-mask")
@either
def test_removing_a_direction_that_is_not_set_changes_nothing(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The direction is removed twice with a poll in between: a loop may tell the poller late."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace(mask))
    for _ in range(2):
        error_of(hop.remove_listener, near.fileno(), other(mask))  # it may raise
        trace.clear()
        poll_until(hop, f"{mask!r} is called after {other(mask)!r} was removed", lambda: trace)
    assert set(trace) == {mask}, f"the calls noted were {set(trace)}, not {{mask}}"


@rule("luahop.listener.remove-half-of-rw")
@either
@pytest.mark.parametrize("polled", [False, True], ids=["unpolled", "polled"])
def test_half_of_an_rw_listener_can_be_removed(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str, polled: bool
) -> None:
    """First only the direction that stays is ready, then only the removed one."""
    near, far = channels.pair()
    hop = luahop.new()
    if error_of(hop.set_listener, near.fileno(), "rw", lambda: trace("called")):
        return  # "rw" is no mask of the document's
    if polled:
        poll_until(hop, "the listener of both directions is called", lambda: trace)
    hop.remove_listener(near.fileno(), mask)
    if mask == "w":
        fill(near)
        far.send(b"x")
    trace.clear()
    poll_until(hop, f"the half that is left is called after {mask!r} was removed", lambda: trace)
    if mask == "w":
        drain(near)
        drain(far)
    else:
        fill(near)
        far.send(b"x")
    trace.clear()
    poll_for(hop, 4, trace)
    assert trace == [], f"{mask!r} was removed and is still called"


_NOT_THERE = ["never set", "removed twice", "no such descriptor", "closed"]
what_is_not_there = pytest.mark.parametrize("case", _NOT_THERE)


def remove_what_is_not_there(
    hop: Hop, near: socket.socket, situation: Situation, mask: str, case: str
) -> list[BaseException | None]:
    """Call `remove_listener` twice from *case*; return what it raised."""
    number = 3999 if case == "no such descriptor" else near.fileno()
    raised: list[BaseException | None] = []

    def act() -> None:
        if case in ("removed twice", "closed"):
            hop.set_listener(number, mask, lambda: None)
            hop.remove_listener(number, mask)
        if case == "closed":
            near.close()
        for _ in range(2):
            raised.append(error_of(hop.remove_listener, number, mask))

    luahop_in(situation, hop, act)
    return raised


@rule("luahop.listener.remove")
@everywhere
@either
@what_is_not_there
def test_removing_nothing_leaves_other_listeners_alone(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str, case: str
) -> None:
    """Whether the removal raises is open; another descriptor's listener must stay."""
    near, far = channels.pair()
    bystander, to_bystander = channels.pair()
    hop = luahop.new()
    hop.set_listener(bystander.fileno(), "r", lambda: trace(f"bystander {drain(bystander)!r}"))
    remove_what_is_not_there(hop, near, situation, mask, case)
    if case != "closed":
        far.send(b"x")
    to_bystander.send(b"y")
    poll_until(hop, f"another listener is called after nothing was removed ({case})", lambda: trace)
    poll_for(hop, 2, trace)
    assert trace == ["bystander b'y'"], f"the calls noted were {trace}, not [\"bystander b'y'\"]"


@rule("luahop.listener.remove-unknown")
@everywhere
@either
@what_is_not_there
def test_the_exception_of_removing_nothing_is_recorded(
    luahop: Luahop,
    channels: Channels,
    observe: Observation,
    situation: Situation,
    mask: str,
    case: str,
) -> None:
    """A loop may ignore a removal of nothing, or raise."""
    near, _ = channels.pair()
    raised = remove_what_is_not_there(luahop.new(), near, situation, mask, case)
    told = [type(error).__name__ if error else "nothing" for error in raised]
    observe(f"raises {', then '.join(dict.fromkeys(told))}", of=f"{case}, {mask!r}, {situation}")
