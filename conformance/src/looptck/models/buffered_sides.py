"""The two sides of a buffered event: what may be in its input and in its output.

Bytes are counted from the first one that ever went that way.  The numbers in
brackets are those at the top of `buffered`.
"""

from __future__ import annotations

from .buffered_rules import BufferedRules
from .violation import ViolationError

# Data that is longer is shown in part.
_SHOWN = 24


class Input:
    """From the peer to the program."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        self._name = name
        self._rules = rules
        self.low = self.high = 0
        # all that the peer sent
        self.stream = bytearray()
        # how much of it is no longer in the file, and in the hands of the program
        self.moved = self.taken = 0
        # so much has arrived for certain (1), and no more than that, by the high watermark
        self._floor = self._ceiling = 0
        # what was moved up to here has had its call, or needs none (4)
        self._told = 0
        # the peer sends no more: what is below the low watermark may be told (5)
        self.ended = False
        # there was a moment at which a call was due (2)
        self.may_call = False
        # bytes were taken, or watermarks set, since then
        self._is_disturbed = False
        # it may have been full, and not empty since: whether it reads is open
        self.may_be_held = False
        # what was done last, by its rule, and the bytes that are its fault if
        # they are wrong
        self._suspect = ("", range(0))

    @property
    def level(self) -> int:
        """At most so many bytes are in the buffer."""
        return self.moved - self.taken

    @property
    def _is_reason(self) -> bool:
        """Whether `readcb` may be called at the level that there is."""
        return self.level >= self.low or (self.ended and self.level > 0)

    def begin_turn(self) -> None:
        self.may_call = self._is_reason
        self._is_disturbed = False

    def look(self, moved: int) -> None:
        self.moved = moved
        self.may_call |= self._is_reason
        self._ceiling = max(
            self._ceiling, min(moved, self.taken + self.high) if self.high else moved
        )
        if not self.level:
            self.may_be_held = False
        elif self.high and self.level >= self.high:
            self.may_be_held = True

    def mark(self, low: int, high: int) -> None:
        self.excuse_missing_call()
        self.low, self.high = low, high
        self._is_disturbed = True
        self.look(self.moved)

    def stopped(self) -> None:
        self.excuse_missing_call()
        if self.level:
            self._suspect = self._rules.stop, range(self.taken, self.moved)

    def excuse_missing_call(self) -> None:
        self._told = self.moved

    def called(self) -> None:
        if not self.may_call:
            level = f"{self.level} bytes" if self.level else "nothing"
            what = f"readcb of {self._name} called with {level} in the input"
            expected = f"no call below the low watermark, {self.low}"
            raise ViolationError(self._rules.read_low, what, [expected])
        if self.level >= self.low and not self._is_disturbed:
            self._know(self.taken + self.low)
        self._told = self.moved

    def missing_call(self) -> ViolationError | None:
        """The call of `readcb` that would be missing."""
        if self.high and (self.may_be_held or self.high < self.low):
            return None
        target = len(self.stream)
        if self.high:
            target = min(target, self.taken + self.high)
        level = target - self.taken
        if target <= self._told or level < max(self.low, 1):
            return None
        what = f"readcb of {self._name} was not called for {target - self._told} bytes that came"
        return ViolationError(
            self._rules.read_low, what, [f"readcb of {self._name} called, with {level} bytes"]
        )

    def settled(self) -> None:
        """What was moved is in the buffer."""
        if not self.high:
            self._know(self.moved)

    def read(self, size: int | None, data: bytes) -> None:
        rule = self._rules.read_all if size is None else self._rules.read_size
        self._check_data(data)
        end = self.taken + len(data)
        if size is not None and len(data) > size:
            what = f"read({size}) of {self._name} returned {_shown(data)}"
            raise ViolationError(rule, what, [f"{size} bytes at most"])
        if (size is None or len(data) < size) and end < self._floor:
            least = self._floor - self.taken
            what = f"read({'' if size is None else size}) of {self._name} returned {_shown(data)}"
            expected = bytes(self.stream[self.taken : self._floor][:size])
            more = "" if size is None or least < size else " and no more"
            raise ViolationError(
                self._blame(end, rule), what, [f"{_shown(expected)}{more or ', or more'}"]
            )
        self._take(end, rule)

    def readline(self, line: bytes | None) -> None:
        at = self.stream.find(b"\n", self.taken, self.moved)
        what = f"readline() of {self._name} returned {'None' if line is None else _shown(line)}"
        there = bytes(self.stream[self.taken : at])
        if line is None:
            if 0 <= at < self._floor:
                raise ViolationError(self._rules.readline, what, [_shown(there)])
            self._suspect = self._rules.readline_none, range(self.taken, self.moved)
            return
        if at < 0:
            raise ViolationError(self._rules.readline_none, what, ["None: there is no line break"])
        if line != there:
            rule = self._blame(self.taken, self._rules.readline)
            raise ViolationError(rule, what, [_shown(there)])
        self._take(at + 1, self._rules.readline)

    # ---- inside

    def _check_data(self, data: bytes) -> None:
        """Whether these bytes are the next ones."""
        expected = bytes(self.stream[self.taken : self.taken + len(data)])
        end = self.taken + len(data)
        if data != expected or end > self.moved:
            wrong = next(
                (
                    at
                    for at, (one, other) in enumerate(zip(data, expected, strict=False))
                    if one != other
                ),
                min(len(expected), self.level),
            )
            what = f"reading from {self._name} gave {_shown(data)}"
            there = bytes(self.stream[self.taken : self.moved][: max(len(data), 1)])
            rule = self._blame(self.taken + wrong, self._rules.data)
            raise ViolationError(rule, what, [_shown(there) if there else "nothing"])
        if end > self._ceiling:
            what = f"there were {end - self.taken} bytes in the input of {self._name}"
            limit = self._ceiling - self.taken
            raise ViolationError(
                self._rules.read_high, what, [f"{limit} bytes at most: its high watermark"]
            )

    def _blame(self, at: int, rule: str) -> str:
        """The rule that is broken by a byte that is wrong."""
        suspect, bytes_ = self._suspect
        return suspect if at in bytes_ else rule

    def _take(self, end: int, rule: str) -> None:
        # what a reading returned and kept, or removed and did not return
        is_line = rule == self._rules.readline
        is_part = rule == self._rules.read_size and end < self.moved
        if end > self.taken and (is_line or is_part):
            self._suspect = rule, range(end, end + 1)
        self.taken = end
        self._know(end)
        self._is_disturbed = True
        self.look(self.moved)

    def _know(self, arrived: int) -> None:
        self._floor = max(self._floor, arrived)


class Output:
    """From the program to the peer."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        self._name = name
        self._rules = rules
        self.low = 0
        # all that was written, and how much of it left, and reached the peer
        self.stream = bytearray()
        self.left = self._received = 0
        # what left up to here has had its call, or needs none (4)
        self._told = 0
        # there was a moment at which a call was due (2)
        self._was_low = False
        # it was started: one call, at any time, is free (4)
        self._is_fresh = False
        # what was written last was written in the callback
        self._was_again = False

    @property
    def level(self) -> int:
        """So many bytes are in the buffer."""
        return len(self.stream) - self.left

    @property
    def in_flight(self) -> int:
        """So many bytes wait for the peer."""
        return self.left - self._received

    def started(self) -> None:
        self.excuse_missing_call()
        self._is_fresh = True

    def begin_turn(self) -> None:
        self._was_low = self.level <= self.low

    @property
    def may_call(self) -> bool:
        return self._was_low or self._is_fresh

    def look(self, left: int) -> None:
        if left > len(self.stream):
            what = f"{left} bytes of {self._name} left, and only {len(self.stream)} were written"
            raise ViolationError(self._rules.write, what, ["each byte leaves once"])
        self.left = left
        self._was_low |= self.level <= self.low

    def mark(self, low: int) -> None:
        self.excuse_missing_call()
        self.low = low
        self._was_low |= self.level <= low

    def excuse_missing_call(self) -> None:
        self._told = self.left

    def write(self, data: bytes, *, again: bool) -> None:
        self.stream += data
        self._was_again = again

    def receive(self, data: bytes) -> None:
        expected = bytes(self.stream[self._received : self._received + len(data)])
        if data != expected:
            what = f"the peer of {self._name} got {_shown(data)}"
            raise ViolationError(self._rules.write, what, [_shown(expected)])
        self._received += len(data)

    def called(self) -> None:
        if not self.may_call:
            what = f"writecb of {self._name} called with {self.level} bytes in the output"
            expected = f"no call above the low watermark, {self.low}"
            raise ViolationError(self._rules.write_low, what, [expected])
        self._told = self.left
        self._is_fresh &= self._was_low

    def missing_call(self, *, takes: bool) -> ViolationError | None:
        """What would be missing: bytes that leave, where the file *takes* some, or `writecb`."""
        level = self.level
        if level and takes:
            rule = self._rules.write_in_callback if self._was_again else self._rules.write
            what = f"{level} bytes are left in the output of {self._name}"
            return ViolationError(rule, what, ["they leave: the file takes more"])
        if self.left > self._told and (not level or level < self.low):
            what = f"writecb of {self._name} was not called, with {level} bytes in the output"
            return ViolationError(self._rules.write_low, what, [f"writecb of {self._name} called"])
        return None


def _shown(data: bytes) -> str:
    if len(data) <= _SHOWN:
        return repr(data)
    return f"{data[:_SHOWN]!r}... ({len(data)} bytes)"
