"""Bytes that are recognised wherever they turn up, and buffered events seen from outside.

How much is in a buffer is told without asking the loop: what one end has sent
and the other has not is either in the kernel, which says how much that is, or
in the loop.  A loop may hold bytes back on their way, so its own buffer may
have less than that and never more.
"""

from __future__ import annotations

import array
import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable

from .channels import Channels, End, fill
from .levent_driver import Act, LeventDriver
from .payload import assert_same
from .trace import beat

# The number that the pattern begins with: four bytes that differ.
_FIRST = int.from_bytes(b"abcd", "big")

# The send buffer of an outlet: the smaller, the sooner the loop has to wait.
_NARROW = 8192

# A loop that moves one byte in each pass is not made to send all of a large amount: after so many
# passes what has left is judged, and it stands for the rest.
_ENOUGH_PASSES = 3_000

# So many passes after an arrival a loop may call later than it took the bytes in.
_AFTER = 8

# What one send of a test is at most; some systems have less room in a socket pair at first.
_MOST_AT_ONCE = 100_000


def pattern(size: int, begin: int = 0) -> bytes:
    """*size* bytes from position *begin* of an endless row in which no place looks like another."""
    first = begin // 4
    count = (begin + size + 3) // 4 - first
    row = struct.pack(f">{count}I", *range(_FIRST + first, _FIRST + first + count))
    return row[begin - first * 4 :][:size]


def same(got: bytes | bytearray, sent: bytes | bytearray, what: str) -> None:
    """Raises AssertionError unless *got*, which the message calls *what*, is what was *sent*."""
    assert_same(bytes(sent), bytes(got), f"{what} is not what was sent")


def unread(end: End) -> int:
    """How many bytes wait in the kernel for whoever reads *end*."""
    count = array.array("i", [0])
    fcntl.ioctl(end.fileno(), termios.FIONREAD, count)
    return count[0]


class ReceivingBuffer:
    """A buffered event, the peer that sends to it, and what the program took of that."""

    def __init__(
        self,
        driver: LeventDriver,
        ends: tuple[socket.socket, socket.socket],
        read: Act | None = None,
        write: Act | None = None,
        error: Act | None = None,
        *,
        name: str = "",
    ) -> None:
        self.near, self.far = ends
        _widen(*ends)
        self.sent = bytearray()
        self.taken = bytearray()
        self._driver = driver
        self.evbuf = driver.evbuf(self.near.fileno(), read, write, error, name=name)

    def send(self, size: int) -> None:
        """The peer sends the next *size* bytes of the pattern; the kernel must have room."""
        data = pattern(size, len(self.sent))
        self.send_bytes(data)

    def send_bytes(self, data: bytes) -> None:
        """The peer sends *data*; the kernel must have room."""
        assert self.far.send(data) == len(data), "the test sends more than the kernel takes"
        self.sent += data

    def take(self, size: int | None = None) -> bytes:
        """What `read` gives, as bytes, and noted as taken."""
        got = (self.evbuf.read() if size is None else self.evbuf.read(size)) or b""
        self.taken += got
        return got

    def take_all(self) -> bytes:
        """Take all there is, however little one `read` gives of it; what that was.

        Nothing is read from an input that must be empty.
        """
        before = len(self.taken)
        while self.input_length > 0 and self.take():
            pass
        return bytes(self.taken[before:])

    @property
    def waiting(self) -> int:
        """How many bytes are still in the file."""
        return unread(self.near)

    @property
    def input_length(self) -> int:
        """How many bytes the loop has and the program has not."""
        return len(self.sent) - self.waiting - len(self.taken)

    def run_until_received(self) -> None:
        """Pass after pass until all that was sent is in the input."""
        self.run_while_receiving(lambda: None)
        assert not self.waiting, (
            f"{self.waiting} bytes still wait in the file of a started buffered event"
        )
        self._driver.run_idle(_AFTER)

    def run_while_receiving(self, between: Callable[[], object]) -> None:
        """Pass after pass as long as bytes arrive, with *between* after each pass.

        Ends when nothing waits, or nothing came in for as long as patience
        lasts.
        """
        while waiting := self.waiting:

            def moved(before: int = waiting) -> bool:
                between()
                return self.waiting != before

            if not self._driver.until(moved):
                return


