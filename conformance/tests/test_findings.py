"""Each finding's program shows the difference where its page says so, and nowhere else."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from looptck.rules.catalogue import shipped

FINDINGS = Path(__file__).parents[2] / "docs" / "findings"
PAGES = sorted(page for page in FINDINGS.glob("*.md") if "_" in page.stem)
LOOPS = ("asyncio", "uvloop", "rloop")


def row(page: Path, label: str) -> str:
    """The text beside *label* in the table of *page*."""
    found = re.search(rf"^\| {label} \| (.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{page.name} has no row {label!r}"
    return found[1]


def test_there_is_a_page_for_each_program() -> None:
    programs = {program.stem for program in (FINDINGS / "reproducers").glob("*.py")}
    assert programs == {page.stem for page in PAGES}


def test_the_index_lists_each_page() -> None:
    index = (FINDINGS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        seen = " | ".join("x" if loop in row(page, "Seen in") else "" for loop in LOOPS)
        assert f"| [{title}]({page.name}) | {seen} |" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_rules_that_exist(page: Path) -> None:
    rules = re.findall(r"`([^`]+)`", row(page, "Rules?"))
    assert rules
    assert set(rules) <= set(shipped())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_program_shows_the_difference_where_the_page_says_so(page: Path, loop: str) -> None:
    if importlib.util.find_spec(loop) is None:
        pytest.skip(f"{loop} is not installed (pip install {loop})")
    program = FINDINGS / "reproducers" / f"{page.stem}.py"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), loop],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = run.stdout + run.stderr
    if loop in row(page, "Seen in"):
        assert run.returncode == 0, f"not seen any more: {output}"
    else:
        assert run.returncode == 1, f"seen, and the page does not say so: {output}"
        assert "not reproduced" in output, output
