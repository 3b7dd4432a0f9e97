"""The adapter of asyncio and its kin adds no more to a loop than docs/adapters.md says."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import Context
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn, TypeVarTuple

import pytest

from looptck.adapters.asyncio import UNSUPPORTED, from_loop_factory, implementation
from looptck.clocks import MonotonicClock
from looptck.errors import AdapterError
from looptck.rules.catalogue import shipped
from looptck.subjects.discovery import find
from looptck.subjects.implementation import Implementation

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

Ts = TypeVarTuple("Ts")


class Spy(asyncio.SelectorEventLoop):
    """A loop that notes the calls of its methods in `asked`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__()
        self.asked.clear()

    def _note(self, name: str) -> None:
        self.asked.append(name)

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[*Ts], Any], *args: *Ts
    ) -> None:
        self._note("add_reader")
        super().add_reader(fd, callback, *args)

    def add_writer(
        self, fd: FileDescriptorLike, callback: Callable[[*Ts], Any], *args: *Ts
    ) -> None:
        self._note("add_writer")
        super().add_writer(fd, callback, *args)

    def remove_reader(self, fd: FileDescriptorLike) -> bool:
        self._note("remove_reader")
        return super().remove_reader(fd)

    def remove_writer(self, fd: FileDescriptorLike) -> bool:
        self._note("remove_writer")
        return super().remove_writer(fd)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._note(f"call_later {delay:g}")
        return super().call_later(delay, callback, *args, context=context)

    def stop(self) -> None:
        self._note("stop")
        super().stop()


class Strict(asyncio.SelectorEventLoop):
    """A loop that refuses a callback that cannot be called at once, which asyncio does not."""

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[*Ts], Any], *args: *Ts
    ) -> None:
        self._check(callback)
        super().add_reader(fd, callback, *args)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check(callback)
        return super().call_later(delay, callback, *args, context=context)

    def _check(self, callback: object) -> None:
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called")


def entry(profile: str, factory: Any = asyncio.new_event_loop) -> Any:
    made = from_loop_factory("tests:factory", factory)
    return made.profiles[profile](MonotonicClock())


def descriptors() -> int:
    gc.collect()  # what an earlier test has dropped
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


# ---- what it is called, and who does the work


def test_the_entry_point_names_the_standard_library() -> None:
    assert find("asyncio") is implementation
    assert (implementation.name, implementation.version) == ("asyncio", platform.python_version())
    assert not implementation.virtual_time


def test_a_packages_factory_has_the_name_of_the_package() -> None:
    pytest.importorskip("uvloop", reason="uvloop is not installed (pip install uvloop)")
    found = find("uvloop:new_event_loop")
    assert (found.name, found.version) == ("uvloop", version("uvloop"))


def test_a_loose_factory_has_the_name_that_the_user_typed() -> None:
    made = from_loop_factory("my_module:make", asyncio.new_event_loop)
    assert (made.name, made.version) == ("my_module:make", "unknown")


@pytest.mark.parametrize("profile", ["luaevent", "luahop"])
def test_the_engine_is_the_loop_that_the_factory_made(profile: str) -> None:
    made = from_loop_factory("tests:factory", Spy)
    assert made.engine is not None
    loop = made.profiles[profile](MonotonicClock()).new()
    assert type(made.engine(loop)) is Spy


def test_every_unsupported_pattern_matches_a_rule() -> None:
    for pattern in UNSUPPORTED:
        assert shipped().matching([pattern])


def test_no_judged_rule_needs_an_unsupported_one() -> None:
    """A rule that needs a rule which is not applicable is not applicable itself."""
    asked = [rule for rule in shipped().values() if not implementation.why_unsupported(rule.id)]
    lost = {
        rule.id for rule in asked for need in rule.needs if implementation.why_unsupported(need)
    }
    assert not lost


# ---- translation


def test_a_listener_becomes_a_reader_or_a_writer(pair: tuple[socket.socket, socket.socket]) -> None:
    hop = entry("luahop", Spy).new()
    hop.set_listener(pair[0], "r", print)
    hop.set_listener(pair[0], "w", print)
    hop.remove_listener(pair[0], "r")
    hop.remove_listener(pair[0], "w")
    asked = hop.asyncio_loop.asked
    assert asked == ["add_reader", "add_writer", "remove_reader", "remove_writer"]


