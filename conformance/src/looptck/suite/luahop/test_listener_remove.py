"""LuaHop, listeners: removed, in one direction or both, once or twice."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import error_of, poll_for, poll_rounds, poll_until
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace

either = pytest.mark.parametrize("mask", ["r", "w"])


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


def other(mask: str) -> str:
    return "w" if mask == "r" else "r"


@rule("luahop.listener.remove")
@everywhere
@either
def test_a_removed_listener_is_not_called(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str
) -> None:
    """The descriptor is ready just before the removal and again after it; a timer keeps polling
    awake."""
    near, far = channels.pair()
    fill(near)
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("called"))

    def make_ready() -> None:
        if mask == "r":
            far.send(b"x")
        else:
            drain(far)

    def act() -> None:
        make_ready()
        hop.remove_listener(near.fileno(), mask)

    luahop_in(situation, hop, act)
    poll_for(hop, 4, trace)
    make_ready()
    poll_for(hop, 4, trace)
    assert trace == [], "a listener was called after it was removed"


@rule("luahop.listener.remove")
@either
def test_a_listener_that_was_called_before_can_be_removed(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The listener leaves its descriptor ready, so the next round would call it again."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("called"))
    poll_until(hop, "the listener is called", lambda: trace)
    hop.remove_listener(near.fileno(), mask)
    trace.clear()
    poll_for(hop, 4, trace)
    assert trace == [], "a listener was called after it was removed"


@rule("luahop.listener.remove")
@everywhere
@either
def test_a_removed_descriptor_can_be_registered_again(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str
) -> None:
    """This happens three times with polls in between: the poller has to add and remove it each
    time."""
    near, far = channels.pair()
    fill(near)
    hop = luahop.new()

    def use_up(name: str) -> None:
        trace(name)
        drain(near) if mask == "r" else fill(near)

    def act() -> None:
        for number in range(3):
            hop.set_listener(near.fileno(), mask, partial(use_up, f"early {number}"))
            hop.remove_listener(near.fileno(), mask)
        hop.set_listener(near.fileno(), mask, partial(use_up, "first"))

    luahop_in(situation, hop, act)
    for name in ("first", "second", "third"):
        if mask == "r":
            far.send(b"x")
        else:
            drain(far)
        poll_until(hop, f"the {name} listener is called", partial(trace.__contains__, name))
        hop.remove_listener(near.fileno(), mask)
        poll_for(hop, 2, trace)
        following = {"first": "second", "second": "third", "third": "fourth"}[name]
        hop.set_listener(near.fileno(), mask, partial(use_up, following))
    assert trace == ["first", "second", "third"], (
        f"the calls noted were {trace}, not ['first', 'second', 'third']"
    )


@rule("luahop.listener.remove")
def test_removing_one_descriptor_leaves_the_others(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The first, the middle and the last of three descriptors are removed in turn."""
    for removed in range(3):
        trace.clear()
        pairs = [channels.pair() for _ in range(3)]
        hop = luahop.new()
        for number, (near, far) in enumerate(pairs):
            hop.set_listener(near.fileno(), "r", partial(note, trace, number, near))
            far.send(b"x")
        hop.remove_listener(pairs[removed][0].fileno(), "r")
        poll_until(hop, "the other two listeners are called", partial(reached, trace, 2))
        poll_for(hop, 2, trace)
        assert sorted(trace) == [str(n) for n in range(3) if n != removed], (
            f"the calls were {sorted(trace)}, not {[str(n) for n in range(3) if n != removed]}"
        )


def note(trace: Trace, number: int, near: End) -> None:
    drain(near)
    trace(str(number))


@rule("luahop.listener.remove-mask")
@either
@pytest.mark.parametrize("polled", [False, True], ids=["unpolled", "polled"])
def test_the_direction_that_is_not_named_stays(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str, polled: bool
) -> None:
    """Both directions are ready all the time; the direction *mask* is removed."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("r"))
    hop.set_listener(near.fileno(), "w", lambda: trace("w"))
    if polled:
        poll_until(hop, "both listeners are called", lambda: len(set(trace)) == 2)
    hop.remove_listener(near.fileno(), mask)
    trace.clear()
    poll_until(hop, f"the other listener is called after {mask!r} was removed", lambda: trace)
    poll_rounds(hop, 3)
    assert set(trace) == {other(mask)}, f"{mask!r} was removed and is still called"


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
