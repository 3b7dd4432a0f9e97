"""The list of the shared checks: what each one is called, says and needs."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from .. import checks
from ..checks.needs import Needs, needs_of
from ..errors import UsageError
from ..profiles import Check
from ..text import did_you_mean, shown


@dataclass(frozen=True, slots=True)
class SharedCheck:
    """One check that a profile may bind to its rules."""

    # module and function, as a profile writes them: timers.test_a_timer_runs_once
    name: str
    check: Check

    @property
    def sentence(self) -> str:
        """The name of the test, which is a sentence, in words."""
        return self.name.partition(".test_")[2].replace("_", " ")

    @property
    def says(self) -> str:
        """The docstring, in one line."""
        return " ".join((inspect.getdoc(self.check) or "").split())

    @property
    def needs(self) -> Needs:
        return needs_of(self.check)


def matching(pattern: str) -> list[SharedCheck]:
    """The checks whose name matches *pattern*, such as ``timers.*``; raises UsageError if none."""
    known = {each.name: each for each in _all()}
    found = [
        check
        for name, check in known.items()
        if fnmatch.fnmatchcase(name, pattern) or name.startswith(f"{pattern}.")
    ]
    if not found:
        modules = {name.partition(".")[0] for name in known}
        raise UsageError(
            f"no check matches {shown(pattern)}; {did_you_mean(pattern, [*known, *modules])}"
            "`looptck checks` lists them all"
        )
    return found


def _all() -> Iterator[SharedCheck]:
    for each in pkgutil.iter_modules(checks.__path__):
        module = importlib.import_module(f"{checks.__name__}.{each.name}")
        for name, value in vars(module).items():
            if name.startswith("test_") and value.__module__ == module.__name__:
                yield SharedCheck(f"{each.name}.{name}", value)
