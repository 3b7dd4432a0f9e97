"""levent, buffered events: writing in a callback."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import SendingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver


def _writer(
    rounds: LeventDriver, channels: Channels, sizes: list[int], low: int = 0
) -> SendingBuffer:
    """Writes the first of *sizes* outside, and one more in each call; it is started."""
    left = sizes[1:]

    def more() -> None:
        if left:
            outlet.write(left.pop(0))

    outlet = SendingBuffer(rounds, channels, more)
    outlet.evbuf.set_write_watermarks(low, 0)
    outlet.start()
    outlet.write(sizes[0])
    return outlet


def _all_leaves(rounds: LeventDriver, outlet: SendingBuffer, sizes: list[int]) -> None:
    """Until everything was written, and has come in the order in which it was."""
    total = sum(sizes)
    while len(outlet.received) < total and rounds.until(outlet.drain):
        pass
    assert len(outlet.written) == total, (
        f"of {len(sizes)} pieces, the first written outside and the next in each writecb, "
        f"{len(outlet.written)} of {total} bytes were written: writecb did not run again for what "
        "it wrote itself"
    )
    if not outlet.finish():
        return  # it moves too little in a pass for the rest to be waited for
    before = len(outlet.called_at)
    assert outlet.told(), "writecb never ran"
    assert outlet.called_at[-1] == 0 or outlet.told(before), (
        "writecb did not run when the last that it wrote had left"
    )


@rule("levent.buffer.write-more-in-cb")
@pytest.mark.parametrize(
    "sizes",
    [[1, 1], [1, 100], [10] * 5, [100, 5000, 1], [30_000, 30_000, 1], [7, 60_000, 7]],
    ids=str,
)
@pytest.mark.parametrize("low", [0, 1, 100, 50_000])
def test_what_writecb_writes_leaves_and_brings_another_call(
    rounds: LeventDriver, channels: Channels, sizes: list[int], low: int
) -> None:
    """Small and large pieces; some are more than the file takes at once."""
    outlet = _writer(rounds, channels, sizes, low)
    _all_leaves(rounds, outlet, sizes)


@rule("levent.buffer.write-more-in-cb")
def test_a_long_row_of_pieces_is_written_in_calls(rounds: LeventDriver, channels: Channels) -> None:
    """Three hundred, each when the one before it has left."""
    sizes = [1 + number % 50 for number in range(300)]
    outlet = _writer(rounds, channels, sizes)
    _all_leaves(rounds, outlet, sizes)


@rule("levent.buffer.write-more-in-cb")
def test_several_pieces_written_in_one_call_leave_in_order(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Three in each of ten calls, larger and larger."""
    rest = list(range(10))

    def more() -> None:
        if rest:
            number = rest.pop(0)
            for size in (1, 10 + number, 300 * number):
                if size:
                    outlet.write(size)

    outlet = SendingBuffer(rounds, channels, more)
    outlet.start()
    outlet.write(5)
    while rest and rounds.until(outlet.drain):
        pass
    assert not rest, f"writecb did not run again {len(rest)} times, for what it wrote itself"
    outlet.finish()


@rule("levent.buffer.write-more-in-cb")
def test_writecb_is_called_again_when_it_wrote_after_a_pause(
    rounds: LeventDriver, channels: Channels
) -> None:
    """It writes nothing in its first call; later it is given something to do again."""
    turns: list[int] = []

    def more() -> None:
        turns.append(outlet.level)
        if len(turns) % 3:
            outlet.write(10)

    outlet = SendingBuffer(rounds, channels, more)
    outlet.start()
    for before in (0, 3, 6, 9):
        outlet.write(10)
        assert outlet.told(before + 2, draining=True), (
            "writecb was to write twice after each pause; it did not run again after the first "
            f"{len(turns)} calls"
        )
    outlet.finish()
