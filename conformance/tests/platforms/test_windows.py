"""On Windows each package says in one sentence where it runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

# Python on Windows has none of these modules.
_POSIX_ONLY = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty")

_ON_WINDOWS = f"""
import runpy, sys
sys.platform = "win32"
sys.modules.update(dict.fromkeys({_POSIX_ONLY}))
"""


@pytest.mark.parametrize(
    "package, statement",
    [
        ("tideloop", "import tideloop"),
        ("tideloop", "from tideloop import Loop"),
        ("tideloop", "import tideloop.luaevent"),
        ("looptck", "import looptck"),
        ("looptck", "from looptck import Implementation"),
        ("looptck", "import looptck.running.plugin"),
        ("looptck", "from looptck.cli.main import main"),
        ("looptck", "runpy.run_module('looptck', run_name='__main__')"),
    ],
)
def test_an_import_on_windows_says_where_the_package_runs(package: str, statement: str) -> None:
    command = [sys.executable, "-c", _ON_WINDOWS + statement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if re.match(r"\w+Error: ", line)]
    assert errors == [
        f"ImportError: {package} runs on Linux, macOS and the BSDs; on Windows, install it in WSL"
    ]
