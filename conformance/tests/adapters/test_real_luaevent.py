"""The adapter of the real luaevent translates and does not mend.

What crashes is in conformance/tests/test_real_libraries.py, in processes that
may.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import weakref
from typing import Any

import pytest

from looptck.clocks import MonotonicClock
from looptck.subjects.discovery import find

from ..real_library import found_or_skipped

SPEC = "looptck.adapters.real_luaevent:implementation"


@pytest.fixture
def core() -> Any:
    return found_or_skipped(SPEC).profiles["luaevent"](MonotonicClock())


def test_the_implementation_names_luaevents_version(core: Any) -> None:
    implementation = find(SPEC)
    assert implementation.name == "real-luaevent"
    assert "libevent" in implementation.version
    assert implementation.engine is not None
    assert "lupa" in type(implementation.engine(core.new())).__module__


def test_a_callback_gets_flags_and_answers(core: Any) -> None:
    base = core.new()
    seen: list[tuple[int, ...]] = []

    def on_timeout(*arguments: int) -> Any:
        seen.append(arguments)
        return core.LEAVE if len(seen) == 3 else (None, 0.002)

    kept = base.addevent(None, core.EV_TIMEOUT, on_timeout, 0.001)
    assert base.loop() == 1
    assert seen == [(core.EV_TIMEOUT,)] * 3
    del kept


def test_an_object_with_fileno_is_its_number(core: Any) -> None:
    near, far = socket.socketpair()
    base = core.new()
    seen: list[int] = []

    def on_write(flags: int) -> Any:
        seen.append(flags)
        return core.LEAVE

    kept = base.addevent(near, core.EV_WRITE, on_write)
    base.loop()
    assert seen == [core.EV_WRITE]
    del kept, far


def test_an_exception_comes_out_as_itself(core: Any) -> None:
    base = core.new()

    def on_timeout(_flags: int) -> None:
        raise KeyError("mine")

    kept = base.addevent(None, core.EV_TIMEOUT, on_timeout, 0.001)
    with pytest.raises(KeyError, match="mine"):
        base.loop()
    kept.close()
    assert base.loop() == 1


def test_a_dropped_event_is_gone_at_once(core: Any) -> None:
    base = core.new()
    kept = base.addevent(None, core.EV_TIMEOUT, lambda _flags: None, 3600)
    del kept
    assert base.loop() == 1


def test_an_event_dropped_inside_a_callback_is_gone_at_once(core: Any) -> None:
    base = core.new()
    kept: dict[str, Any] = {}

    def drop(_flags: int) -> int:
        kept.pop("other")
        return int(core.LEAVE)

    kept["other"] = base.addevent(None, core.EV_TIMEOUT, lambda _flags: None, 3600)
    kept["drop"] = base.addevent(None, core.EV_TIMEOUT, drop, 0.001)
    assert base.loop() == 1


def test_the_callback_of_an_ended_event_is_let_go(core: Any) -> None:
    base = core.new()

    def on_timeout(_flags: int) -> int:
        return int(core.LEAVE)

    gone = weakref.ref(on_timeout)
    kept = base.addevent(None, core.EV_TIMEOUT, on_timeout, 0.001)
    del on_timeout
    base.loop()
    assert gone() is None
    del kept


def test_a_dropped_base_gives_its_descriptors_back(core: Any) -> None:
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    base = core.new()
    assert len(os.listdir("/dev/fd")) > before
    del base
    assert len(os.listdir("/dev/fd")) == before


def test_a_base_has_no_close_as_luaevent_has_none(core: Any) -> None:
    assert not hasattr(core.new(), "close")


def test_a_base_has_luaevents_undocumented_functions(core: Any) -> None:
    base = core.new()
    assert base.method() in ("epoll", "poll", "select")
    kept = base.addevent(None, core.EV_TIMEOUT, lambda _flags: None, 3600)
    base.loopexit(0.001)
    assert base.loop() == 0
    del kept


# ---- the complete library


@pytest.fixture
def extended() -> Any:
    return found_or_skipped(SPEC).profiles["luaevent-extended"](MonotonicClock())


def test_bytes_become_strings_of_lua(extended: Any) -> None:
    buffer = extended.buffer.new()
    every = bytes(range(256))
    assert buffer.add(every, b"") == 256
    assert (buffer.get_data(), bytes(buffer), len(buffer)) == (every, every, 256)
    assert buffer.readline() == every[:10].partition(b"\0")[0]  # cut by luaevent


@pytest.mark.parametrize("wrong", ["text", None, bytearray(b"bytes"), [b"bytes"]])
def test_luaevent_itself_refuses_values_that_are_no_strings(extended: Any, wrong: Any) -> None:
    buffer = extended.buffer.new()
    with pytest.raises(TypeError, match="bad argument"):
        buffer.add(b"good", wrong)
    assert len(buffer) == 0


def test_a_buffer_may_be_added_to_another(extended: Any) -> None:
    """An empty buffer may be added too, although lupa takes it for false."""
    first, second, empty = (extended.buffer.new() for _ in range(3))
    second.add(b"two")
    assert first.add(b"one ", second, empty) == 7
    assert (bytes(first), bytes(second)) == (b"one two", b"")


def test_the_buffers_of_a_bufferevent_are_the_same_each_time(extended: Any) -> None:
    """The test runs a process of its own, as the library frees the buffers twice."""
    program = (
        "import os, socket\n"
        "from looptck.subjects.discovery import find\n"
        f"entry = find({SPEC!r}).profiles['luaevent-extended'](None)\n"
        "near, far = socket.socketpair()\n"
        "base = entry.new()\n"
        "made = entry.bufferevent.new(base, near, None, None, print)\n"
        "assert made.get_read() is not made.get_write()\n"
        "one = made.get_read()\n"
        "assert made.get_read() is one\n"
        "os._exit(0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


# ---- what is missing


# {what is missing: how to make it so}
MISSING = {
    "lupa": "import sys; sys.modules['lupa'] = None",
    "luaevent": "import sysconfig; sysconfig.get_config_var = lambda _: 'nowhere'",
}


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_package_is_named_in_one_line(missing: str) -> None:
    program = f"{MISSING[missing]}\nfrom looptck.subjects.discovery import find\nfind({SPEC!r})"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("looptck.errors.AdapterError: ")
    assert f"missing is {missing}: " in last
    assert "Debian: apt-get install lua-event" in last
    assert "PyPI: pip install lupa" in last
