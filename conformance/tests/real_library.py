"""Real libraries that a test needs: found, or a reason to skip; on Linux CI always found."""

from __future__ import annotations

import os
import sys

import pytest

from looptck.errors import AdapterError
from looptck.subjects.discovery import find
from looptck.subjects.implementation import Implementation

# CI installs them where there are packages of them.
IS_REQUIRED = "CI" in os.environ and sys.platform == "linux"


def found_or_skipped(spec: str) -> Implementation:
    """The implementation *spec*; without its library the test is skipped, or fails on Linux CI."""
    try:
        return find(spec)
    except AdapterError as error:
        if IS_REQUIRED:
            raise
        pytest.skip(str(error))  # it names the package that is missing
