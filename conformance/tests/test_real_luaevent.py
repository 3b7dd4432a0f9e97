"""The real luaevent gets the verdicts that its document and its behaviour call for.

Required where CI is set.  Elsewhere it is skipped, naming what is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "fixtures" / "real_luaevent.py"
ADAPTER_FAILED = 3


def test_the_verdicts_agree_with_what_was_seen_by_hand() -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=300, check=False
    )
    said = (run.stdout + run.stderr).strip()
    if run.returncode == ADAPTER_FAILED and not os.environ.get("CI"):
        pytest.skip(said.splitlines()[-1])
    assert run.returncode == 0, said