def _widen(near: socket.socket, far: socket.socket) -> None:
    """Room for whatever a test sends at once, on the way from *far* to *near*."""
    if near.family == socket.AF_UNIX:
        for end, room in ((far, socket.SO_SNDBUF), (near, socket.SO_RCVBUF)):
            if end.getsockopt(socket.SOL_SOCKET, room) < 2 * _MOST_AT_ONCE:
                end.setsockopt(socket.SOL_SOCKET, room, 2 * _MOST_AT_ONCE)


class SendingBuffer:
    """A buffered event whose peer reads when it is told to, and what that peer got.

    The way between them is narrow, and can be stuffed, so that nothing leaves.
    """

    def __init__(self, driver: LeventDriver, channels: Channels, write: Act | None = None) -> None:
        self.near, self.far = narrow_channel(channels)
        self.written = bytearray()
        self.received = bytearray()
        # levels at the calls of writecb, since `start`
        self.call_levels: list[int] = []
        self._filling = 0
        self._driver = driver
        self._act = write
        self._started = False
        self.evbuf = driver.evbuf(self.near.fileno(), None, self._on_write)

    def _on_write(self, *_arguments: object) -> None:
        if self._started:
            self.call_levels.append(self.output_length)
            if self._act is not None:
                self._act()

    def start(self) -> None:
        """Start, and let the first call of `writecb` go by, which a loop may make or not."""
        self.evbuf.start()
        self._driver.run_idle()
        self._started = True

    def write(self, size: int) -> None:
        """Write the next *size* bytes of the pattern."""
        data = pattern(size, len(self.written))
        self.written += data
        self.evbuf.write(data)

    @property
    def output_length(self) -> int:
        """How many bytes were written and have not left."""
        left = len(self.received) + unread(self.far) - self._filling
        return len(self.written) - left

    def was_called(self, before: int = 0, *, draining: bool = False) -> bool:
        """Whether `writecb` is called more than *before* times in the next passes.

        The peer takes nothing meanwhile, or everything.
        """

        def is_called() -> bool:
            if draining:
                self.drain()
            return len(self.call_levels) > before

        return self._driver.until(is_called)

    def fill(self) -> None:
        """Fill the way, before anything was written."""
        assert not self.written, "a way is stuffed before it is used"
        self._filling += fill(self.near)

    def drain(self, size: int = 1 << 20) -> int:
        """The peer takes up to *size* bytes; how many it took."""
        got = receive(self.far, size)
        mere = min(self._filling, len(got))
        self._filling -= mere
        self.received += got[mere:]
        return len(got)

    def make_room(self) -> None:
        """The peer takes just so much that the file is writable again."""
        make_room(self.near, lambda: self.drain(_NARROW // 16))

    def finish(self) -> bool:
        """The peer takes all that leaves, until everything written has come; whether it has.

        When it took too many passes, the bytes that have come are judged, and
        the others are not waited for.
        """
        for _ in range(_ENOUGH_PASSES):
            if len(self.received) >= len(self.written) or not self._driver.until(self.drain):
                same(self.received, self.written, "what the peer got")
                return True
        same(self.received, self.written[: len(self.received)], "what the peer has got so far")
        return False


def narrow_channel(channels: Channels) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets; what the first sends is held up early."""
    near, far = channels.pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
    return near, far


def room_of_filled_channel(channels: Channels) -> int:
    """How much one send takes after `fill` and `make_room`, tried out on a way of its own."""
    near, far = narrow_channel(channels)
    fill(near)
    make_room(near, lambda: len(receive(far, _NARROW // 16)))
    return near.send(bytes(1 << 20))


def make_room(near: End, drain: Callable[[], int]) -> None:
    """Call *drain* until *near* can be written to."""
    while not select.select([], [near], [], 0)[1]:
        assert drain(), "the peer has taken all there is, and its end takes nothing new"


def receive(end: End, size: int) -> bytes:
    """Up to *size* bytes that can be read from *end* without waiting."""
    chunks: list[bytes] = []
    while size > 0:
        try:
            chunk = end.recv(min(size, 65536))
            beat()
        except (BlockingIOError, ConnectionResetError):
            break
        if not chunk:
            break
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def receive_into(end: End, came: bytearray) -> int:
    """Add to *came* all that can be read from *end* without waiting; how much that is."""
    got = receive(end, 1 << 20)
    came += got
    return len(got)
