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

BUF-13  A signal handler may raise after any call, and what that call returned
        is lost then.  So the bytes are moved by a step of an iterator, after
        which no handler runs until the result is stored.  It is the same one
        for all events of a loop: one for each would cost 190 bytes.  But not the
        write of an output of one piece: that would make an echo 3 % dearer.
"""

from __future__ import annotations

import errno
import os
from math import inf

from .packets import RDHUP, is_at_end, readable_bytes
from .pollers.api import NOTHING, READ, WRITE, is_hung_up
from .transfer_state import CHUNK, IDLE, ErrorFlag, Hold, TransferState
from .watchers import Timer

_write = os.write

_FULL = Hold.FULL


class Transfer(TransferState):
    """The part of a `BufferedEvent` that the loop calls."""

    __slots__ = ()

    def ready(self, ready: int) -> None:
        self._serving = True
        registry = self._registry
        try:
            if ready & READ:
                try:
                    args = registry.read_args
                    args[1] = self._read_size or self._most_to_read()
                    args[0] = self.fd
                    for data in registry.reads:  # noqa: B007  (one step: BUF-13)
                        break
                except BlockingIOError:
                    # shut down by the program, a datagram socket is readable for ever
                    if self._packets and RDHUP and is_at_end(self.fd, self._packets):
                        self._report(READ, ErrorFlag.EOF, None)
                except OSError as error:
                    if error.errno is None:  # the TimeoutError of a signal handler, for one
                        raise
                    self._report(READ, ErrorFlag.ERROR, error)
                else:
                    if data:
                        queue = self.input
                        if queue.head or self._has_limits:
                            self._arrived = data
                            self._absorb()
                            enough = not self._has_limits or self._is_enough()  # BUF-3
                            self._arrived = IDLE
                        else:  # BUF-9
                            queue.head = data
                            enough = True
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
                        sent = _write(self.fd, queue.head)  # BUF-13
                        if sent == len(queue.head):
                            queue.head = b""
                        else:
                            queue._remove_sent(sent)
                    elif queue.head:
                        queue.write_to(self.fd)
                except BlockingIOError:
                    if ready & WRITE and is_hung_up(self.fd):  # it would be ready for ever
                        gone = OSError(errno.EIO, os.strerror(errno.EIO))
                        self._report(WRITE, ErrorFlag.ERROR, gone)
                except OSError as error:
                    if error.errno is None:
                        raise
                    self._report(WRITE, ErrorFlag.ERROR, error)
                else:
                    if self._on_write is not None:
                        self._announce_writable = True  # until it is called
                    if self._on_write is not None or self._write_timeout is not None:
                        self._after_write()
        finally:
            self._serving = False
            if self._arrived is not IDLE:
                self._tell_later()
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

    def _absorb(self) -> None:
        """Put what was read at the end of the input."""
        if self._arrived:
            self.input.append(self._arrived)
            self._arrived = None

    def _tell_later(self) -> None:
        """Call `on_read` in the next turn: a signal handler raised before it was called."""
        self._absorb()
        if not self._read_held & Hold.CLOSED and not self._registry.closed:
            Timer(self._registry, 0, self._tell_arrived, ())

    def _tell_arrived(self) -> None:
        if self._arrived is IDLE:
            return
        self._serving = True
        try:
            enough = self._is_enough()
            self._arrived = IDLE
            held = self._read_held & (Hold.DISABLED | Hold.CLOSED)
            if enough and not held and (on_read := self._on_read) is not None:
                on_read(self._subject)
        finally:
            self._serving = False
            self._update_or_report()

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
        """The bytes that the descriptor took have left the output."""
        if self._write_timeout is not None:
            self._restart_timeouts(WRITE)
        # levent.buffer.write-lowwater
        on_write = self._on_write if len(self.output) <= self._write_low else None
        if on_write is not None or not self.output.head:
            self._announce_writable = False
        if on_write is not None:
            on_write(self._subject)  # BUF-4

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
