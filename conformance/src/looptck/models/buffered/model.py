"""Models what one buffered event may do next.  This module does no I/O.

The model is told what was asked of a buffered event, what its peer did, what
can be seen of it and of its file, and which callbacks were called; it refuses
what no conforming loop can have done.

Why the code is as it is
-----------------------------

1. A document may hide what is in the buffers.  What can be seen always is the
   file: how much of what the peer sent was moved out of it, and how much left
   into it.  So no more has arrived than was moved; and at least so much has
   arrived as a call for reading promises, or nothing else can explain.

2. A callback may come late: another one, called before it in the same turn,
   can have taken or added bytes meanwhile.  So it is asked whether there was a
   moment, since the turn began or the last such call ended, at which it was
   due.

3. Documents that leave it open whether a call is repeated while nothing moves
   forbid none of these; what is demanded is one call after the last arrival,
   or the last departure, that asked for one.

4. What a stop, a start or new watermarks mean for bytes that had been moved
   before is open: no call is owed for those.

5. At the end of the file a call for fewer bytes than the low watermark may be
   open: nothing more will come.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.violation import ViolationError
from .input import Input
from .output import Output
from .rules import BufferedRules, Callback
from .side import Side, Switch


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of the file, as it can be seen from outside, and of the buffers."""

    # bytes of the peer that are no longer in the file, from the first one on
    moved: int
    # bytes that went into the file
    left: int
    # the file takes more
    takes: bool
    # bytes in the input and in the output, or None where a document hides them (1)
    held: int | None = None
    kept: int | None = None


