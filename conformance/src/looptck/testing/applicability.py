"""A test says that the platform lacks what it is about, so that it is neither kept nor broken."""

from __future__ import annotations


class NotApplicableError(Exception):
    """The platform lacks what the test needs; the message says what.

    A test raises it itself, outside of every callback.  The rule is judged by its other tests.
    """
