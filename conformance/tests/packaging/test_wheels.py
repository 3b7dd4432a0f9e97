"""Both distributions build, and each works where nothing else is installed.

This file runs with pytest, build and packaging alone: `nox -s wheels` installs
no more, so that nothing of the checkout can help a wheel along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

# In one process of pytest-xdist, so that the wheels are built and installed once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheels")]

HOME_OF = {"tideloop": "reference", "looptck": "conformance"}


@dataclass(frozen=True)
class Wheel:
    """A wheel file."""

    path: Path

    @property
    def names(self) -> list[str]:
        with ZipFile(self.path) as archive:
            return archive.namelist()

    @property
    def metadata(self) -> Message:
        with ZipFile(self.path) as archive:
            [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return Parser().parsestr(archive.read(name).decode())


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder to work in that holds nothing."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "venv" / "bin"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.programs / program, *arguments, cwd=self.folder)

    def python(self, source: str) -> str:
        return check(self.run("python", "-c", source)).stdout


def run(
    program: Path | str, *arguments: Path | str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run *program* with no Python setting of ours in its environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def check(
    done: subprocess.CompletedProcess[str], *statuses: int
) -> subprocess.CompletedProcess[str]:
    """*done*, if it ended with one of *statuses* (0 if none is given)."""
    said = f"{' '.join(done.args)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode in (statuses or (0,)), said
    return done


@pytest.fixture(scope="session")
def constraints(checkout: Path) -> Path:
    return checkout / "ci" / "constraints.txt"


@pytest.fixture(scope="session")
def wheels(
    checkout: Path, constraints: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Wheel]:
    """The wheel of each distribution, made from its source distribution."""
    dist = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        # For the environment that the build makes for itself.
        patch.setenv("PIP_CONSTRAINT", constraints.as_uri())
        patch.setenv("PIP_BUILD_CONSTRAINT", constraints.as_uri())
        for home in HOME_OF.values():
            check(run(sys.executable, "-m", "build", "--outdir", dist, checkout / home))
    return {name: Wheel(*dist.glob(f"{name}-*.whl")) for name in HOME_OF}


def install_alone(folder: Path, *arguments: Path | str) -> Environment:
    # Without a pip of its own, the environment is empty and quick to make.
    python = folder / "venv" / "bin" / "python"
    check(run(sys.executable, "-m", "venv", "--without-pip", folder / "venv"))
    pip = (sys.executable, "-m", "pip", "--python", python)
    check(run(*pip, "install", "--quiet", *arguments))
    check(run(*pip, "check"))
    return Environment(folder)


@pytest.fixture(scope="session")
def tideloop_alone(
    wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    folder = tmp_path_factory.mktemp("tideloop")
    return install_alone(folder, "--no-index", "--no-deps", wheels["tideloop"].path)


@pytest.fixture(scope="session")
def looptck_alone(
    wheels: dict[str, Wheel], constraints: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    folder = tmp_path_factory.mktemp("looptck")
    return install_alone(folder, "--constraint", constraints, wheels["looptck"].path)


@pytest.mark.parametrize("name", HOME_OF)
def test_a_wheel_holds_one_package_its_types_and_its_licence(
    name: str, wheels: dict[str, Wheel]
) -> None:
    wheel = wheels[name]
    assert f"{name}/py.typed" in wheel.names
    assert {path.split("/")[0].split("-")[0] for path in wheel.names} == {name}
    assert wheel.metadata["License-Expression"] == "MIT"
    assert any(path.endswith(".dist-info/licenses/LICENSE") for path in wheel.names)


def test_tideloop_needs_nothing(wheels: dict[str, Wheel]) -> None:
    assert wheels["tideloop"].metadata.get_all("Requires-Dist", []) == []


def test_the_wheel_of_looptck_holds_every_rule_and_the_schema(
    checkout: Path, wheels: dict[str, Wheel]
) -> None:
    """Compared with the source tree: a pattern in pyproject.toml may forget a file."""
    source = checkout / "conformance" / "src"
    data = {
        path.relative_to(source).as_posix()
        for pattern in ("*.md", "*.json", "*.html", "*.css", "*.svg")
        for path in source.rglob(pattern)
    }
    assert {"looptck/rules/luaevent.md", "looptck/rules/luahop.md"} <= data
    assert any(path.endswith(".schema.json") for path in data)
    assert data <= set(wheels["looptck"].names)


def test_tideloop_alone_runs_a_timer(tideloop_alone: Environment) -> None:
    assert (
        tideloop_alone.python(
            """
import importlib.util
from tideloop import luaevent

assert importlib.util.find_spec("looptck") is None

def due(flags):
    print("due", flags == luaevent.EV_TIMEOUT)
    return luaevent.LEAVE

base = luaevent.new()
event = base.addevent(None, luaevent.EV_TIMEOUT, due, 0.001)
base.loop()
base.close()
"""
        )
        == "due True\n"
    )


def test_looptck_alone_finds_no_reference(looptck_alone: Environment) -> None:
    looptck_alone.python(
        """
import importlib.util
assert importlib.util.find_spec("tideloop") is None
"""
    )


def test_looptck_alone_explains_itself(looptck_alone: Environment) -> None:
    assert "certify" in check(looptck_alone.run("looptck", "--help")).stdout
    assert "luahop.timer" in check(looptck_alone.run("looptck", "rules")).stdout


def test_looptck_alone_certifies_asyncio(looptck_alone: Environment) -> None:
    """Which of the two verdicts is asyncio's own affair; that there is one is ours."""
    done = looptck_alone.run(
        "looptck", "certify", "asyncio", "--profile", "luahop", "--out", "certificates"
    )
    check(done, 0, 1)
    certificate = looptck_alone.folder / "certificates" / "asyncio" / "certificate.json"
    assert json.loads(certificate.read_text())["complete"]
