"""The input of a buffered event: what may be in it.  Numbers in brackets are those of `model`."""

from __future__ import annotations

from ..engine.violation import ViolationError
from .rules import BufferedRules, Callback
from .side import Side, shown


class Input(Side):
    """From the peer to the program."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        super().__init__(name, rules)
        self.low = self.high = 0
        # all that the peer sent
        self.stream = bytearray()
        # how much of it is no longer in the file, and in the hands of the program
        self.moved = self.taken = 0
        # how much the document shows to be in the buffer, if it does (1)
        self._held: int | None = None
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
        return self.moved - self.taken if self._held is None else self._held

    @property
    def is_full(self) -> bool:
        return bool(self.high) and self.level >= self.high

    @property
    def _is_reason(self) -> bool:
        """Whether a call is allowed at the level that there is."""
        rest = self._rules.may_tell_rest and self.ended and self.level > 0
        return self.level >= self.low or rest

    def begin_turn(self) -> None:
        self.may_call = self._is_reason
        self._is_disturbed = False

    def look(self, moved: int, held: int | None) -> None:
        self.moved = moved
        self._held = held
        most = min(moved, self.taken + self.high) if self.high else moved
        self._ceiling = max(self._ceiling, most)
        if held is not None:
            self._check_held(held)
        self.may_call |= self._is_reason
        if not self.level or (self._rules.resumes_at_once and not self.is_full):
            self.may_be_held = False
        elif self.is_full:
            self.may_be_held = True

    def _check_held(self, held: int) -> None:
        arrived, what = self.taken + held, f"{held} bytes are in the input of {self._name}"
        if arrived > self.moved:
            expected = f"{self.moved - self.taken} at most, since no more came"
            raise ViolationError(self._blame(self.moved, self._rules.data), what, [expected])
        if arrived > self._ceiling:
            expected = f"{self._ceiling - self.taken} at most: its high watermark"
            raise ViolationError(self._rules.read_high, what, [expected])
        if arrived < self._floor:
            expected = f"{self._floor - self.taken}, which were there"
            raise ViolationError(self._blame(arrived, self._rules.data), what, [expected])
        self._floor = arrived

    def mark(self, low: int, high: int) -> None:
        self.excuse_missing_call()
        self.low, self.high = low, high
        self._is_disturbed = True
        self.look(self.moved, self._held)

    def switch_off(self, why: str, rule: str, turns: int = 0) -> None:
        super().switch_off(why, rule, turns)
        if self.level:
            self._suspect = rule, range(self.taken, self.moved)

    def excuse_missing_call(self) -> None:
        self._told = self.moved

    def called(self) -> None:
        if not self.may_call:
            level = f"{self.level} bytes" if self.level else "nothing"
            what = f"{self._called} called with {level} in the input"
            expected = f"no call below the low watermark, {self.low}"
            raise ViolationError(self._rules.read_low, what, [expected])
        if self.level >= self.low and not self._is_disturbed:
            self._know(self.taken + self.low)
        self._told = self.moved

    def missing_call(self) -> ViolationError | None:
        """Return the violation that there is if no call comes any more."""
        is_open = self.may_be_held and not self._rules.resumes_at_once
        if self.high and (is_open or self.high < self.low):
            return None
        target = len(self.stream)
        if self.high:
            target = min(target, self.taken + self.high)
        level = target - self.taken
        least = max(self.low, 1) if self._rules.is_due_at_low else self.low + 1
        if target <= self._told or level < least:
            return None
        what = f"{self._called} was not called for {target - self._told} bytes that came"
        return ViolationError(
            self._rules.read_low, what, [f"{self._called} called, with {level} bytes"]
        )

    @property
    def _called(self) -> str:
        return f"{self._rules.name(Callback.READ)} of {self._name}"

    def settled(self) -> None:
        """Note that all bytes that left the file are in the buffer."""
        if not self.high:
            self._know(self.moved)

    def read(self, size: int | None, data: bytes) -> None:
        rule = self._rules.read_all if size is None else self._rules.read_size
        self._check_data(data)
        end = self.taken + len(data)
        if size is not None and len(data) > size:
            what = f"read({size}) of {self._name} returned {shown(data)}"
            raise ViolationError(rule, what, [f"{size} bytes at most"])
        if (size is None or len(data) < size) and end < self._floor:
            least = self._floor - self.taken
            what = f"read({'' if size is None else size}) of {self._name} returned {shown(data)}"
            expected = bytes(self.stream[self.taken : self._floor][:size])
            more = "" if size is None or least < size else " and no more"
            raise ViolationError(
                self._blame(end, rule), what, [f"{shown(expected)}{more or ', or more'}"]
            )
        self._take(end, rule)

    def readline(self, line: bytes | None) -> None:
        at = self.stream.find(b"\n", self.taken, self.moved)
        what = f"readline() of {self._name} returned {'None' if line is None else shown(line)}"
        there = bytes(self.stream[self.taken : at])
        if line is None:
            if 0 <= at < self._floor:
                raise ViolationError(self._rules.readline, what, [shown(there)])
            self._suspect = self._rules.readline_none, range(self.taken, self.moved)
            return
        if at < 0:
            raise ViolationError(self._rules.readline_none, what, ["None: there is no line break"])
        if line != there:
            rule = self._blame(self.taken, self._rules.readline)
            raise ViolationError(rule, what, [shown(there)])
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
            what = f"reading from {self._name} gave {shown(data)}"
            there = bytes(self.stream[self.taken : self.moved][: max(len(data), 1)])
            rule = self._blame(self.taken + wrong, self._rules.data)
            raise ViolationError(rule, what, [shown(there) if there else "nothing"])
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
        if self._held is not None:
            self._held -= end - self.taken
        self.taken = end
        self._know(end)
        self._is_disturbed = True
        self.look(self.moved, self._held)

    def _know(self, arrived: int) -> None:
        self._floor = max(self._floor, arrived)
