"""luaevent, Constants: EV_READ reports data, connections and the end of a stream."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere

# {kind: makes the end to read from and the end to write to}
Connect = Callable[[Channels], tuple[End, End]]

# How long a descriptor has to be silent, in seconds.
_QUIET = 0.01


_CHANNELS: dict[str, Connect] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}


any_channel = pytest.mark.parametrize("connect", _CHANNELS.values(), ids=_CHANNELS)


@rule("luaevent.constants.ev-read")
@everywhere
@any_channel
@pytest.mark.parametrize("when", ["before addevent", "before the loop", "in the loop"])
def test_a_single_byte_is_reported_once_it_is_there(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
    when: str,
) -> None:
    """An edge-triggered poller may miss a byte that was there before addevent. A timer sends the
    late one, so that a call before the timer's is a false one. A socket is writable all the time:
    a loop must not take that for data."""
    near, far = connect(channels)

    def act() -> None:
        if when == "before addevent":
            far.send(b"x")
        driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        if when == "before the loop":
            far.send(b"x")
        elif when == "in the loop":
            driver.after("sender", _QUIET, lambda: far.send(b"x"))

    driver.run(act, situation)
    driver.assert_calls(*["sender timeout"] * (when == "in the loop"), "reader read")
