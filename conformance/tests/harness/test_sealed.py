"""Nothing in the user's folder or environment changes a verdict.

The loop is one that breaks the rule; each folder holds what would hide that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from looptck.results.verdicts import Judgement, Verdict, is_certified
from looptck.rules.catalogue import Rule, shipped
from looptck.running import suite_index

from .conftest import HERE, RULE, Run, spawn

BROKEN = "hostile:raising_system_exit"

_HIDES = "raise SystemExit('stray code ran')\n"
_PASSES = """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
"""
_DESELECTS = "def pytest_collection_modifyitems(items): items.clear()\n"
_SKIPS = "import pytest\ndef pytest_runtest_setup(item): pytest.skip('not today')\n"

# {what it is: {file: its text}}
FOLDERS = {
    "conftest that deselects": {"conftest.py": _DESELECTS},
    "conftest that skips": {"conftest.py": _SKIPS},
    "conftest that marks": {
        "conftest.py": "import pytest\n"
        "def pytest_itemcollected(item): item.add_marker(pytest.mark.skip('no'))\n"
    },
    "conftest that passes": {"conftest.py": _PASSES},
    "conftest that calls nothing": {"conftest.py": "def pytest_pyfunc_call(): return True\n"},
    "conftest with fixtures": {
        "conftest.py": "import pytest\n"
        "@pytest.fixture(autouse=True)\ndef no(): pytest.skip('not today')\n"
        "@pytest.fixture\ndef driver(): pytest.skip('not today')\n"
    },
    "conftest that exits": {"conftest.py": "import pytest\npytest.exit('no', returncode=0)\n"},
    "conftest that ends Python": {"conftest.py": "import os\nos._exit(0)\n"},
    "conftest that reorders": {
        "conftest.py": "def pytest_collection_modifyitems(items): items.reverse()\n"
    },
    "pytest.ini": {"pytest.ini": "[pytest]\naddopts = -k nothing\n"},
    "tox.ini": {"tox.ini": "[pytest]\naddopts = --setup-only\n"},
    "setup.cfg": {"setup.cfg": "[tool:pytest]\naddopts = --collect-only\n"},
    "pyproject.toml": {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p stray"\n',
        "stray.py": _PASSES,
    },
    "an installed plugin": {
        "stray.py": _PASSES,
        "stray-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: stray\nVersion: 1\n",
        "stray-1.dist-info/entry_points.txt": "[pytest11]\nstray = stray\n",
    },
    "modules called as the library's": dict.fromkeys(
        ["queue.py", "json.py", "signal.py", "selectors.py", "pytest.py"], _HIDES
    ),
    "sitecustomize": {"sitecustomize.py": "import os\nos._exit(0)\n"},
}

ENVIRONMENTS = {
    "PYTEST_ADDOPTS": "-k nothing",
    "PYTEST_PLUGINS": "stray",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONSTARTUP": "stray.py",
}


def _fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def _in_reach(environment: dict[str, str], *folders: Path) -> dict[str, str]:
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, [*folders, HERE]))}


def _certify(
    folder: Path, environment: dict[str, str], *of_python: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *of_python, "-m", "looptck", "certify", BROKEN, *RULE]
    return spawn(command, folder, environment)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_lies_in_the_folder_does_not_change_the_verdict(
    tmp_path: Path, environment: dict[str, str], name: str
) -> None:
    _fill(tmp_path, FOLDERS[name])
    # a sitecustomize.py ends any Python that lets it, and the command line with it
    isolated = ("-I",) if name == "sitecustomize" else ()
    done = _certify(tmp_path, _in_reach(environment, tmp_path), *isolated)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SystemExit" in done.stdout


def test_what_the_environment_says_does_not_change_the_verdict(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    _fill(tmp_path, {"stray.py": _PASSES})
    done = _certify(tmp_path, {**_in_reach(environment, tmp_path), **ENVIRONMENTS})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SystemExit" in done.stdout


def test_files_beside_a_module_are_found_after_the_library(looptck: Run, tmp_path: Path) -> None:
    loop = "import queue, helper\nfrom hostile import kept as loop\nqueue.Queue\nhelper.made\n"
    _fill(tmp_path, {"loops/mine.py": loop, "loops/helper.py": "made = 1\n", "queue.py": _HIDES})
    done = looptck("certify", "loops.mine:loop", *RULE)
    assert done.returncode == 0, done.stdout + done.stderr


def _pytest(
    folder: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs"]
    command += ["looptck.suite", "--implementation", BROKEN, *RULE, *options]
    return spawn(command, folder, environment)


@pytest.mark.parametrize(
    "name",
    [
        "conftest that deselects",
        "conftest that skips",
        "conftest that passes",
        "conftest with fixtures",
        "pytest.ini",
        "tox.ini",
        "an installed plugin",
    ],
)
def test_pytest_itself_is_never_green_for_a_broken_loop(
    tmp_path: Path, environment: dict[str, str], name: str
) -> None:
    _fill(tmp_path, FOLDERS[name])
    done = _pytest(tmp_path, _in_reach(environment, tmp_path))
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "looptck" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_pytest_without_assertions_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    done = _pytest(tmp_path, {**environment, "PYTHONOPTIMIZE": "1"})
    assert done.returncode == 4, done.stdout + done.stderr
    assert "assertions" in done.stderr


@pytest.mark.parametrize("absent", ["suite/luaevent/test_constants.py", "suite/levent"])
def test_a_suite_that_lacks_a_file_judges_nothing(
    looptck: Run, tmp_path: Path, environment: dict[str, str], absent: str
) -> None:
    package = Path(str(files("looptck")))
    copy = tmp_path / "copy"
    shutil.copytree(package, copy / "looptck", ignore=shutil.ignore_patterns("__pycache__"))
    victim = copy / "looptck" / absent
    if victim.is_dir():
        shutil.rmtree(victim)
    else:
        victim.unlink()
    done = looptck("certify", "hostile:kept", *RULE, env=_in_reach(environment, copy))
    assert done.returncode == 3, done.stdout + done.stderr
    assert absent.removeprefix("suite/") in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_untested_rule_without_a_reason_is_not_certified() -> None:
    rules = shipped()
    judged = [rule for rule in rules.values() if rule.level.is_judged]
    excused = next(rule for rule in judged if rule.untested)
    kept, other = [rule for rule in judged if not rule.untested][:2]

    def judgement(rule: Rule, verdict: Verdict) -> Judgement:
        return Judgement(rule.id, rule.profile, "default", verdict)

    fine = [judgement(kept, Verdict.KEPT), judgement(excused, Verdict.UNTESTED)]
    assert is_certified(rules, fine)
    assert not is_certified(rules, [*fine, judgement(other, Verdict.UNTESTED)])


def test_the_list_of_the_files_of_the_suite_is_complete() -> None:
    """`python -m looptck.running.suite_index` writes it anew."""
    assert suite_index.FILES.read_text(encoding="utf-8").split() == suite_index.files()
