"""Blocks the output of a bufferevent with a known number of bytes left in it.

The test fills a narrow channel and adds more to the output than the channel
takes.  Then the peer takes as much as lets one send through, which the test has
tried out before.  A loop that sends in smaller portions keeps another number of
bytes, so a test reads `OwnedBufferEvent.output_length`.
"""

from __future__ import annotations

from .buffer_channels import make_room, narrow_channel, receive, room_of_filled_channel
from .bufferevent_driver import BufferEventDriver, OwnedBufferEvent, Script, flags_argument
from .channels import Channels, fill
from .payload import payload

# The number of bytes that the peer takes at a time: less than one portion of the filling.
_LITTLE = 512


class BlockedWriter:
    """A bufferevent on a filled channel, and the levels at which write was called."""

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
        self.flags: list[int] = []
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
        """Let a first call pass; then add as much as one send takes and *leaving* bytes more."""
        yield from self._driver.run_idle()
        self._filling += fill(self.near)
        self.call_levels.clear()
        self.flags.clear()
        self.added = self._room + leaving
        self.held.output.add(payload(self.added))
        yield from self._driver.run_idle(5)

    def let_one_send_through(self) -> Script:
        """The peer makes room for one send; run turns until nothing moves."""
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
        self.flags.append(flags_argument(arguments))


def assert_low_watermark(
    held: OwnedBufferEvent, low: int, call_levels: list[int], sent: int
) -> None:
    """Raises AssertionError unless write was called as a low watermark of *low* asks for.

    *sent* bytes left since it could first be called.
    """
    above = [level for level in call_levels if level > low]
    assert not above, (
        f"write was called with {above[0]} bytes left in the output; the low watermark is {low}"
    )
    left = held.output_length
    below = left < low or not left
    assert call_levels or not below or not sent, (
        f"{sent} bytes were sent and {left} are left in the output; the low watermark is {low}, "
        "and write was not called"
    )
