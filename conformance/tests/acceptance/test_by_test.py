"""`nox -s broken -- --by-test` tells which tests and which broken loops are needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from looptck.rules.catalogue import shipped

from .conftest import ROOT

FIXTURES = ROOT / "fixtures"

RULE = "luahop.listener.remove"


@pytest.fixture(scope="module")
def by_test() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FIXTURES))
    import by_test

    yield by_test
    sys.path.remove(str(FIXTURES))


# One function per line, with the loops that each of its cases fails on.
KILLS = {
    "test_wide": {"a": "123", "b": "12"},
    "test_narrow": {"a": "12"},
    "test_alone": {"a": "4"},
    "test_idle": {"a": ""},
}


def _kills(by_test: ModuleType) -> tuple[Any, dict[str, dict[str, str]]]:
    from broken_loops.registry import BrokenLoop

    tests = [f"{name}[{case}]" for name, cases in KILLS.items() for case in cases]
    failing = {f"{name}[{case}]": loops for name, of in KILLS.items() for case, loops in of.items()}
    outcomes = {
        loop: {test: "broken" if loop in failing[test] else "kept" for test in tests}
        for loop in "1234"
    }
    loops = [BrokenLoop(name, RULE, (), "a bug", lambda clock: None, True) for name in "1234"]
    (kills,) = by_test.by_rule(outcomes, loops, {RULE: tests})
    return kills, outcomes


def test_by_test_tells_which_tests_and_loops_are_needed(by_test: ModuleType) -> None:
    kills, outcomes = _kills(by_test)
    assert kills.cases == {"test_wide": 2, "test_narrow": 1, "test_alone": 1, "test_idle": 1}
    assert kills.idle == ["test_idle"]
    assert kills.without_own == ["test_narrow"]
    assert kills.sufficient == ["test_wide", "test_alone"]
    assert kills.twins(outcomes) == [["1", "2"]]
    page = by_test.as_page([kills], outcomes)
    assert f"| {RULE} | 4 | 4 | 1 | 2 | 2 | 1 |" in page
    assert "- test_narrow: **not needed**; kills 1, 2" in page
    assert "- twins: 1, 2" in page


def test_the_fewest_tests_are_found_where_none_kills_alone(by_test: ModuleType) -> None:
    kills = by_test.RuleKills(
        RULE,
        {
            "1": frozenset({"a[x]", "b[x]"}),
            "2": frozenset({"a[x]", "c[x]"}),
            "3": frozenset({"b[x]", "a[y]"}),
        },
        cases={"a": 2, "b": 1, "c": 1},
    )
    assert kills.sufficient == ["a"]


def test_a_loop_that_breaks_other_rules_than_it_names_is_told(by_test: ModuleType) -> None:
    from broken_loops.registry import BrokenLoop

    rules = {"a": RULE, "b": "luahop.listener.accept", "c": "luahop.poll.blocks"}
    also = ("luahop.timer.units-ms",)
    loop = BrokenLoop("Odd", RULE, also, "a bug", lambda clock: None, True)
    told = list(by_test.kill(loop, ["a", "c"], rules, shipped()).complaints(shipped()))
    assert told == [
        "Odd: also breaks luahop.poll.blocks (broken), which it does not name",
        "Odd: does not break luahop.timer.units-ms, which it names as broken too",
    ]
    told = list(by_test.kill(loop, [], rules, shipped()).complaints(shipped()))
    assert f"Odd: {RULE} is kept, but the loop breaks it" in told


# Three loops: one ignores `remove_listener`; the second hangs in it; the third is right.
_SCRIPT = f"""
import json, sys
import by_test, campaign
from broken_loops.fault import fault
from broken_loops.plain.luahop import PlainHop
from broken_loops.registry import all_broken_loops

@fault({RULE!r})
class Ignores(PlainHop):
    "It ignores the call."
    def remove_listener(self, fd, mask):
        pass

@fault({RULE!r})
class Hangs(PlainHop):
    "It never returns."
    def remove_listener(self, fd, mask):
        while True:
            pass

@fault({RULE!r})
class IsRight(PlainHop):
    "It has no fault."

def body(judge):
    loops = [loop for loop in all_broken_loops() if loop.name in ("Ignores", "Hangs", "IsRight")]
    print(json.dumps(dict(by_test.run(judge, loops, most=2))))
    return 0

sys.exit(campaign.run(body))
"""


@pytest.mark.slow
def test_by_test_goes_on_after_a_hung_test() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(FIXTURES)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout)
    # of other rules' tests, only those that fail are told
    for wrong in ("Ignores", "Hangs"):
        assert found["IsRight"].keys() <= found[wrong].keys(), found[wrong]
    assert set(found["IsRight"].values()) == {"kept"}, found["IsRight"]
    assert "broken" in found["Ignores"].values(), found["Ignores"]
    assert set(found["Hangs"].values()) <= {"hung", "kept"}, found["Hangs"]
    assert list(found["Hangs"].values()).count("hung") > 1, found["Hangs"]
