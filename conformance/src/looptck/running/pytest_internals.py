"""All use of names that pytest keeps private.

Tried with pytest 9.2.0 and pluggy 1.7.0: look here first when another version
fails.
"""

from __future__ import annotations

import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from _pytest.outcomes import Skipped, XFailed

# The exceptions by which code tells pytest to skip a test or to expect its failure.
OUTCOMES = (Skipped, XFailed, unittest.SkipTest)


def parameter(item: pytest.Item, name: str) -> object:
    """The parameter *name* of the test; None if it has none."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get(name)


def values_given_to(item: pytest.Function) -> dict[str, Any]:
    """{argument: value} of what no fixture makes: the parameters, and pytest's request."""
    callspec = getattr(item, "callspec", None)
    return {"request": item._request, **({} if callspec is None else callspec.params)}


def arguments_of(item: pytest.Function) -> tuple[str, ...]:
    """The names of the arguments that the test asks for."""
    return item._fixtureinfo.argnames


def fixtures_of(item: pytest.Function) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """{name: its fixtures, the one nearest to the test last}."""
    return item._fixtureinfo.name2fixturedefs


def stop_reading_conftests_above(manager: pytest.PytestPluginManager, folder: Path) -> None:
    manager._confcutdir = folder


def registrations(config: pytest.Config) -> list[tuple[dict[str, object], object]]:
    """The calls of `pytest_plugin_registered` that later plugins are told of; may be changed."""
    history: list[tuple[dict[str, object], object]] | None
    history = config.hook.pytest_plugin_registered._call_history  # type: ignore[assignment]  # private to pluggy
    return [] if history is None else history


def is_raised_outside(traceback: TracebackType | None, own: Path) -> bool:
    """Whether the innermost frame outside pytest and its helpers lies outside *own*."""
    innermost = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if str(name).partition(".")[0] not in ("_pytest", "pytest", "pluggy", "unittest"):
            innermost = traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next
    return bool(innermost) and not Path(innermost).is_relative_to(own)
