"""Which tests judge which rule, read from the suite's source without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .models.frozen import MODELLED, frozen

_SUITE = Path(__file__).parent / "suite"


@dataclass(frozen=True, slots=True)
class Test:
    """One test function of the suite."""

    name: str
    where: str
    # its docstring, in one line
    says: str


def judging(rule_id: str) -> list[Test]:
    """The tests marked with *rule_id*, in the order of the files."""
    return _index().get(rule_id, [])


def rules_with_a_test() -> set[str]:
    return set(_index())


@cache
def _index() -> dict[str, list[Test]]:
    index: dict[str, list[Test]] = {}
    for file in sorted(_SUITE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for rule_id in _rules_of(node):
                    where = f"{file.relative_to(_SUITE.parent)}:{node.lineno}"
                    says = " ".join((ast.get_docstring(node) or "").split())
                    index.setdefault(rule_id, []).append(Test(node.name, where, says))
    for profile in MODELLED:
        for scenario in frozen(profile):
            where = f"models/scenarios/{profile}.json"
            test = Test(f"scenario {scenario.id}", where, scenario.why)
            index.setdefault(scenario.rule, []).append(test)
    return index


def _rules_of(function: ast.FunctionDef) -> list[str]:
    found: list[str] = []
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="rule"), args=[ast.Constant(value=str(rule_id))]):
                found.append(rule_id)
    return found
