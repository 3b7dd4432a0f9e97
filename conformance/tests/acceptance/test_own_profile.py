"""A profile from outside of looptck is judged as a shipped one: examples/own_profile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Certify, not_kept, verdicts

EXAMPLE = ROOT / "conformance" / "examples" / "own_profile"
PROFILE = ("--profile", "tiny_profile:PROFILE")


@pytest.fixture
def in_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE))


@pytest.mark.usefixtures("in_reach")
def test_a_loop_keeps_the_rules_of_an_own_profile(certify: Certify) -> None:
    status, certificate = certify("tiny_loop:implementation", *PROFILE)
    assert not_kept(certificate) == {}
    assert verdicts(certificate).keys() == {
        ("tiny.watch.end", "default"),
        ("tiny.timer.not-early", "default"),
        ("tiny.timer.nearest", "default"),
        ("tiny.timer.last", "default"),
    }
    assert status == 0
    assert certificate["certified"] is True
    assert {"tiny_loop.py", "tiny_profile.py"} <= certificate["implementation"]["files"].keys()


@pytest.mark.usefixtures("in_reach")
def test_a_shared_check_finds_the_fault_of_a_toy_loop(certify: Certify) -> None:
    status, certificate = certify("tiny_loop:hasty", *PROFILE)
    assert not_kept(certificate).keys() == {("tiny.timer.not-early", "default")}
    assert status == 1


@pytest.mark.usefixtures("in_reach")
def test_a_loop_that_sleeps_for_its_latest_timer_is_broken(certify: Certify) -> None:
    """Nothing that the verbs do beside the check may wake such a loop."""
    status, certificate = certify("tiny_loop:latest", *PROFILE)
    assert ("tiny.timer.nearest", "default") in not_kept(certificate)
    assert status == 1


def told(*arguments: str, folder: Path = EXAMPLE) -> tuple[int, str, str]:
    """The exit status of the command, run in *folder*, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "looptck", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_explain_shows_a_rule_of_an_own_profile() -> None:
    status, out, err = told("explain", "tiny.timer.last", *PROFILE)
    assert (status, err) == (0, "")
    assert "test_timers_run_after_the_watches_of_their_turn" in out


def test_rules_lists_those_of_an_own_profile() -> None:
    status, out, err = told("rules", "tiny", *PROFILE)
    assert (status, err) == (0, "")
    assert "4 rules" in out


def test_checks_lists_what_each_check_needs() -> None:
    status, out, err = told("checks", "timers")
    assert (status, err) == (0, "")
    listed = out.split("timers.test_a_timer_runs_once\n")[1].split("timers.")[0]
    assert "fixtures: clock, loop" in listed
    assert "verbs: run, set_timer, timers" in listed


def test_checks_refuses_a_pattern_that_matches_none() -> None:
    status, out, err = told("checks", "timer")
    assert (status, out) == (2, "")
    assert "did you mean 'timers'?" in err


def test_explain_says_how_an_own_profile_is_named() -> None:
    status, out, err = told("explain", "tiny.timer.last")
    assert (status, out) == (2, "")
    assert "--profile" in err


@pytest.mark.parametrize(
    "right, wrong, expected, said",
    [
        ('name="tiny"', 'name="teeny"', 2, "give both the same name"),
        ('"cancel", "turn")', '"cancle", "turn")', 3, "did you mean 'cancel'?"),
        ("loop.after(0.001, ran)", "loop.afer(0.001, ran)", 3, "the smoke checks of the profile"),
    ],
    ids=["another name", "a misspelt name", "a wrong smoke check"],
)
def test_a_profile_that_does_not_fit_the_loop_is_told(
    tmp_path: Path, right: str, wrong: str, expected: int, said: str
) -> None:
    folder = changed_example(tmp_path, (right, wrong))
    if wrong == 'name="teeny"':
        page = (folder / "tiny.md").read_text(encoding="utf-8")
        stated = page.replace("- **Source", "- **Profile:** teeny\n- **Source")
        (folder / "tiny.md").write_text(stated, encoding="utf-8")
    status, out, err = told("certify", "tiny_loop:implementation", *PROFILE, folder=folder)
    assert (status, out) == (expected, "")
    assert said in err


@pytest.mark.parametrize(
    "spec, said",
    [
        ("no_such_module:PROFILE", "cannot be loaded"),
        ("tiny_profile:NOTHING", "cannot be loaded"),
        ("tiny_profile:TinyVerbs", "not a looptck.profiles.Profile"),
        ("tiny_profile:", "module:attribute"),
        (":PROFILE", "module:attribute"),
        ("tinny", "name one of your own as module:attribute"),
    ],
)
def test_a_wrong_profile_is_told_in_one_line(tmp_path: Path, spec: str, said: str) -> None:
    status, out, err = told("certify", "tiny_loop:implementation", "-p", spec, "-o", str(tmp_path))
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


