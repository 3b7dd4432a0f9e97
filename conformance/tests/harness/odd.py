"""Implementations whose declaration is odd: made when they are asked for, by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from hostile import Core  # type: ignore[import-not-found]  # beside this file, on PYTHONPATH

from looptck import Clock, Implementation

RULE = "luaevent.constants.leave"

# A child that has left the process group, and one that has left its parent too.
_LEAVE = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
signal.pause()  # looptck-daemon
"""


def _declared(misbehave: Callable[[], object] = bool, **changes: Any) -> Implementation:
    declared: dict[str, Any] = {
        "name": "odd",
        "version": "1",
        "profiles": {"luaevent": lambda _clock: Core(misbehave)},
    }
    return Implementation(**{**declared, **changes})


class _HostileText(str):
    """Text whose methods fail when it is printed."""

    def _fail(self, *_: object) -> str:
        raise RuntimeError("no text today")

    __str__ = __repr__ = __format__ = _fail  # as hostile as can be


_DECLARATIONS: dict[str, dict[str, Any]] = {
    "empty_name": {"name": ""},
    "blank_version": {"version": " "},
    "name_of_bytes": {"name": b"odd"},
    "version_of_numbers": {"version": (1, 2)},
    "long_name": {"name": "x" * 101},
    "name_with_escape": {"name": "a\x1b[2Jb"},
    "name_with_surrogate": {"name": "a\udc80b"},
    "version_with_line_break": {"version": "1\n"},
    "list_of_profiles": {"profiles": ["luaevent"]},
    "virtual_time_of_text": {"virtual_time": "no"},
    "engine_of_text": {"engine": "loop"},
    "unknown_profile": {"profiles": {"luaevnt": Core}},
    "variant_with_escape": {"profiles": {}, "variants": {"\x1b[31m": {"luaevent": Core}}},
    "near_pattern": {"unsupported": {"luaevent.constant.leave": "no"}},
    "name_like_a_path": {"name": "../x/[red]:smile:"},
    "hostile_text": {
        "name": _HostileText("odd"),
        "version": _HostileText("1"),
        "unsupported": {_HostileText("luahop.*"): _HostileText("no")},
    },
    "odd_reason": {"unsupported": {RULE: "\x1b[2J\udc80\x00\ufffe\u202e\r\n]]> & <b>"}},
}


def _say_odd_things() -> None:
    raise RuntimeError("\x1b[2J\udc80\x00\ufffe ]]> & <b>")


def _leave_daemons() -> None:
    subprocess.Popen([sys.executable, "-c", _LEAVE], start_new_session=True)


def exits() -> Implementation:
    sys.exit(0)


def is_interrupted() -> Implementation:
    raise KeyboardInterrupt


def ends_generators() -> Implementation:
    raise GeneratorExit


def ends_the_process() -> Implementation:
    os._exit(0)


class SleepingHop:
    """A LuaHop that waits in real time; *kind* says what it does to the clock it is given."""

    def __init__(self, clock: Clock, kind: str) -> None:
        self._clock, self._kind = clock, kind
        self._due: list[tuple[float, Callable[[], object]]] = []

    def _now(self) -> float:
        return time.monotonic() if self._kind == "own" else self._clock.now()

    def set_timeout(self, duration: dict[str, float], callback: Callable[[], object]) -> object:
        self._due.append((self._now() + duration["ms"] / 1000, callback))
        return object()

    def poll(self) -> None:
        deadline, callback = self._due[0]
        wait = max(deadline - self._now(), 0)
        if self._kind != "honest":
            time.sleep(wait)
        if self._kind in ("both", "honest"):
            self._clock.advance(wait)
        if self._now() >= deadline:
            del self._due[0]
            callback()


class _HopEntry:
    def __init__(self, clock: Clock, kind: str) -> None:
        self._clock, self._kind = clock, kind

    def new(self) -> SleepingHop:
        return SleepingHop(self._clock, self._kind)


def _hop(kind: str) -> Implementation:
    return Implementation(
        name=kind,
        version="1",
        virtual_time=True,
        profiles={"luahop": lambda clock: _HopEntry(clock, kind)},
    )


def __getattr__(name: str) -> Any:
    if name.startswith("hop_"):
        return _hop(name.removeprefix("hop_"))
    if name == "odd_message":
        return _declared(_say_odd_things)
    if name == "daemons":
        return _declared(_leave_daemons)
    if name in _DECLARATIONS:
        # A callable, so that the error is raised where a user's module would.
        return lambda: _declared(**_DECLARATIONS[name])
    raise AttributeError(name)
