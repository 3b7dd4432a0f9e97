"""What one buffered event may do next.  Does no I/O.

The model is told what was asked of a buffered event, what its peer did, what
can be seen of the file from outside, and which callbacks were called; it
refuses what no conforming loop can have done.

Why the code is the way it is
-----------------------------

1. What is in the buffers cannot be seen.  What can is the file: how much of
   what the peer sent was moved out of it, and how much left into it.  So no
   more has arrived than was moved; and at least so much has arrived as a call
   of `readcb` promises, or nothing else can explain.

2. A callback may come late: another one, called before it in the same turn,
   can have taken or added bytes meanwhile.  So it is asked whether there was a
   moment, since the turn began or the last such call ended, at which it was
   due.

3. Documents that leave it open whether a call is repeated while nothing moves
   forbid none of these; what is demanded is one call after the last arrival,
   or the last departure, that asked for one.

4. What a stop, a start or new watermarks mean for bytes that had been moved
   before is open: no call is owed for those.

5. At the end of the file a call of `readcb` for fewer bytes than the low
   watermark is open: nothing more will come.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .buffered_rules import BufferedRules
from .buffered_sides import Input, Output
from .violation import ViolationError


class Callback(Enum):
    """Which of the three was called."""

    READ = "readcb"
    WRITE = "writecb"
    ERROR = "errorcb"


class State(Enum):
    """What a buffered event was last told to be."""

    NEW = "it was never started"
    STARTED = "it is started"
    STOPPED = "it is stopped"
    DELETED = "it is deleted"


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of the file from outside."""

    # bytes of the peer that are no longer in the file, from the first one on
    moved: int
    # bytes that went into the file
    left: int
    # the file takes more
    takes: bool