class BufferedModel:
    """Tells which calls and bytes of one buffered event are allowed."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        self.name = name
        self._rules = rules
        self.input = Input(name, rules)
        self.output = Output(name, rules)
        # the peer sends no more; it is closed altogether
        self.ended = self.gone = False
        # it was closed with bytes unread: what comes of the rest is open
        self.was_reset = False
        # the end was told, since reading was switched on
        self._has_told_end = False

    # ---- what is asked of it

    def switch_on(self, side: Side, seen: Seen) -> None:
        """Note that bytes are to move on this side from now on."""
        self.look(seen)
        if side.switch is not Switch.ON:
            side.excuse_missing_call()
            side.switch_on()
            side.begin_turn()
        if side is self.input:
            self._has_told_end = False

    def switch_off(self, side: Side, why: str, rule: str, seen: Seen, turns: int = 0) -> None:
        """Note that no byte may move on this side, by *rule*, when so many *turns* have passed."""
        self.look(seen)
        side.switch_off(why, rule, turns)

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
        """A turn of the loop begins."""
        self.look(seen)
        for side in (self.input, self.output):
            side.pass_turn()
            side.begin_turn()

    def look(self, seen: Seen) -> None:
        """Note the state of the file; raise ViolationError if no loop may have brought it about."""
        if self.input.is_off and seen.moved > self.input.moved:
            what = f"{seen.moved - self.input.moved} bytes were read from the file of {self.name}"
            raise self._no_since_off(self.input, what)
        self.input.look(seen.moved, seen.held)
        if self.gone:
            return
        if self.output.is_off and seen.left > self.output.left:
            what = f"{seen.left - self.output.left} bytes of {self.name} left"
            raise self._no_since_off(self.output, what)
        self.output.look(seen.left, seen.kept)

    def called(self, callback: Callback, seen: Seen, side: Side | None = None) -> None:
        """A callback begins, for this *side*.  Raises ViolationError."""
        self.look(seen)
        side = side or (self.output if callback is Callback.WRITE else self.input)
        if side.switch is Switch.OFF:
            raise self._no_since_off(side, f"{self._rules.name(callback)} of {self.name} called")
        match callback:
            case Callback.READ:
                self.input.called()
            case Callback.WRITE if not self.gone:
                self.output.called()
            case Callback.ERROR if not self._rules.end:
                self._check_end()

    def told_end(self) -> None:
        """The loop says that the input has ended, by a document that promises that it is told."""
        if not self.ended or self._has_told_end:
            often = " again" if self._has_told_end else ", which has not ended"
            what = f"{self._rules.name(Callback.ERROR)} of {self.name} told the end of its input"
            raise self._no(self._rules.end, what + often, "no such call")
        self._check_end()
        self._has_told_end = True

    def finished(self, callback: Callback, seen: Seen) -> None:
        """The callback returns."""
        self.look(seen)
        if callback is Callback.READ:
            self.input.begin_turn()
        elif callback is Callback.WRITE:
            self.output.begin_turn()

    # ---- what must come

    def missing_call(self, seen: Seen) -> ViolationError | None:
        """Return the violation that there is if nothing comes any more, or None."""
        if self._must_read:
            if missing := self.input.missing_call():
                return missing
            if self.ended and self._rules.end and not self._has_told_end and not self.input.is_full:
                name = self._rules.name(Callback.ERROR)
                what = f"{name} of {self.name} did not tell the end of its input"
                return self._no(self._rules.end, what, f"{name} of {self.name} called")
        if self.output.switch is not Switch.ON or (self.ended and not self._rules.is_two_way):
            return None
        return None if self.gone else self.output.missing_call(takes=seen.takes)

    def settled(self, seen: Seen) -> None:
        """Nothing came for so long that nothing will.  Raises ViolationError."""
        self.look(seen)
        missing = self.missing_call(seen)
        if missing is not None:
            raise missing
        if self._must_read:
            self.input.settled()

    @property
    def must_be_called(self) -> bool:
        """Whether a call of `readcb` is to come for certain."""
        return self._must_read and self.input.missing_call() is not None

    @property
    def size(self) -> int:
        """The number of bytes that were sent or written, in both directions."""
        return len(self.input.stream) + len(self.output.stream)

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        read, write, error = self._rules.names
        may = []
        if self.input.switch is not Switch.OFF and self.input.may_call:
            may.append(f"{read} of {self.name} called, with up to {self.input.level} bytes")
        if self.output.switch is not Switch.OFF and (self.gone or self.output.may_call):
            may.append(f"{write} of {self.name} called")
        if self.ended and self.input.switch is not Switch.OFF:
            may.append(f"{error} of {self.name} called, after all data")
        return may

    # ---- inside

    @property
    def _must_read(self) -> bool:
        return self.input.switch is Switch.ON and self._reads_for_certain

    @property
    def _reads_for_certain(self) -> bool:
        """Not if a reset, or an output that cannot leave, may have ended the reading."""
        is_stuck = self.gone and self.output.level and not self._rules.is_two_way
        return not self.was_reset and not is_stuck

    def _check_read(self, before: Seen, after: Seen) -> None:
        self.look(before)
        if self._rules.buffer_only and after.moved > before.moved:
            count = after.moved - before.moved
            what = f"reading from {self.name} took {count} bytes from the file"
            raise self._no(self._rules.buffer_only, what, "they wait in the file")

    def _check_end(self) -> None:
        """The end may not be told while data is to come."""
        if not self.ended or not self._reads_for_certain or self.input.may_be_held:
            return
        rule, name = self._rules.end or self._rules.data, self._rules.name(Callback.ERROR)
        waiting = len(self.input.stream) - self.input.moved
        if waiting:
            what = f"{name} of {self.name} called while {waiting} bytes wait in the file"
            raise self._no(rule, what, "the data first")
        if (missing := self.input.missing_call()) is not None:
            before = self._rules.name(Callback.READ)
            what = f"{name} of {self.name} called before {before}"
            raise ViolationError(rule, what, missing.expected)
        self.input.settled()

    def _no_since_off(self, side: Side, what: str) -> ViolationError:
        return self._no(side.rule_if_off, f"{what}, although {side.why_off}", "nothing moves")

    def _no(self, rule: str, happened: str, *expected: str) -> ViolationError:
        return ViolationError(rule, happened, [*expected, *self.may_happen()])
