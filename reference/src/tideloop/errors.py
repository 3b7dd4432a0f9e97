"""Every exception of this package.

What the system refuses passes through as `OSError`; a wrong argument is a
`TypeError` or a `ValueError`.  What is left is here.
"""

from __future__ import annotations


class UsageError(RuntimeError):
    """The call is not allowed now: fix the program, nothing has happened."""


class ClosedError(UsageError):
    """*Your* code closed this loop.  What the other end of a connection
    closes shows as readiness and an empty read, never as this error."""


class ForkedError(ClosedError):
    """This process is a fork of the one that made this loop: the loop lives
    there, with the parent.  To the child it is closed, and closing it again
    touches nothing of the parent's."""


class RunningError(UsageError):
    """The loop is in the middle of a turn, and this must not be done in one.

    The turn goes on unharmed."""
