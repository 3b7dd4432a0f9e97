"""A buffered event, as a program uses it: two queues, watermarks, timeouts.

Knows no document.  How bytes move is in `transfer`, and what is promised of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import arguments
from .arguments import Bytes
from .errors import ClosedError
from .pollers.api import BOTH, READ, WRITE, check_directions
from .transfer import Transfer
from .transfer_state import CHUNK, Closing, ErrorFlag, Hold
from .watchers import Timer

__all__ = ["BufferedEvent", "ErrorFlag", "Hold"]

# `Hold.FULL` costs 15 ns more, in each `take`
_FULL = Hold.FULL


class BufferedEvent(Transfer):
    """Moves bytes between a descriptor and two queues, and says when there are enough.

    *on_read* and *on_write* are called with *subject* (this event, if none is
    given), *on_error* with it and the flags of `ErrorFlag` happened and
    in which direction; `error` is then the exception, if it was one.  None is
    allowed for each.  Nothing moves before `enable`.

    The descriptor is switched to non-blocking, and stays open: it is not ours.
    """

    __slots__ = ()

    def take(self, size: int | None = None) -> bytes:
        """Remove and return up to *size* bytes of the input, or all of it.

        Never reads from the descriptor.
        """
        queue = self.input
        if size is None and queue.is_one_piece:  # BUF-9
            data = queue.head
            queue.head = b""
        else:
            data = queue.take(size)  # levent.bufevent.read-buffer-only
        if self._read_held & _FULL:
            self.input_taken()
        return data

    def take_line(self) -> bytes | None:
        """Remove a line of the input, return it without its break; None if there is no break."""
        line = self.input.take_line()
        if self._read_held & _FULL:
            self.input_taken()
        return line

    def write(self, data: Bytes) -> None:
        """Queue *data*; the loop sends it, when writing is enabled.

        OSError, and nothing is queued, if the descriptor cannot be watched.
        """
        if not self.want & READ:  # else it is open, and so is its loop
            self.check_open()
        if type(data) is not bytes:
            data = arguments.data(data, "data")
        if not self._serving and data and not self.want & WRITE:
            self.before_output()
        queue = self.output
        if queue.head:
            queue.append(data)
        else:  # BUF-9
            queue.head = data

    def input_taken(self) -> None:
        """To be called after taking from `input` directly."""
        if not self._read_high or len(self.input) < self._read_high:
            self._read_held &= ~Hold.FULL
            if not self._serving:
                self._update_interest()

    def before_output(self) -> None:
        """To be called before appending to `output`; OSError if it cannot be watched."""
        if not self.want & READ:
            self.check_open()
        if self._serving or self.want & WRITE or self._write_held:
            return
        announce, self._announce_writable = self._announce_writable, True
        try:
            self._update_interest()
        finally:
            self._announce_writable = announce

    def output_added(self) -> None:
        """To be called after appending to `output` directly."""
        if not self.want & READ:
            self.check_open()
        if not self._serving:
            self._update_interest()

    def enable(self, directions: int = BOTH, *, announce: bool = True) -> None:
        """From now on data moves in these *directions*; after an end, again.

        Enabling to write brings one call of `on_write` even with nothing to
        send, unless not to *announce* it.  OSError, and nothing has changed,
        if the descriptor cannot be watched.
        """
        directions = check_directions(directions, "directions")
        arguments.flag(announce, "announce")
        self.check_open()
        before = self._read_held, self._write_held, self._announce_writable
        lifted = ~(Hold.DISABLED | Hold.ENDED)
        if directions & READ:
            self._read_held &= lifted
        if directions & WRITE:
            self._write_held &= lifted
            if announce and self._on_write is not None:
                self._announce_writable = True
        try:
            if not self._serving:
                self._update_interest()
        except OSError:
            self._read_held, self._write_held, self._announce_writable = before
            raise

    def disable(self, directions: int = BOTH) -> None:
        """After this returns, no data moves in these *directions*, not even this turn.

        What is in the queues stays there.
        """
        directions = check_directions(directions, "directions")
        self.check_open()
        if directions & READ:
            self._read_held |= Hold.DISABLED  # luaevent.bufferevent.enable
        if directions & WRITE:
            self._write_held |= Hold.DISABLED
            self._announce_writable = False
        if not self._serving:
            self._update_interest()

    def set_read_watermarks(self, low: int, high: int) -> None:
        """`on_read` needs *low* bytes in the input; it takes in *high* at most, 0: any number.

        What is in the input already stays, and does not bring a call.  A
        datagram is never cut: the last one may lead beyond *high*.
        """
        low, high = arguments.watermarks(low, high)
        self.check_open()
        self._read_low, self._read_high = low, high
        self._read_size = 0 if high or self._packets else CHUNK
        self._note_limits()
        if high and len(self.input) >= high:
            self._read_held |= Hold.FULL
        else:
            self._read_held &= ~Hold.FULL
        if not self._serving:
            self._update_interest()

    def set_write_watermarks(self, low: int, high: int) -> None:
        """`on_write` is called when *low* bytes or fewer are left; *high* limits nothing."""
        low, high = arguments.watermarks(low, high)
        self.check_open()
        self._write_low, self._write_high = low, high  # luaevent.bufferevent.write-high

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
        self._note_limits()
        self._restart_timeouts(BOTH)

    @property
    def read_held(self) -> int:
        """For which reasons nothing is read: a set of `Hold`."""
        return self._read_held

    @property
    def write_held(self) -> int:
        """For which reasons nothing is sent: a set of `Hold`."""
        empty = not self.output.head and not self._announce_writable
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
        self._registry.check_open()
        before = self._read_held, self._write_held, self._announce_writable
        self._read_held |= Hold.DISABLED
        self._write_held &= ~Hold.DISABLED
        self._announce_writable = False
        former, self._closing = self._closing, Closing(then)
        try:
            if not self._serving:
                self._update_interest()
        except OSError:
            self._read_held, self._write_held, self._announce_writable = before
            self._closing = former
            raise
        if former is not None:
            former.cancel()
        self._on_read = self._on_write = None
        if limit is not None and self._closing is not None:
            self._closing.limit = Timer(self._registry, limit, self._limit_passed, ())

    def check_open(self) -> None:
        """Raise ClosedError if nothing can be written or set any more."""
        if self.closed:
            raise ClosedError("this buffered event is closed; make a new one")
        if self._closing is not None:
            raise ClosedError("this buffered event closes when its output is sent; make a new one")
        self._registry.check_open("loop of this buffered event")

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd {self.fd}"
        return (
            f"<{type(self).__name__}: {state}, {len(self.input)} bytes in, {len(self.output)} out>"
        )


def _timeout(length: float | None, name: str) -> float | None:
    if length is None:
        return None
    found = arguments.seconds(length, name)
    if not found:
        raise ValueError(f"{name} must be more than 0 seconds, not {length!r}; pass None for never")
    return found
