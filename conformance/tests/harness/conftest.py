"""Running the command line as a user does, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from looptck.cli import commands
from looptck.results import certificate

Run = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).parent

# The one rule that the hostile loops are made for.
RULE = ("--rule", "luaevent.constants.leave")


def spawn(
    command: Sequence[str], folder: Path, environment: dict[str, str], **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run *command* in *folder* to its end; bounded in time."""
    settings = {"capture_output": True, "text": True, "check": False, "timeout": 120}
    return subprocess.run(command, cwd=folder, env=environment, **{**settings, **options})


def in_terminal(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    """The output of *command* when its streams are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:  # EIO: the other side is closed
            break
    os.close(ours)
    process.wait(10)
    return said.decode()


def command_lines() -> list[str]:
    """The command line of each process of this machine."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-ax", "-o", "args="], capture_output=True, check=True)
        return listed.stdout.decode(errors="replace").splitlines()
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(file.read_text(errors="replace").replace("\0", " "))
    return found


def assert_fits_schema(made: dict[str, Any]) -> None:
    """Fail unless *made* is a certificate by its schema; skip where nothing can tell."""
    reason = "jsonschema is not installed (pip install jsonschema)"
    pytest.importorskip("jsonschema", reason=reason).validate(made, certificate.schema())


@pytest.fixture
def environment() -> dict[str, str]:
    """The user's environment, with the hostile loops in reach."""
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80"}


@pytest.fixture
def looptck(tmp_path: Path, environment: dict[str, str]) -> Run:
    """``looptck("certify", ...)`` in an empty folder; bounded in time."""

    def run(
        *arguments: str, env: dict[str, str] = environment, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return spawn([sys.executable, "-m", "looptck", *arguments], tmp_path, env, **options)

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