# {id: (text of the example's profile, what stands there by mistake, parts of what is said)}
MISTAKES = {
    "no comma": (
        "(test_timers_run_after_the_watches_of_their_turn,)",
        "(test_timers_run_after_the_watches_of_their_turn)",
        ["profile tiny", "tiny.timer.last", "(check,)"],
    ),
    "the name of a check": (
        "(test_timers_run_after_the_watches_of_their_turn,)",
        '("test_timers_run",)',
        ["'test_timers_run'", "the test function itself"],
    ),
    "a misspelt rule": (
        '"tiny.watch.end"',
        '"tiny.watch.edn"',
        ["no page states", "did you mean 'tiny.watch.end'?"],
    ),
    "a rule without a check": (
        '        "tiny.watch.end": (cancellation.test_a_watch_that_ended_is_not_called,),\n',
        "",
        ["tiny.watch.end has no check", "Untested"],
    ),
    "no set_timer": (
        "def set_timer(",
        "def start(",
        ["test_no_timer_is_called_early", "tiny.timer.not-early", "the verb set_timer"],
    ),
    "no watch": (
        "def watch(self, fd: Any",
        "def wach(self, fd: Any",
        ["test_a_watch_that_ended_is_not_called", "the verb watch"],
    ),
    "no turn": ("def turn(self, seconds", "def trun(self, seconds", ["the verb turn"]),
    "no directions": (
        "    directions: tuple[Direction, ...]",
        "    others: tuple[Direction, ...]",
        ["test_a_watch_that_ended_is_not_called", "the value directions"],
    ),
    "no verbs": ("    verbs=TinyVerbs,\n", "", ["verbs="]),
    "no such fixture": (
        "(entry: Any) -> None:",
        "(entry: Any, chanels: Any) -> None:",
        ["the fixture chanels", "did you mean 'channels'?"],
    ),
    "a check of streams": (
        "(timers.test_no_timer_is_called_early,)",
        "(stream_lines.test_thousands_of_lines_are_taken,)",
        ["streams="],
    ),
    "a check of writing": (
        "(timers.test_no_timer_is_called_early,)",
        "(writability.test_a_writer_is_called_if_there_is_room,)",
        ["the direction w"],
    ),
    "a misspelt part": ('{"new": "loop"}', '{"knew": "loop"}', ["`parts`", "did you mean 'new'?"]),
    "no page": ('    page=Path(__file__).with_name("tiny.md"),\n', "", ["no page of rules"]),
    "a missing page": ('with_name("tiny.md")', 'with_name("tinny.md")', ["there is no such file"]),
    "a page without rules": (
        'with_name("tiny.md")',
        'with_name("tiny_loop.py")',
        ["profile tiny", "tiny_loop.py states no rule of it"],
    ),
    "an error of syntax": ("class TinyVerbs(TurnVerbs):", "class TinyVerbs(TurnVerbs)", ["mend"]),
}


def changed_example(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the example, in whose profile some texts are replaced."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "own", ignore=shutil.ignore_patterns("__*")))
    file = folder / "tiny_profile.py"
    text = file.read_text(encoding="utf-8")
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong)
    file.write_text(text, encoding="utf-8")
    return folder


MORE_CHECKS = (
    "import cancellation, timers",
    "import cancellation, clearing, processor_time, stream_lines, timers, writability",
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_a_profile_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    """Nothing is judged: a mistake of the profile is no fault of the loop."""
    right, wrong, said = MISTAKES[mistake]
    folder = changed_example(tmp_path, MORE_CHECKS, (right, wrong))
    status, out, err = told("certify", "tiny_loop:implementation", *PROFILE, folder=folder)
    assert (status, out) == (2, "")
    assert [part for part in said if part not in err] == [], err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [("rules", "tiny"), ("explain", "tiny.timer.last")])
def test_each_command_refuses_a_rule_that_no_page_has(
    tmp_path: Path, command: tuple[str, str]
) -> None:
    right, wrong, _ = MISTAKES["a misspelt rule"]
    status, out, err = told(*command, *PROFILE, folder=changed_example(tmp_path, (right, wrong)))
    assert (status, out) == (2, "")
    assert "did you mean 'tiny.watch.end'?" in err


def test_checks_leave_out_what_a_document_lacks(tmp_path: Path) -> None:
    """A document without timers that repeat and without watches for writing."""
    folder = changed_example(
        tmp_path,
        MORE_CHECKS,
        ("def set_interval(", "def every("),
        ('    intervals = ("interval",)\n', ""),
        ("page=Path(__file__).with_name", "page=__file__.replace"),
        ('("tiny.md")', '("tiny_profile.py", "tiny.md")'),
        (
            "(timers.test_no_timer_is_called_early,)",
            """(
            timers.test_no_timer_is_called_early,
            clearing.test_clearing_a_cleared_timer_disturbs_no_other,
            clearing.test_clearing_a_timer_that_has_run_does_nothing,
            processor_time.test_a_loop_with_nothing_to_do_sleeps,
        )""",
        ),
    )
    status, out, err = told(
        "certify", "tiny_loop:implementation", *PROFILE, "-o", str(tmp_path), folder=folder
    )
    assert status == 0, out + err


def test_a_profile_that_is_not_named_is_unknown(tmp_path: Path) -> None:
    status, out, err = told("certify", "tiny_loop:implementation", "-o", str(tmp_path))
    assert (status, out) == (3, "")
    assert "--profile module:attribute" in err
