"""Ctrl-C stops a run at once, shows what was judged and leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from looptck.processes import Process, all_processes, descendants_of

from .conftest import RULE, in_terminal

# A loop that hangs, given so much patience that only Ctrl-C can end the run.
COMMAND = (sys.executable, "-m", "looptck", "certify", "hostile:ignoring_signals", *RULE)
PATIENCE = ("--patience", "60")


def test_ctrl_c_stops_within_two_seconds_and_leaves_no_process(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [*COMMAND, *PATIENCE],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = _wait_for_descendants(process.pid, 2, tmp_path)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert process.returncode == 130
    assert "stopped" in err
    assert "Traceback" not in out + err
    assert alive_after(2, started) == []
    lines = (
        tmp_path / "certificates" / "hostile-ignoring_signals-partial" / "results.jsonl"
    ).read_text()
    footer = json.loads(lines.splitlines()[-1])
    assert footer["kind"] == "footer"
    assert not footer["complete"]


def test_workers_end_with_a_command_line_that_is_killed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [*COMMAND, *PATIENCE],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = _wait_for_descendants(process.pid, 2, tmp_path)
    process.kill()
    process.wait()
    assert alive_after(10, started) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_former_certificate_is_gone_before_the_first_verdict(
    tmp_path: Path, environment: dict[str, str], number: int
) -> None:
    folder = tmp_path / "certificates" / "hostile-ignoring_signals-partial"
    folder.mkdir(parents=True)
    for name in ("certificate.json", "junit.xml", ".certificate.json.part"):
        (folder / name).write_text('{"certified": true}')
    process = subprocess.Popen(
        [*COMMAND, *PATIENCE],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for_descendants(process.pid, 2, tmp_path)
    process.send_signal(number)
    process.wait(10)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert [path.name for path in folder.iterdir()] == ["results.jsonl"]


# How far the command, process *pid* in *folder*, has come when it is interrupted:
# its modules are being loaded, or it holds its folder, or its runner has begun
# to import.
MOMENTS: dict[str, Callable[[int, Path], bool]] = {
    "imports": lambda pid, folder: (folder / "importing").exists(),
    "folder": lambda pid, folder: (folder / "certificates").exists(),
    "runner": lambda pid, folder: bool(descendants_of(pid)),
}

# Python runs it at its start.  The handler of Ctrl-C is there before looptck
# imports click.
_TELLS_OF_IMPORTS = """
import sys
def tell(event, details):
    if event == "import" and details[0] == "click":
        open("importing", "w").close()
sys.addaudithook(tell)
"""


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_the_beginning_is_one_line(
    tmp_path: Path, environment: dict[str, str], moment: str
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "sitecustomize.py").write_text(_TELLS_OF_IMPORTS)
    path = os.pathsep.join((str(tmp_path), environment["PYTHONPATH"]))
    process = subprocess.Popen(
        [*COMMAND, *PATIENCE],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(temporary), "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not MOMENTS[moment](process.pid, tmp_path):
        assert time.monotonic() < deadline, "the command never got there"
    started = descendants_of(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert (process.returncode, out) == (130, "")
    assert err == "looptck: stopped before anything was judged\n"
    assert alive_after(2, started) == []
    assert [*temporary.iterdir()] == []
    assert [*(tmp_path / "certificates").glob("*")] == []


def alive_after(timeout: float, processes: list[Process]) -> list[Process]:
    """Those of *processes* that have not ended within *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while alive := sorted({*processes} & {*all_processes()}, key=lambda process: process.pid):
        if time.monotonic() > deadline:
            break
        select.select([], [], [], 0.01)
    return alive


def test_a_terminal_gets_colours_unless_no_color_is_set(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "looptck", "certify", "hostile:kept", *RULE]
    plain = {**environment, "NO_COLOR": "1", "TERM": "xterm-256color"}
    coloured = {**plain}
    del coloured["NO_COLOR"]
    for settings, has_colour in ((plain, False), (coloured, True)):
        said = in_terminal(command, tmp_path, settings)
        assert "certified" in said or "kept" in said
        assert ("\x1b[3" in said or "\x1b[1;3" in said) is has_colour


def _wait_for_descendants(pid: int, count: int, folder: Path) -> list[Process]:
    """The descendants of *pid* once there are *count* of them: the runner and its worker.

    The worker is the one that hangs when it has used no processor for a while;
    it is enough here that it exists and that the header is written.
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = descendants_of(pid)
        if len(found) >= count and any(folder.rglob("results.jsonl")):
            return found
        select.select([], [], [], 0.02)
    raise AssertionError("the run never got as far as a worker")
