"""levent, buffered events: the low watermark of the input."""

from __future__ import annotations

import pytest

from looptck.markers import rule
from looptck.probes.rounds import Rounds
from looptck.probes.wires import Wires


@rule("levent.buffer.read-lowwater")
@pytest.mark.parametrize("low", [1, 2, 10])
def test_readcb_waits_for_the_low_watermark_and_not_for_more(
    rounds: Rounds, wires: Wires, low: int
) -> None:
    """The bytes come one at a time, so that the call can only be due to the last one."""
    near, far = wires.pair()
    evbuf = rounds.evbuf(near.fileno())
    evbuf.set_read_watermarks(low, 0)
    evbuf.start()
    for sent in range(1, low):
        far.send(b"x")
        rounds.quiet()
        assert not rounds.count("read"), f"readcb ran at {sent} bytes; the low watermark is {low}"
    far.send(b"x")
    assert rounds.until_count("read"), f"readcb did not run at {low} bytes, its low watermark"
