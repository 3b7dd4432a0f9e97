"""How a buffered event moves bytes: one descriptor, a queue and a timeout for each direction.

Knows the loop only by the methods of `Registry`, and no document.  Its methods
for programs are in `buffered`.

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

BUF-9   Where the queue is empty before or after, its work is written out here
        and in `BufferedEvent`: calls instead make an echo of 64 bytes 12 to
        20 % dearer (median of pairs of benchmarks/echo.py).

BUF-10  One step reads once, and 64 KiB at most.

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
from collections.abc import Callable
from math import inf
from typing import Any

from . import arguments
from .arguments import Descriptor
from .buffer import Buffer
from .events import Event
from .packets import RDHUP, Packets, is_at_end, kind_of, readable_bytes
from .pollers.api import NOTHING, READ, WRITE, is_hung_up
from .registry import HasRegistry, Registry
from .transfer_state import CHUNK, Closing, ErrorFlag, Hold
from .watchers import Timer

_read, _write = os.read, os.write

_FULL = Hold.FULL


class Transfer(Event):
    """The part of a `BufferedEvent` that the loop calls, and all of its state."""

    __slots__ = (
        "_announce_writable",
        "_closing",
        "_file",
        "_has_limits",
        "_on_error",
        "_on_read",
        "_on_write",
        "_packets",
        "_read_held",
        "_read_high",
        "_read_low",
        "_read_size",
        "_read_timeout",
        "_read_until",
        "_registry",
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
        loop: HasRegistry,
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
        registry = getattr(loop, "registry", None)
        if not isinstance(registry, Registry):
            raise TypeError(f"loop must be a loop, not {arguments.shown(loop)}; pass a Loop")
        registry.check_open()
        guard = registry.guard
        os.set_blocking(self.fd, False)
        self._registry = registry
        self._file: object = fd  # a socket object closes its descriptor when it is collected
        self._subject = self if subject is None else subject
        self._on_read = None if on_read is None else guard(on_read)
        self._on_write = None if on_write is None else guard(on_write)
        self._on_error = None if on_error is None else guard(on_error)
        # what has come in and was not taken, what was written and not yet sent
        self.input = Buffer()
        # not 0 if the file keeps messages apart (BUF-11)
        self._packets = kind_of(self.fd)
        self.output = Packets() if self._packets else Buffer()
        # what is to be done once all is sent (BUF-12)
        self._closing: Closing | None = None
        # the last error of the system
        self.error: OSError | None = None
        # sets of `Hold`, without EMPTY
        self._read_held: int = Hold.DISABLED
        self._write_held: int = Hold.DISABLED
        # `on_write` is to be called though there is nothing to send (BUF-4)
        self._announce_writable = False
        # high watermarks: 0 is none
        # levent.newevbuf.watermarks-exist
        self._read_low = self._read_high = self._write_low = self._write_high = 0
        # lengths; None is none
        self._read_timeout: float | None = None
        self._write_timeout: float | None = None
        # points on the loop's clock; while nothing is waited for, never
        self._read_until = self._write_until = inf
        # whether an arrival has to be looked at: watermarks and timeout of reading
        self._has_limits = False
        # how much a read asks for; 0: what `_most_to_read` says
        self._read_size = 0 if self._packets else CHUNK
        # in the middle of `ready` or `due`: interest is settled at its end
        self._serving = False

    def ready(self, ready: int) -> None:
        self._serving = True
        try:
            if ready & READ:
                try:
                    data = _read(self.fd, self._read_size or self._most_to_read())
                except BlockingIOError:
                    # shut down by the program, a datagram socket is readable for ever
                    if self._packets and RDHUP and is_at_end(self.fd, self._packets):
                        self._report(READ, ErrorFlag.EOF, None)
                except OSError as error:
                    self._report(READ, ErrorFlag.ERROR, error)
                else:
                    if data:
                        queue = self.input
                        if queue.head:
                            queue.append(data)
                        else:  # BUF-9
                            queue.head = data
                        # BUF-3
                        enough = not self._has_limits or self._is_enough()
                        if enough and (on_read := self._on_read) is not None:
                            on_read(self._subject)
                    # levent.newevbuf.data-before-eof
                    elif not self._packets or is_at_end(self.fd, self._packets):
                        self._report(READ, ErrorFlag.EOF, None)  # BUF-5
            queue = self.output
            # BUF-7: or what the callback wrote, if it need not wait for its turn
            if (ready & WRITE or (queue.head and not self.want & WRITE)) and not self._write_held:
                try:
                    if queue.is_one_piece and queue.head:  # BUF-9
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
                        self._report(WRITE, ErrorFlag.ERROR, gone)
                except OSError as error:
                    self._report(WRITE, ErrorFlag.ERROR, error)
                else:
                    if self._on_write is not None or self._write_timeout is not None:
                        self._after_write()
        finally:
            self._serving = False
            # levent.buffer.write-more-in-cb
            if self._read_held or self.output.head or self._announce_writable or self.want != READ:
                self._update_or_report()

    def due(self, now: float) -> None:
        passed = NOTHING
        self._serving = True
        try:
            if self._read_until <= now:
                passed = READ
                self._report(READ, ErrorFlag.TIMEOUT, None)
            if self._write_until <= now:
                passed |= WRITE
                self._report(WRITE, ErrorFlag.TIMEOUT, None)
        finally:
            self._serving = False
            self._update_or_report()
            # if the callback enabled it again, its interest is as before
            self._restart_timeouts(passed)

    def closed_under(self, want: int) -> bool:
        called = self._on_error is not None
        self._restart_timeouts(NOTHING)
        error = OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._read_held |= Hold.ENDED
        self._write_held |= Hold.ENDED
        self._serving = True
        try:
            if want & READ:
                self._report(READ, ErrorFlag.ERROR, error)
            if want & WRITE and not self._write_held & Hold.CLOSED:
                self._report(WRITE, ErrorFlag.ERROR, error)
        finally:
            self._serving = False
            self._update_or_report()
        return called

    def close(self) -> None:
        """After this returns, nothing is called, read or sent again, not even this turn.

        What is in the queues can still be taken, `closed` and the watermarks
        can be asked, and `close` is harmless; all else raises ClosedError.
        """
        self._read_held |= Hold.CLOSED
        self._write_held |= Hold.CLOSED
        self._registry.unwatch(self)
        self._read_until = self._write_until = inf
        self._registry.cancel_deadline(self)
        self._on_read = self._on_write = self._on_error = None
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._subject = self._file = None

    # ---- inside

    def _most_to_read(self) -> int:
        """BUF-2: what a read may ask for."""
        if self._packets:
            return max(CHUNK, readable_bytes(self.fd))
        return min(CHUNK, self._read_high - len(self.input))  # luaevent.bufferevent.read-high

    def _is_enough(self) -> bool:
        """Something came in: whether `on_read` is to be called; see to the bounds."""
        size = len(self.input)
        if self._read_high and size >= self._read_high:
            self._read_held |= _FULL  # luaevent.bufferevent.what-read
        if self._read_timeout is not None:
            self._restart_timeouts(READ)
        return size >= self._read_low  # levent.buffer.read-lowwater

    def _note_limits(self) -> None:
        limits = self._read_low, self._read_high, self._read_timeout
        self._has_limits = limits != (0, 0, None)

    def _after_write(self) -> None:
        """What the descriptor took has left the output."""
        if self._write_timeout is not None:
            self._restart_timeouts(WRITE)
        if not self.output.head:
            self._announce_writable = False
        # levent.buffer.write-lowwater
        if self._on_write is not None and len(self.output) <= self._write_low:
            self._on_write(self._subject)  # BUF-4

    def _report(self, direction: int, what: int, error: OSError | None) -> None:
        """BUF-5"""
        self.error = error
        if direction == READ:
            self._read_held |= Hold.ENDED  # luaevent.bufferevent.eof-once
            what |= ErrorFlag.READ
        else:
            self._write_held |= Hold.ENDED
            what |= ErrorFlag.WRITE
        if (on_error := self._on_error) is not None:
            on_error(self._subject, what)

    def _limit_passed(self) -> None:
        """The limit has passed, and there is something left to send."""
        self._serving = True
        try:
            self._report(WRITE, ErrorFlag.TIMEOUT, None)
        finally:
            self._serving = False
            self._update_or_report()

    def _update_interest(self) -> None:
        """BUF-1: watch what nothing holds."""
        want = NOTHING if self._read_held else READ
        if not self._write_held and (self.output.head or self._announce_writable):
            want |= WRITE
        elif (closing := self._closing) is not None:  # BUF-12: nothing more can leave
            subject, registry = self._subject, self._registry
            self.close()
            if closing.then is not None:
                Timer(registry, 0, registry.guard(closing.then), (subject,))
            return
        if want != self.want:
            changed = want ^ self.want
            self._registry.rewatch(self, want)
            self._restart_timeouts(changed)

    def _update_or_report(self) -> None:
        """`_update_interest` after the callbacks: no call of the program is there to refuse."""
        try:
            self._update_interest()
        except OSError as error:
            if error.errno is None:  # the TimeoutError of a signal handler, for one
                raise
            read_held, write_held = self._read_held, self._write_held
            self._read_held |= Hold.ENDED
            self._write_held |= Hold.ENDED
            self._update_interest()
            if not read_held:
                self._report(READ, ErrorFlag.ERROR, error)
            if not write_held and not self._read_held & Hold.CLOSED:
                self._report(WRITE, ErrorFlag.ERROR, error)

    def _restart_timeouts(self, directions: int) -> None:
        """BUF-6: the time of these *directions* starts now, or ends."""
        if self._read_timeout is self._write_timeout is None and self.deadline is None:
            return
        now = self._registry.now()
        if directions & READ or not self.want & READ:
            timeout = self._read_timeout if self.want & READ else None
            # luaevent.bufferevent.set_timeouts
            self._read_until = inf if timeout is None else now + timeout
        if directions & WRITE or not self.want & WRITE:
            timeout = self._write_timeout if self.want & WRITE else None
            self._write_until = inf if timeout is None else now + timeout
        self._set_deadline()

    def _set_deadline(self) -> None:
        until = min(self._read_until, self._write_until)
        if until < inf:
            self._registry.set_deadline(self, until)
        else:
            self._registry.cancel_deadline(self)
