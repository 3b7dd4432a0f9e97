"""The words of names and docstrings follow CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

# Each one with all folders in it.
FOLDERS = (
    "conformance/src/looptck",
    "conformance/tests",
    "reference/src",
    "reference/tests",
    "fixtures",
)
LONGEST = 60  # characters of a test's name

# A docstring that begins so names no subject.
RIDDLE = re.compile(r"\s*(What|Who|So much)\b")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(folder: Path) -> Iterator[tuple[str, Definition | ast.Module]]:
    """Every module, class and function of the *folder*, with the place where it stands."""
    paths = sorted(folder.rglob("*.py"))
    assert paths, f"{folder} has no Python file: has it moved?"
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Definition):
                yield f"{path.relative_to(folder)}:{node.lineno}", node
            elif isinstance(node, ast.Module):
                yield f"{path.relative_to(folder)}:1", node


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_of_tests_are_not_too_long(checkout: Path, folder: str) -> None:
    long = [
        f"{place}: {node.name} has {len(node.name)} characters, not {LONGEST} or fewer"
        for place, node in definitions(checkout / folder)
        if not isinstance(node, ast.Module)
        and node.name.startswith("test_")
        and len(node.name) > LONGEST
    ]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_subject(checkout: Path, folder: str) -> None:
    riddles = [
        f"{place}: {text.splitlines()[0]!r} begins with What, Who or So much"
        for place, node in definitions(checkout / folder)
        if (text := ast.get_docstring(node)) and RIDDLE.match(text)
    ]
    assert not riddles, "\n".join(riddles)
