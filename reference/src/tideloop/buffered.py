"""A buffered event: one descriptor, a queue for each direction, watermarks, timeouts.

Knows the loop only by the verbs of `Keeper`, and no document.

What holds
----------

BUF-1   A direction is watched for exactly as long as nothing holds it.  What
        may hold it is a set of reasons (`Hold`), each put and lifted by its
        own cause: that the program drains the input must not enable what the
        program disabled.

BUF-2   The input never holds more than its high watermark: no read asks for
        more than there is room for, and at the mark reading is held until
        something is taken.  What the peer sends meanwhile waits in the kernel.

BUF-3   `on_read` is called once for each arrival that leaves at least the low
        watermark in the input.  Bytes that lie there are no reason to call
        again.

BUF-4   `on_write` is called after each write that leaves no more than the low
        watermark in the output; and once after writing was enabled, when the
        descriptor takes data and so much or less is in the output.

BUF-5   The end of the file comes after all data, since it is read like data.
        It, an error or a timeout is reported once by `on_error`, and holds its
        own direction until that is enabled again.  The other goes on, and what
        is in the queues stays there.

BUF-6   The timeout of a direction runs while it is watched, and anew from each
        byte that moves.  Who is held waits for nothing; so nothing queued
        means no timeout of writing.

BUF-7   What a callback writes is sent as soon as it returns, if nothing waits
        already.  Only if the descriptor does not take all of it is it watched.

BUF-8   Interest is settled once, after the callbacks: who takes and refills a
        full queue in each turn costs the kernel no call.

BUF-9   Where the queue is empty before or after, what it would do is written
        out here: a call of Python costs as much as all the rest of a step.

BUF-10  One step reads all of an arrival, up to 64 KiB.  A stream that never had
        much is asked for little, and once more if that was not all.

BUF-11  Of a socket that keeps messages apart (datagrams, SOCK_SEQPACKET) each
        is read whole, since the kernel drops the rest of one that is read in
        part: it is read while the input is below its high watermark, which it
        may so exceed by a part of one message.  One without bytes adds nothing
        and calls nobody.  Each write is one message.

BUF-12  Who closes when all is sent gives the event away: nothing is read, and
        only `on_error` is still called, if the rest cannot be sent.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from math import inf
from sys import byteorder
from termios import FIONREAD
from typing import Any, Final

from . import arguments
from .arguments import Bytes, Descriptor
from .buffer import Buffer, Packets
from .errors import ClosedError
from .events import Event, Keeper, Timer
from .flags import (
    EVBUFFER_EOF,
    EVBUFFER_ERROR,
    EVBUFFER_READ,
    EVBUFFER_TIMEOUT,
    EVBUFFER_WRITE,
)
from .pollers.api import BOTH, NOTHING, READ, WRITE, is_hung_up

# the most that one read asks for
_CHUNK = 65536
# What it asks for until so much came at once: a `bytes` below half a kilobyte is
# made of memory that Python keeps, a larger one of the C library's.
_SIP = 256

# How the bytes of a file come: as a stream; in packets, whose end is an empty
# read; in packets of which one may be empty; as nobody knows.
_STREAM, _PACKETS, _DATAGRAMS, _OTHER = range(4)

# poll() says so when nothing more can come in, where the system has a word for it
_RDHUP: int = getattr(select, "POLLRDHUP", 0)


class Hold:
    """Why a direction is not watched.  Bits of a set: it may be several."""

    DISABLED: Final = 1  # the program did not enable it
    FULL: Final = 2  # the input is at its high watermark
    EMPTY: Final = 4  # there is nothing to send
    ENDED: Final = 8  # its end, error or timeout was reported
    CLOSED: Final = 16


_read, _write = os.read, os.write

_FULL = Hold.FULL


class BufferedEvent(Event):
    """Moves bytes between a descriptor and two queues, and says when there are enough.

    *on_read* and *on_write* are called with *subject* (this event, if none is
    given), *on_error* with it and the `EVBUFFER_*` flags of what happened and
    in which direction; `error` is then the exception, if it was one.  None is
    allowed for each.  Nothing moves before `enable`.

    The descriptor is switched to non-blocking, and stays open: it is not ours.
    """

    __slots__ = (
        "_announcing",
        "_bounded",
        "_closing",
        "_file",
        "_gulp",
        "_keeper",
        "_on_error",
        "_on_read",
        "_on_write",
        "_packets",
        "_read_held",
        "_read_high",
        "_read_low",
        "_read_timeout",
        "_read_until",
        "_serving",
        "_subject",
        "_write_held",
        "_write_high",
        "_write_low",
        "_write_timeout",
        "_write_until",
        "error",
        "input",
        "output",
    )

    def __init__(
        self,
        keeper: Keeper,
        fd: Descriptor,
        on_read: Callable[[Any], object] | None = None,
        on_write: Callable[[Any], object] | None = None,
        on_error: Callable[[Any, int], object] | None = None,
        *,
        subject: object = None,
    ) -> None:
        super().__init__(arguments.descriptor(fd))
        arguments.maybe_callback(on_read, "on_read")
        arguments.maybe_callback(on_write, "on_write")
        arguments.maybe_callback(on_error, "on_error")
        if not callable(guard := getattr(keeper, "guard", None)):
            raise TypeError(f"keeper must be a loop, not {arguments.shown(keeper)}; pass a Loop")
        keeper.check_open()
        os.set_blocking(self.fd, False)
        self._keeper = keeper
        self._file: object = fd  # a socket object closes its descriptor when it is collected
        self._subject = self if subject is None else subject
        self._on_read = None if on_read is None else guard(on_read)
        self._on_write = None if on_write is None else guard(on_write)
        self._on_error = None if on_error is None else guard(on_error)
        # what has come in and was not taken, what was written and not yet sent
        self.input = Buffer()
        kind = _kind(self.fd)
        # the kind of file, if it keeps messages apart (BUF-11)
        self._packets = kind if kind in (_PACKETS, _DATAGRAMS) else 0
        self.output = Packets() if self._packets else Buffer()
        # what is to be done once all is sent (BUF-12)
        self._closing: _Closing | None = None
        # the last error of the system
        self.error: OSError | None = None
        # sets of `Hold`, without EMPTY
        self._read_held: int = Hold.DISABLED
        self._write_held: int = Hold.DISABLED
        # `on_write` is to be called though there is nothing to send (BUF-4)
        self._announcing = False
        # high watermarks: 0 is none
        self._read_low = self._read_high = self._write_low = self._write_high = 0
        # lengths; None is none
        self._read_timeout: float | None = None
        self._write_timeout: float | None = None
        # points on the loop's clock; while nothing is waited for, never
        self._read_until = self._write_until = inf
        # whether an arrival has to be looked at: watermarks and timeout of reading
        self._bounded = False
        # how much a read asks for; 0: what `_room` says
        self._gulp = _SIP if kind == _STREAM else 0 if self._packets else _CHUNK
        # in the middle of `ready` or `due`: interest is settled at its end
        self._serving = False

    # ---- for programs

    def take(self, size: int | None = None) -> bytes:
        """Remove and return up to *size* bytes of the input, or all of it.

        Never reads from the descriptor.
        """
        queue = self.input
        if size is None and queue.plain:  # BUF-9
            data = queue.head
            queue.head = b""
        else:
            data = queue.take(size)
        if self._read_held & _FULL:
            self.drained()
        return data

    def take_line(self) -> bytes | None:
        """Remove a line of the input, return it without its break; None if there is no break."""
        line = self.input.take_line()
        if self._read_held & _FULL:
            self.drained()
        return line

    def write(self, data: Bytes) -> None:
        """Queue *data*; the loop sends it, when writing is enabled."""
        if not self.want & READ:  # else it is open, and so is its loop
            self.check_open()
        queue = self.output
        if type(data) is bytes and not queue.head:  # BUF-9
            queue.head = data
        else:
            queue.append(data)
        if not self._serving:
            self._settle()

    def drained(self) -> None:
        """To be called after taking from `input` directly."""
        if not self._read_high or len(self.input) < self._read_high:
            self._read_held &= ~_FULL
            if not self._serving:
                self._settle()

    def queued(self) -> None:
        """To be called after appending to `output` directly."""
        self.check_open()
        if not self._serving:
            self._settle()

    def enable(self, directions: int = BOTH, *, announce: bool = True) -> None:
        """From now on data moves in these *directions*; after an end, again.

        Enabling to write brings one call of `on_write` even with nothing to
        send, unless not to *announce* it.  OSError, and nothing has changed,
        if the descriptor cannot be watched.
        """
        directions = arguments.directions(directions, "directions")
        arguments.flag(announce, "announce")
        self.check_open()
        before = self._read_held, self._write_held, self._announcing
        lifted = ~(Hold.DISABLED | Hold.ENDED)
        if directions & READ:
            self._read_held &= lifted
        if directions & WRITE:
            self._write_held &= lifted
            if announce and self._on_write is not None:
                self._announcing = True
        try:
            if not self._serving:
                self._settle()
        except OSError:
            self._read_held, self._write_held, self._announcing = before
            raise

    def disable(self, directions: int = BOTH) -> None:
        """After this returns, no data moves in these *directions*, not even this turn.

        What is in the queues stays there.
        """
        directions = arguments.directions(directions, "directions")
        self.check_open()
        if directions & READ:
            self._read_held |= Hold.DISABLED
        if directions & WRITE:
            self._write_held |= Hold.DISABLED
            self._announcing = False
        if not self._serving:
            self._settle()

    def set_read_watermarks(self, low: int, high: int) -> None:
        """`on_read` needs *low* bytes in the input; it takes in *high* at most, 0: any number.

        What is in the input already stays, and does not bring a call.  A
        datagram is never cut: the last one may lead beyond *high*.
        """
        low, high = arguments.watermarks(low, high)
        self.check_open()
        self._read_low, self._read_high = low, high
        self._gulp = 0 if high or self._packets else _CHUNK
        self._bound()
        if high and len(self.input) >= high:
            self._read_held |= _FULL
        else:
            self._read_held &= ~_FULL
        if not self._serving:
            self._settle()

    def set_write_watermarks(self, low: int, high: int) -> None:
        """`on_write` is called when *low* bytes or fewer are left; *high* limits nothing."""
        low, high = arguments.watermarks(low, high)
        self.check_open()
        self._write_low, self._write_high = low, high

    @property
    def read_watermarks(self) -> tuple[int, int]:
        return self._read_low, self._read_high

    @property
    def write_watermarks(self) -> tuple[int, int]:
        return self._write_low, self._write_high

    def set_timeouts(self, read: float | None, write: float | None) -> None:
        """How many seconds a direction may stand still while it is watched; None: for ever."""
        lengths = _timeout(read, "read"), _timeout(write, "write")
        self.check_open()
        self._read_timeout, self._write_timeout = lengths
        self._bound()
        self._wait_anew(BOTH)

    @property
    def read_held(self) -> int:
        """For which reasons nothing is read: a set of `Hold`."""
        return self._read_held

    @property
    def write_held(self) -> int:
        """For which reasons nothing is sent: a set of `Hold`."""
        empty = not self.output.head and not self._announcing
        return self._write_held | Hold.EMPTY if empty else self._write_held

    @property
    def closed(self) -> bool:
        return bool(self._read_held & Hold.CLOSED)

    def close_when_sent(
        self, limit: float | None = None, then: Callable[[Any], object] | None = None
    ) -> None:
        """`close()` once all of the output is sent, or *limit* seconds from now.

        Nothing is read any more, and nothing can be written; what is in the
        input can be taken.  Writing that was disabled is enabled.  If the rest
        cannot be sent, because the peer hung up, a timeout or the *limit*
        passed, `on_error` is told, and then it is closed; no other callback
        is called.  *then* is called with the subject in the turn after it was
        closed in any of these ways, for closing the descriptor: not if `close`
        is called first.  Called again, the new *limit* and *then* count; once
        closed, it does nothing.
        """
        if limit is not None:
            limit = arguments.seconds(limit, "limit")
        arguments.maybe_callback(then, "then")
        if self.closed:
            return
        self._keeper.check_open()
        before = self._read_held, self._write_held, self._announcing
        self._read_held |= Hold.DISABLED
        self._write_held &= ~Hold.DISABLED
        self._announcing = False
        former, self._closing = self._closing, _Closing(then)
        try:
            if not self._serving:
                self._settle()
        except OSError:
            self._read_held, self._write_held, self._announcing = before
            self._closing = former
            raise
        if former is not None:
            former.cancel()
        self._on_read = self._on_write = None
        if limit is not None and self._closing is not None:
            self._closing.limit = Timer(self._keeper, limit, self._give_up, ())

    def close(self) -> None:
        """After this returns, nothing is called, read or sent again, not even this turn.

        What is in the queues can still be taken, `closed` and the watermarks
        can be asked, and `close` is harmless; all else raises ClosedError.
        """
        self._read_held |= Hold.CLOSED
        self._write_held |= Hold.CLOSED
        self._keeper.unlink(self)
        self._read_until = self._write_until = inf
        self._keeper.cancel_deadline(self)
        self._on_read = self._on_write = self._on_error = None
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._subject = self._file = None

    def check_open(self) -> None:
        """Raise ClosedError if nothing can be written or set any more."""
        if self.closed:
            raise ClosedError("this buffered event is closed; make a new one")
        if self._closing is not None:
            raise ClosedError("this buffered event closes when its output is sent; make a new one")
        self._keeper.check_open("loop of this buffered event")

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd {self.fd}"
        return (
            f"<{type(self).__name__}: {state}, {len(self.input)} bytes in, {len(self.output)} out>"
        )

    # ---- for the loop

    def ready(self, ready: int) -> None:
        self._serving = True
        try:
            if ready & READ:
                try:
                    data = _read(self.fd, self._gulp or self._room())
                    if len(data) == _SIP:
                        data = self._read_on(data)
                except BlockingIOError:
                    # shut down by the program, a datagram socket is readable for ever
                    if self._packets and _RDHUP and self._is_over():
                        self._end(READ, EVBUFFER_EOF, None)
                except OSError as error:
                    self._end(READ, EVBUFFER_ERROR, error)
                else:
                    if data:
                        queue = self.input
                        if queue.head:
                            queue.append(data)
                        else:  # BUF-9
                            queue.head = data
                        # BUF-3
                        enough = not self._bounded or self._is_enough()
                        if enough and (on_read := self._on_read) is not None:
                            on_read(self._subject)
                    elif not self._packets or self._is_over():
                        self._end(READ, EVBUFFER_EOF, None)  # BUF-5
            queue = self.output
            # BUF-7: or what the callback wrote, if it need not wait for its turn
            if (ready & WRITE or (queue.head and not self.want & WRITE)) and not self._write_held:
                try:
                    if queue.plain and queue.head:  # BUF-9
                        sent = _write(self.fd, queue.head)
                        if sent == len(queue.head):
                            queue.head = b""
                        else:
                            queue.drain(sent)
                    elif queue.head:
                        queue.write_to(self.fd)
                except BlockingIOError:
                    if ready & WRITE and is_hung_up(self.fd):  # it would be ready for ever
                        gone = OSError(errno.EIO, os.strerror(errno.EIO))
                        self._end(WRITE, EVBUFFER_ERROR, gone)
                except OSError as error:
                    self._end(WRITE, EVBUFFER_ERROR, error)
                else:
                    if self._on_write is not None or self._write_timeout is not None:
                        self._tell_written()
        finally:
            self._serving = False
            if self._read_held or self.output.head or self._announcing or self.want != READ:
                self._settle()

    def due(self, now: float) -> None:
        passed = NOTHING
        self._serving = True
        try:
            if self._read_until <= now:
                passed = READ
                self._end(READ, EVBUFFER_TIMEOUT, None)
            if self._write_until <= now:
                passed |= WRITE
                self._end(WRITE, EVBUFFER_TIMEOUT, None)
        finally:
            self._serving = False
            self._settle()
            self._wait_anew(passed)  # if the callback enabled it again, its interest is as before

    def lost(self, want: int) -> bool:
        called = self._on_error is not None
        self._wait_anew(NOTHING)
        error = OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._read_held |= Hold.ENDED
        self._write_held |= Hold.ENDED
        self._serving = True
        try:
            if want & READ:
                self._end(READ, EVBUFFER_ERROR, error)
            if want & WRITE and not self._write_held & Hold.CLOSED:
                self._end(WRITE, EVBUFFER_ERROR, error)
        finally:
            self._serving = False
            self._settle()
        return called

    # ---- inside

    def _room(self) -> int:
        """BUF-2: what a read may ask for."""
        if self._packets:
            return max(_CHUNK, _waiting(self.fd))
        return min(_CHUNK, self._read_high - len(self.input))

    def _read_on(self, data: bytes) -> bytes:
        """*data*, and what a sip left of the same arrival; no more sips from now on (BUF-10)."""
        if self._gulp != _SIP:
            return data
        self._gulp = _CHUNK
        # Asked for: a read that met an error would take it away from the next one.
        with suppress(OSError):  # whatever comes of the rest, the sip is not lost by it
            left = _waiting(self.fd)
            if left:
                return data + _read(self.fd, min(left, _CHUNK - _SIP))
        return data

    def _is_enough(self) -> bool:
        """Something came in: whether `on_read` is to be called; see to the bounds."""
        size = len(self.input)
        if self._read_high and size >= self._read_high:
            self._read_held |= _FULL
        if self._read_timeout is not None:
            self._wait_anew(READ)
        return size >= self._read_low

    def _bound(self) -> None:
        limits = self._read_low, self._read_high, self._read_timeout
        self._bounded = limits != (0, 0, None)

    def _tell_written(self) -> None:
        """What the descriptor took has left the output."""
        if self._write_timeout is not None:
            self._wait_anew(WRITE)
        if not self.output.head:
            self._announcing = False
        if self._on_write is not None and len(self.output) <= self._write_low:
            self._on_write(self._subject)  # BUF-4

    def _end(self, direction: int, what: int, error: OSError | None) -> None:
        """BUF-5"""
        self.error = error
        if direction == READ:
            self._read_held |= Hold.ENDED
            what |= EVBUFFER_READ
        else:
            self._write_held |= Hold.ENDED
            what |= EVBUFFER_WRITE
        if (on_error := self._on_error) is not None:
            on_error(self._subject, what)

    def _is_over(self) -> bool:
        """A read brought no byte: whether that was the end, not a message without bytes."""
        if not _RDHUP:
            return self._packets != _DATAGRAMS
        poll = select.poll()
        poll.register(self.fd, _RDHUP)
        over = any(word & (_RDHUP | select.POLLHUP) for _, word in poll.poll(0))
        return over and not _waiting(self.fd)

    def _give_up(self) -> None:
        """The limit has passed, and there is something left to send."""
        self._serving = True
        try:
            self._end(WRITE, EVBUFFER_TIMEOUT, None)
        finally:
            self._serving = False
            self._settle()

    def _settle(self) -> None:
        """BUF-1: watch what nothing holds."""
        want = NOTHING if self._read_held else READ
        if not self._write_held and (self.output.head or self._announcing):
            want |= WRITE
        elif (closing := self._closing) is not None:  # BUF-12: nothing more can leave
            subject, keeper = self._subject, self._keeper
            self.close()
            if closing.then is not None:
                Timer(keeper, 0, keeper.guard(closing.then), (subject,))
            return
        if want != self.want:
            changed = want ^ self.want
            self._keeper.rewatch(self, want)
            self._wait_anew(changed)

    def _wait_anew(self, directions: int) -> None:
        """BUF-6: the time of these *directions* starts now, or ends."""
        if self._read_timeout is self._write_timeout is None and self.deadline is None:
            return
        now = self._keeper.now()
        if directions & READ or not self.want & READ:
            timeout = self._read_timeout if self.want & READ else None
            self._read_until = inf if timeout is None else now + timeout
        if directions & WRITE or not self.want & WRITE:
            timeout = self._write_timeout if self.want & WRITE else None
            self._write_until = inf if timeout is None else now + timeout
        self._set_deadline()

    def _set_deadline(self) -> None:
        until = min(self._read_until, self._write_until)
        if until < inf:
            self._keeper.set_deadline(self, until)
        else:
            self._keeper.cancel_deadline(self)


class _Closing:
    """What is to be done once all is sent, and the timer of the limit."""

    __slots__ = ("limit", "then")

    def __init__(self, then: Callable[[Any], object] | None) -> None:
        self.then = then
        self.limit: Timer | None = None

    def cancel(self) -> None:
        if self.limit is not None:
            self.limit.close()


def _kind(fd: int) -> int:
    """How the bytes of *fd* come."""
    import socket  # here, since a program without sockets has no use for it

    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        # A pipe may keep packets apart, and its reading end does not tell
        # (pipe2 of Linux with O_DIRECT); a device does what it likes.
        return _OTHER
    kinds = {socket.SOCK_STREAM: _STREAM, socket.SOCK_SEQPACKET: _PACKETS}
    kind = kinds.get(sock.type, _DATAGRAMS)
    sock.detach()
    return kind


def _waiting(fd: int) -> int:
    """How many bytes can be read, of the first message at least; 0 if *fd* does not tell."""
    try:
        return int.from_bytes(ioctl(fd, FIONREAD, bytes(4)), byteorder)
    except OSError:
        return 0


def _timeout(length: float | None, name: str) -> float | None:
    if length is None:
        return None
    found = arguments.seconds(length, name)
    if not found:
        raise ValueError(f"{name} must be more than 0 seconds, not {length!r}; pass None for never")
    return found
