"""What can go wrong before a rule is judged, by whose doing it was.

Each carries one line for the reader: the value, the rule it met, the next step.
"""

from __future__ import annotations


class LooptckError(Exception):
    """Something the command line reports in one line."""

    exit_status = 3


class UsageError(LooptckError):
    """*Your* arguments name something that does not exist.  A broken adapter is `AdapterError`."""

    exit_status = 2


class CatalogueError(LooptckError):
    """A rules file cannot be read as rules; the message starts with file and line."""

    exit_status = 2


class AdapterError(LooptckError):
    """The adapter, or the module it lives in, failed before any rule was judged."""


class EnvironmentBrokenError(LooptckError):
    """The machine did not let us work: no space, no process, no descriptor."""
