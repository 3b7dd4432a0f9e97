"""One side of a buffered event, and whether bytes move on it.

Bytes are counted from the first one that went in that direction.  The numbers in
brackets are those at the top of `model`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, auto

from .rules import BufferedRules

# Data that is longer is shown in part.
_SHOWN = 24


class Switch(Enum):
    """Whether bytes move on a side."""

    # they must; they may and need not; they must not
    ON = auto()
    PERHAPS = auto()
    OFF = auto()


class Side(ABC):
    """One side of a buffered event, and whether bytes move on it."""

    def __init__(self, name: str, rules: BufferedRules) -> None:
        self._name = name
        self._rules = rules
        self.switch = Switch.OFF
        # why no bytes may move while it is off, and the rule by which they do not
        self.why_off = ""
        self.rule_if_off = ""
        # it is off after so many more turns, if it is to be off
        self._turns_left: int | None = None

    @property
    def is_off(self) -> bool:
        """Whether bytes that move break a rule."""
        return self.switch is Switch.OFF and bool(self.rule_if_off)

    def switch_on(self) -> None:
        self.switch, self._turns_left = Switch.ON, None

    def switch_off(self, why: str, rule: str, turns: int = 0) -> None:
        """No byte moves when so many *turns* have passed; before that they may and need not."""
        self.switch = Switch.PERHAPS if turns else Switch.OFF
        self.why_off, self.rule_if_off, self._turns_left = why, rule, turns
        self.excuse_missing_call()

    def loosen(self) -> None:
        """Bytes may move and need not."""
        if self.switch is Switch.ON:
            self.switch = Switch.PERHAPS

    def pass_turn(self) -> None:
        """A turn of the loop has passed."""
        if self.switch is Switch.PERHAPS and self._turns_left is not None:
            self._turns_left -= 1
            if self._turns_left <= 0:
                self.switch = Switch.OFF

    @abstractmethod
    def excuse_missing_call(self) -> None:
        """No call is owed for what moved up to now (4)."""

    @abstractmethod
    def begin_turn(self) -> None:
        """A turn begins, or its callback is over."""


def shown(data: bytes) -> str:
    if len(data) <= _SHOWN:
        return repr(data)
    return f"{data[:_SHOWN]!r}... ({len(data)} bytes)"
