"""Streams: the verbs of the checks of buffered events.

A stream is a buffered event of any document, the peer at the other end of its
channel, and all bytes that pass between them.  `stream_adapters` says how each
document makes, starts, reads and writes one.

The length of a buffer is known without asking the loop: bytes that one end has
sent and the other has not got are in the kernel, which tells how many they are,
or in the loop.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import ClassVar, NamedTuple, TypeAlias

from ..testing.buffer_channels import make_room, narrow_channel, receive, unread
from ..testing.channels import Channels, fill
from ..testing.guards import FEWEST_TURNS, IDLE_TURNS, TURN_PATIENCE, Guard
from ..testing.payload import assert_same, payload

# A part of a check; each `yield` is one turn of the loop.
Turns: TypeAlias = Generator[None, None, None]
# The same, which says whether something happened in time.
InTime: TypeAlias = Generator[None, None, bool]
Ends: TypeAlias = tuple[socket.socket, socket.socket]
# A callback of a check gets its stream.
Act: TypeAlias = "Callable[[Stream], object]"
Wrap: TypeAlias = Callable[[Callable[..., object]], Callable[..., object]]

# A loop may call this many turns after the one in which it took the bytes in.
_AFTER = 8

# A loop that moves one byte in each turn is not made to move all of a large amount.
ENOUGH_TURNS = 3_000

# The peer takes this many bytes at a time to make room: less than one portion of a filling.
_LITTLE = 512


def as_it_is(callback: Callable[..., object]) -> Callable[..., object]:
    return callback


class Call(NamedTuple):
    """A call of one of the three callbacks, and the lengths of the buffers at that moment."""

    name: str
    input_level: int
    output_level: int


class Stream(ABC):
    """One buffered event, its peer, and every byte that was sent, taken, written or received."""

    def __init__(self, streams: Streams, ends: Ends, acts: dict[str, Act | None]) -> None:
        self.streams = streams
        self.near, self.far = ends
        self.acts = acts
        self.calls: list[Call] = []
        self.sent, self.taken = bytearray(), bytearray()
        self.written, self.received = bytearray(), bytearray()
        # bytes in the channel that nobody wrote to the stream
        self._filling = 0

    # ---- the verbs of a document

    @abstractmethod
    def start(self) -> None:
        """Bytes move in both directions from now on, and callbacks are called."""

    @abstractmethod
    def stop(self) -> None:
        """Nothing moves in either direction, and nothing is called, until `start`."""

    @abstractmethod
    def drop(self) -> None:
        """The program stops the stream and lets go of it."""

    @abstractmethod
    def set_read_marks(self, low: int, high: int) -> None:
        """Set the watermarks of the input."""

    @abstractmethod
    def set_write_marks(self, low: int, high: int) -> None:
        """Set the watermarks of the output."""

    @abstractmethod
    def take(self, size: int | None = None) -> bytes:
        """Take the first *size* bytes of the input, or all, and add them to `taken`."""

    @abstractmethod
    def take_line(self) -> bytes | None:
        """Take a line of the input, which ends with a line feed, and add it to `taken`."""

    @abstractmethod
    def put(self, data: bytes) -> None:
        """Add *data* to the output."""

    # ---- the program's side

    def write(self, data: int | bytes) -> None:
        """Add *data*, or so many bytes of the payload, to the output."""
        data = payload(data, len(self.written)) if isinstance(data, int) else data
        self.written += data  # first, since a loop may send, and call, at once
        self.put(data)

    def on_call(self, name: str, *_arguments: object) -> None:
        """Note a call of the callback *name*, and do the check's part of it."""
        call = Call(name, self.input_level, self.output_level)
        if call not in self.calls[-3:]:  # a loop may repeat its calls, and then nothing moves
            self.streams.note_progress()
        self.calls.append(call)
        if act := self.acts.get(name):
            act(self)

    def count(self, name: str) -> int:
        """Return how often the callback *name* was called."""
        return sum(call.name == name for call in self.calls)

    def is_called(self, name: str, more_than: int = 0) -> InTime:
        """Run turns until *name* was called more than so many times; whether it was."""
        return (yield from self.streams.until(lambda: self.count(name) > more_than))

    # ---- the peer's side

    @property
    def waiting(self) -> int:
        """The number of bytes that the loop has not read from the channel."""
        return unread(self.near)

    @property
    def input_level(self) -> int:
        """The number of bytes that the loop has read and the program has not taken."""
        return len(self.sent) - self.waiting - len(self.taken)

    @property
    def output_level(self) -> int:
        """The number of bytes that were written and are not in the channel or at the peer."""
        in_channel = unread(self.far) if self.far.fileno() >= 0 else 0
        return len(self.written) - len(self.received) - in_channel + self._filling

    def send(self, data: int | bytes) -> Turns:
        """The peer sends *data*, or so many bytes of the payload."""
        rest = payload(data, len(self.sent)) if isinstance(data, int) else data

        def is_sent() -> bool:
            nonlocal rest
            with suppress(BlockingIOError):
                size = self.far.send(rest)
                self.sent += rest[:size]
                rest = rest[size:]
                self.streams.note_progress()
            return not rest

        if rest:
            sent = yield from self.streams.until(is_sent)
            assert sent, f"{len(rest)} bytes that the peer sends find no room in the channel"

    def arrive(self, data: int | bytes) -> Turns:
        """The peer sends *data*; run turns until all of it is in the input."""
        yield from self.send(data)
        yield from self.read_all()
        assert not self.waiting, f"{self.waiting} bytes wait for a stream that was started"

    def read_all(self, high: int = 0, most: int = 1 << 30) -> Turns:
        """Run turns until no byte waits in the channel, or none was read for too long.

        An input with *high* bytes or more is full, unless that is 0.  More than *most*
        reads are not waited for.
        """
        for _ in range(most):
            if not (waiting := self.waiting) or 0 < high <= self.input_level:
                break

            def is_read(before: int = waiting) -> bool:
                return self.waiting != before or 0 < high <= self.input_level

            if not (yield from self.streams.until(is_read)):
                break
        yield from self.streams.run_idle(_AFTER)

    def fill(self) -> None:
        """Fill the channel to the peer, which has got everything that was written."""
        assert not unread(self.far), "a channel is filled only while it is empty"
        self._filling += fill(self.near)

    def drain(self, size: int = 1 << 20) -> int:
        """The peer takes up to *size* bytes; return how many it took."""
        got = receive(self.far, size)
        mere = min(self._filling, len(got))
        self._filling -= mere
        self.received += got[mere:]
        if got:
            self.streams.note_progress()
        return len(got)

    def make_room(self) -> None:
        """The peer takes as much of a full channel as lets one send through."""
        make_room(self.near, lambda: self.drain(_LITTLE))

    def leave(self) -> InTime:
        """The peer takes all that leaves, until everything written has come; whether it has.

        What has come after too many turns is judged, and the rest is not waited for.
        """
        for _ in range(ENOUGH_TURNS):
            if len(self.received) >= len(self.written):
                break
            if not (yield from self.streams.until(self.drain)):
                break
        else:
            come = self.written[: len(self.received)]
            assert_same(come, self.received, "the bytes that the peer has got")
            return False
        assert_same(self.written, self.received, "the bytes that the peer got")
        return True


