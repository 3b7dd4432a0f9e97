"""The adapter of libevent translates, and C never reaches an object that Python has freed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any

import pytest

from looptck.clocks import MonotonicClock
from looptck.subjects.discovery import find

from ..real_library import found_or_skipped
from .levent_objects import DroppedWhenCalled, Pair, noting_evbuf


@pytest.fixture
def levent() -> Any:
    return found_or_skipped("libevent").profiles["levent"](MonotonicClock())


def test_the_implementation_names_libevents_version(levent: Any) -> None:
    implementation = find("libevent")
    assert implementation.version.startswith("2.")
    assert implementation.engine is not None
    assert type(implementation.engine(levent.newbase())).__name__ == "EventBase"


def test_bytes_go_both_ways(levent: Any, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    evbuf, calls = noting_evbuf(base, near)
    far.send(b"one\r\ntwo\nthree\0")
    base.loop(0)
    assert calls == []
    evbuf.start()
    base.loop(0)
    assert ("read", near.fileno()) in calls
    assert [evbuf.readline(), evbuf.readline(), evbuf.readline()] == [b"one", b"two", None]
    assert [evbuf.read(2), evbuf.read(), evbuf.read()] == [b"th", b"ree\0", b""]
    evbuf.write(bytearray(b"back"))
    base.loop(0)
    assert far.recv(10) == b"back"
    far.close()
    base.loop(0)
    assert calls[-1] == ("error", near.fileno(), 0x11)


def test_the_watermarks_are_those_of_libevent(levent: Any, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    lengths: list[int] = []
    evbuf: Any = base.newevbuf(near.fileno(), lambda _: lengths.append(len(evbuf.read())))
    evbuf.set_read_watermarks(2, 3)
    evbuf.start()
    far.send(b"1")
    base.loop(0)
    assert lengths == []
    far.send(b"234567")
    for _ in range(5):
        base.loop(0)
    assert lengths == [3, 3]
    assert evbuf.read() == b"7"


def test_an_exception_of_a_callback_ends_the_loop(levent: Any, pair: Pair) -> None:
    near, _far = pair
    base = levent.newbase()
    calls: list[str] = []

    def on_write(_file: int) -> None:
        calls.append("write")
        raise KeyError("mine")

    event = base.newevent(near.fileno(), on_write, "w")
    event.start()
    with pytest.raises(KeyError, match="mine"):
        base.loop()
    assert calls == ["write"]
    event.stop()
    assert base.loop() == 1


@pytest.mark.parametrize("howmany", [None, 0, 1])
def test_loop_without_an_event_returns(levent: Any, howmany: int | None) -> None:
    assert levent.newbase().loop(howmany) == 1


def test_one_pass_ends_although_the_event_stays_ready(levent: Any, pair: Pair) -> None:
    near, _far = pair
    base = levent.newbase()
    calls: list[int] = []
    event = base.newevent(near.fileno(), calls.append, "w")
    event.start()
    base.loop(0)
    base.loop(1)
    assert calls == [near.fileno()] * 2


def test_a_loop_inside_a_loop_is_refused(levent: Any, pair: Pair) -> None:
    near, _far = pair
    base = levent.newbase()
    event = base.newevent(near.fileno(), lambda _: base.loop(), "w")
    event.start()
    with pytest.raises(RuntimeError, match="one loop at a time"):
        base.loop()


def test_a_file_that_cannot_be_watched_raises_os_error(levent: Any) -> None:
    event = levent.newbase().newevent(os.open(os.devnull, os.O_RDONLY), print)
    with pytest.raises(OSError, match="event_add"):
        event.start()


def test_a_deleted_event_never_reaches_c(levent: Any, pair: Pair) -> None:
    base = levent.newbase()
    event, evbuf = base.newevent(pair[0].fileno(), print), base.newevbuf(pair[0].fileno())
    event.delete()
    evbuf.delete()
    event.delete()
    evbuf.delete()
    for use in (event.start, event.stop, evbuf.start, evbuf.read, evbuf.readline):
        with pytest.raises(ValueError, match="deleted"):
            use()


@pytest.mark.parametrize("kind", ["event", "evbuf"])
def test_a_callback_may_drop_the_last_reference(levent: Any, pair: Pair, kind: str) -> None:
    near, far = pair
    base = levent.newbase()
    held = DroppedWhenCalled(base, near, kind)
    far.send(b"x")
    base.loop(0)
    assert not held.kept
    assert held.is_gone()
    assert base.loop() == 1


def test_the_base_is_freed_with_the_last_of_its_objects(levent: Any, pair: Pair) -> None:
    """An object that is freed twice, or after its base, crashes the process."""
    before = len(os.listdir("/dev/fd"))
    for first in ("base", "event", "evbuf"):
        base = levent.newbase()
        made = {
            "base": base,
            "event": base.newevent(pair[0].fileno(), print),
            "evbuf": base.newevbuf(pair[0].fileno(), print),
        }
        del base
        made["event"].start()
        made["evbuf"].start()
        made["evbuf"].write(b"never sent")
        assert len(os.listdir("/dev/fd")) > before
        del made[first]
        made.clear()
        assert len(os.listdir("/dev/fd")) == before


def test_objects_in_a_cycle_are_finalized_in_any_order(levent: Any, pair: Pair) -> None:
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    ring: list[Any] = [levent.newbase()]
    ring.append(ring[0].newevent(pair[0].fileno(), ring.append))
    ring.append(ring[0].newevbuf(pair[0].fileno(), ring.append))
    ring[1].start()
    ring[2].start()
    del ring
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before


_AT_THE_END = """
import socket
from looptck.subjects.discovery import find
levent = find("libevent").profiles["levent"](None)
near, far = (end.detach() for end in socket.socketpair())
base = levent.newbase()
evbuf = base.newevbuf(near, print, print, print)
evbuf.start()
event = base.newevent(far, print, "rw")
event.start()
evbuf.write(b"never sent")
"""


@pytest.mark.usefixtures("levent")
def test_the_interpreter_ends_quietly_with_live_events() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _AT_THE_END], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_it_can_be_listed_without_libevent() -> None:
    """The error that comes when it is used names the package to install."""
    program = (
        "import ctypes.util; ctypes.util.find_library = lambda _: None\n"
        "import looptck.adapters.libevent\n"
        "from looptck.subjects.discovery import find\n"
        "find('libevent')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("looptck.errors.AdapterError: 'libevent': libevent 2.1 was not found")
    assert "apt-get install libevent-2.1-7" in last