class BufferedModel:
    """One buffered event."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        self.name = name
        self._rules = rules
        self.state = State.NEW
        self.input = Input(name, rules)
        self.output = Output(name, rules)
        # the peer sends no more; it is closed altogether
        self.ended = self.gone = False
        # it was closed with bytes unread: what comes of the rest is open
        self.was_reset = False

    # ---- what is asked of it

    def start(self, seen: Seen) -> None:
        """It is about to be started."""
        self.look(seen)
        if self.state is not State.STARTED:
            self.input.excuse_missing_call()
            self.output.started()
            self.input.begin_turn()
            self.output.begin_turn()
        self.state = State.STARTED

    def stop(self, seen: Seen) -> None:
        """It was stopped."""
        self.look(seen)
        self.state = State.STOPPED
        self.input.stopped()
        self.output.excuse_missing_call()

    def delete(self) -> None:
        """It was deleted."""
        self.state = State.DELETED

    def mark_input(self, low: int, high: int, seen: Seen) -> None:
        """The watermarks of the input were set."""
        self.look(seen)
        self.input.mark(low, high)

    def mark_output(self, low: int, seen: Seen) -> None:
        """The low watermark of the output was set."""
        self.look(seen)
        self.output.mark(low)

    def write(self, data: bytes, inside: Callback | None) -> None:
        """*data* is about to be written, *inside* one of its own callbacks or not."""
        self.output.write(data, again=inside is Callback.WRITE)

    def read(self, size: int | None, data: bytes, before: Seen, after: Seen) -> None:
        """A read of up to *size* bytes gave *data*."""
        self._check_read(before, after)
        self.input.read(size, data)

    def readline(self, line: bytes | None, before: Seen, after: Seen) -> None:
        """A read of a line gave *line*."""
        self._check_read(before, after)
        self.input.readline(line)

    # ---- what the peer does

    def peer_sent(self, data: bytes) -> None:
        self.input.stream += data

    def peer_received(self, data: bytes) -> None:
        self.output.receive(data)

    def peer_ended(self) -> None:
        self.ended = self.input.ended = True

    def peer_closed(self) -> None:
        self.was_reset = self.output.in_flight > 0
        self.ended = self.gone = self.input.ended = True

    # ---- what the loop does

    def begin_turn(self, seen: Seen) -> None:
        """A call of `loop` begins."""
        self.look(seen)
        self.input.begin_turn()
        self.output.begin_turn()

    def look(self, seen: Seen) -> None:
        """So the file looks now.  Raises RefusedError."""
        not_read = {
            State.NEW: self._rules.start,
            State.STOPPED: self._rules.stop,
        }.get(self.state, "")
        if not_read and seen.moved > self.input.moved:
            what = f"{seen.moved - self.input.moved} bytes were read from the file of {self.name}"
            raise self._no(not_read, f"{what}, although {self.state.value}", "nothing is read")
        self.input.look(seen.moved)
        if self.gone:
            return
        if self.state is State.STOPPED and seen.left > self.output.left:
            what = f"{seen.left - self.output.left} bytes of {self.name} left"
            raise self._no(self._rules.stop, f"{what}, although {self.state.value}", "nothing does")
        self.output.look(seen.left)

    def called(self, callback: Callback, seen: Seen) -> None:
        """A callback begins.  Raises RefusedError."""
        self.look(seen)
        if self.state is not State.STARTED:
            rule = {
                State.NEW: self._rules.start,
                State.STOPPED: self._rules.stop,
                State.DELETED: self._rules.delete,
            }[self.state]
            what = f"{callback.value} of {self.name} called, although {self.state.value}"
            raise self._no(rule, what, "it is not called")
        match callback:
            case Callback.READ:
                self.input.called()
            case Callback.WRITE if not self.gone:
                self.output.called()
            case Callback.ERROR:
                self._check_end()

    def finished(self, callback: Callback, seen: Seen) -> None:
        """The callback returns."""
        self.look(seen)
        if callback is Callback.READ:
            self.input.begin_turn()
        elif callback is Callback.WRITE:
            self.output.begin_turn()

    # ---- what must come

    def missing_call(self, seen: Seen) -> ViolationError | None:
        """What would be wrong if nothing came any more."""
        if self.state is not State.STARTED:
            return None
        if self._reads_for_certain and (missing := self.input.missing_call()):
            return missing
        if self.ended:
            return None  # what of the output leaves after the end of the input is open
        return self.output.missing_call(takes=seen.takes)

    def settled(self, seen: Seen) -> None:
        """Nothing came for so long that nothing will.  Raises RefusedError."""
        self.look(seen)
        missing = self.missing_call(seen)
        if missing is not None:
            raise missing
        if self.state is State.STARTED and self._reads_for_certain:
            self.input.settled()

    @property
    def must_be_called(self) -> bool:
        """Whether a call of `readcb` is to come for certain."""
        is_served = self.state is State.STARTED and self._reads_for_certain
        return is_served and self.input.missing_call() is not None

    @property
    def size(self) -> int:
        """How many bytes went either way, or are to."""
        return len(self.input.stream) + len(self.output.stream)

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        if self.state is not State.STARTED:
            return []
        may = []
        if self.input.may_call:
            may.append(f"readcb of {self.name} called, with up to {self.input.level} bytes")
        if self.gone or self.output.may_call:
            may.append(f"writecb of {self.name} called")
        if self.ended:
            may.append(f"errorcb of {self.name} called, after all data")
        return may

    # ---- inside

    @property
    def _reads_for_certain(self) -> bool:
        """Not if a reset, or an output that cannot leave, may have ended the reading."""
        return not self.was_reset and not (self.gone and self.output.level)

    def _check_read(self, before: Seen, after: Seen) -> None:
        self.look(before)
        if after.moved > before.moved:
            count = after.moved - before.moved
            what = f"reading from {self.name} took {count} bytes from the file"
            raise self._no(self._rules.buffer_only, what, "they wait in the file")
        self.look(after)

    def _check_end(self) -> None:
        """`errorcb` may say anything but "the end" while data is to come."""
        if not self.ended or not self._reads_for_certain or self.input.may_be_held:
            return
        waiting = len(self.input.stream) - self.input.moved
        if waiting:
            what = f"errorcb of {self.name} called while {waiting} bytes wait in the file"
            raise self._no(self._rules.data, what, "the data first")
        if (missing := self.input.missing_call()) is not None:
            what = f"errorcb of {self.name} called before readcb"
            raise ViolationError(self._rules.data, what, missing.expected)
        self.input.settled()

    def _no(self, rule: str, happened: str, *expected: str) -> ViolationError:
        return ViolationError(rule, happened, [*expected, *self.may_happen()])
