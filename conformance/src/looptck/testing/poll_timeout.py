"""Polling with a timeout, in whichever form a loop takes one.

The document's `poll` has no argument.  A loop may take a timeout as a
duration, as a number of seconds, or not at all; nobody can know but by trying.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looptck.protocols.luahop import Hop


class Form(StrEnum):
    DURATION = "a duration"
    SECONDS = "seconds"


def timeout_in(form: Form, milliseconds: float) -> Any:
    """The argument of `poll` that says *milliseconds* in that form."""
    return {"ms": milliseconds} if form is Form.DURATION else milliseconds / 1000


def poll_at_most(hop: Hop, milliseconds: float) -> Form | None:
    """Poll with a timeout; the form that was taken, or None if the loop refuses both.

    Nothing has been waited for then.  Callbacks must not raise: that would
    look like a refusal.
    """
    for form in Form:
        try:
            hop.poll(timeout_in(form, milliseconds))
        except Exception:
            continue
        return form
    return None
