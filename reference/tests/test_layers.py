"""Imports go down only."""

from __future__ import annotations

import ast
from pathlib import Path

import tideloop

SOURCE = Path(tideloop.__file__).parent

# From the bottom to the top; a module imports only from layers below its own,
# or from what stands left of it in its own layer.
LAYERS = [
    ["errors", "on_error", "arguments", "search", "buffer", "packets", "forks", "waker"],
    ["pollers.api", "clock", "timers"],
    ["pollers.epollset"],
    ["pollers.epoll", "pollers.poll", "pollers.select", "pollers.kqueue"],
    ["pollers"],
    [
        "events",
        "inbox",
        "interest",
        "registry",
        "watchers",
        "transfer_state",
        "transfer",
        "buffered",
    ],
    ["turn", "loop"],
    [
        "luaevent.flags",
        "luaevent.event",
        "luaevent.buffer",
        "luaevent.bufferevent",
        "luaevent.base",
    ],
    ["luaevent", "levent", "luahop"],
    [""],
    ["tck"],
]
RANK = {
    module: (height, place)
    for height, layer in enumerate(LAYERS)
    for place, module in enumerate(layer)
}
# The contract with the kernel is one module; the platform is looked at in one,
# and by the package itself, which refuses Windows.
MAY_LOOK_AT_THE_PLATFORM = {"", "pollers"}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """The modules of this package that *path* imports, by their short names."""
    package = list(path.relative_to(SOURCE).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "tideloop":
                    found.add(alias.name.partition(".")[2])
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - (node.level - 1)]
            elif (node.module or "").split(".")[0] == "tideloop":
                base = []
            else:
                continue
            module = (node.module or "").removeprefix("tideloop").lstrip(".")
            target = ".".join([*base, *([module] if module else [])])
            for alias in node.names:
                inner = f"{target}.{alias.name}" if target else alias.name
                found.add(inner if inner in RANK else target)
    return found


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def test_every_module_has_its_layer() -> None:
    assert set(MODULES) - set(RANK) == set()


def test_imports_go_down_only() -> None:
    wrong = [
        f"{name or 'tideloop'} imports {other}"
        for name, path in MODULES.items()
        for other in sorted(imports_of(path))
        if RANK[other] >= RANK[name]
    ]
    assert wrong == []


def test_the_check_would_see_an_import_that_goes_up(tmp_path: Path) -> None:
    """Fooled if imports were not found at all; so one is looked for."""
    assert "loop" in imports_of(MODULES["luahop"])
    assert "pollers.api" in imports_of(MODULES["events"])
    assert "luaevent" in imports_of(MODULES[""])


def test_the_loop_knows_no_socket_thread_coroutine_or_buffer() -> None:
    source = MODULES["loop"].read_text()
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert imported == {"__future__", "collections.abc", "typing"}
    assert len(source.splitlines()) < 300


def test_no_module_runs_away() -> None:
    long = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_the_platform_is_looked_at_in_one_place() -> None:
    """`assert not TYPE_CHECKING or sys.platform == ...` is for type checkers alone."""
    for name, path in MODULES.items():
        lines = [
            line
            for line in path.read_text().splitlines()
            if ("sys.platform" in line or "os.name" in line or "import platform" in line)
            and not line.startswith("assert not TYPE_CHECKING or ")
        ]
        assert not lines or name in MAY_LOOK_AT_THE_PLATFORM, (name, lines)


def test_only_tck_knows_the_suite() -> None:
    knows = {name for name, path in MODULES.items() if "import looptck" in path.read_text()}
    assert knows == {"tck"}
