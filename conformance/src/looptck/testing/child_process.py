"""Runs a function as a program in a process of its own, to its regular end.

A fault that shows only at the end of a process cannot be judged in the process
that judges.  The end is the interpreter's whole end: threads are waited for, exit
handlers run, modules are taken apart and what they refer to is collected.

The process is forked, not started anew: so it has the very implementation
that is judged, however that was made, and costs milliseconds.  The exit
handlers of whoever judges are none of the program's and are forgotten first.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import select
import signal
import sys
import tempfile
import threading
import traceback
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from . import guards

# A program may take this long, in seconds.  That is less than the patience of the process that
# watches the test, so that the test can still say what happened.
_PATIENCE = 3.0

# The status of a program that raised.
_RAISED = 70

# An interpreter prints these when an error has no caller left that could catch it.
_COMPLAINTS = ("Traceback (most recent call last)", "Exception ignored", "Fatal Python error")


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """The exit status and the output of a program that ended."""

    # as `os.waitstatus_to_exitcode` tells it; None if it had to be ended
    status: int | None
    output: str

    @property
    def complaint(self) -> str:
        """In plain words, what was wrong with the end; "" if nothing was."""
        last = self.output.splitlines()[-1][:200] if self.output else "nothing"
        if self.status is None:
            return f"the process did not end within {_PATIENCE:.0f} s"
        if self.status == _RAISED:
            return f"the program raised before its end: {last}"
        if self.status < 0:
            return f"the process was ended by {signal.Signals(-self.status).name}"
        if self.status:
            return f"the process exited with status {self.status}; it said: {last}"
        if any(each in self.output for each in _COMPLAINTS):
            return f"the process complained at its end: {last}"
        return ""


def run_program(main: Callable[[], Any]) -> ProcessResult:
    """Run *main* in a process of its own; what it returns lives to the end of the process."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            _run(main)
        os.close(writing)
        with contextlib.closing(os.fdopen(reading, "rb")) as alive:
            # nobody writes: readable means that the last holder is gone
            ended, _, _ = select.select([alive], [], [], guards.guard(_PATIENCE))
            if not ended:
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        output.seek(0)
        said = output.read(20_000).decode(errors="replace").strip()
    return ProcessResult(os.waitstatus_to_exitcode(status) if ended else None, said)


def _keep(referred: Any) -> None:
    """The program refers to *referred* to the last, as a script does by its globals.

    A script's globals go before the modules that it has imported, whenever those were.
    """
    script = types.ModuleType("looptck_program")
    script.referred = referred  # type: ignore[attr-defined]  # as any global of a script
    sys.modules[script.__name__] = script


def _run(main: Callable[[], Any]) -> NoReturn:
    """The life of the program; never returns to the caller's stack."""
    try:
        atexit._clear()
        # The judging process collects complaints; the program prints them.
        sys.excepthook = sys.__excepthook__
        sys.unraisablehook = sys.__unraisablehook__
        threading.excepthook = threading.__excepthook__
        warnings.simplefilter("ignore")
        _keep(main())
    except BaseException:  # the last frame of this process: it may only exit
        os.write(2, traceback.format_exc().encode())
        os._exit(_RAISED)
    # Not sys.exit(), which would go through the frames of whoever judges.
    ctypes.pythonapi.Py_Exit(0)
    os._exit(_RAISED)
