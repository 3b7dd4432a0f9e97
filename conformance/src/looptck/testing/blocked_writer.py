"""Stalls: the output of a bufferevent is held up with a known number of bytes left.

A narrow way is filled, more is added to the output than it will take, and then
the peer takes just so much that one send goes through.  How much a send takes
then is tried out beforehand.  A loop that sends in smaller portions is left
with another number, so a test goes by `OwnedBufferEvent.left`.
"""

from __future__ import annotations

from .buffer_channels import make_room, narrow_channel, receive, room_of_filled_channel
from .bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script, flags_argument
from .channels import Channels, fill
from .payload import payload

# What the peer takes at a time: not more than one portion of what filled the way.
_LITTLE = 512


class BlockedWriter:
    """A bufferevent with a stuffed way, and the levels at which write was called."""

    def __init__(self, driver: BufferEventDriver, channels: Channels) -> None:
        self._driver = driver
        self._room = room_of_filled_channel(channels)
        self.near, self.far = narrow_channel(channels)
        self._filling = 0
        # what the peer got of what was added
        self.got = bytearray()
        self.added = 0
        # since something was added
        self.call_levels: list[int] = []
        self.told: list[int] = []
        self.held = driver.keep(
            driver.luaevent.bufferevent.new(
                driver.base,
                self.near.fileno(),
                driver.callback(lambda *_: None),
                driver.callback(self._on_write),
                driver.callback(lambda *_: None),
            )
        )

    def add(self, leaving: int) -> Script:
        """Let a first call go by; then add what one send takes and *leaving* more."""
        yield from self._driver.run_idle()
        self._filling += fill(self.near)
        self.call_levels.clear()
        self.told.clear()
        self.added = self._room + leaving
        self.held.output.add(payload(self.added))
        yield from self._driver.run_idle(5)

    def let_one_send_through(self) -> Script:
        """The peer makes room for one send; turns go by until nothing moves."""
        make_room(self.near, lambda: self._take(_LITTLE))
        yield from self._driver.run_idle()

    def finish(self) -> Script:
        """The peer takes everything."""
        yield from self._driver.until(self._has_all)
        yield from self._driver.run_idle()

    def _has_all(self) -> bool:
        if self._take(1 << 20):
            self._driver.note_progress()
        return len(self.got) >= self.added

    def _take(self, size: int) -> int:
        data = receive(self.far, size)
        mere = min(self._filling, len(data))
        self._filling -= mere
        self.got += data[mere:]
        return len(data)

    def _on_write(self, *arguments: object) -> None:
        self.call_levels.append(self.held.output_length)
        self.told.append(flags_argument(arguments))


def assert_low_watermark(
    held: OwnedBufferEvent, low: int, call_levels: list[int], note_progress: int
) -> None:
    """Raises AssertionError unless write was called as a low watermark of *low* asks for.

    *moved* bytes were sent since it could first be called.
    """
    above = [level for level in call_levels if level > low]
    assert not above, (
        f"write was called with {above[0]} bytes left in the output; the low watermark is {low}"
    )
    left = held.output_length
    below = left < low or not left
    assert call_levels or not below or not note_progress, (
        f"{note_progress} bytes were sent and {left} are left in the output; the low watermark "
        f"is {low}, "
        "and write was not called"
    )