class Streams(ABC):
    """Makes the streams of one check, and runs its script on one loop."""

    # Whether read is promised with exactly as many bytes as a low watermark above 0.
    called_at_low: ClassVar[bool]
    # Whether a stop holds for the turn in which it is called.
    stops_at_once: ClassVar[bool]
    # Whether error is called for the end of the input.
    tells_the_end: ClassVar[bool]
    # Whether the input never has more bytes than its high watermark.
    holds_high: ClassVar[bool]

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self._moves = 0

    def open(
        self,
        ends: Ends | None = None,
        *,
        read: Act | None = None,
        write: Act | None = None,
        error: Act | None = None,
        wrapped: Wrap = as_it_is,
    ) -> Stream:
        """A stream that was not started, on *ends* or a new channel, with three callbacks.

        The loop is given what *wrapped* makes of each.
        """
        acts = {"read": read, "write": write, "error": error}
        return self.make(ends or self.wide_channel(), acts, wrapped)

    @abstractmethod
    def make(self, ends: Ends, acts: dict[str, Act | None], wrapped: Wrap) -> Stream:
        """A stream of the document, as `open` returns it."""

    @abstractmethod
    def loop(self) -> None:
        """Run the loop until no stream is started."""

    @abstractmethod
    def close(self) -> None:
        """The check is over: no stream is served any more."""

    @abstractmethod
    def run(self, script: Callable[[], Turns]) -> None:
        """Run *script* beside the loop; raise what the script or a callback raises."""

    def note_progress(self) -> None:
        """Note that something moved, so that the patience of `until` begins anew."""
        self._moves += 1

    def wide_channel(self) -> Ends:
        """A channel that has room for everything that a check sends at once."""
        return self.channels.pair()

    def narrow_channel(self) -> Ends:
        """A channel that takes little from its near end."""
        return narrow_channel(self.channels)

    def run_idle(self, turns: int = IDLE_TURNS) -> Turns:
        """Run this many *turns*, in which a loop may do what it must not."""
        for _ in range(turns):
            yield

    def until(self, condition: Callable[[], object]) -> InTime:
        """Run turns until *condition* holds; return whether it did in time."""
        turns, seen, guard = 0, self._moves, Guard(TURN_PATIENCE)
        while not condition():
            if seen != self._moves:
                turns, seen = 0, self._moves
                guard.begin()
            elif guard.is_over and turns >= FEWEST_TURNS:
                return False
            yield
            turns += 1
        return True
