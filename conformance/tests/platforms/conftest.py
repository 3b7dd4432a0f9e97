"""A shell without a system: each program that a script calls is replaced by a recorder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Programs that scripts use to find their way, which change nothing.
HARMLESS = ("sh", "dirname", "basename", "sed", "grep", "cat", "mktemp", "rm", "mkdir", "ls")

# A recorder writes its name and arguments as a line of the record.  It fails
# with status 9 where its line fits the pattern $FAIL_AT, and makes the files that the
# real program would make and the script would then call.
_RECORDER = """\
#!/bin/sh
line="{name}${{*:+ $*}}"
echo "$line" >>"$RECORD"
case "$line" in
$FAIL_AT) exit 9 ;;
*" -m venv "*)
    for last; do :; done
    mkdir -p "$last/bin"
    cp "$RECORDERS/pip" "$RECORDERS/nox" "$last/bin/"
    ;;
esac
"""


@dataclass(frozen=True)
class Recording:
    """The end of a script that ran among recorders."""

    status: int
    # the calls of recorders, each as one line
    steps: list[str]
    output: str


@dataclass(frozen=True)
class Recorder:
    """Runs scripts in a folder of their own, where PATH has recorders only."""

    folder: Path
    shell: str

    def replace(self, *names: str) -> Recorder:
        """From now on a call of one of the programs *names* is recorded."""
        for name in names:
            path = self.folder / "bin" / name
            path.write_text(_RECORDER.format(name=name))
            path.chmod(0o755)
        return self

    def run(self, script: Path, *arguments: str, fail_at: str = "") -> Recording:
        """Run *script*; a call whose line fits the pattern *fail_at* fails with status 9."""
        record = self.folder / "record"
        record.write_text("")
        environment = {
            "PATH": f"{self.folder / 'bin'}:{self.folder / 'harmless'}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "RECORD": str(record),
            "RECORDERS": str(self.folder / "bin"),
            "FAIL_AT": fail_at,
        }
        command = [self.shell, str(script), *arguments]
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        return Recording(
            done.returncode, record.read_text().splitlines(), done.stdout + done.stderr
        )


def _link(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found, f"{name} is needed to run any script"
        (folder / name).symlink_to(found)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """Recorders in place of pip and nox; a test adds those of its package manager."""
    (tmp_path / "bin").mkdir()
    _link(tmp_path / "harmless", (*HARMLESS, "cp"))
    shell = shutil.which("dash") or "/bin/sh"
    return Recorder(tmp_path, shell).replace("pip", "nox")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A copy of ci/ in a checkout of its own, so that a script's .venv is made there."""
    copied = tmp_path / "checkout" / "ci"
    shutil.copytree(ROOT / "ci", copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied
