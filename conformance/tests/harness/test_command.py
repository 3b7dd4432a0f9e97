"""Any arguments get one clear line, the right status and well-formed output."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import sys
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from looptck.cli.commands import cli
from looptck.errors import AdapterError, next_step
from looptck.running import adapter_check
from looptck.subjects.discovery import find
from looptck.text import did_you_mean, one_line, printable, shown

from .conftest import HERE, RULE, Run, assert_one_line, command_lines, in_terminal, spawn

KEPT = ("certify", "hostile:kept", *RULE)

# {declaration: words of the line}
DECLARATIONS = {
    "empty_name": ["name is empty"],
    "blank_version": ["version is empty"],
    "name_of_bytes": ["b'odd'", "no text"],
    "version_of_numbers": ["(1, 2)", "no text"],
    "long_name": ["101 characters"],
    "name_with_escape": [r"\x1b"],
    "name_with_surrogate": [r"\udc80"],
    "version_with_line_break": [r"'1\n'"],
    "list_of_profiles": ["profiles is ['luaevent']", "mapping"],
    "virtual_time_of_text": ["'no'", "True"],
    "engine_of_text": ["'loop'", "function"],
    "unknown_profile": ["did you mean 'luaevent'"],
    "variant_with_escape": ["variant", r"\x1b"],
    "exits": ["SystemExit"],
    "is_interrupted": ["KeyboardInterrupt"],
    "ends_generators": ["GeneratorExit"],
}

# {declaration: words of the line}, where a run is needed to find it
FOUND_LATER = {
    "name_with_escape": [r"\x1b"],
    "near_pattern": ["did you mean 'luaevent.constants.leave'"],
    "ends_the_process": ["exited with status 0"],
    "hop_own": ["virtual_time=True", "sleeps in real time", "clock.advance"],
    "hop_reads": ["virtual_time=True", "sleeps in real time", "clock.advance"],
    "hop_both": ["virtual_time=True", "sleeps in real time", "clock.advance"],
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_an_odd_declaration_is_an_error_of_the_adapter(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(HERE)
    with pytest.raises(AdapterError) as refused:
        adapter_check.refuse_unknown_profiles(find(f"odd:{name}"))
    line = one_line(printable(str(refused.value)))
    for word in DECLARATIONS[name]:
        assert word in line


@pytest.mark.parametrize("name", FOUND_LATER)
def test_an_odd_declaration_ends_the_run_with_one_line(looptck: Run, name: str) -> None:
    rule = ("--rule", "luahop.timer.order-deadline") if name.startswith("hop_") else RULE
    done = looptck("certify", f"odd:{name}", *rule)
    assert_one_line(done, 3)
    for word in FOUND_LATER[name]:
        assert word in done.stderr


def test_text_whose_methods_fail_is_taken_as_plain_text(looptck: Run) -> None:
    done = looptck("certify", "odd:hostile_text", *RULE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().startswith("odd 1 ")


# {statement that a module consists of: how the line names it}
AT_IMPORT = {
    "import sys; sys.exit(3)": "SystemExit: 3",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "import os; os._exit(0)": "exited with status 0",
    "raise ValueError('\\x1b[2J\\udc80')": r"ValueError: \x1b[2J\udc80",
}


@pytest.mark.parametrize("statement", AT_IMPORT)
def test_a_module_that_ends_its_importer_is_told(
    looptck: Run, tmp_path: Path, statement: str
) -> None:
    (tmp_path / "ends_at_import.py").write_text(statement)
    done = looptck("certify", "ends_at_import:loop", *RULE)
    assert_one_line(done, 3)
    assert AT_IMPORT[statement] in done.stderr


@pytest.mark.parametrize("name", ["name_like_a_path", "odd_reason", "odd_message"])
@pytest.mark.parametrize("on_terminal", [False, True], ids=["pipe", "terminal"])
def test_odd_text_leaves_every_output_clean(
    looptck: Run, tmp_path: Path, environment: dict[str, str], name: str, on_terminal: bool
) -> None:
    command = [sys.executable, "-m", "looptck", "certify", f"odd:{name}", *RULE]
    if on_terminal:
        said = in_terminal(command, tmp_path, {**environment, "NO_COLOR": "1", "TERM": "dumb"})
    else:
        done = looptck(*command[3:])
        said = done.stdout + done.stderr
    assert "Traceback" not in said
    for character in "\x1b\x00\u202e\ufffe":
        assert character not in said
    if name != "name_like_a_path":
        assert r"\x1b[2J\udc80\x00\ufffe" in said
    else:
        assert "../x/[red]:smile:" in said
    folder = tmp_path / "certificates" / f"odd-{name}-partial"
    assert sorted(path.name for path in folder.iterdir()) == [
        "certificate.json",
        "junit.xml",
        "results.jsonl",
    ]
    for path in folder.iterdir():
        path.read_bytes().decode("utf-8").encode("utf-8")
    json.loads((folder / "certificate.json").read_text())
    ElementTree.fromstring((folder / "junit.xml").read_text())


# {redirection: exit status}
REDIRECTIONS = {
    ">/dev/full": 3,
    "2>/dev/full": 0,
    ">/dev/full 2>/dev/full": 3,
    ">&-": 0,
    "2>&-": 0,
    "<&- >&- 2>&-": 0,
}


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_output_that_cannot_be_written_costs_no_certificate(
    tmp_path: Path, environment: dict[str, str], redirection: str
) -> None:
    line = f"exec {sys.executable} -m looptck {' '.join(KEPT)} {redirection}"
    done = spawn(["sh", "-c", line], tmp_path, environment)
    assert done.returncode == REDIRECTIONS[redirection], done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    assert (tmp_path / "certificates" / "hostile-kept-partial" / "certificate.json").exists()


@pytest.mark.parametrize("limit", [8, 16, 32, 1024])
def test_too_few_descriptors_are_told_before_anything_runs(
    looptck: Run, tmp_path: Path, limit: int
) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    done = looptck(*KEPT, preexec_fn=lower)
    assert_one_line(done, 3)
    assert f"{limit} files" in done.stderr
    assert "ulimit -n" in done.stderr
    assert not (tmp_path / "certificates").exists()


def test_help_is_printed_as_it_is(looptck_here: Run) -> None:
    alone, asked = looptck_here(), looptck_here("--help")
    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout
    assert alone.stdout.startswith("Usage: looptck")
    assert alone.stdout.count("\n") > 10


def test_the_version_has_a_short_option(looptck_here: Run) -> None:
    assert (
        looptck_here("-V").stdout == looptck_here("--version").stdout == "looptck, version 0.1.0\n"
    )


def test_help_says_what_a_step_is() -> None:
    certify = cli.commands["certify"]
    said = " ".join(certify.get_help(click.Context(certify, info_name="certify")).split())
    assert "A step is one thing that a program does with a loop" in said


@pytest.mark.parametrize("columns", [None, "40"])
def test_a_pipe_is_wrapped_only_where_columns_says_so(
    looptck_here: Run, environment: dict[str, str], columns: str | None
) -> None:
    environment["COLUMNS"] = columns or ""
    lines = looptck_here("explain", "luaevent.constants.leave").stdout.splitlines()
    statement = next(line for line in lines if line.startswith("Given"))
    assert (len(statement) > 80) is (columns is None)


def test_a_second_run_into_one_folder_is_refused(looptck: Run, tmp_path: Path) -> None:
    folder = tmp_path / "certificates" / "hostile-kept-partial"
    folder.mkdir(parents=True)
    (folder / "certificate.json").write_text("of the first")
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    done = looptck(*KEPT)
    assert_one_line(done, 2)
    assert "another run writes to 'certificates/hostile-kept-partial'" in done.stderr
    os.close(held)
    assert [path.read_text() for path in folder.iterdir()] == ["of the first"]
    assert looptck(*KEPT).returncode == 0


def test_names_that_collide_get_a_folder_each(
    looptck: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "same.py").write_text("class a:\n    from hostile import kept as b\n\na_b = a.b")
    (tmp_path / "same_a.py").write_text("from hostile import kept as b")
    (tmp_path / "Same.py").write_text("from hostile import kept as a_b")
    done = looptck("certify", "same:a_b", "Same:a_b", *RULE)
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in (tmp_path / "certificates").iterdir())
    assert made == ["Same-a_b-2-partial", "same-a_b-partial"]


# It waits, with a bound, until the command has opened the file that is then deleted.
_DELETING = """
import glob, shutil, time, hostile
until = time.monotonic() + 30
def delete():
    global until
    while time.monotonic() < until and not glob.glob("certificates/*/results.jsonl"):
        pass
    until = 0
    shutil.rmtree("certificates", ignore_errors=True)
