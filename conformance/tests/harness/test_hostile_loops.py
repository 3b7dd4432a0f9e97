"""A loop may do anything to its process: the run goes on and reports it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from looptck.rules.catalogue import shipped
from looptck.running import runner_process as certifying
from looptck.running.messages import ImplementationFound, Judged, Planned
from looptck.running.runner_process import RunRequest

from .conftest import HERE, RULE, Run, command_lines

HANGS = {
    "sleeping": "slept for ever",
    "spinning": "spun",
    "holding_the_gil": "slept for ever",
    "waiting_for_a_thread": "waited for a thread",
    "ignoring_signals": "slept for ever",
}
CRASHES = {
    "segfaulting": "SIGSEGV",
    "exiting": "exited with status 7",
    "closing_every_descriptor": "the process",
    "writing_to_the_channel": "wrote to a descriptor that is not its own",
    "replacing_json": "sent a report that cannot be read",
}
BREAKS = {
    "closing_at_random": "Bad file descriptor",
    "raising_system_exit": "SystemExit",
    "raising_keyboard_interrupt": "KeyboardInterrupt came out of the loop",
    "raising_skip_test": "SkipTest came out of the loop: not today",
    "skipping": "Skipped came out of the loop: not today",
    "expecting_failure": "came out of the loop: not today",
    "parsing_in_finalizers": "not today",
}


def _evidence(folder: Path) -> dict[str, object]:
    (certificate,) = folder.rglob("certificate.json")
    (judgement,) = json.loads(certificate.read_text())["run"]["evidence"]
    return dict(judgement)


def _failed_case(folder: Path) -> dict[str, str]:
    cases = _evidence(folder)["cases"]
    assert isinstance(cases, list)
    return next(case for case in cases if case["verdict"] != "kept")


@pytest.mark.parametrize("name", HANGS)
def test_a_loop_that_hangs_is_hung_and_its_stack_is_shown(
    looptck: Run, tmp_path: Path, name: str
) -> None:
    done = looptck("certify", f"hostile:{name}", *RULE, "--patience", "1.5")
    assert done.returncode == 1, done.stderr
    assert _evidence(tmp_path)["verdict"] == "hung"
    case = _failed_case(tmp_path)
    assert case["activity"] == HANGS[name]
    assert "hostile.py" in case["stack"], "the stack does not show where it hung"
    assert HANGS[name] in " ".join(done.stdout.split())
    frames = [line.strip() for line in case["stack"].splitlines() if "hostile.py" in line]
    assert frames[0] in done.stdout, "the name of a file is broken into two lines"


@pytest.mark.parametrize("name", CRASHES)
def test_a_loop_that_ends_its_process_has_crashed(looptck: Run, tmp_path: Path, name: str) -> None:
    done = looptck("certify", f"hostile:{name}", *RULE)
    assert done.returncode == 1, done.stderr
    assert _evidence(tmp_path)["verdict"] == "crashed"
    assert CRASHES[name] in _failed_case(tmp_path)["message"]


@pytest.mark.parametrize("name", BREAKS)
def test_a_loop_that_raises_what_ends_programs_is_called_broken(
    looptck: Run, tmp_path: Path, name: str
) -> None:
    done = looptck("certify", f"hostile:{name}", *RULE)
    assert done.returncode == 1, done.stderr
    assert _evidence(tmp_path)["verdict"] == "broken"
    assert BREAKS[name] in _failed_case(tmp_path)["message"]


def test_an_interrupted_test_does_not_fail_the_next(looptck: Run, tmp_path: Path) -> None:
    done = looptck("certify", "hostile:raising_keyboard_interrupt_once", *RULE)
    assert done.returncode == 1, done.stderr
    cases = _evidence(tmp_path)["cases"]
    assert isinstance(cases, list)
    failed = [case["message"] for case in cases if case["verdict"] != "kept"]
    assert failed == ["KeyboardInterrupt came out of the loop"]


def test_a_loop_that_is_wrong_at_its_first_call_is_judged(looptck: Run, tmp_path: Path) -> None:
    """The judgement of the adapter, which asks it first, must let it through."""
    done = looptck("certify", "hostile:tireless", *RULE)
    assert done.returncode == 1, done.stderr
    assert _evidence(tmp_path)["verdict"] in ("broken", "hung")


def test_a_loop_whose_close_ends_the_process_is_judged(looptck: Run) -> None:
    done = looptck("certify", "hostile:unclosable", *RULE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "kept",
        "writing_rubbish",
        "writing_to_every_number",
        "leaving_a_process",
        "replacing_write",
    ],
)
def test_streams_and_children_do_not_change_the_verdict(
    looptck: Run, tmp_path: Path, name: str
) -> None:
    done = looptck("certify", f"hostile:{name}", *RULE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _evidence(tmp_path)["verdict"] == "kept"
    assert "\x1b" not in done.stdout + done.stderr


def test_a_slow_loop_is_not_a_hung_one(looptck: Run, tmp_path: Path) -> None:
    """A test of it takes longer than the patience, and each step less."""
    one_test = ("--rule", "luaevent.constants.ev-write-connect-failed")
    done = looptck("certify", "hostile:slow", *one_test, "--patience", "1", timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _evidence(tmp_path)["verdict"] == "kept"


def test_a_loop_that_is_slow_to_begin_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner says of each step of the adapter's judgement that it is done."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    without_a_base = ("luaevent.constants.ev-distinct-bits",)
    request = RunRequest("hostile:slow_to_begin", rules=without_a_base)
    monkeypatch.setattr(certifying, "_STARTUP_TIMEOUT", 9.0 - request.patience)
    kinds = [type(event) for event in certifying.events(request, shipped())]
    assert kinds == [ImplementationFound, Planned, Judged]


@pytest.mark.parametrize(
    "name, judging", [("stopping_the_parent", RULE[1]), ("signalling_in_a_fork", "no rule")]
)
def test_a_loop_that_stops_the_runner_is_named(looptck: Run, name: str, judging: str) -> None:
    done = looptck("certify", f"hostile:{name}", *RULE)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "SIGTERM" in done.stderr
    assert judging in done.stderr
    assert "deselected" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_nothing_that_a_loop_started_is_left_running(looptck: Run) -> None:
    looptck("certify", "hostile:leaving_a_process", *RULE)
    assert [line for line in command_lines() if "looptck-left-behind" in line] == []