def test_poll_asks_the_loop_to_stop_once(pair: tuple[socket.socket, socket.socket]) -> None:
    ran: list[str] = []
    hop = entry("luahop", Spy).new()
    hop.set_listener(pair[0], "w", lambda: ran.append("near"))
    hop.set_listener(pair[1], "w", lambda: ran.append("far"))
    assert hop.poll() is True
    assert sorted(ran) == ["far", "near"]
    assert hop.asyncio_loop.asked.count("stop") == 1


def test_a_duration_becomes_a_number_of_seconds() -> None:
    hop = entry("luahop", Spy).new()
    hop.set_timeout({"s": 1, "ms": 500}, print)
    assert hop.asyncio_loop.asked == ["call_later 1.5"]


def test_poll_with_a_timeout_tells_whether_a_callback_ran() -> None:
    hop = entry("luahop").new()
    assert hop.poll({"ms": 5}) is False
    hop.set_timeout({"ms": 1}, lambda: None)
    assert hop.poll({"s": 5}) is True


def test_an_answer_becomes_calls_of_the_loop(pair: tuple[socket.socket, socket.socket]) -> None:
    core = entry("luaevent", Spy)
    answers = iter([core.EV_READ, core.LEAVE])
    base = core.new()
    kept = base.addevent(pair[0], core.EV_WRITE, lambda _flags: next(answers))
    pair[1].send(b"x")
    base.loop()
    asked = [call for call in base.asyncio_loop.asked if call != "stop"]
    assert asked == ["add_writer", "add_reader", "remove_writer", "remove_reader"]
    del kept


def test_a_new_event_of_a_direction_replaces_the_former(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The former event's callback returns its flags, which must not bring it back."""
    core = entry("luaevent")
    base = core.new()
    ran: list[str] = []
    kept: list[object] = []

    def former(_flags: int) -> int:
        ran.append("former")
        kept.append(base.addevent(pair[0], core.EV_WRITE, latter))
        return int(core.EV_WRITE)

    def latter(_flags: int) -> int:
        ran.append("latter")
        return int(core.LEAVE)

    kept.append(base.addevent(pair[0], core.EV_WRITE, former))
    base.loop()
    assert ran == ["former", "latter"]


def test_a_timeout_starts_again_after_each_call(pair: tuple[socket.socket, socket.socket]) -> None:
    core = entry("luaevent", Spy)
    base = core.new()
    seen: list[int] = []

    def on_event(flags: int) -> Any:
        seen.append(flags)
        return core.LEAVE if len(seen) == 3 else (core.EV_READ, 0.002)

    kept = base.addevent(pair[0], core.EV_READ, on_event, 0.001)
    base.loop()
    assert seen == [core.EV_TIMEOUT] * 3
    timers = [call for call in base.asyncio_loop.asked if call.startswith("call_later")]
    assert timers == ["call_later 0.001", "call_later 0.002", "call_later 0.002"]
    del kept


# ---- what it does not do


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, Strict])
def test_the_adapter_leaves_checks_of_callbacks_to_the_loop(
    factory: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: entry("luahop", factory).new().set_listener(pair[0], "r", None),
        lambda: entry("luahop", factory).new().set_timeout({"ms": 1}, "text"),
        lambda: entry("luahop", factory).new().set_interval({"ms": 1}, 5),
        lambda: entry("luaevent", factory).new().addevent(pair[0], 2, None),
        lambda: entry("luaevent", factory).new().addevent(None, 1, None, 0.1),
    ]
    refused = 0
    for call in calls:
        with suppress(TypeError):
            call()
            continue
        refused += 1
    assert refused == (len(calls) if factory is Strict else 0)


def test_a_callback_that_cannot_be_called_raises_when_due() -> None:
    hop = entry("luahop").new()
    hop.set_timeout({"ms": 1}, None)
    with pytest.raises(TypeError):
        hop.poll()


