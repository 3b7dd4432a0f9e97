"""levent, buffered events: writecb may write."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import SendingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver


def _writer(
    driver: LeventDriver, channels: Channels, sizes: list[int], low: int = 0
) -> SendingBuffer:
    """A started outlet; the first of *sizes* is written outside, and one more in each call."""
    left = sizes[1:]

    def more() -> None:
        if left:
            sender.write(left.pop(0))

    sender = SendingBuffer(driver, channels, more)
    sender.evbuf.set_write_watermarks(low, 0)
    sender.start()
    sender.write(sizes[0])
    return sender


def _all_leaves(driver: LeventDriver, sender: SendingBuffer, sizes: list[int]) -> None:
    """Run until everything was written and has come, in order."""
    total = sum(sizes)
    while len(sender.received) < total and driver.until(sender.drain):
        pass
    assert len(sender.written) == total, (
        f"of {len(sizes)} pieces, the first written outside and the next in each writecb, "
        f"{len(sender.written)} of {total} bytes were written: writecb did not run again for what "
        "it wrote itself"
    )
    if not sender.finish():
        return  # it moves too little in a pass for the rest to be waited for
    before = len(sender.call_levels)
    assert sender.was_called(), "writecb never ran"
    assert sender.call_levels[-1] == 0 or sender.was_called(before), (
        "writecb did not run when the last that it wrote had left"
    )


@rule("levent.buffer.write-more-in-cb")
@pytest.mark.parametrize(
    "sizes",
    [[1, 1], [1, 100], [10] * 5, [100, 5000, 1], [30_000, 30_000, 1], [7, 60_000, 7]],
    ids=str,
)
@pytest.mark.parametrize("low", [0, 1, 100, 50_000])
def test_output_from_writecb_leaves_and_brings_another_call(
    driver: LeventDriver, channels: Channels, sizes: list[int], low: int
) -> None:
    """Some pieces are small, and some are more than the file takes at once."""
    sender = _writer(driver, channels, sizes, low)
    _all_leaves(driver, sender, sizes)


@rule("levent.buffer.write-more-in-cb")
def test_three_hundred_calls_of_writecb_may_write(driver: LeventDriver, channels: Channels) -> None:
    """Each call writes one piece when the piece before it has left."""
    sizes = [1 + number % 50 for number in range(300)]
    sender = _writer(driver, channels, sizes)
    _all_leaves(driver, sender, sizes)


@rule("levent.buffer.write-more-in-cb")
def test_several_pieces_written_in_one_call_leave_in_order(
    driver: LeventDriver, channels: Channels
) -> None:
    """Each of ten calls writes three pieces, larger and larger."""
    rest = list(range(10))

    def more() -> None:
        if rest:
            number = rest.pop(0)
            for size in (1, 10 + number, 300 * number):
                if size:
                    sender.write(size)

    sender = SendingBuffer(driver, channels, more)
    sender.start()
    sender.write(5)
    while rest and driver.until(sender.drain):
        pass
    assert not rest, f"writecb did not run again {len(rest)} times, for what it wrote itself"
    sender.finish()


@rule("levent.buffer.write-more-in-cb")
def test_writecb_runs_for_output_written_after_a_pause(
    driver: LeventDriver, channels: Channels
) -> None:
    """writecb writes nothing in its first call; output that is written later must bring another."""
    turns: list[int] = []

    def more() -> None:
        turns.append(sender.output_length)
        if len(turns) % 3:
            sender.write(10)

    sender = SendingBuffer(driver, channels, more)
    sender.start()
    for before in (0, 3, 6, 9):
        sender.write(10)
        assert sender.was_called(before + 2, draining=True), (
            "writecb was to write twice after each pause; it did not run again after the first "
            f"{len(turns)} calls"
        )
    sender.finish()
