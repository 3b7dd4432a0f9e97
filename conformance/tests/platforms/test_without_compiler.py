"""Packages that every platform installs are pure Python, or do without a compiled part."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .conftest import ROOT

# {package: how it installs without a compiler}
WITHOUT_COMPILER = {
    "hypothesis": "ci/constraints.txt pins its last pure version where later ones have no wheel",
    "markupsafe": "its build goes on without the compiled part",
}


def group(name: str) -> list[str]:
    """The packages of a dependency group, those of the groups that it includes too."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found = []
    for entry in groups[name]:
        found += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return found


def with_needs(names: list[str]) -> Iterator[str]:
    """The packages *names* and what they need in turn, each once."""
    todo, seen = [canonicalize_name(Requirement(name).name) for name in names], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        for line in distribution(name).requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo.append(canonicalize_name(need.name))


def is_compiled(name: str) -> bool:
    return "none-any" not in (distribution(name).read_text("WHEEL") or "")


def test_what_both_commands_need_installs_without_a_compiler() -> None:
    """nox asks for the group `compiled` by itself, and goes on without what has no wheel."""
    needed = [name for name in group("tests") if name not in group("compiled")]
    compiled = {name for name in with_needs(["looptck", "tideloop", *needed]) if is_compiled(name)}
    assert compiled <= {*WITHOUT_COMPILER}, compiled - {*WITHOUT_COMPILER}
