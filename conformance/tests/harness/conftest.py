"""Running the command line as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from looptck.cli import commands

Run = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).parent

# The one rule that the hostile loops are made for.
RULE = ("--rule", "luaevent.constants.leave")


@pytest.fixture
def environment() -> dict[str, str]:
    """The user's environment, with the hostile loops in reach."""
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80"}


@pytest.fixture
def looptck(tmp_path: Path, environment: dict[str, str]) -> Run:
    """``looptck("certify", ...)`` in an empty folder; bounded in time."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {
            "cwd": tmp_path,
            "env": environment,
            "timeout": 60,
            **options,
        }
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # options are the caller's
            [sys.executable, "-m", "looptck", *arguments],
            text=True,
            capture_output=True,
            check=False,
            **settings,
        )

    return run


@pytest.fixture
def looptck_here(
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """As `looptck`, in this process, which takes a tenth of the time; for what judges nothing."""

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(HERE)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        status = commands.run(arguments)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run_here


def assert_one_line(done: subprocess.CompletedProcess[str], status: int) -> None:
    """Raises AssertionError unless the command ended with *status* and one line of its own."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("looptck: ")
    assert "\x1b" not in lines[0]
