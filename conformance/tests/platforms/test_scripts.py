"""The scripts of ci/ do their steps in order, and the first that fails ends the job."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path

import pytest

from .conftest import ROOT, Recorder, Recording

# {folder of ci/: the steps of its setup.sh}.  A step's first word is the
# package manager.
SETUPS = {
    "debian": [
        "apt-get update -qq",
        "apt-get install -y -qq * python3 python3-venv git lua-event libevent-2.1-7",
    ],
    "alpine": ["apk update", "apk add --no-progress python3 git"],
    "freebsd": ["pkg update", "pkg install -y python3 git"],
    "openbsd": ["pkg_add -I python3 git"],
    "netbsd": ["pkgin -y update", "pkgin -y install python312 git-base"],
    "dragonfly": ["pkg update", "pkg install -y python311 git"],
    "macos": ["brew install --overwrite python@3.13 git"],
}

# {folder of ci/: the Python that its packages bring}
PYTHONS = {**dict.fromkeys(SETUPS, "python3"), "netbsd": "python3.12", "dragonfly": "python3.11"}

# {platform of ci/platforms.toml: its folder}, where the names differ
FOLDERS = {"linux-glibc": "debian", "linux-musl": "alpine", "darwin": "macos"}

ALL_PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")

setups = pytest.mark.parametrize("system", SETUPS)


def readme_steps(python: str) -> list[str]:
    """The steps of the README's two commands; what the second repeats is left out."""
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    steps = dict.fromkeys(step for command in commands for step in command.split(" && "))
    return [step.replace(".venv/bin/", "").replace("python3 ", f"{python} ", 1) for step in steps]


def without_questions(steps: list[str]) -> list[str]:
    """*steps* without the calls that ask a Python for its version."""
    return [step for step in steps if " -c import sys" not in step]


def assert_fits(recording: Recording, patterns: list[str]) -> None:
    """Fail unless the steps of *recording* are those of *patterns*, one by one."""
    steps = without_questions(recording.steps)
    seen = [
        pattern if fnmatchcase(step, pattern) else step
        for step, pattern in zip_longest(steps, patterns, fillvalue="nothing")
    ]
    assert seen == patterns, recording.output


@dataclass(frozen=True)
class Job:
    """A script, the programs to replace, and patterns of the steps that it must do."""

    script: str
    programs: tuple[str, ...]
    steps: list[str]
    arguments: tuple[str, ...] = ()


JOBS = {
    **{
        f"{system}/setup.sh": Job(f"{system}/setup.sh", (steps[0].split()[0],), steps)
        for system, steps in SETUPS.items()
    },
    **{
        f"{system}/run.sh": Job(f"{system}/run.sh", (python,), readme_steps(python))
        for system, python in PYTHONS.items()
    },
    "run-readme.sh with a Python": Job(
        "run-readme.sh", ("my-python",), readme_steps("my-python"), ("my-python",)
    ),
    "run-in-vm.sh": Job(
        "run-in-vm.sh",
        ("git", "ssh"),
        [
            "git -C * bundle create -q * HEAD",
            "ssh root@vm rm -rf looptck-ci && mkdir looptck-ci && cat >looptck-ci/setup.sh",
            "ssh root@vm sh looptck-ci/setup.sh",
            "ssh root@vm cat >looptck-ci/bundle",
            "ssh root@vm PATH=* git clone -q looptck-ci/bundle looptck-ci/src",
            "ssh root@vm sh looptck-ci/src/ci/openbsd/run.sh",
        ],
        ("openbsd", "root@vm"),
    ),
}

jobs = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)


@jobs
def test_a_job_does_its_steps_in_order(job: Job, recorder: Recorder, scripts: Path) -> None:
    recorder.replace(*job.programs)
    recording = recorder.run(scripts / job.script, *job.arguments)
    assert_fits(recording, job.steps)
    assert recording.status == 0, recording.output


@pytest.mark.parametrize(
    "job, step",
    [(job, step) for job in JOBS.values() for step in range(len(job.steps))],
    ids=[f"{name}: {step}" for name, job in JOBS.items() for step in job.steps],
)
def test_a_job_ends_at_the_first_step_that_fails(
    job: Job, step: int, recorder: Recorder, scripts: Path
) -> None:
    recorder.replace(*job.programs)
    recording = recorder.run(scripts / job.script, *job.arguments, fail_at=job.steps[step])
    assert_fits(recording, job.steps[: step + 1])
    assert recording.status == 9, recording.output


def test_netbsd_without_pkgin_gets_it_first(recorder: Recorder, scripts: Path) -> None:
    recording = recorder.replace("pkg_add").run(scripts / "netbsd/setup.sh")
    assert recording.steps == ["pkg_add pkgin"]
    assert recording.status != 0, "the recorder has brought no pkgin"


def test_a_system_without_a_new_python_is_told_what_to_run(
    recorder: Recorder, scripts: Path
) -> None:
    recorder.replace(*ALL_PYTHONS)
    recording = recorder.run(scripts / "run-readme.sh", fail_at="*sys.version_info*")
    assert without_questions(recording.steps) == []
    assert len(recording.steps) == len(ALL_PYTHONS)
    assert recording.status == 1
    assert "run setup.sh of this system first" in recording.output


@pytest.mark.parametrize("arguments", [(), ("freebsd",), ("plan9", "root@vm")], ids=str)
def test_a_wrong_call_shows_the_usage(
    arguments: tuple[str, ...], recorder: Recorder, scripts: Path
) -> None:
    recording = recorder.replace("git", "ssh").run(scripts / "run-in-vm.sh", *arguments)
    assert (recording.status, recording.steps) == (2, [])
    assert "usage: run-in-vm.sh SYSTEM HOST" in recording.output


def test_each_platform_has_its_folder_and_its_jobs() -> None:
    platforms = tomllib.loads((ROOT / "ci" / "platforms.toml").read_text())
    assert {FOLDERS.get(name, name) for name in platforms} == {*SETUPS}
    assert {path.parent.name for path in (ROOT / "ci").glob("*/setup.sh")} == {*SETUPS}


@setups
def test_the_workflow_sets_up_before_it_runs(system: str) -> None:
    image = ROOT / "ci" / system / "Containerfile"
    workflow = ROOT / ".github" / "workflows" / "platforms.yml"
    text = (image if image.exists() else workflow).read_text()
    # A Containerfile has the words of a command as a list.
    words = text.replace('", "', " ")
    setup = words.index(f"sh ci/{system}/setup.sh")
    assert setup < words.index(f"sh ci/{system}/run.sh")
    assert not image.exists() or re.search(rf"\[.*\b{system}\b.*\]", workflow.read_text())
