"""The description of a profile: one object that holds everything looptck must know of a document.

It knows no document, no rule and no test by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any, NoReturn

from ..clocks import Clock
from ..errors import UsageError
from ..text import did_you_mean, shown

# The function that an adapter supplies for a profile: called with the clock that the suite
# measures by, it returns the profile's entry object.
Factory = Callable[[Clock], Any]

# Arranges one callback in a fresh loop and runs the loop until it was called.  Its docstring
# names the way, for a message: "a timer".
SmokeCheck = Callable[[Any, Callable[[], None]], None]

# Runs a fresh loop until a timer of so many seconds has called the function.
TimerCheck = Callable[[Any, float, Callable[[], None]], None]

# Makes a loop, in the verbs of the shared checks, from an entry object and its clock.
Verbs = Callable[[Any, Clock], Any]

# A test function without a rule; it gets its fixtures from pytest by the names of its arguments.
Check = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One document's API, or a part of it, and how its rules are judged.

    `name` is what users type, and `document` the document's name in messages.
    `entry_names` are the names that the entry object must have, `loop_names`
    those of its loops, and `indispensable` the methods without which a loop
    cannot be judged at all.  `constructor` is the name in the entry object
    that makes a loop.

    `parts` is what the witness counts: {function: name of its result}, such as
    ``{"loop.addevent": "event"}``; `modules` are names of the entry object that
    stand for a module of their own.

    `smoke_checks` are tried on the adapter, until one of them runs a callback.
    `timer_check` shows whether timers follow a virtual clock; None if the
    document has no timers.

    `verbs` makes, from an entry object and its clock, what the shared checks
    call; None if no shared check is bound.  `verbs_for` has other verbs for
    some rules: where a document ends a watch in three ways, each has a rule.
    `streams` makes, from an entry object and the channels of a test, the
    buffered events of the shared checks; None if the document has none.
    `checks` binds checks to rules: {rule id: the checks that judge it}.

    `model` names the module with the document's scenario model as MODEL, which is
    imported when scenarios are played; empty if there is none.

    `page` is the page of the rules if looptck does not ship it.
    """

    name: str
    document: str
    entry_names: tuple[str, ...]
    loop_names: tuple[str, ...]
    indispensable: tuple[str, ...]
    smoke_checks: tuple[SmokeCheck, ...]
    constructor: str = "new"
    parts: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    timer_check: TimerCheck | None = None
    verbs: Verbs | None = None
    verbs_for: Mapping[str, Verbs] = field(default_factory=dict)
    streams: Callable[[Any, Any], Any] | None = None
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    model: str = ""
    page: Path | str | None = None

    def __post_init__(self) -> None:
        for name in ("entry_names", "loop_names", "indispensable", "modules", "smoke_checks"):
            value = getattr(self, name)
            if not isinstance(value, (tuple, list)):
                self._refuse(
                    f"`{name}` is {shown(value)}, not a tuple; "
                    "write a comma after the only member: (member,)"
                )
        for rule_id, checks in self.checks.items():
            if not isinstance(checks, (tuple, list)):
                self._refuse(
                    f"the checks of {rule_id} are {getattr(checks, '__name__', shown(checks))}, "
                    "not a tuple; "
                    "write a comma after the only check: (check,)"
                )
            for check in checks:
                if not isinstance(check, FunctionType):
                    self._refuse(
                        f"the check {shown(check)} of {rule_id} is no function; "
                        "give the test function itself"
                    )
        self._check_names()

    def _check_names(self) -> None:
        if self.constructor not in self.entry_names:
            self._refuse_name("constructor", self.constructor, "entry_names", self.entry_names)
        for name in self.indispensable:
            if name not in self.loop_names:
                self._refuse_name("indispensable", name, "loop_names", self.loop_names)
        for part in self.parts:
            owner, _, name = part.rpartition(".")
            if not owner and name not in self.entry_names:
                self._refuse_name("parts", part, "entry_names", self.entry_names)
            if owner and owner == self.parts.get(self.constructor) and name not in self.loop_names:
                self._refuse_name("parts", name, "loop_names", self.loop_names)

    def _refuse_name(self, field_name: str, name: str, among: str, known: Iterable[str]) -> None:
        self._refuse(
            f"`{field_name}` has {shown(name)}, which is not in `{among}`; "
            f"{did_you_mean(name, known)}use one of {', '.join(known)}"
        )

    def _refuse(self, why: str) -> NoReturn:
        raise UsageError(f"profile {self.name}: {why}")
