"""Which tests judge which rule, read from the suite's source without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..models.corpus import MODELLED, frozen, name_of_test

_SUITE = Path(__file__).parent.parent / "suite"

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
    return _index().get(rule_id, [])


def rules_with_a_test() -> set[str]:
    return set(_index())


def files() -> list[str]:
    """The files of tests and fixtures that there are, by their path in the suite."""
    found = {*_SUITE.rglob("test_*.py"), *_SUITE.rglob("conftest.py")}
    return sorted(file.relative_to(_SUITE).as_posix() for file in found)


def absent_files() -> list[str]:
    """The files that the suite was shipped with and that are not there."""
    shipped = FILES.read_text(encoding="utf-8").split()
    return sorted(set(shipped) - set(files()))


@cache
def _index() -> dict[str, list[Test]]:
    index: dict[str, list[Test]] = {}
    for file in sorted(_SUITE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for rule_id in _rules_of(node):
                    where = f"{file.relative_to(_SUITE.parent)}:{node.lineno}"
                    says = " ".join((ast.get_docstring(node) or "").split())
                    index.setdefault(rule_id, []).append(Test(node.name, where, says, node.name))
    for profile in MODELLED:
        for scenario in frozen(profile):
            where = f"models/scenarios/{profile}.json"
            function = name_of_test(scenario.id)
            test = Test(f"scenario {scenario.id}", where, scenario.why, function)
            index.setdefault(scenario.rule, []).append(test)
    return index


def _rules_of(function: ast.FunctionDef) -> list[str]:
    found: list[str] = []
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="rule"), args=[ast.Constant(value=str(rule_id))]):
                found.append(rule_id)
    return found


if __name__ == "__main__":
    FILES.write_text("".join(f"{name}\n" for name in files()), encoding="utf-8")
