"""Buffered events of levent on channels, observed from outside of the loop.

The length of a buffer is known without asking the loop: bytes that one end has
sent and the other has not got are either in the kernel, which tells how many
they are, or in the loop.  A loop may hold bytes back before they reach the
buffer, so its own buffer may have fewer than that and never more.
"""

from __future__ import annotations

import array
import fcntl
import select
import socket
import termios
from collections.abc import Callable
from contextlib import suppress

from .channels import Channels, End, fill
from .levent_driver import Act, LeventDriver
from .payload import assert_same, payload
from .trace import beat

# The send buffer of an outlet: the smaller, the sooner the loop has to wait.
_NARROW = 8192

# A loop that moves one byte in each pass is not made to send all of a large amount: after so many
# passes what has left is judged, and it stands for the rest.
_ENOUGH_PASSES = 3_000

# A loop may call this many passes after the one in which it took the bytes in.
_AFTER = 8


def unread(end: End) -> int:
    """Return the number of bytes that wait in the kernel for a reader of *end*."""
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
        self.sent = bytearray()
        self.taken = bytearray()
        self._driver = driver
        self.evbuf = driver.evbuf(self.near.fileno(), read, write, error, name=name)

    def send(self, size: int) -> None:
        """The peer sends the next *size* bytes of the payload."""
        data = payload(size, len(self.sent))
        self.send_bytes(data)

    def send_bytes(self, data: bytes) -> None:
        """The peer sends *data*; the loop reads meanwhile if the kernel has no room."""
        sent = 0

        def is_sent() -> bool:
            nonlocal sent
            with suppress(BlockingIOError):
                sent += self.far.send(data[sent:])
            return sent == len(data)

        # each send of a few bytes takes a whole buffer of the kernel's, and a
        # loop may read them one by one
        assert self._driver.until(is_sent), "the test sends more than the kernel and the loop take"
        self.sent += data

    def take(self, size: int | None = None) -> bytes:
        """Return the bytes that `read` gives, and count them as taken."""
        got = (self.evbuf.read() if size is None else self.evbuf.read(size)) or b""
        self.taken += got
        return got

    def take_all(self) -> bytes:
        """Read until the input must be empty, and return the bytes."""
        before = len(self.taken)
        while self.input_length > 0 and self.take():
            pass
        return bytes(self.taken[before:])

    @property
    def waiting(self) -> int:
        """The number of bytes that are still in the file."""
        return unread(self.near)

    @property
    def input_length(self) -> int:
        """The number of bytes that the loop has read and the program has not taken."""
        return len(self.sent) - self.waiting - len(self.taken)

    def run_until_received(self) -> None:
        """Run passes until all bytes that were sent are in the input."""
        self.run_while_receiving(lambda: None)
        assert not self.waiting, (
            f"{self.waiting} bytes still wait in the file of a started buffered event"
        )
        self._driver.run_idle(_AFTER)

    def run_while_receiving(self, between: Callable[[], object]) -> None:
        """Run passes while bytes arrive, and call *between* after each pass.

        The passes end when no byte waits in the file, or none came in for too long.
        """
        while waiting := self.waiting:

            def moved(before: int = waiting) -> bool:
                between()
                return self.waiting != before

            if not self._driver.until(moved):
                return


class SendingBuffer:
    """A buffered event whose peer reads only when the test says so, and the bytes it got.

    The channel between them is narrow.  A test can fill it, so that nothing leaves.
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
        """Write the next *size* bytes of the payload."""
        data = payload(size, len(self.written))
        self.written += data
        self.evbuf.write(data)

    @property
    def output_length(self) -> int:
        """The number of bytes that were written and have not left."""
        left = len(self.received) + unread(self.far) - self._filling
        return len(self.written) - left

    def was_called(self, before: int = 0, *, draining: bool = False) -> bool:
        """Whether `writecb` is called more than *before* times in the next passes.

        Meanwhile the peer takes everything if *draining*, and nothing otherwise.
        """

        def is_called() -> bool:
            if draining:
                self.drain()
            return len(self.call_levels) > before

        return self._driver.until(is_called)

    def fill(self) -> None:
        """Fill the channel, before anything was written."""
        assert not self.written, "the channel can only be filled before it is used"
        self._filling += fill(self.near)

    def drain(self, size: int = 1 << 20) -> int:
        """The peer takes up to *size* bytes; return how many it took."""
        got = receive(self.far, size)
        mere = min(self._filling, len(got))
        self._filling -= mere
        self.received += got[mere:]
        return len(got)

    def make_room(self) -> None:
        """The peer takes bytes until the file is writable again."""
        make_room(self.near, lambda: self.drain(_NARROW // 16))

    def finish(self) -> bool:
        """The peer takes all that leaves, until everything written has come; whether it has.

        When it took too many passes, the bytes that have come are judged, and
        the others are not waited for.
        """
        for _ in range(_ENOUGH_PASSES):
            if len(self.received) >= len(self.written) or not self._driver.until(self.drain):
                assert_same(self.written, self.received, "the bytes that the peer got")
                return True
        assert_same(
            self.written[: len(self.received)], self.received, "the bytes that the peer has got"
        )
        return False


def narrow_channel(channels: Channels) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets; what the first sends is held up early."""
    near, far = channels.pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
    # where the receiver's buffer decides, as on FreeBSD 15
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)
    return near, far


def room_of_filled_channel(channels: Channels) -> int:
    """Return how many bytes one send takes after `fill` and `make_room`, tried on a new channel."""
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
        except (BlockingIOError, ConnectionError):
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
