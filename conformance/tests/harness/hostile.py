"""Implementations that misbehave, each in its own way, for the harness to survive.

All of them offer luaevent; what is hostile happens in `loop()` unless the name
says otherwise.  `kept` is the exception: it is right, as far as one rule goes.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from looptck import Clock, Implementation


class Event:
    def __init__(self, base: Base, fd: int | None, callback: Callable[[int], Any]) -> None:
        self.base, self.fd, self.callback = base, fd, callback

    def close(self) -> None:
        if self in self.base.events:
            self.base.events.remove(self)


class Base:
    """Enough of a base for `luaevent.constants.leave`: timers are due at once."""

    def __init__(self, misbehave: Callable[[], object]) -> None:
        self.events: list[Event] = []
        self._misbehave = misbehave

    def addevent(
        self, fd: Any, event: int, callback: Callable[[int], Any], timeout: float | None = None
    ) -> Event:
        made = Event(self, fd, callback)
        self.events.append(made)
        return made

    def loop(self) -> None:
        # The judgement of the adapter comes with a single timer; a rule's test
        # brings a descriptor.
        if any(event.fd is not None for event in self.events):
            self._misbehave()
        while self.events:
            for event in list(self.events):
                if event in self.events and event.callback(1 if event.fd is None else 4) == -1:
                    event.close()

    def close(self) -> None:
        self.events.clear()


class Core:
    LEAVE, EV_TIMEOUT, EV_READ, EV_WRITE, EV_SIGNAL, EV_PERSIST = -1, 1, 2, 4, 8, 16

    def __init__(self, misbehave: Callable[[], object]) -> None:
        self._misbehave = misbehave

    def new(self) -> Base:
        return Base(self._misbehave)


def _hostile(misbehave: Callable[[], object]) -> Implementation:
    def factory(_clock: Clock) -> Core:
        return Core(misbehave)

    name = getattr(misbehave, "__name__", "hostile").strip("_")
    return Implementation(name=name, version="1", profiles={"luaevent": factory})


_STANDARD_STREAMS = [1, 2]
_INTERRUPTS = [KeyboardInterrupt()]


def _nothing() -> None:
    pass


def _sleep() -> None:
    select.select([], [], [], 3600)


def _spin() -> None:
    while True:
        pass


def _hold_the_gil() -> None:
    ctypes.PyDLL(None).pause()


def _wait_for_a_thread() -> None:
    threading.Event().wait()


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(7)


def _close_every_descriptor() -> None:
    os.closerange(0, 1 << 16)


def _close_at_random() -> None:
    os.closerange(3, 1000)


def _write_to_every_number() -> None:
    """As a loop does that uses a number which it had closed; both are lines of JSON."""
    for number in range(3, 1000):
        with contextlib.suppress(OSError):
            os.write(number, b'{"done": true}\n{"task": 0, "failed": false}\n')


def _write_to_the_channel() -> None:
    """The numbers of looptck's own descriptors, which no loop is ever given."""
    for number in range(16_000, 20_000):
        with contextlib.suppress(OSError):
            os.write(number, b'{"done": true}\n')


def _raise_system_exit() -> None:
    sys.exit(9)


def _raise_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def _raise_keyboard_interrupt_once() -> None:
    if _INTERRUPTS:
        raise _INTERRUPTS.pop()


class _Leftover:
    """A cycle that parses source when it is collected, as formatting a traceback does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("(a, b)")
        _Leftover()


def _parse_in_finalizers() -> None:
    """Let a collection come in the middle of whatever the process does next."""
    gc.set_threshold(1)
    _Leftover()
    raise RuntimeError("not today")


def _write_rubbish() -> None:
    while _STANDARD_STREAMS:  # later these numbers are somebody else's
        fd = _STANDARD_STREAMS.pop()
        os.write(fd, b"\x1b[2J{not json\n")
        os.close(fd)


def _leave_a_process() -> None:
    subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()  # looptck-left-behind"])


def _ignore_signals_and_sleep() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        signal.pause()


def _replace_json() -> None:
    json.dumps = lambda *_a, **_k: "{}"
    json.JSONEncoder.encode = lambda *_a: "{}"  # type: ignore[method-assign]  # what this loop does wrong
    json.encoder.c_make_encoder = None  # type: ignore[attr-defined]  # as above
    json.encoder._make_iterencode = lambda *_a, **_k: lambda *_b: ["{}"]  # type: ignore[attr-defined]  # as above


def _replace_write() -> None:
    os.write = lambda *_a: 1


def _raise_skip_test() -> None:
    raise unittest.SkipTest("not today")


def _skip() -> None:
    pytest.skip("not today")


def _xfail() -> None:
    pytest.xfail(reason="not today")


def _stop_the_parent() -> None:
    os.kill(os.getppid(), signal.SIGTERM)
    _sleep()


class OtherBase(Base):
    """Another loop, which an adapter quietly uses every second time."""


class FickleCore(Core):
    made = 0

    def new(self) -> Base:
        FickleCore.made += 1
        return (OtherBase if FickleCore.made % 2 else Base)(self._misbehave)


class UnclosableBase(Base):
    """Its close ends the process, which is for a rule to find out."""

    def close(self) -> None:
        os._exit(3)


class UnclosableCore(Core):
    def new(self) -> Base:
        return UnclosableBase(self._misbehave)


def _dawdle(seconds: float) -> None:
    """A loop takes so long, by the machine's clock: whether that is too long is what is judged."""
    time.sleep(seconds)


