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
_CHANNELS: dict[str, Connect] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}

any_channel = pytest.mark.parametrize("connect", _CHANNELS.values(), ids=_CHANNELS)


@rule("luaevent.constants.ev-read")
@everywhere
@any_channel
def test_a_single_byte_that_is_there_already_is_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
) -> None:
    """The byte was sent before addevent: an edge-triggered poller may miss it."""
    near, far = connect(channels)
    far.send(b"x")
    driver.run(
        lambda: driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE), situation
    )
    driver.assert_calls("reader read")
