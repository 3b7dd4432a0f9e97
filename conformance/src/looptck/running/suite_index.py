"""Which tests judge which rule, read from the suite's source without running it."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..profiles import PROFILES, Check

_SUITE = Path(__file__).parent.parent / "suite"

_SCENARIOS = _SUITE.parent / "models" / "scenarios"

# The file in the folder of a profile that plays its scenarios.
_SCENARIO_TESTS = "test_scenarios.py"

# The file that holds all tests of shared checks.
_SHARED_TESTS = "test_shared.py"

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
    found += [_shared(each.check) for each in _bindings() if each.rule_id == rule_id]
    return found + [test for name, test in _scenarios() if name == rule_id]


def rules_with_a_test() -> set[str]:
    marked = {rule_id for file in _texts() for rule_id in _tests_in(file)}
    bound = {each.rule_id for each in _bindings()}
    return marked | bound | {rule_id for rule_id, _ in _scenarios()}


def files_for(rule_ids: Iterable[str]) -> frozenset[Path]:
    """The files that hold all tests of these rules, and perhaps tests of others."""
    wanted = set(rule_ids)
    found = {file for rule_id in wanted for file in _files_naming(rule_id)}
    if any(each.rule_id in wanted for each in _bindings()):
        found.add(_SUITE / _SHARED_TESTS)
    for rule_id, test in _scenarios():
        if rule_id in wanted:
            # a part of a document has its folder in that of the document
            folder = Path(test.where).stem.replace("-", "/")
            found.add(_SUITE / folder / _SCENARIO_TESTS)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Binding:
    """A shared check, and a rule of a profile that it judges."""

    profile: str
    rule_id: str
    check: Check


def bound_checks() -> dict[str, Check]:
    """{name: check} of all checks that a profile binds."""
    return {each.check.__name__: each.check for each in _bindings()}


def bindings_of(check: object) -> list[Binding]:
    """The rules that *check* judges; none if it is a test of one document."""
    return [each for each in _bindings() if each.check is check]


def _bindings() -> tuple[Binding, ...]:
    return _bindings_in(tuple(PROFILES))  # a profile of the user's may have come


@cache
def _bindings_in(profiles: tuple[str, ...]) -> tuple[Binding, ...]:
    return tuple(
        Binding(profile, rule_id, check)
        for profile in profiles
        for rule_id, checks in PROFILES[profile].checks.items()
        for check in checks
    )


def _shared(check: Check) -> Test:
    code = check.__code__
    file = Path(code.co_filename)
    below = file.is_relative_to(_SUITE.parent)
    where = f"{file.relative_to(_SUITE.parent) if below else file.name}:{code.co_firstlineno}"
    says = " ".join((inspect.getdoc(check) or "").split())
    return Test(check.__name__, where, says, check.__name__)


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
    # {name of a table: the rules in its rows}
    tables: dict[str, list[str]] = {}
    for node in ast.parse(_texts()[file]).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys))
            ):
                tables[name] = [str(key.value) for key in keys if isinstance(key, ast.Constant)]
            case ast.FunctionDef():
                rules = [name for each in node.decorator_list for name in _rules_in(each, tables)]
                where = f"{file.relative_to(_SUITE.parent)}:{node.lineno}"
                says = " ".join((ast.get_docstring(node) or "").split())
                for rule_id in dict.fromkeys(rules):
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


def _rules_in(decorator: ast.expr, tables: Mapping[str, list[str]]) -> list[str]:
    """The rules that a test is marked with, or that the table of its rows has."""
    found: list[str] = []
    for node in ast.walk(decorator):
        match node:
            case ast.Call(func=ast.Name(id="rule"), args=[ast.Constant(value=str(rule_id))]):
                found.append(rule_id)
            case ast.Call(func=ast.Name(id="rows_by_rule"), args=[ast.Name(id=name)]):
                found += tables[name]
    return found


if __name__ == "__main__":
    FILES.write_text("".join(f"{name}\n" for name in files()), encoding="utf-8")
