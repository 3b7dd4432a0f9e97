"""Promises of the repository as a whole, held by reading what git knows of it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Tracked = Callable[..., list[Path]]

PYPROJECTS = ("pyproject.toml", "reference/pyproject.toml", "conformance/pyproject.toml")
DISTRIBUTIONS = PYPROJECTS[1:]

# Where packages come from is the affair of whoever installs them.  (Spelled so
# that this file does not find itself.)
REGISTRY = re.compile(
    r"(pypi|pythonhosted|npmjs|yarnpkg|anaconda|debian|alpinelinux)[.](org|com)\b"
    r"|(?<![\w-])-{2}(extra-)?index-url|(?<![\w-])-{2}find-links|PIP_(EXTRA_)?INDEX[_]URL"
)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(root|work|farm|home/\w+|Users/\w+|tmp/\w+_jobs)/")

# A comment that switches a check off, without what it says about the reason.
PRAGMA = re.compile(
    r"#\s*("
    r"(ruff:\s*)?noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?"
    r"|(type|mypy|pyright):\s*ignore(\[[\w, -]*\])?"
    r"|fmt:\s*(off|skip)"
    r"|pragma:\s*no\s*(cover|branch)"
    r")"
)
SKIPS = {"skip", "skipif", "xfail", "importorskip"}


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def lines_that_match(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    assert paths, "nothing to look at: has it moved?"
    return [
        f"{path}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def pins_on(system: str, checkout: Path) -> dict[str, str]:
    """{package: the version that is installed on *system*, a value of `sys.platform`}."""
    lines = (checkout / "ci" / "constraints.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(pin.specifier).startswith("==") for pin in pinned), "not an exact version"
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pinned
        if applies_on(system, pin)
    }


def applies_on(system: str, requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"sys_platform": system})


@pytest.fixture(scope="session")
def pins(checkout: Path) -> dict[str, str]:
    return pins_on("linux", checkout)


def test_nothing_says_where_packages_come_from(tracked: Tracked) -> None:
    """Pages may link to a registry; what machines read must not depend on one."""
    found = lines_that_match(REGISTRY, tracked(":!*.md", ":!docs"))
    assert not found, "\n".join(found)


def test_no_path_of_a_developers_machine_is_tracked(tracked: Tracked) -> None:
    found = lines_that_match(MACHINE_PATH, tracked())
    assert not found, "\n".join(found)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_every_check_that_is_switched_off_says_why_on_its_line(tracked: Tracked) -> None:
    unexplained = [
        f"{path}:{line}: {comment}"
        for path in tracked("*.py", "*.pyi")
        for line, comment in comments(path)
        if PRAGMA.search(comment) and not re.search(r"[^\W\d]{2}", PRAGMA.sub("", comment))
    ]
    assert not unexplained, "\n".join(unexplained)


def test_every_skipped_test_says_why(tracked: Tracked) -> None:
    unexplained = []
    for path in tracked("*.py"):
        tree = ast.parse(path.read_text(), str(path))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and is_skip(node.func):
                says_why = any(keyword.arg == "reason" for keyword in node.keywords) or (
                    ast.unparse(node.func) == "pytest.skip" and node.args
                )
            elif isinstance(node, ast.Attribute) and is_skip(node) and id(node) not in called:
                says_why = False
            else:
                continue
            if not says_why:
                unexplained.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    assert not unexplained, "\n".join(unexplained)


def is_skip(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in SKIPS
        and ast.unparse(node.value) in {"pytest", "pytest.mark", "mark"}
    )


def requirements(pyproject: dict[str, Any]) -> Iterator[Requirement]:
    """Everything that a pyproject.toml names, for whatever purpose."""
    project = pyproject.get("project", {})
    lists = [
        pyproject.get("build-system", {}).get("requires", []),
        project.get("dependencies", []),
        *project.get("optional-dependencies", {}).values(),
        *pyproject.get("dependency-groups", {}).values(),
    ]
    for entry in (entry for entries in lists for entry in entries):
        if isinstance(entry, str):  # otherwise it includes another group
            yield Requirement(entry)


@pytest.mark.parametrize("name", PYPROJECTS)
@pytest.mark.parametrize("system", ["linux", "darwin", "freebsd15"])
def test_every_dependency_has_a_pin_that_satisfies_it(
    name: str, system: str, checkout: Path
) -> None:
    pins = pins_on(system, checkout)
    wanted = [one for one in requirements(toml(checkout / name)) if applies_on(system, one)]
    unpinned = [
        str(requirement)
        for requirement in wanted
        if (pin := pins.get(canonicalize_name(requirement.name))) is None
        or pin not in requirement.specifier
    ]
    assert wanted
    assert not unpinned, "\n".join(unpinned)


def test_the_hooks_run_the_pinned_versions(checkout: Path, pins: dict[str, str]) -> None:
    config = (checkout / ".pre-commit-config.yaml").read_text()
    hooked = re.findall(r'"([\w-]+)==([\w.]+)"', config)
    assert hooked
    assert {name: pins[name] for name, _ in hooked} == dict(hooked)


def test_both_distributions_share_a_version(checkout: Path) -> None:
    """One changelog tells of both."""
    assert len({toml(checkout / name)["project"]["version"] for name in DISTRIBUTIONS}) == 1


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_carries_the_licence_of_the_repository(name: str, checkout: Path) -> None:
    """A copy: a source distribution cannot hold a link to a file above it."""
    assert (checkout / name).with_name("LICENSE").read_text() == (checkout / "LICENSE").read_text()


def test_the_supported_pythons_are_the_same_everywhere(checkout: Path) -> None:
    def found(pattern: str, name: str) -> set[str]:
        return set(re.findall(pattern, (checkout / name).read_text()))

    supported = found(r'"(3\.\d+)"', "noxfile.py")
    assert supported
    for name in DISTRIBUTIONS:
        assert found(r'"Programming Language :: Python :: (3\.\d+)"', name) == supported
    [minors] = found(r"py\{([\d,]+)\}", "tox.ini")
    assert {f"3.{minor[1:]}" for minor in minors.split(",")} == supported
    assert found(r'"(3\.\d+)"', ".github/workflows/ci.yml") == supported


def test_every_session_is_named_in_contributing(checkout: Path) -> None:
    module = ast.parse((checkout / "noxfile.py").read_text())
    sessions = [
        function
        for function in module.body
        if isinstance(function, ast.FunctionDef)
        and any("nox.session" in ast.unparse(decorator) for decorator in function.decorator_list)
    ]
    contributing = (checkout / "CONTRIBUTING.md").read_text()
    assert sessions
    assert [f.name for f in sessions if f"`{f.name}`" not in contributing] == []
    assert [f.name for f in sessions if "\n" in (ast.get_docstring(f) or "\n")] == []


def test_the_command_to_copy_is_the_one_that_ci_runs(checkout: Path, tracked: Tracked) -> None:
    """Wherever a page shows how to run the tests from nothing, it is the same line."""
    shown = {
        line.strip()
        for page in tracked("*.md")
        for line in page.read_text().splitlines()
        if line.strip().startswith("python3 -m venv .venv") and line.rstrip().endswith("-s tests")
    }
    [command] = shown
    assert command in [line.strip() for line in (checkout / ".ci" / "run").read_text().splitlines()]


@pytest.mark.parametrize(
    "message, is_accepted",
    [
        ("timers: forget cancelled ones\n\nThey kept 136 bytes each.\n", True),
        ("suite/luaevent, models: judge far deadlines\n\nNo test did.\n", True),
        ('Revert "timers: forget cancelled ones"\n', True),
        ("timers: forget cancelled ones\n", False),
        ("timers: forget cancelled ones\n\n# only a comment\n", False),
        ("timers: forget cancelled ones\nThe body comes too soon.\n", False),
        ("One line less\n\nA subject without an area.\n", False),
        (f"timers: forget {'x' * 50}\n\nThe subject is too long.\n", False),
    ],
)
def test_the_hook_holds_the_form_of_commit_messages(
    message: str, is_accepted: bool, checkout: Path
) -> None:
    """The hook is a pattern that pre-commit searches for; here is what it lets pass."""
    config = (checkout / ".pre-commit-config.yaml").read_text()
    (pattern,) = re.findall(r"entry: '(\\A.*)'", config)
    assert bool(re.search(pattern, message, re.MULTILINE | re.DOTALL)) == is_accepted


def test_every_fragment_has_a_kind_that_the_changelog_knows(checkout: Path) -> None:
    """towncrier passes over a file whose kind it does not know."""
    kinds = {
        kind["directory"] for kind in toml(checkout / "pyproject.toml")["tool"]["towncrier"]["type"]
    }
    fragments = list((checkout / "changes").iterdir())
    assert fragments, "nothing to look at: has it moved?"
    odd = [
        path.name for path in fragments if path.suffixes[-2:-1] not in [[f".{k}"] for k in kinds]
    ]
    assert not odd


def test_the_former_name_of_the_reference_is_gone(tracked: Tracked) -> None:
    """It belongs to another project's distribution; only the hint for its users is left."""
    former = re.compile("event" + "ide", re.IGNORECASE)
    found = lines_that_match(former, tracked(":!CHANGELOG.md", ":!changes"))
    assert [line for line in found if "_FORMER_NAMES = " not in line] == []


def test_pages_install_what_the_repository_builds(
    checkout: Path, tracked: Tracked, pins: dict[str, str]
) -> None:
    """Any other name on a page would bring a stranger's code."""
    built = {toml(checkout / path)["project"]["name"] for path in DISTRIBUTIONS}
    named = {
        argument
        for page in tracked("*.md")
        for line in re.findall(r"^\S* ?\S*pip install (.*)$", page.read_text(), re.MULTILINE)
        for argument in installed_by(re.split(r"&&|#", line)[0])
    }
    assert {"./reference", "./conformance"} <= named
    folders = {f"./{Path(path).parent}" for path in DISTRIBUTIONS}
    assert named - folders - {*pins} <= built


def installed_by(arguments: str) -> Iterator[str]:
    """The packages among the arguments of `pip install`."""
    words = iter(arguments.split())
    for word in words:
        if word in ("-c", "--group"):
            next(words)
        elif not word.startswith("-"):
            yield word
