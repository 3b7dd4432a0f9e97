"""All use of names that pytest keeps private.

Tried with pytest 9.2.0 and pluggy 1.7.0: look here first when another version
fails.
"""

from __future__ import annotations

import unittest
from pathlib import Path
from types import TracebackType

import pytest
from _pytest.outcomes import Skipped, XFailed
from _pytest.runner import runtestprotocol

# The exceptions by which code tells pytest to skip a test or to expect its failure.
OUTCOMES = (Skipped, XFailed, unittest.SkipTest)


def run_test(item: pytest.Item, following: pytest.Item | None) -> list[pytest.TestReport]:
    """Run the phases of *item*; what *following* needs too is not torn down."""
    return runtestprotocol(item, log=False, nextitem=following)


def renew_fixtures(item: pytest.Function) -> None:
    """Forget the fixtures of an earlier run of *item*, so that it can run again."""
    item._initrequest()


def set_parameter(item: pytest.Function, name: str, value: object) -> None:
    """Give the parameter *name* of the test another value."""
    item.callspec.params[name] = value


def parameter(item: pytest.Item, name: str) -> object:
    """The parameter *name* of the test; None if it has none."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get(name)


def tear_down_all(session: pytest.Session) -> None:
    """Tear down what is still set up for a following test."""
    session._setupstate.teardown_exact(None)


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
