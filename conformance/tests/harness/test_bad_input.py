"""Bad input gets one clear line, the right exit status and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import RULE, Run

# (arguments, exit status, words that the line must hold)
MISTAKES = [
    (["certify"], 2, ["IMPL"]),
    (["certify", "evntide"], 2, ["'evntide'", "installed are"]),
    (["certify", "no_such_module:loop"], 2, ["no_such_module", "install it"]),
    (["certify", "hostile:no_such_attribute"], 2, ["no_such_attribute"]),
    (["certify", "hostile:"], 2, ["module:attribute"]),
    (["certify", "hostile:kept", "--profile", "luahopp"], 2, ["luahopp", "luahop"]),
    (["certify", "hostile:kept", "--profile", "luahop"], 2, ["does not offer", "luaevent"]),
    (["certify", "hostile:kept", "--rule", "luaevent.constant.leave"], 2, ["did you mean"]),
    (["certify", "hostile:kept", "--variant", "kqueue"], 2, ["kqueue", "default"]),
    (["certify", "hostile:kept", "--jobs", "0"], 2, ["0"]),
    (["certify", "hostile:kept", "--out", "/proc/nowhere"], 2, ["/proc/nowhere", "--out"]),
    (["certify", "fails_to_import:x"], 3, ["fails_to_import", "broken at import"]),
    (["certify", "needs_another:x"], 3, ["a_module_that_nobody_has"]),
    (["certify", "hostile:not_an_implementation"], 3, ["42", "Implementation"]),
    (["certify", "hostile:returns_no_loop"], 3, ["a string", "asyncio loop"]),
    (["certify", "hostile:raises_at_once"], 3, ["OSError", "Too many open files"]),
    (["certify", "hostile:factory_raises"], 3, ["no loop today"]),
    (["certify", "hostile:factory_returns_nothing"], 3, ["None", "new"]),
    (["certify", "hostile:unknown_capability"], 3, ["luaevent.made-up.rule"]),
    (["explain", "luaevent.no.such-rule"], 2, ["luaevent.no.such-rule", "looptck rules"]),
    (["rules", "nothing.*"], 2, ["nothing.*"]),
    (["frobnicate"], 2, ["frobnicate"]),
    (["certify", "--frobnicate", "x"], 2, ["--frobnicate"]),
]


@pytest.mark.parametrize(
    "arguments, status, words", MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES]
)
def test_a_mistake_gets_one_line_that_names_it(
    looptck: Run, arguments: list[str], status: int, words: list[str]
) -> None:
    rule = RULE if arguments[0] == "certify" and len(arguments) > 1 else ()
    done = looptck(*arguments, *rule)
    _assert_one_line(done, status)
    for word in words:
        assert word in done.stderr


def test_an_adapter_that_quietly_uses_another_loop_is_found_out(looptck: Run) -> None:
    done = looptck("certify", "hostile:fickle", *RULE)
    assert done.returncode == 3, done.stdout
    assert "hostile.OtherBase" in done.stderr
    assert "hostile.Base" in done.stderr


def test_a_file_in_place_of_the_output_folder_is_refused(looptck: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    done = looptck("certify", "hostile:kept", "--out", "taken")
    _assert_one_line(done, 2)
    assert "taken" in done.stderr


def test_a_duplicate_rule_id_is_refused_with_file_and_line(looptck: Run, tmp_path: Path) -> None:
    rule = "### luaevent.a.b MAY (stated): t\nGiven x.\n\n- **Source:** here\n\n"
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "luaevent.md").write_text(f"# luaevent\n\n{rule}{rule}")
    for command in (["rules"], ["certify", "hostile:kept"]):
        done = looptck("--rules-folder", "rules", *command)
        _assert_one_line(done, 2)
        assert "luaevent.md:8" in done.stderr
        assert "luaevent.md:3" in done.stderr


def test_a_full_disk_costs_the_files_and_not_the_verdicts(looptck: Run, tmp_path: Path) -> None:
    """/dev/full takes the open and refuses the write, as a full disk does."""
    out = tmp_path / "certificates" / "hostile-kept-partial"
    out.mkdir(parents=True)
    (out / "results.jsonl").symlink_to("/dev/full")
    done = looptck("certify", "hostile:kept", *RULE)
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "1/1" in done.stdout, "the verdicts are not shown"


def test_a_closed_pipe_costs_the_text_not_the_certificate(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "looptck", "certify", "hostile:kept", *RULE]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stderr:
        said = stderr.read()
    assert process.wait(60) == 0, said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert (tmp_path / "certificates" / "hostile-kept-partial" / "certificate.json").exists()


def test_without_output_streams_the_certificate_is_written(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    rule = " ".join(RULE)
    line = f"exec {sys.executable} -m looptck certify hostile:kept {rule} >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "certificates" / "hostile-kept-partial" / "certificate.json").exists()


def _assert_one_line(done: subprocess.CompletedProcess[str], status: int) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("looptck: ")