def test_an_early_timer_stays_early() -> None:
    """The adapter must not hide an early timer by measuring time again."""

    class Early(asyncio.SelectorEventLoop):
        def call_later(
            self,
            delay: float,
            callback: Callable[[*Ts], object],
            *args: *Ts,
            context: Context | None = None,
        ) -> asyncio.TimerHandle:
            return super().call_later(delay / 2, callback, *args, context=context)

    hop = entry("luahop", Early).new()
    began = time.monotonic()
    hop.set_timeout({"ms": 200}, lambda: None)
    hop.poll()
    assert time.monotonic() - began < 0.2


def test_a_second_batch_after_stop_is_not_hidden(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    class Late(asyncio.SelectorEventLoop):
        def stop(self) -> None:
            self.call_soon(super().stop)

    ran: list[str] = []
    hop = entry("luahop", Late).new()
    hop.set_listener(pair[0], "w", lambda: ran.append("w"))
    hop.poll()
    assert ran == ["w", "w"]


@pytest.mark.parametrize("profile", ["luaevent", "luahop"])
def test_a_loop_that_cannot_run_inside_another_says_so(profile: str) -> None:
    outer, inner = entry(profile).new(), entry(profile).new()

    def nested() -> None:
        inner.loop() if profile == "luaevent" else inner.poll({"ms": 1})

    if profile == "luaevent":
        kept = outer.addevent(None, 1, lambda _flags: nested(), 0.001)
        run = outer.loop
    else:
        kept = outer.set_timeout({"ms": 1}, nested)
        run = outer.poll
    with pytest.raises(RuntimeError, match="another loop is running"):
        run()
    del kept


# ---- exceptions, and the end


def test_an_exception_comes_out_with_a_note_of_the_later_ones() -> None:
    def fail(text: str) -> NoReturn:
        raise KeyError(text)

    hop = entry("luahop").new()
    for text in ("first", "second"):
        hop.set_timeout({"ms": 0}, partial(fail, text))
    with pytest.raises(KeyError) as caught:
        hop.poll()
    assert len(caught.value.__notes__) == 1
    hop.set_timeout({"ms": 0}, lambda: None)
    assert hop.poll() is True


def test_events_outlive_an_exception(pair: tuple[socket.socket, socket.socket]) -> None:
    core = entry("luaevent")
    base = core.new()
    calls: list[int] = []

    def on_write(flags: int) -> int:
        calls.append(flags)
        if len(calls) == 1:
            raise KeyError("once")
        return int(core.LEAVE)

    kept = base.addevent(pair[0], core.EV_WRITE, on_write)
    with pytest.raises(KeyError):
        base.loop()
    base.loop()
    assert len(calls) == 2
    del kept


def test_a_refused_event_leaves_no_timer_behind() -> None:
    core = entry("luaevent")
    base = core.new()
    with pytest.raises((OSError, ValueError)):
        base.addevent(-1, core.EV_READ, print, 3600)
    began = time.monotonic()
    base.loop()
    assert time.monotonic() - began < 1


def test_closing_a_base_closes_the_loop() -> None:
    before = descriptors()
    base = entry("luaevent").new()
    base.close()
    assert base.asyncio_loop.is_closed()
    assert descriptors() == before
    with pytest.raises(RuntimeError):
        base.loop()


def test_a_dropped_luahop_loop_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    before = descriptors()
    hop = entry("luahop").new()
    hop.set_listener(pair[0], "w", lambda hop=hop: hop)
    gone = weakref.ref(hop)
    del hop
    assert descriptors() == before
    assert gone() is None


def test_only_the_loop_holds_a_callback(pair: tuple[socket.socket, socket.socket]) -> None:
    core = entry("luaevent")
    base = core.new()

    def on_write(_flags: int) -> int:
        return int(core.LEAVE)

    gone = weakref.ref(on_write)
    event = base.addevent(pair[0], core.EV_WRITE, on_write, 5)
    del on_write
    base.loop()
    gc.collect()
    assert gone() is None
    event.close()


def test_a_factory_that_makes_something_else_is_refused(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "not_a_loop.py").write_text("make = dict\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AdapterError, match="no asyncio loop"):
        find("not_a_loop:make")


def test_asyncio_is_an_implementation_with_three_profiles() -> None:
    assert isinstance(implementation, Implementation)
    assert set(implementation.profiles) == {"luaevent", "levent", "luahop"}
