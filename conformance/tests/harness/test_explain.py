"""The output of `looptck explain` can be searched and copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from looptck.cli import listing
from looptck.cli.main import main
from looptck.running import suite_index

from .conftest import Run

RULE = "levent.buffer.read-lowwater"


def test_names_of_tests_are_not_broken_into_lines(
    looptck: Run, environment: dict[str, str]
) -> None:
    """On a terminal that is narrower than the names are long."""
    narrow = {**environment, "COLUMNS": "40"}
    lines = looptck("explain", RULE, env=narrow).stdout.splitlines()
    named = suite_index.judging(RULE)
    assert max(len(test.name) for test in named) > 40, "nothing would be broken here"
    for test in named:
        at = lines.index(f"test: {test.name}")
        assert lines[at + 1] == f"  ({test.where})"


def _explain(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ending:
        main(["explain", RULE])
    assert ending.value.code == 0
    return capsys.readouterr().out


def test_the_lines_of_the_reference_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "tideloop"
    package.mkdir()
    lines = ["", f"low = 1  # {RULE}", f"# {RULE}-no-data", f"name = {RULE!r}", f"# see {RULE}."]
    (package / "events.py").write_text("\n".join(lines))
    monkeypatch.setattr(listing, "installed_reference", lambda: package)
    told = [line for line in _explain(capsys).splitlines() if "reference" in line]
    assert told == [
        "kept in the reference at tideloop/events.py:2",
        "kept in the reference at tideloop/events.py:5",
    ]


def test_an_absent_reference_is_not_mentioned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listing, "installed_reference", lambda: None)
    assert "kept in the reference" not in _explain(capsys)
