"""LuaHop, listeners: masks, descriptors and callbacks that must be refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace

either = pytest.mark.parametrize("mask", ["r", "w"])

# Masks that no reading takes for a direction.
_MEANINGLESS = ["x", ""]


@rule("luahop.listener.bad-fd")
@everywhere
@either
@pytest.mark.parametrize("number", [-1, -5, 3998, 10**6, 2**31 - 1, 2**31])
def test_a_number_without_an_open_file_does_no_harm(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str, number: int
) -> None:
    """Whether the call raises is open; the loop goes on for the others."""
    near, far = channels.pair()
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near))))
    luahop_in(
        situation, hop, lambda: error_of(hop.set_listener, number, mask, lambda: trace("bad"))
    )
    far.send(b"x")
    poll_until(hop, f"a listener is called after one for {number} was set", lambda: trace)
    poll_for(hop, 2, trace)
    assert trace == ["b'x'"], f"the calls noted were {trace}, not [\"b'x'\"]"


@rule("luahop.listener.bad-fd")
@either
@pytest.mark.parametrize("known", [False, True], ids=["new", "removed-before"])
def test_a_closed_number_that_was_refused_leaves_no_trace(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str, known: bool
) -> None:
    """Afterwards the number belongs to another socket, ready both ways and not registered."""
    near, _ = channels.pair()
    number = near.fileno()
    hop = luahop.new()
    if known:
        hop.set_listener(number, mask, lambda: trace("old"))
        poll_for(hop, 1, trace) if mask == "r" else hop.poll()
        hop.remove_listener(number, mask)
        trace.clear()
    near.close()
    error = error_of(hop.set_listener, number, mask, lambda: trace("refused"))
    if error is None:
        return  # what becomes of a listener for a closed descriptor is open
    poll_for(hop, 2, trace)
    late, far = channels.pair_at(number)
    far.send(b"x")
    poll_for(hop, 2, trace)
    assert trace == [], "a listener that was refused is called once its number is open again"
    hop.set_listener(late.fileno(), mask, lambda: trace("late"))
    poll_until(hop, "the number can be registered once it is open again", lambda: trace)
    assert set(trace) == {"late"}, f"the calls noted were {set(trace)}, not {{'late'}}"


@rule("luahop.listener.bad-fd")
@either
def test_a_bad_number_does_not_harm_a_listener_set_before(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """A bad number comes between the registration and the call of good ones, several times."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("good"))
    for number in (-1, 3998, -1):
        error_of(hop.set_listener, number, mask, lambda: trace("bad"))
        trace.clear()
        poll_until(hop, f"a listener is called after one for {number} was set", lambda: trace)
        assert set(trace) == {"good"}, f"the calls noted were {set(trace)}, not {{'good'}}"


@rule("luahop.listener.callable")
@everywhere
@either
@pytest.mark.parametrize("callback", ["print", 42, [print]], ids=["text", "number", "list"])
def test_a_callback_that_cannot_be_called_is_refused(
    luahop: Luahop, channels: Channels, situation: Situation, mask: str, callback: Any
) -> None:
    """The descriptor is ready: a callback that was registered nevertheless would be called."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    raised: list[BaseException | None] = []
    luahop_in(
        situation,
        hop,
        lambda: raised.append(error_of(hop.set_listener, near.fileno(), mask, callback)),
    )
    assert raised[0] is not None, f"set_listener accepted {callback!r} for a callback"
    error = error_of(poll_for, hop, 3)
    assert error is None, f"{callback!r} was refused, but poll fails: {error}"


@rule("luahop.listener.callable")
@either
@pytest.mark.parametrize("callback", ["print", 42], ids=["text", "number"])
def test_an_earlier_listener_outlives_the_refusal(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str, callback: Any
) -> None:
    """A wrong callback is refused once before the first poll and once after it."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("good"))
    for _ in range(2):
        error = error_of(hop.set_listener, near.fileno(), mask, callback)
        assert error is not None, f"set_listener accepted {callback!r} for a callback"
        trace.clear()
        poll_until(hop, "the listener that was set before is still called", lambda: trace)


@rule("luahop.listener.mask-domain")
@everywhere
@pytest.mark.parametrize("mask", ["x", "", "R", "W", "wr", "rx", None, 1])
def test_a_mask_that_names_no_direction_is_refused(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: Any
) -> None:
    """The descriptor is ready both ways: a listener that was registered nevertheless would be
    called. A mask that can be read as a direction, or as the usual one, may be taken for it."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    raised: list[BaseException | None] = []
    luahop_in(
        situation,
        hop,
        lambda: raised.append(
            error_of(hop.set_listener, near.fileno(), mask, lambda: trace("called"))
        ),
    )
    if raised[0] is None:
        assert mask not in _MEANINGLESS, f"set_listener accepted the mask {mask!r}"
        return
    poll_for(hop, 3, trace)
    assert trace == [], f"the mask {mask!r} was refused, but the callback is registered"


@rule("luahop.listener.mask-domain")
@pytest.mark.parametrize("mask", _MEANINGLESS)
@pytest.mark.parametrize("good", ["r", "w"])
def test_a_refused_mask_leaves_the_listeners_registered(
    luahop: Luahop, channels: Channels, trace: Trace, mask: Any, good: str
) -> None:
    """`set_listener` and `remove_listener` refuse the mask, before the first poll and after it."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), good, lambda: trace("good"))
    for _ in range(2):
        error = error_of(hop.set_listener, near.fileno(), mask, lambda: trace("bad"))
        assert error is not None, f"set_listener accepted the mask {mask!r}"
        error = error_of(hop.remove_listener, near.fileno(), mask)
        assert error is not None, f"remove_listener accepted the mask {mask!r}"
        trace.clear()
        poll_until(hop, "the listener that was set before is still called", lambda: trace)
        assert set(trace) == {"good"}, f"the calls noted were {set(trace)}, not {{'good'}}"


@rule("luahop.listener.mask-domain")
@pytest.mark.parametrize("mask", _MEANINGLESS)
def test_removing_with_an_unknown_mask_is_refused(
    luahop: Luahop, channels: Channels, mask: Any
) -> None:
    """A mask is wrong whether or not there is something to remove."""
    near, _ = channels.pair()
    hop = luahop.new()
    error = error_of(hop.remove_listener, near.fileno(), mask)
    assert error is not None, f"remove_listener accepted the mask {mask!r}"


@rule("luahop.listener.mask-domain")
@either
def test_the_two_masks_are_accepted(luahop: Luahop, channels: Channels, mask: str) -> None:
    """`set_listener` and `remove_listener` take each mask, on a descriptor of its own."""
    near, _ = channels.pair()
    hop = luahop.new()
    for call in (
        partial(hop.set_listener, near.fileno(), mask, lambda: None),
        partial(hop.remove_listener, near.fileno(), mask),
    ):
        error = error_of(call)
        assert error is None, f"{mask!r} was refused: {error!r}"
