"""The processes of this machine: their parents, their states, the threads of this one.

Linux tells them in files of /proc, the BSDs and macOS by the command `ps`.
Nothing else is needed, so that looptck installs where there is no compiler.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# Without `=`, a header would be printed; each column has an option of its own,
# since BSDs take `pid=,ppid=` for one column with the header `,ppid=`.
_PS = ("ps", "-ax", "-o", "pid=", "-o", "ppid=", "-o", "state=", "-o", "lstart=")

# NetBSD has a letter of its own, O, for a process that is on a processor.
_RUNNING = ("R", "O")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; two that had the same number at different times are not equal."""

    pid: int
    start: str
    parent: int = field(compare=False)
    is_running: bool = field(compare=False)


def descendants_of(pid: int) -> list[Process]:
    """The children of process *pid*, their children, and so on; zombies too."""
    children: dict[int, list[Process]] = {}
    for process in all_processes():
        children.setdefault(process.parent, []).append(process)
    found = list(children.get(pid, ()))
    for process in found:  # grows meanwhile
        found += children.get(process.pid, ())
    return found


def is_running(pid: int) -> bool:
    """Whether process *pid* runs now or would if a processor were free; False if there is none."""
    return any(process.is_running for process in all_processes() if process.pid == pid)


def thread_count() -> int:
    """The kernel's count of this process's threads; 0 where it does not tell (not on Linux)."""
    with suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return 0


if sys.platform == "linux":

    def all_processes() -> Iterable[Process]:
        """Every process of this machine, as the kernel lists them."""
        for name in os.listdir("/proc"):
            with suppress(OSError):  # it has ended meanwhile
                if name.isdecimal():
                    yield _of_proc(Path("/proc", name, "stat").read_text(errors="replace"))

else:

    def all_processes() -> Iterable[Process]:
        """Every process of this machine, as `ps` lists them."""
        return _of_ps()


def _of_proc(line: str) -> Process:
    """Read /proc/PID/stat; the command's name stands in parentheses and may have any character."""
    pid, _, rest = line.partition(" ")
    state, parent, *fields = rest.rpartition(")")[2].split()
    return Process(int(pid), start=fields[17], parent=int(parent), is_running=state == "R")


def _of_ps() -> list[Process]:
    """Every process but `ps` itself."""
    asked = subprocess.Popen(_PS, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
    listed, _ = asked.communicate()
    found = []
    for line in listed.decode(errors="replace").splitlines():
        pid, parent, state, *start = line.split()  # `start` has spaces, and may be missing
        is_running = state.startswith(_RUNNING)
        found.append(Process(int(pid), " ".join(start), int(parent), is_running))
    return [process for process in found if process.pid != asked.pid]
