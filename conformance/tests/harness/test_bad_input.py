"""Bad input gets one clear line, the right exit status and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import RULE, Run, assert_one_line

# [(arguments, words that the line must hold)] of mistakes that are found before anything runs
MISTAKES = [
    (["certify"], ["IMPL"]),
    (["certify", "evntide"], ["'evntide'", "installed are"]),
    (["certify", "asynico"], ["did you mean 'asyncio'"]),
    (["certify", "hostile.kept"], ["did you mean 'hostile:kept'"]),
    (["certify", "hostil:kept"], ["did you mean 'hostile'"]),
    (["certify", "no_such_module:loop"], ["no_such_module", "install it"]),
    (["certify", "hostile:"], ["module:attribute"]),
    (["certify", "a\udc80\x1b[2J"], [r"\udc80\x1b"]),
    (["certify", "--frobnicate", "x"], ["--frobnicate"]),
    (["certify", "hostile:kept", "--rul=x"], ["--rule"]),
    (["explain", "luaevent.no.such-rule"], ["luaevent.no.such-rule", "looptck rules"]),
    (["explain", "luaevent.constants.leav"], ["did you mean 'luaevent.constants.leave'"]),
    (["rules", "nothing.*"], ["nothing.*"]),
    (["rules", "luahop.tmer"], ["did you mean 'luahop.timer'"]),
    (["--rules-folder", "", "rules"], ["--rules-folder is empty"]),
    (["frobnicate"], ["frobnicate"]),
    (["certfy", "x"], ["did you mean 'certify'"]),
]

# [(option, words)], after `certify hostile:kept`
OPTIONS = [
    *((f"--patience={value}", "0.5") for value in ("nan", "inf", "1e300", "0", "-1", "text", "")),
    *((f"--jobs={value}", "1024") for value in ("nan", "0", "-1", "1.5", "1025", "9" * 5000)),
    *((f"--explore={value}", "0") for value in ("nan", "-1", "1e3", "9" * 5000)),
    *((f"--seed={value}", "0") for value in ("inf", "-1", "text")),
    ("--out=", "--out is empty"),
    ("--out=/proc/nowhere", "/proc/nowhere"),
    ("--out=taken", "taken"),
    ("--out=taken/below", "taken/below"),
    ("--out=dangling", "dangling"),
    ("--out=circle/below", "circle"),
    (f"--out={'x' * 300}", "shorter"),
    ("--profile=luahopp", "did you mean 'luahop'"),
    ("--rule=luaevent.constnts.*", "did you mean 'luaevent.constants.*'"),
    ("--rule=LUAEVENT.CONSTANTS.LEAVE", "did you mean 'luaevent.constants.leave'"),
]

# [(arguments of certify, exit status, words)] of mistakes that the runner finds
FOUND_LATER = [
    (["hostile:no_such_attribute"], 2, ["no_such_attribute"]),
    (["hostile:kpet"], 2, ["did you mean 'kept'"]),
    (["hostile:kept", "--profile", "luahop"], 2, ["does not offer", "luaevent"]),
    (["hostile:kept", "--variant", "defualt"], 2, ["did you mean 'default'"]),
    (["hostile:kept", "--variant", "kqueue"], 2, ["kqueue", "default"]),
    (["fails_to_import:x"], 3, ["fails_to_import", "broken at import"]),
    (["needs_another:x"], 3, ["a_module_that_nobody_has"]),
    (["hostile:not_an_implementation"], 3, ["42", "Implementation"]),
    (["hostile:returns_no_loop"], 3, ["a string", "asyncio loop"]),
    (["hostile:raises_at_once"], 3, ["OSError", "Too many open files"]),
    (["hostile:factory_raises"], 3, ["no loop today"]),
    (["hostile:factory_returns_nothing"], 3, ["None", "new"]),
    (["hostile:unknown_capability"], 3, ["luaevent.made-up.rule"]),
]


@pytest.mark.parametrize("arguments, words", MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_gets_one_line_that_names_it(
    looptck_here: Run, arguments: list[str], words: list[str]
) -> None:
    done = looptck_here(*arguments)
    assert_one_line(done, 2)
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("option, word", OPTIONS, ids=[option[0][:30] for option in OPTIONS])
def test_a_bad_option_is_refused_with_value_and_rule(
    looptck_here: Run, tmp_path: Path, option: str, word: str
) -> None:
    (tmp_path / "taken").touch()
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    (tmp_path / "circle").symlink_to("circle")
    done = looptck_here("certify", "hostile:kept", option)
    assert_one_line(done, 2)
    assert word in done.stderr
    assert len(done.stderr) < 700


@pytest.mark.parametrize(
    "arguments, status, words", FOUND_LATER, ids=[" ".join(m[0]) for m in FOUND_LATER]
)
def test_a_mistake_that_shows_later_gets_one_line(
    looptck: Run, arguments: list[str], status: int, words: list[str]
) -> None:
    done = looptck("certify", *arguments, *RULE)
    assert_one_line(done, status)
    for word in words:
        assert word in done.stderr


def test_an_adapter_that_quietly_uses_another_loop_is_found_out(looptck: Run) -> None:
    done = looptck("certify", "hostile:fickle", *RULE)
    assert done.returncode == 3, done.stdout
    assert "hostile.OtherBase" in done.stderr
    assert "hostile.Base" in done.stderr


def test_a_duplicate_rule_id_is_refused_with_file_and_line(
    looptck_here: Run, tmp_path: Path
) -> None:
    rule = "### luaevent.a.b MAY (stated): t\nGiven x.\n\n- **Source:** here\n\n"
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "luaevent.md").write_text(f"# luaevent\n\n{rule}{rule}")
    for command in (["rules"], ["certify", "hostile:kept"]):
        done = looptck_here("--rules-folder", "rules", *command)
        assert_one_line(done, 2)
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
