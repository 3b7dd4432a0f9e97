"""Each judged rule has a loop that it catches; `nox -s broken` runs them all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from looptck.rules.catalogue import shipped
from looptck.rules.kills import killed_by

from .conftest import ROOT

FIXTURES = ROOT / "fixtures"


@pytest.fixture(scope="module")
def loops_by_rule() -> Iterator[dict[str, set[str]]]:
    """{rule: names of the broken loops that name it}."""
    sys.path.insert(0, str(FIXTURES))
    from broken_loops.registry import all_broken_loops

    found: dict[str, set[str]] = {}
    for loop in all_broken_loops():
        found.setdefault(loop.breaks, set()).add(loop.name)
    yield found
    sys.path.remove(str(FIXTURES))


def test_each_judged_rule_has_a_broken_loop(loops_by_rule: dict[str, set[str]]) -> None:
    without = [
        rule.id
        for rule in shipped().values()
        if rule.level.is_judged and not rule.untested and rule.id not in loops_by_rule
    ]
    assert without == []


def test_each_broken_loop_names_a_rule_that_is_judged(
    loops_by_rule: dict[str, set[str]],
) -> None:
    odd = [
        rule_id
        for rule_id in loops_by_rule
        if rule_id not in shipped() or not shipped()[rule_id].level.is_judged
    ]
    assert odd == []


def test_explain_names_every_broken_loop(loops_by_rule: dict[str, set[str]]) -> None:
    """After a change of the broken loops, `python fixtures/kills.py` writes the file anew."""
    import kills

    assert kills.FILE.read_text() == kills.kills(), "run `python fixtures/kills.py`"
    for rule in shipped():
        assert {proof.loop for proof in killed_by(rule)} == loops_by_rule.get(rule, set()), rule


@pytest.mark.slow
def test_one_broken_loop_for_each_rule_is_caught_by_that_rule() -> None:
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "kill_matrix.py"), "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    complaints = [line for line in done.stdout.splitlines() if "!" in line]
    assert complaints == []
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