class SlowBase(Base):
    """Right, and slow in whatever it is asked."""

    def addevent(self, *arguments: Any, **more: Any) -> Event:
        _dawdle(0.4)
        return super().addevent(*arguments, **more)

    def loop(self) -> None:
        _dawdle(0.6)
        super().loop()


class SlowCore(Core):
    def new(self) -> Base:
        _dawdle(0.7)
        return SlowBase(self._misbehave)


class SlowToBeginCore(Core):
    """Each step of the adapter's check is slow."""

    def new(self) -> Base:
        _dawdle(2.0)
        return Base(self._misbehave)


class TirelessBase(Base):
    """Its timers go on whatever their callbacks answer."""

    def loop(self) -> None:
        while True:
            for event in list(self.events):
                event.callback(1 if event.fd is None else 4)


class TirelessCore(Core):
    def new(self) -> Base:
        return TirelessBase(self._misbehave)


unclosable = Implementation(
    name="unclosable", version="1", profiles={"luaevent": lambda _clock: UnclosableCore(_nothing)}
)
slow = Implementation(
    name="slow", version="1", profiles={"luaevent": lambda _clock: SlowCore(_nothing)}
)
slow_to_begin = Implementation(
    name="slow_to_begin",
    version="1",
    profiles={"luaevent": lambda _clock: SlowToBeginCore(_nothing)},
)
tireless = Implementation(
    name="tireless", version="1", profiles={"luaevent": lambda _clock: TirelessCore(_nothing)}
)
kept = _hostile(_nothing)
fickle = Implementation(
    name="fickle", version="1", profiles={"luaevent": lambda _clock: FickleCore(_nothing)}
)
sleeping = _hostile(_sleep)
spinning = _hostile(_spin)
holding_the_gil = _hostile(_hold_the_gil)
waiting_for_a_thread = _hostile(_wait_for_a_thread)
segfaulting = _hostile(_segfault)
exiting = _hostile(_exit)
closing_every_descriptor = _hostile(_close_every_descriptor)
raising_system_exit = _hostile(_raise_system_exit)
raising_keyboard_interrupt = _hostile(_raise_keyboard_interrupt)
raising_keyboard_interrupt_once = _hostile(_raise_keyboard_interrupt_once)
parsing_in_finalizers = _hostile(_parse_in_finalizers)
closing_at_random = _hostile(_close_at_random)
writing_to_every_number = _hostile(_write_to_every_number)
writing_to_the_channel = _hostile(_write_to_the_channel)
writing_rubbish = _hostile(_write_rubbish)
leaving_a_process = _hostile(_leave_a_process)
ignoring_signals = _hostile(_ignore_signals_and_sleep)
replacing_json = _hostile(_replace_json)
replacing_write = _hostile(_replace_write)
raising_skip_test = _hostile(_raise_skip_test)
skipping = _hostile(_skip)
expecting_failure = _hostile(_xfail)
stopping_the_parent = _hostile(_stop_the_parent)


def signalling_in_a_fork() -> Implementation:
    """The process that judges gets a signal where Python ignores what its handler raises."""

    def signal_itself() -> None:
        if callable(signal.getsignal(signal.SIGTERM)):
            os.kill(os.getpid(), signal.SIGTERM)

    os.register_at_fork(after_in_parent=signal_itself)
    return kept


def _refusing_factory(_clock: Clock) -> Core:
    raise RuntimeError("no loop today")


def _empty_factory(_clock: Clock) -> None:
    return None


factory_raises = Implementation(
    name="factory_raises", version="1", profiles={"luaevent": _refusing_factory}
)
factory_returns_nothing = Implementation(
    name="factory_returns_nothing", version="1", profiles={"luaevent": _empty_factory}
)
unknown_capability = Implementation(
    name="unknown_capability",
    version="1",
    profiles={"luaevent": lambda _clock: Core(_nothing)},
    unsupported={"luaevent.made-up.rule": "not there"},
)
not_an_implementation = 42


def returns_no_loop() -> str:
    return "a string"


def raises_at_once() -> asyncio.AbstractEventLoop:
    raise OSError(24, "Too many open files")
