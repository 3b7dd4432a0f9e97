"""The output of a buffered event: what may be in it.  Numbers in brackets are those of `model`."""

from __future__ import annotations

from ..engine.violation import ViolationError
from .rules import BufferedRules, Callback
from .side import Side, shown


class Output(Side):
    """From the program to the peer."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        super().__init__(name, rules)
        self.low = 0
        # all that was written, and how much of it left, and reached the peer
        self.stream = bytearray()
        self.left = self.received = 0
        # how much the document shows to be in the buffer, if it does (1)
        self._kept: int | None = None
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
        """The number of bytes in the buffer."""
        return len(self.stream) - self.left if self._kept is None else self._kept

    @property
    def in_flight(self) -> int:
        """The number of bytes that left the buffer and that the peer has not read."""
        return self.left - self.received

    def switch_on(self) -> None:
        super().switch_on()
        self._is_fresh = True

    def begin_turn(self) -> None:
        self._was_low = self.level <= self.low

    @property
    def may_call(self) -> bool:
        return self._was_low or self._is_fresh

    def look(self, left: int, kept: int | None) -> None:
        if left > len(self.stream):
            what = f"{left} bytes of {self._name} left, and only {len(self.stream)} were written"
            raise ViolationError(self._rules.write, what, ["each byte leaves once"])
        if kept is not None and kept > len(self.stream):
            what = f"{kept} bytes are in the output of {self._name}"
            raise ViolationError(self._rules.write, what, [f"{len(self.stream)} were written"])
        self.left, self._kept = left, kept
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
        if self._kept is not None:
            self._kept += len(data)

    def receive(self, data: bytes) -> None:
        expected = bytes(self.stream[self.received : self.received + len(data)])
        if data != expected:
            what = f"the peer of {self._name} got {shown(data)}"
            raise ViolationError(self._rules.write, what, [shown(expected)])
        self.received += len(data)

    def called(self) -> None:
        if not self.may_call:
            what = f"{self._called} called with {self.level} bytes in the output"
            expected = f"no call above the low watermark, {self.low}"
            raise ViolationError(self._rules.write_low, what, [expected])
        self._told = self.left
        self._is_fresh &= self._was_low

    def missing_call(self, *, takes: bool) -> ViolationError | None:
        """Return the violation that there is if neither bytes leave nor `writecb` is called.

        Bytes can leave if the file *takes* some.
        """
        level = self.level
        if level and takes:
            rule = self._rules.write_in_callback if self._was_again else self._rules.write
            what = f"{level} bytes are left in the output of {self._name}"
            return ViolationError(rule, what, ["they leave: the file takes more"])
        if self.left > self._told and (not level or level < self.low):
            what = f"{self._called} was not called, with {level} bytes in the output"
            return ViolationError(self._rules.write_low, what, [f"{self._called} called"])
        return None

    @property
    def _called(self) -> str:
        return f"{self._rules.name(Callback.WRITE)} of {self._name}"