loop = hostile._hostile(delete)
"""


def test_a_folder_that_is_deleted_meanwhile_costs_the_files_only(
    looptck: Run, tmp_path: Path
) -> None:
    (tmp_path / "deleting.py").write_text(_DELETING)
    done = looptck("certify", "deleting:loop", *RULE)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "was deleted or replaced while the run went" in done.stderr
    assert "1/1" in done.stdout
    assert not (tmp_path / "certificates").exists()


def test_daemons_of_a_loop_end_with_the_run(looptck: Run) -> None:
    done = looptck("certify", "odd:daemons", *RULE)
    assert done.returncode == 0, done.stderr
    assert [line for line in command_lines() if "looptck-daemon" in line] == []


def test_each_error_of_the_system_has_its_next_step() -> None:
    steps = [next_step(OSError(number, "")) for number in (1, 2, 5, 24, 28, 30, 36, 40)]
    assert not [step for step in steps[:4] + steps[5:] if "make room" in step]
    assert "make room" in steps[4]


def test_text_is_made_printable_through_and_through() -> None:
    assert printable({"\x1b": ["\udc80", ("\u202e", 1, None)]}) == {
        r"\x1b": [r"\udc80", [r"\u202e", 1, None]]
    }
    assert printable("tab\t line\n é 😀") == "tab\t line\n é 😀"
    invisible = ["\u061c", "\u200b", "\u200f", "\ufeff", "\u00ad", "\U000e0041"]
    assert [printable(each) for each in invisible] == [
        r"\u061c",
        r"\u200b",
        r"\u200f",
        r"\ufeff",
        r"\xad",
        r"\U000e0041",
    ]
    assert printable("ÄÖ ñ ж 日本 עברית") == "ÄÖ ñ ж 日本 עברית"
    assert one_line("a\n b\r\x85c") == "a b c"
    assert shown("x" * 100, 10) == "'xxxxxx..."
    assert did_you_mean("epol", ["epoll", "poll"]) == "did you mean 'epoll'? "
    assert did_you_mean("kqueue", ["epoll", "poll"]) == ""
