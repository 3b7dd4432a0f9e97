"""LuaHop, listeners: masks, descriptors and callbacks that must be refused."""

from __future__ import annotations

from typing import Any

import pytest

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace

either = pytest.mark.parametrize("mask", ["r", "w"])


# Masks that no reading takes for a direction.
_MEANINGLESS = ["x", ""]


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
