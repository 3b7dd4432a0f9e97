"""The mutants that `nox -s mutants` draws from are programs with one change."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FIXTURES))
    return importlib.import_module("mutation")


def changes(mutation: ModuleType, folder: Path, source: str) -> set[tuple[str, str]]:
    """{(operator, text of the changed function)} of the valid mutants of *source*."""
    (folder / "module.py").write_text(source)
    mutants = [mutant for mutant in mutation.mutants_of(folder) if mutant.is_valid(folder)]
    return {(each.operator, ast.unparse(ast.parse(each.apply(folder)))) for each in mutants}


@pytest.mark.parametrize(
    "statement, operator, changed",
    [
        ("return a < b", "comparison", ["return a <= b", "return a >= b"]),
        ("return a + b", "arithmetic", ["return a - b"]),
        ("return a and (not b)", "logic", ["return a or not b", "return not b", "return a"]),
        ("a.b = 2", "constant", ["a.b = 3", "a.b = 1"]),
        ("a(b, c)", "call", ["a(c, b)"]),
        ("return a[b:]", "bound", ["return a[:]"]),
        ("del a, b", "statement", ["pass"]),
        ("a += b", "update", ["a = b", "a -= b"]),
        ("return a", "result", ["return None"]),
    ],
)
def test_each_operator_makes_its_changes(
    mutation: ModuleType, tmp_path: Path, statement: str, operator: str, changed: list[str]
) -> None:
    made = changes(mutation, tmp_path, f"def f(a, b, c):\n    {statement}\n")
    own = {text for name, text in made if name == operator}
    assert own >= {f"def f(a, b, c):\n    {line}" for line in changed}, made


@pytest.mark.parametrize(
    "source",
    [
        "x = f'{1 + y}'",
        "def f(x: int | None = None) -> int | None:\n    '''Not one more.'''",
        "if TYPE_CHECKING:\n    x = 1",
        "class C(Protocol):\n    def f(self) -> int:\n        return 1",
    ],
    ids=["inside of an f-string", "annotation", "TYPE_CHECKING", "Protocol"],
)
def test_what_never_runs_is_not_changed(mutation: ModuleType, tmp_path: Path, source: str) -> None:
    assert changes(mutation, tmp_path, source) == set()


def test_a_seed_draws_the_same_mutants_again(mutation: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("".join(f"x.y = {n} < {n + 2}\n" for n in range(50)))
    first, again, other = (mutation.draw(tmp_path, 20, seed) for seed in (1, 1, 2))
    assert len(first) == 20
    assert first == again
    assert first != other
