"""The imports that the two distributions and the suite may have.

Read from the source, so that an import inside a function counts too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Names of subjects, and attributes that would tell a test its subject.
SUBJECTS = {"asyncio", "curio", "tideloop", "gevent", "rloop", "trio", "twisted", "uvloop"}
TELLTALES = {"__class__", "__module__", "engine", "implementation", "variant"}

SUITE_MAY_IMPORT = (sys.stdlib_module_names - SUBJECTS) | {"hypothesis", "looptck", "pytest"}
# The parts of looptck that know the implementation under test.
SUITE_MUST_NOT_IMPORT = {
    "looptck.adapters",
    "looptck.subjects.discovery",
    "looptck.subjects.implementation",
    "looptck.running.scheduler",
}

Tracked = Callable[..., list[Path]]


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(), str(path)))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that *path* imports, by statement or by name."""
    for node in nodes(path):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def importers(paths: list[Path], package: str) -> list[str]:
    assert paths, "nothing to look at: has the source moved?"
    return [
        f"{path}:{line}"
        for path in paths
        for line, name in imported(path)
        if is_within(name, package)
    ]


@pytest.fixture(scope="session")
def suite(tracked: Tracked) -> list[Path]:
    """The tests of the suite; its conftest.py is what clamps an implementation in."""
    return tracked("conformance/src/looptck/suite/*test_*.py")


def test_looptck_never_imports_the_reference(tracked: Tracked) -> None:
    found = importers(tracked("conformance/src/*.py"), "tideloop")
    assert not found, "\n".join(found)


def test_one_module_of_the_reference_knows_looptck(checkout: Path, tracked: Tracked) -> None:
    door = checkout / "reference" / "src" / "tideloop" / "tck.py"
    others = [path for path in tracked("reference/src/*.py") if path != door]
    found = importers(others, "looptck")
    assert not found, "\n".join(found)


def test_the_suite_imports_no_subject(suite: list[Path]) -> None:
    strangers = [
        f"{path}:{line} imports {name}"
        for path in suite
        for line, name in imported(path)
        if name.partition(".")[0] not in SUITE_MAY_IMPORT
        or any(is_within(name, module) for module in SUITE_MUST_NOT_IMPORT)
    ]
    assert not strangers, "\n".join(strangers)


def test_the_suite_cannot_tell_whom_it_judges(suite: list[Path]) -> None:
    """No test asks for the name or the type of its subject, so none can branch on it."""
    told = []
    for path in suite:
        for node in nodes(path):
            match node:
                case (
                    ast.Attribute(attr=name)
                    | ast.Name(id=name)
                    | ast.arg(arg=name)
                    | ast.keyword(arg=str(name))
                ) if name in TELLTALES:
                    told.append(f"{path}:{node.lineno} uses {name}")
                case ast.Constant(value=str(name)) if name in SUBJECTS:
                    told.append(f"{path}:{node.lineno} names {name}")
    assert not told, "\n".join(told)


def test_the_suite_looks_at_nothing_private(suite: list[Path]) -> None:
    private = [
        f"{path}:{node.lineno} looks at {ast.unparse(node)}"
        for path in suite
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and ast.unparse(node.value) not in {"self", "cls"}
    ]
    assert not private, "\n".join(private)
