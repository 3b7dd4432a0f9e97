"""LuaHop, listeners: set, and called when the descriptor is ready."""

from __future__ import annotations

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import poll_until
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace


@rule("luahop.listener.create")
@pytest.mark.parametrize("mask", ["r", "w"])
@everywhere
def test_nothing_is_called_before_poll(
    luahop: Luahop,
    channels: Channels,
    clock: Clock,
    trace: Trace,
    situation: Situation,
    mask: str,
) -> None:
    """The descriptor is ready already; time passes, and other functions of the loop run."""
    near, far = channels.pair()
    other, _ = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    too_soon: list[int] = []

    def act() -> None:
        hop.set_listener(near.fileno(), mask, lambda: trace("called"))
        clock.advance(0.002)
        hop.set_timeout({"ms": 60_000}, lambda: None)
        hop.set_listener(other.fileno(), "r", lambda: None)
        hop.remove_listener(other.fileno(), "r")
        too_soon.append(len(trace))

    luahop_in(situation, hop, act)
    assert too_soon == [0], "a listener of a ready descriptor was called outside poll"
    poll_until(hop, "poll calls the listener", lambda: trace)
