"""Tries a check again that a busy machine may have spoiled.

A machine that stops the process for a moment spoils one attempt.  A loop that
is wrong spoils every one.
"""

from __future__ import annotations

from collections.abc import Callable

_ATTEMPTS = 4


def retry(attempt: Callable[[], None]) -> None:
    """Raises the last AssertionError of *attempt* if none of a few passes.

    Each call of *attempt* must begin anew.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            attempt()
        except AssertionError:
            continue
        return
    attempt()
