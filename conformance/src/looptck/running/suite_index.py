"""Which tests judge which rule, read from the suite's source without running it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SUITE = Path(__file__).parent.parent / "suite"

_SCENARIOS = _SUITE.parent / "models" / "scenarios"

# The file in the folder of a profile that plays its scenarios.
_SCENARIO_TESTS = "test_scenarios.py"

# The files of the suite, one a line, so that a missing one is noticed.
FILES = _SUITE / "files.txt"


@dataclass(frozen=True, slots=True)
class Test:
    """One test function of the suite."""

    name: str
    where: str
    # its docstring, in one line
    says: str
    # the function that pytest collects
    function: str


def judging(rule_id: str) -> list[Test]:
    """The tests marked with *rule_id*, in the order of the files."""
    found = [test for file in _files_naming(rule_id) for test in _tests_in(file).get(rule_id, ())]
    return found + [test for name, test in _scenarios() if name == rule_id]


def rules_with_a_test() -> set[str]:
    marked = {rule_id for file in _texts() for rule_id in _tests_in(file)}
    return marked | {rule_id for rule_id, _ in _scenarios()}


def files_for(rule_ids: Iterable[str]) -> frozenset[Path]:
    """The files that hold all tests of these rules, and perhaps tests of others."""
    wanted = set(rule_ids)
    found = {file for rule_id in wanted for file in _files_naming(rule_id)}
    for rule_id, test in _scenarios():
        if rule_id in wanted:
            # a part of a document has its folder in that of the document
            folder = Path(test.where).stem.replace("-", "/")
            found.add(_SUITE / folder / _SCENARIO_TESTS)
    return frozenset(found)


def files() -> list[str]:
    """The files of tests and fixtures that there are, by their path in the suite."""
    found = {*_SUITE.rglob("test_*.py"), *_SUITE.rglob("conftest.py")}
    return sorted(file.relative_to(_SUITE).as_posix() for file in found)


def absent_files() -> list[str]:
    """The files that the suite was shipped with and that are not there."""
    shipped = FILES.read_text(encoding="utf-8").split()
    return sorted(set(shipped) - set(files()))


@cache
def _texts() -> dict[Path, str]:
    """{file of tests: its source}."""
    return {file: file.read_text(encoding="utf-8") for file in sorted(_SUITE.rglob("test_*.py"))}


def _files_naming(rule_id: str) -> list[Path]:
    """The files whose source holds the id; parsing all files would take half a second."""
    return [file for file, text in _texts().items() if f'"{rule_id}"' in text]


@cache
def _tests_in(file: Path) -> dict[str, list[Test]]:
    """{rule: the tests of it} in one file."""
    found: dict[str, list[Test]] = {}
    for node in ast.walk(ast.parse(_texts()[file])):
        if isinstance(node, ast.FunctionDef):
            for rule_id in _rules_of(node):
                where = f"{file.relative_to(_SUITE.parent)}:{node.lineno}"
                says = " ".join((ast.get_docstring(node) or "").split())
                found.setdefault(rule_id, []).append(Test(node.name, where, says, node.name))
    return found


@cache
def _scenarios() -> list[tuple[str, Test]]:
    """Each frozen scenario as (rule, test); read here, since the models are slow to import."""
    found: list[tuple[str, Test]] = []
    for file in sorted(_SCENARIOS.glob("*.json")):
        for scenario in json.loads(file.read_text(encoding="utf-8")):
            name = f"scenario {scenario['id']}"
            function = f"test_scenario_{scenario['id'].replace('-', '_')}"
            where = f"{file.relative_to(_SUITE.parent)}"
            found.append((scenario["rule"], Test(name, where, scenario["why"], function)))
    return found


def _rules_of(function: ast.FunctionDef) -> list[str]:
    found: list[str] = []
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="rule"), args=[ast.Constant(value=str(rule_id))]):
                found.append(rule_id)
    return found


if __name__ == "__main__":
    FILES.write_text("".join(f"{name}\n" for name in files()), encoding="utf-8")
