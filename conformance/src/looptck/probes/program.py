"""A program: a function of the suite that runs in an interpreter of its own.

What shows only when a process ends cannot be judged in the process that
judges.  The program has the same implementation, variant and profile as the
test, and lives for a few seconds at most.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from looptck.bench import Bench
from looptck.errors import LooptckError
from looptck.implementation import find

# How long a program may take, in seconds.  Less than the patience of whoever
# watches the test, so that the test can still say what happened.
_PATIENCE = 4.0

# Says that the function came to its end, on a line of its own: what follows is
# the end of the process.
_THROUGH = "the program is through"

# What an interpreter prints when something goes wrong where no caller is left.
_COMPLAINTS = ("Traceback (most recent call last)", "Exception ignored", "Fatal Python error")

# Called with the profile's entry object; what it returns lives as long as the
# interpreter.
Main = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    # None if it had to be ended
    status: int | None
    # whether the function returned
    through: bool
    output: str

    @property
    def complaint(self) -> str:
        """In plain words, what was wrong with the end; "" if nothing was."""
        last = self.output.splitlines()[-1][:200] if self.output else "nothing"
        if not self.through:
            return f"the program did not come to its end; it said: {last}"
        if self.status is None:
            return f"the process was still there {_PATIENCE:.0f} s after its start"
        if self.status < 0:
            return f"the process was ended by signal {-self.status}; it said: {last}"
        if self.status:
            return f"the process exited with status {self.status}; it said: {last}"
        if any(each in self.output for each in _COMPLAINTS):
            return f"the process complained at its end: {last}"
        return ""


def run_program(bench: Bench, profile: str, main: Main) -> Ended:
    """Run *main*, a function at the top of a module, in a fresh interpreter."""
    name = bench.implementation.name
    arguments = (bench.spec, name, bench.variant, profile, main.__module__, main.__qualname__)
    bench.witness.calls[f"{main.__qualname__} in a program"] += 1
    process = subprocess.Popen(
        (sys.executable, "-W", "ignore", "-m", __name__, *arguments),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    status: int | None
    try:
        output, _ = process.communicate(timeout=_PATIENCE)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        status = None
    *before, after = output.rpartition(_THROUGH + "\n")
    return Ended(status, any(before), "".join((before[0], after)).strip())


def _main(
    spec: str, implementation: str, variant: str, profile: str, module: str, name: str
) -> object:
    function: Main = getattr(importlib.import_module(module), name)
    found = find(spec)
    if found.name != implementation:
        raise LooptckError(f"{spec!r} is {found.name}, not {implementation}, which is judged")
    kept = function(Bench(found, variant, spec).entry(profile))
    print(_THROUGH, flush=True)
    return kept


if __name__ == "__main__":
    # a global: still there when the interpreter takes itself apart
    KEPT = _main(*sys.argv[1:])
