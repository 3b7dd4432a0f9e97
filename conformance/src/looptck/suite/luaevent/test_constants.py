"""luaevent, Constants: what each name stands for."""

from __future__ import annotations

import pytest

from looptck.markers import rule
from looptck.probes.situations import Situation, everywhere, luaevent_in
from looptck.probes.trace import Trace
from looptck.probes.wires import Wires
from looptck.profiles.luaevent import Luaevent


@rule("luaevent.constants.leave")
@everywhere
@pytest.mark.parametrize("last", [1, 3])
def test_an_event_that_answers_leave_is_not_called_again(
    luaevent: Luaevent, wires: Wires, trace: Trace, situation: Situation, last: int
) -> None:
    """The socket stays writable, so only LEAVE can be what ends the calls."""
    near, _ = wires.pair()
    base = luaevent.new()
    events = []

    def on_write(_flags: int) -> int:
        trace("write")
        return luaevent.LEAVE if len(trace) >= last else luaevent.EV_WRITE

    luaevent_in(
        situation,
        luaevent,
        base,
        lambda: events.append(base.addevent(near.fileno(), luaevent.EV_WRITE, on_write, 0.02)),
    )
    base.loop()
    assert trace == ["write"] * last
