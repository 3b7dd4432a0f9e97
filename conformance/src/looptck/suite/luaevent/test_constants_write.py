"""luaevent, Constants: EV_WRITE reports room to write and the end of a connect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere

# {kind: makes the end to write to and the end to read from}
Connect = Callable[[Channels], tuple[End, End]]


_CHANNELS: dict[str, Connect] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe()[::-1],
    "TCP": lambda channels: channels.tcp_pair(),
}


@rule("luaevent.constants.ev-write")
@everywhere
@pytest.mark.parametrize("connect", _CHANNELS.values(), ids=_CHANNELS)
def test_room_to_write_is_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
) -> None:
    """Nothing was ever written: the room was there before addevent."""
    near, _far = connect(channels)
    driver.run(
        lambda: driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE), situation
    )
    driver.assert_calls("writer write")
