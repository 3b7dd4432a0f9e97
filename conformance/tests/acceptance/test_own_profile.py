"""A profile from outside of looptck is judged as a shipped one: examples/own_profile."""

from __future__ import annotations

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


def test_a_profile_that_is_not_named_is_unknown(tmp_path: Path) -> None:
    status, out, err = told("certify", "tiny_loop:implementation", "-o", str(tmp_path))
    assert (status, out) == (3, "")
    assert "--profile module:attribute" in err
