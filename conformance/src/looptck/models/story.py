"""Stories: what the scenarios of all profiles have in common.  Knows none of their words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BaseScenario(ABC):
    """Who is there and what happens, written out line by line."""

    profile: str
    # for a frozen one: its id, the rule it stands for, and why it is here
    id: str = field(default="", compare=False, kw_only=True)
    rule: str = field(default="", compare=False, kw_only=True)
    why: str = field(default="", compare=False, kw_only=True)

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """All there is to tell, beginning with the profile."""

    def text(self) -> str:
        return "\n".join(self.lines())

    def as_data(self) -> dict[str, Any]:
        """The story as JSON has it: its text, line by line, under its id."""
        return {"id": self.id, "rule": self.rule, "why": self.why, "steps": list(self.lines())}
