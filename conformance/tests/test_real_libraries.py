"""The real libraries get the verdicts that their documents and their behaviour call for.

Where a library is missing, its test says so and is skipped, unless CI requires it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from looptck.running.worker_life import LAST_COLLECTION

from .real_library import is_required

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "fixtures" / "real_libraries.py"
ADAPTER_FAILED = 3

# {name for the script: looptck's name}
LIBRARIES = {
    "luaevent": "looptck.adapters.real_luaevent:implementation",
    "libevent": "libevent",
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_verdicts_agree_with_what_was_seen_by_hand(library: str) -> None:
    command = [sys.executable, str(SCRIPT), library]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    said = (run.stdout + run.stderr).strip()
    if run.returncode == ADAPTER_FAILED and not is_required(LIBRARIES[library]):
        pytest.skip(said.splitlines()[-1])  # it names the package that is missing
    assert run.returncode == 0, said


def test_a_crash_after_the_tests_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that fails, or a crash inside of one, still counts."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    from real_libraries import crashed_late

    late = {"test": LAST_COLLECTION, "verdict": "crashed"}
    kept = {"test": "test_one", "verdict": "kept"}
    broken = {"test": "test_two", "verdict": "broken"}
    lines: list[dict[str, Any]] = [
        {"kind": "header"},
        {"rule": "a", "cases": [kept, late]},
        {"rule": "b", "cases": [kept, broken, late]},
        {"rule": "c", "cases": [{"test": "test_one", "verdict": "crashed"}]},
        {"rule": "d", "reason": "it needs a, which is crashed"},
        {"rule": "e", "reason": "it needs b, which is broken"},
    ]
    assert crashed_late(lines) == ["a", "d"]
