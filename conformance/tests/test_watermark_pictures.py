"""The pictures of the page on watermarks show what the reference does today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "watermarks.md"


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe is set as Linux does it")
def test_each_picture_is_what_would_be_drawn_now() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "fixtures" / "watermark_pictures.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_page_shows_every_picture_and_no_other() -> None:
    shown = set(re.findall(r"\]\((watermarks/[^)]+)\)", PAGE.read_text(encoding="utf-8")))
    drawn = {f"watermarks/{path.name}" for path in (PAGE.parent / "watermarks").iterdir()}
    assert shown == drawn
