"""levent where its document is open, and what only the reference promises.

What the document states is judged by the suite, which runs wherever these tests run.
"""

from __future__ import annotations

import os
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tideloop.levent as imported
from tideloop import ClosedError, RunningError, VirtualClock, levent
from tideloop.levent import Base, Entry

Pairs = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.fixture
def module() -> Entry:
    return levent.entry(clock=VirtualClock())


@pytest.fixture
def base(module: Entry) -> Iterator[Base]:
    base = module.newbase()
    yield base
    base.close()


def test_it_is_one_module_under_two_names() -> None:
    assert imported is levent
    assert levent.newbase().loop() is True


# ---- files


def test_an_accessor_belongs_to_a_type_and_its_subclasses(module: Entry) -> None:
    class Line:
        fd = 7

    class Special(Line):
        fd = 8

    line, special = Line(), Special()
    with pytest.raises(TypeError):
        module.fdfromvalue(line)
    module.setfdaccessor(Line, lambda line: line.fd)
    assert (module.fdfromvalue(line), module.fdfromvalue(special)) == (7, 8)
    module.setfdaccessor(Special, lambda line: line.fd + 1)
    assert (module.fdfromvalue(line), module.fdfromvalue(special)) == (7, 9)
    module.setfdaccessor(Line, lambda line: 70)
    assert module.fdfromvalue(line) == 70
    module.setfdaccessor(Line, None)
    with pytest.raises(TypeError):
        module.fdfromvalue(line)


def test_what_is_no_file_is_never_taken_for_one(module: Entry, base: Base) -> None:
    assert module.fdfromvalue(7) == 7
    wrongs: list[Any] = [None, True, {}, "0", 7.9, sys.stdin]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            module.fdfromvalue(wrong)
        with pytest.raises(TypeError):
            base.newevent(wrong, print)
        with pytest.raises(TypeError):
            base.newevbuf(wrong)
    module.setfdaccessor(dict, lambda value: value.get("fd"))
    for wrong, error in (({}, TypeError), ({"fd": "1"}, TypeError), ({"fd": -1}, ValueError)):
        with pytest.raises(error):
            module.fdfromvalue(wrong)
    with pytest.raises(TypeError):
        module.setfdaccessor(dict, 5)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        module.setfdaccessor({}, print)  # type: ignore[arg-type]  # wrong on purpose


def test_two_entries_know_different_files(module: Entry) -> None:
    module.setfdaccessor(set, len)
    assert module.fdfromvalue({1}) == 1
    with pytest.raises(TypeError):
        levent.entry().fdfromvalue({1})


# ---- events


def test_the_callback_gets_the_file_as_it_was_given(module: Entry, base: Base, pair: Pairs) -> None:
    near, far = pair()
    module.setfdaccessor(socket.socket, socket.socket.fileno)
    far.send(b"x")
    far.shutdown(socket.SHUT_WR)
    calls: list[object] = []
    event = base.newevent(near, lambda *args: calls.append(args)).start()
    base.loop(0)
    event.delete()
    evbuf = base.newevbuf(
        near,
        lambda *args: calls.append(args),
        lambda *args: calls.append(args),
        lambda *args: calls.append(args),
    ).start()
    base.loop()
    end = levent.EVBUFFER_EOF | levent.EVBUFFER_READ
    assert calls.count((near,)) == 3
    assert calls[-1] == (near, end)
    evbuf.delete()


def test_deleted_is_invalid_and_lets_go(base: Base, pair: Pairs) -> None:
    class Callback:
        def __call__(self, file: object) -> None:
            raise AssertionError

    near, far = pair()
    far.send(b"x")
    callback = Callback()
    reference = weakref.ref(callback)
    event = base.newevent(near.fileno(), callback).start()
    del callback
    event.delete()
    event.delete()
    assert reference() is None
    base.loop()
    for method in (event.start, event.stop):
        with pytest.raises(ClosedError):
            method()


def test_loop_and_close_inside_a_callback_are_refused(base: Base, pair: Pairs) -> None:
    near, far = pair()
    far.send(b"x")

    def inside(file: int) -> None:
        for call in (base.loop, base.close):
            with pytest.raises(RunningError):
                call()
        event.stop()

    event = base.newevent(near.fileno(), inside).start()
    base.loop()


def test_a_closed_base_makes_nothing(base: Base, pair: Pairs) -> None:
    near, _ = pair()
    event, evbuf = base.newevent(near.fileno(), print), base.newevbuf(near.fileno())
    base.close()
    base.close()
    for call in (
        event.start,
        evbuf.start,
        base.loop,
        lambda: base.newevent(near.fileno(), print),
        lambda: base.newevbuf(near.fileno()),
    ):
        with pytest.raises(ClosedError):
            call()


# ---- buffered events


def test_the_write_buffer_calls_at_start_and_when_it_is_empty(base: Base, pair: Pairs) -> None:
    near, far = pair()
    calls: list[object] = []
    evbuf = base.newevbuf(near.fileno(), None, calls.append).start()
    base.loop(0)
    base.loop(0)
    assert len(calls) == 1
    evbuf.write(b"data")
    evbuf.write(b"")
    base.loop(0)
    assert len(calls) == 2
    assert far.recv(10) == b"data"
    with pytest.raises(TypeError):
        evbuf.write("text")  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("where", ["readcb", "writecb", "errorcb"])
def test_deleted_inside_a_callback(base: Base, pair: Pairs, where: str) -> None:
    near, far = pair()
    calls: list[str] = []

    def callback(name: str) -> Callable[..., None]:
        def called(*args: object) -> None:
            calls.append(name)
            if name == where:
                evbuf.delete()

        return called

    evbuf = base.newevbuf(
        near.fileno(), callback("readcb"), callback("writecb"), callback("errorcb")
    )
    evbuf.start()
    far.send(b"x")
    far.shutdown(socket.SHUT_WR)
    base.loop()
    assert calls[-1] == where
    for method in (evbuf.start, evbuf.stop, evbuf.read, evbuf.readline):
        with pytest.raises(ClosedError):
            method()
    with pytest.raises(ClosedError):
        evbuf.write(b"x")
    evbuf.delete()


def test_after_delete_nothing_is_left(pair: Pairs) -> None:
    class Callback:
        def __call__(self, file: object) -> None:
            """Never called."""

    near, far = pair()
    before = set(os.listdir("/dev/fd"))
    base = levent.newbase()
    callback = Callback()
    reference = weakref.ref(callback)
    evbuf = base.newevbuf(near.fileno(), callback).start()
    del callback
    evbuf.delete()
    assert reference() is None
    base.loop()
    base.close()
    assert set(os.listdir("/dev/fd")) == before
    far.send(b"still open")
    assert near.recv(100) == b"still open"
