"""The selectors of the standard library as pollers: the control of the poller contract."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

import pytest

# {rule: the selectors that break it}, of those that take no time
BREAKS = {
    "poller.close.twice": set(),
    "poller.change.removal-never-raises": set(),
    "poller.change.regular-file": {"poll", "select"},
    "poller.change.invalid": {"epoll", "poll", "select"},
    "poller.wait.large-number": {"select"},
}


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="the list is of Linux")
def test_the_selectors_break_what_the_findings_say(tmp_path: Path) -> None:
    """docs/findings/selectors.md has the whole list."""
    command = [sys.executable, "-m", "looptck", "certify", "-o", str(tmp_path)]
    command += ["looptck.adapters.stdlib_selectors:implementation"]
    command += [f"--rule={rule}" for rule in BREAKS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    (file,) = tmp_path.rglob("certificate.json")
    found: dict[str, set[str]] = {rule: set() for rule in BREAKS}
    for each in json.loads(file.read_text())["verdicts"]:
        if each["verdict"] == "broken":
            found[each["rule"]].add(each["variant"])
    assert found == BREAKS
