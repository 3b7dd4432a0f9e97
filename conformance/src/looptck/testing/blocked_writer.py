"""Stalls: the output of a bufferevent is held up with a known number of bytes left.

A narrow way is filled, more is added to the output than it will take, and then
the peer takes just so much that one send goes through.  How much a send takes
then is tried out beforehand.  A loop that sends in smaller portions is left
with another number, so a test goes by `OwnedBufferEvent.left`.
"""

from __future__ import annotations

from .buffer_channels import make_room, narrow_pair, pattern, receive, room_of_a_stuffed_way
from .bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script, flags_in
from .channels import Channels, fill

# What the peer takes at a time: not more than one portion of what filled the way.
_LITTLE = 512


class BlockedWriter:
    """A bufferevent with a stuffed way, and the levels at which write was called."""

    def __init__(self, turns: BufferEventDriver, channels: Channels) -> None:
        self._turns = turns
        self._room = room_of_a_stuffed_way(channels)
        self.near, self.far = narrow_pair(channels)
        self._stuffing = 0
        # what the peer got of what was added
        self.got = bytearray()
        self.added = 0
        # since something was added
        self.called_at: list[int] = []
        self.told: list[int] = []
        self.held = turns.keep(
            turns.luaevent.bufferevent.new(
                turns.base,
                self.near.fileno(),
                turns.callback(lambda *_: None),
                turns.callback(self._on_write),
                turns.callback(lambda *_: None),
            )
        )

    def add(self, leaving: int) -> Script:
        """Let a first call go by; then add what one send takes and *leaving* more."""
        yield from self._turns.quiet()
        self._stuffing += fill(self.near)
        self.called_at.clear()
        self.told.clear()
        self.added = self._room + leaving
        self.held.output.add(pattern(self.added))
        yield from self._turns.quiet(5)

    def give_way(self) -> Script:
        """The peer makes room for one send; turns go by until nothing moves."""
        make_room(self.near, lambda: self._take(_LITTLE))
        yield from self._turns.quiet()

    def finish(self) -> Script:
        """The peer takes everything."""
        yield from self._turns.until(self._has_all)
        yield from self._turns.quiet()

    def _has_all(self) -> bool:
        if self._take(1 << 20):
            self._turns.moved()
        return len(self.got) >= self.added

    def _take(self, size: int) -> int:
        data = receive(self.far, size)
        mere = min(self._stuffing, len(data))
        self._stuffing -= mere
        self.got += data[mere:]
        return len(data)

    def _on_write(self, *arguments: object) -> None:
        self.called_at.append(self.held.left)
        self.told.append(flags_in(arguments))


def judge_low(held: OwnedBufferEvent, low: int, called_at: list[int], moved: int) -> None:
    """Raises AssertionError unless write was called as a low watermark of *low* asks for.

    *moved* bytes were sent since it could first be called.
    """
    above = [level for level in called_at if level > low]
    assert not above, (
        f"write was called with {above[0]} bytes left in the output; the low watermark is {low}"
    )
    left = held.left
    below = left < low or not left
    assert called_at or not below or not moved, (
        f"{moved} bytes were sent and {left} are left in the output; the low watermark is {low}, "
        "and write was not called"
    )
