"""Where the command is started, and what lies there, gets a plain answer."""

from __future__ import annotations

import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from looptck.running.runner_process import _last_words

from .conftest import RULE, Run, spawn


def _run_where_the_folder_is_deleted(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    (folder / "gone").mkdir()
    command = [sys.executable, "-m", "looptck", *arguments]
    shell = f'rmdir "{folder / "gone"}"; exec "$@"'
    return spawn(["sh", "-c", shell, "sh", *command], folder / "gone", environment)


@pytest.mark.parametrize("arguments", ["--help", "list", "rules luahop.timer"])
def test_these_commands_need_no_working_folder(
    tmp_path: Path, environment: dict[str, str], arguments: str
) -> None:
    done = _run_where_the_folder_is_deleted(tmp_path, environment, *arguments.split())
    assert (done.returncode, done.stderr) == (0, "")


def test_certify_in_a_deleted_folder_is_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = _run_where_the_folder_is_deleted(tmp_path, environment, "certify", "hostile:kept")
    assert done.returncode == 3
    assert "working folder was deleted" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["code", "select"])
def test_a_file_hidden_by_the_library_is_reported(looptck: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("from hostile import kept as implementation\n")
    done = looptck("certify", f"{name}:implementation", *RULE)
    assert done.returncode == 2, done.stderr
    assert f"'{name}' is Python's own module" in done.stderr
    assert f"{name}.py'; rename that file" in done.stderr


def test_a_missing_attribute_names_the_imported_file(looptck: Run) -> None:
    done = looptck("certify", "hostile:nothing", *RULE)
    assert done.returncode == 2
    assert "hostile.py)" in done.stderr


REFUSALS = ["certify 1:2", "certify json:loads", "certify hostile:kept -V epol"]


@pytest.mark.parametrize("arguments", REFUSALS)
def test_a_refused_run_leaves_no_folder(looptck: Run, tmp_path: Path, arguments: str) -> None:
    done = looptck(*arguments.split())
    assert done.returncode in (2, 3)
    assert list(tmp_path.iterdir()) == []


def test_a_callable_of_arguments_hears_of_implementation(looptck: Run) -> None:
    done = looptck("certify", "json:loads")
    assert "give an Implementation, or a callable" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_start_is_one_line(
    environment: dict[str, str], number: signal.Signals
) -> None:
    script = (
        "import os; from looptck.cli import interruption; interruption.end_at_once(); "
        f"os.kill(os.getpid(), {int(number)})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + number
    assert done.stderr == "looptck: stopped before anything was judged\n"


def test_a_narrow_terminal_gets_a_list_of_numbers(
    looptck: Run, environment: dict[str, str]
) -> None:
    plain = {"COLUMNS": "20", "TERM": "dumb", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = looptck("certify", "hostile:kept", *RULE, env={**environment, **plain})
    assert done.returncode == 0, done.stderr
    assert "  kept: 1/1" in done.stdout.splitlines()
    assert "\\u" not in done.stdout


LAST_WORDS = {
    "INTERNALERROR> Traceback\nINTERNALERROR> KeyError: 1\n8 deselected in 2.30s": "KeyError: 1",
    "it cannot go on\n8000 deselected in 29.30s\n": "it cannot go on",
    "no tests ran in 0.10s\n": "",
    "1 failed, 2 deselected in 0.5s": "",
}


@pytest.mark.parametrize("output", LAST_WORDS)
def test_last_words_are_no_summary_of_pytest(output: str) -> None:
    words = LAST_WORDS[output]
    assert _last_words(BytesIO(output.encode())) == (f"; its last words: {words}" if words else "")
