"""The processes of this machine, as /proc and as `ps` tell them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from looptck import processes

# {name: a way to list all processes}.  Linux has both where `ps` is installed.
WAYS: dict[str, Callable[[], Iterable[processes.Process]]] = {
    "this system's": processes.all_processes,
    "ps": processes._of_ps,
}


@pytest.fixture(params=WAYS)
def listing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """looptck lists processes in the way of the parameter."""
    if request.param == "ps" and shutil.which("ps") is None:
        pytest.skip("ps is not installed (Debian: procps)")
    monkeypatch.setattr(processes, "all_processes", WAYS[request.param])


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    """A Python that runs *program*, which has said a line when this begins."""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        it.stdout.readline()
        try:
            yield it
        finally:
            it.kill()


@pytest.mark.usefixtures("listing")
def test_descendants_are_children_and_their_children() -> None:
    program = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()'],"
        "                         stdin=subprocess.PIPE); child.wait()"
    )
    with started(program) as parent:
        found = processes.descendants_of(os.getpid())
        [child] = [process for process in found if process.pid == parent.pid]
        [grandchild] = [process for process in found if process.parent == parent.pid]
        assert child.parent == os.getpid()
        assert processes.descendants_of(parent.pid) == [grandchild]
        os.kill(grandchild.pid, 9)


@pytest.mark.usefixtures("listing")
def test_what_spins_is_running_and_what_sleeps_is_not() -> None:
    with started("print(flush=True)\nwhile True: pass") as spinning:
        assert processes.is_running(spinning.pid)
    with started("print(flush=True); input()") as sleeping:
        asked = [processes.is_running(sleeping.pid) for _ in range(20)]
        assert asked.count(False) > 10, asked
    assert not processes.is_running(sleeping.pid)


@pytest.mark.usefixtures("listing")
def test_a_process_is_the_same_each_time_it_is_listed() -> None:
    with started("print(flush=True); input()") as one:
        first, second = processes.descendants_of(os.getpid()), processes.descendants_of(os.getpid())
        assert [process for process in first if process.pid == one.pid]
        assert {*first} == {*second}


def test_the_name_of_a_command_may_look_like_fields() -> None:
    fields = " ".join(map(str, range(5, 53)))
    read = processes._of_proc(f"7 (a) R 9 (b) S 3 {fields}\n")
    assert read == processes.Process(7, start="22", parent=3, is_running=False)
    assert (read.parent, read.is_running) == (3, False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a process's threads")
def test_each_thread_is_counted() -> None:
    ended = threading.Event()
    before = processes.thread_count()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    assert processes.thread_count() == before + 1
    ended.set()
    thread.join()
