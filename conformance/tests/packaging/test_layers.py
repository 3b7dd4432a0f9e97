"""Imports within looptck go down only, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import looptck

SOURCE = Path(looptck.__file__).parent

# From the bottom to the top: a package imports from itself and from what stands
# in a line above it here.  A single module may be named, and goes before its package.
LAYERS = [
    ["errors", "text", "clocks", "import_path", "processes"],
    ["protocols"],
    ["profiles.api", "profiles"],
    ["rules"],
    ["results"],
    ["testing.trace"],
    ["subjects.call_counter"],
    ["testing"],
    ["subjects.implementation", "subjects.subject"],
    ["adapters"],
    ["subjects"],
    ["models"],
    ["checks"],
    # the shipped profiles, which are imported by their names when they are looked up
    [
        "profiles.levent",
        "profiles.luaevent",
        "profiles.luaevent_extended",
        "profiles.luahop",
        "profiles.poller",
    ],
    ["running"],
    ["report"],
    ["cli"],
    ["__main__"],
]
# The package itself gives out names of others lazily, and knows the version.
ROOT = ""

# The tests of the suite see the loop through these alone; its conftest.py
# files, which make the fixtures, see the subject and the plugin too.
SUITE_IMPORTS: tuple[str, ...] = ("testing", "models", "protocols", "rules.markers", "clocks")
SUITE_IMPORTS += ("running.suite_index",)  # which knows the checks that profiles share
# The subject, as an argument of fixtures, and the way to an object behind a proxy.
SUITE_IMPORTS += ("subjects.subject", "subjects.call_counter")


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imports_of(path: Path, *, everywhere: bool = True) -> set[str]:
    """The modules of looptck that *path* imports, or, unless *everywhere*, really imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = list(path.relative_to(SOURCE).parent.parts)
    found: set[str] = set()
    for node in ast.walk(tree) if everywhere else _without_type_checking(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - (node.level - 1)]
        elif (node.module or "").partition(".")[0] == "looptck":
            base = []
        else:
            continue
        module = (node.module or "").removeprefix("looptck").lstrip(".")
        target = ".".join([*base, *([module] if module else [])])
        for alias in node.names:
            inner = f"{target}.{alias.name}".lstrip(".")
            found.add(inner if inner in MODULES else target)
    return found - {ROOT}


def _without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING:`, which never runs."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _without_type_checking(child)


def height(module: str) -> int:
    """The place of the layer that *module* belongs to."""
    for at, layer in enumerate(LAYERS):
        if module in layer:
            return at
    for at, layer in enumerate(LAYERS):
        if module.partition(".")[0] in layer:
            return at
    raise AssertionError(f"{module} has no layer")


def layered() -> dict[str, Path]:
    return {
        name: path
        for name, path in MODULES.items()
        if name != ROOT and name.partition(".")[0] != "suite"
    }


def test_imports_go_down_only() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, path in layered().items()
        for other in sorted(imports_of(path))
        if height(other) > height(name)
        or (height(other) == height(name) and other.partition(".")[0] != name.partition(".")[0])
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        name: imports_of(path, everywhere=False) & layered().keys()
        for name, path in layered().items()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_only_discovery_imports_an_adapter() -> None:
    importers = {
        name
        for name, path in layered().items()
        if any(other.startswith("adapters") for other in imports_of(path))
    }
    outside = {name for name in importers if not name.startswith("adapters")}
    assert outside == {"subjects.discovery"}


def test_the_suite_sees_the_loop_through_few_packages() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        if name.startswith("suite.") and path.name != "conftest.py"
        for other in sorted(imports_of(path))
        if not other.startswith((*SUITE_IMPORTS, "suite"))
    ]
    assert wrong == []


def test_the_check_sees_imports() -> None:
    assert "running.messages" in imports_of(MODULES["cli.certification"])
    assert "adapters.asyncio" in imports_of(MODULES["subjects.discovery"])


def test_private_names_of_pytest_stand_in_one_module() -> None:
    users = {
        name
        for name, path in layered().items()
        if any(word in path.read_text() for word in ("import _pytest", "from _pytest", "callspec"))
    }
    assert users == {"running.pytest_internals"}
