"""ci/required.py: what a platform must have and has not is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ..real_library import is_required, required_tool
from .conftest import ROOT

TOOL = ROOT / "ci" / "required.py"


@pytest.fixture(scope="module")
def required() -> ModuleType:
    return required_tool()


@pytest.mark.parametrize(
    "system, libc, name",
    [
        ("linux", "glibc", "linux-glibc"),
        ("linux", "", "linux-musl"),
        ("linux", "musl", "linux-musl"),
        ("darwin", "", "darwin"),
        ("freebsd15", "", "freebsd"),
        ("freebsd", "", "freebsd"),
        ("openbsd7", "", "openbsd"),
        ("netbsd11", "", "netbsd"),
        ("dragonfly6", "", "dragonfly"),
    ],
)
def test_a_system_has_its_row(required: ModuleType, system: str, libc: str, name: str) -> None:
    assert required.platform_name(system, libc) == name
    assert required.requirements(name).pollers


def test_a_system_without_a_row_is_refused(required: ModuleType) -> None:
    with pytest.raises(SystemExit, match="has no platform 'plan9'; it has linux-glibc, "):
        required.requirements("plan9")


def test_a_missing_poller_is_an_error(required: ModuleType) -> None:
    freebsd = required.requirements("freebsd")
    assert required.missing_pollers(freebsd, ["kqueue", "poll", "select", "another"]) == []
    assert required.missing_pollers(freebsd, ["poll", "select"]) == [
        "freebsd must have the poller kqueue; here are poll, select"
    ]


def test_a_missing_package_is_an_error_where_it_has_wheels(required: ModuleType) -> None:
    glibc, netbsd = map(required.requirements, ("linux-glibc", "netbsd"))
    assert required.missing_packages(netbsd, ["lupa", "uvloop"]) == []
    assert required.missing_packages(glibc, ["uvloop"]) == [
        "linux-glibc must have the package uvloop; pip has found no wheel of it"
    ]


@pytest.mark.parametrize(
    "certified, variants, error",
    [
        (True, ["kqueue", "poll", "select"], None),
        (False, ["kqueue", "poll", "select"], "not certified"),
        (True, ["poll", "select", "kqueue-sim:freebsd"], "must have the poller kqueue;"),
    ],
)
def test_a_certificate_is_of_each_required_poller(
    required: ModuleType, certified: bool, variants: list[str], error: str | None
) -> None:
    certificate = {"certified": certified, "verdicts": [{"variant": name} for name in variants]}
    errors = required.certificate_errors(required.requirements("freebsd"), certificate)
    assert len(errors) == (error is not None)
    assert all(error is not None and error in each for each in errors)


def run(*arguments: str, tool: Path = TOOL, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | variables
    command = [sys.executable, str(tool), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_this_machine_has_its_pollers() -> None:
    done = run()
    assert done.returncode == 0, done.stderr


def test_a_reference_without_a_poller_is_red(tmp_path: Path) -> None:
    (tmp_path / "tideloop.py").write_text("def available(): return {'select': None}\n")
    done = run(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "must have the poller poll; here are select" in done.stderr


def test_a_run_without_a_certificate_is_red(tmp_path: Path) -> None:
    done = run("--certificate", str(tmp_path / "certificate.json"))
    assert done.returncode == 1
    assert "there is no certificate" in done.stderr


def test_a_library_is_required_in_ci_alone(
    required: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = required.requirements(required.platform_name()).libraries
    monkeypatch.setenv("CI", "true")
    assert is_required("libevent") is ("libevent" in libraries)
    assert not is_required("another")
    monkeypatch.delenv("CI")
    assert not is_required("libevent")


@pytest.mark.parametrize("variables, status", [({}, 0), ({"CI": "true"}, 1)], ids=["user", "ci"])
def test_a_missing_package_is_named_and_red_in_ci(
    tmp_path: Path, variables: dict[str, str], status: int
) -> None:
    """Plays a platform that has wheels of a package that is not installed."""
    tool = tmp_path / "required.py"
    tool.write_text(TOOL.read_text())
    table = (ROOT / "ci" / "platforms.toml").read_text()
    tool.with_name("platforms.toml").write_text(table.replace('"uvloop"', '"absent"'))
    done = run("absent", tool=tool, **variables)
    assert "left out: absent" in done.stdout
    has_wheels = required_tool().platform_name() in ("linux-glibc", "linux-musl", "darwin")
    assert done.returncode == (status if has_wheels else 0), done.stderr
