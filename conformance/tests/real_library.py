"""Real libraries that a test needs: found, or a reason to skip.

In CI they must be there where ci/platforms.toml says so.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from looptck.errors import AdapterError
from looptck.subjects.discovery import find
from looptck.subjects.implementation import Implementation


def required_tool() -> ModuleType:
    """The script ci/required.py as a module."""
    path = Path(__file__).parents[2] / "ci" / "required.py"
    spec = importlib.util.spec_from_file_location("required", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["required"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def is_required(spec: str) -> bool:
    """Whether this run is CI on a platform whose packages bring the library behind *spec*."""
    tool = required_tool()
    return "CI" in os.environ and spec in tool.requirements(tool.platform_name()).libraries


def found_or_skipped(spec: str) -> Implementation:
    """The implementation *spec*; without its library the test is skipped, or fails if required."""
    try:
        return find(spec)
    except AdapterError as error:
        if is_required(spec):
            raise
        pytest.skip(str(error))  # it names the package that is missing
