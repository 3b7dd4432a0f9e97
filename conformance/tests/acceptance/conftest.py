"""Whole certifications, run as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
_REACH = (Path(__file__).parent, ROOT / "fixtures", ROOT / "conformance" / "examples")

Certify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def certify(tmp_path: Path) -> Certify:
    """``status, certificate = certify(spec, ...)``."""

    def run(spec: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
        path = os.pathsep.join(map(str, (*_REACH, os.environ.get("PYTHONPATH", ""))))
        out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        done = subprocess.run(
            [sys.executable, "-m", "looptck", "certify", spec, "--out", str(out), *arguments],
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        (file,) = out.rglob("certificate.json")
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(file.read_text())

    return run


def verdicts(certificate: dict[str, Any]) -> dict[tuple[str, str], str]:
    """{(rule, variant): verdict} of a certificate."""
    return {(row["rule"], row["variant"]): row["verdict"] for row in certificate["verdicts"]}


def not_kept(certificate: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The verdicts that are not kept, each with the cases that show why."""
    fine = ("kept", "observed", "untested")
    said = {
        (each["rule"], each["variant"]): str(each.get("cases", ""))[:400]
        for each in certificate["run"]["evidence"]
    }
    return {
        key: f"{verdict} {said[key]}"
        for key, verdict in verdicts(certificate).items()
        if verdict not in fine
    }
