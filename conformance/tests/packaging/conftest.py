"""The checkout that the tests of packaging start from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the git checkout of this repository."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        pytest.skip("these are promises of the repository, and this is not a checkout of it")
    return root


@pytest.fixture(scope="session")
def tracked(checkout: Path) -> Callable[..., list[Path]]:
    """Lists the files that git knows, by pattern; without those just deleted."""

    def tracked(*patterns: str) -> list[Path]:
        command = ["git", "-C", str(checkout), "ls-files", "-z", "--", *patterns]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        paths = [checkout / name for name in listed.split("\0") if name]
        return [path for path in paths if path.is_file()]

    return tracked
