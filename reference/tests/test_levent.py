"""levent: the promises of the document, and the points that it leaves open."""

from __future__ import annotations

import gc
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
def module(poller: str) -> Entry:
    return levent.entry(poller, VirtualClock())


@pytest.fixture
def base(module: Entry) -> Iterator[Base]:
    base = module.newbase()
    yield base
    base.close()


def test_it_is_one_module_under_two_names() -> None:
    assert imported is levent
    assert levent.newbase().loop() is True


# ---- files


def test_fdfromfile(module: Entry) -> None:
    for number, file in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        assert file is None or module.fdfromfile(file) == number
    with open(__file__) as file:
        assert module.fdfromfile(file) == file.fileno()
    for wrong in (file, None, 5, "name"):
        with pytest.raises((TypeError, ValueError)):
            module.fdfromfile(wrong)


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


def test_the_example_of_the_document(module: Entry) -> None:
    with open(__file__) as file:
        module.setfdaccessor(type(file), module.fdfromfile)
        assert module.fdfromvalue(file) == file.fileno()


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


def test_an_event_is_served_while_it_is_started(base: Base, pair: Pairs) -> None:
    near, far = pair()
    far.send(b"x")
    calls: list[object] = []
    event = base.newevent(near.fileno(), calls.append)
    base.loop()
    assert calls == []
    assert event.start() is event.start() is event
    base.loop(0)
    base.loop(1)
    base.loop(5)
    assert calls == [near.fileno()] * 3
    event.stop()
    event.stop()
    base.loop()
    base.loop(1)
    assert len(calls) == 3
    event.start()
    base.loop(0)
    assert len(calls) == 4


@pytest.mark.parametrize("evtype, count", [("r", 0), ("w", 1), ("rw", 1), ("wr", 1)])
def test_evtype_is_the_direction(base: Base, pair: Pairs, evtype: str, count: int) -> None:
    near, far = pair()
    calls: list[object] = []
    event = base.newevent(near.fileno(), calls.append, evtype).start()
    base.loop(0)
    assert len(calls) == count
    far.send(b"x")
    base.loop(0)
    assert len(calls) == count + 1
    event.delete()


def test_wrong_arguments(base: Base, pair: Pairs) -> None:
    fd = pair()[0].fileno()
    for evtype in ("", "x", "R", 5, None):
        with pytest.raises((TypeError, ValueError)):
            base.newevent(fd, print, evtype)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        base.newevent(fd, None)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        base.newevbuf(fd, 5)  # type: ignore[arg-type]  # wrong on purpose
    wrongs: list[Any] = [True, "1", 0.5, {}]
    for howmany in wrongs:
        with pytest.raises(TypeError):
            base.loop(howmany)
    with pytest.raises(OSError):
        base.newevent(90_000, print).start()


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


def test_what_nobody_refers_to_is_deleted(base: Base, pair: Pairs) -> None:
    near, _ = pair()
    event = base.newevent(near.fileno(), print).start()
    evbuf = base.newevbuf(near.fileno(), print).start()
    assert "active" in repr(event)
    assert "levent.EvBuf" in repr(evbuf)
    del event, evbuf
    gc.collect()
    base.loop()


def test_deleted_by_another_in_the_same_turn(base: Base, pair: Pairs) -> None:
    calls: list[object] = []
    events: list[levent.Event] = []

    def delete_the_others(file: int) -> None:
        calls.append(file)
        for event in events:
            event.delete()

    for _ in range(3):
        near, far = pair()
        far.send(b"x")
        events.append(base.newevent(near.fileno(), delete_the_others).start())
    base.loop()
    assert len(calls) == 1


def test_an_exception_comes_out_and_the_base_goes_on(base: Base, pair: Pairs) -> None:
    near, far = pair()
    far.send(b"x")
    event = base.newevent(near.fileno(), lambda file: 1 // 0).start()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            base.loop()
    event.delete()
    base.loop()


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


# ---- loop(howmany)


def test_loop_0_serves_what_is_ready_once_and_waits_for_nothing(base: Base, pair: Pairs) -> None:
    calls: list[object] = []
    base.loop(0)
    events = []
    for ready in (True, True, False):
        near, far = pair()
        events.append(base.newevent(near.fileno(), calls.append).start())
        if ready:
            far.send(b"x")
    base.loop(0)
    assert len(calls) == 2


def test_loop_1_waits_for_the_next_and_returns(base: Base, pair: Pairs, poller: str) -> None:
    """The byte that makes it ready is written only while it waits."""
    near, far = pair()
    calls: list[object] = []
    late = base.newevent(near.fileno(), calls.append).start()
    other, _ = pair()
    idle = base.newevent(other.fileno(), calls.append).start()
    base._loop.after(3600, far.send, b"x")
    while not calls:
        base.loop(1)
    assert calls == [near.fileno()]
    late.delete()
    idle.delete()
    base.loop(1)


# ---- buffered events


def test_nothing_moves_before_start_and_after_stop(base: Base, pair: Pairs) -> None:
    near, far = pair()
    calls: list[object] = []
    evbuf = base.newevbuf(near.fileno(), calls.append)
    far.send(b"one")
    evbuf.write(b"early")
    base.loop()
    assert evbuf.read() == b""
    assert evbuf.start() is evbuf
    base.loop(0)
    assert far.recv(10) == b"early"
    assert evbuf.stop() is evbuf
    far.send(b"two")
    evbuf.write(b"late")
    base.loop()
    assert calls == [near.fileno()]
    assert evbuf.read() == b"one"
    evbuf.start()
    base.loop(0)
    assert evbuf.read() == b"two"
    assert far.recv(10) == b"late"


def test_read_takes_up_to_size_or_all(base: Base, pair: Pairs) -> None:
    near, far = pair()
    evbuf = base.newevbuf(near.fileno()).start()
    data = bytes(range(256)) * 200
    far.send(data)
    while len(evbuf.read(0)) == 0 and base._loop.turn(0):
        pass
    assert evbuf.read(3) == data[:3]
    assert evbuf.read(0) == b""
    for wrong in (-1, True, "3", 2.9):
        with pytest.raises((TypeError, ValueError)):
            evbuf.read(wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert evbuf.read() == data[3:]
    assert evbuf.read(None) == evbuf.read(5) == b""


def test_readline_takes_whole_lines_only(base: Base, pair: Pairs) -> None:
    near, far = pair()
    evbuf = base.newevbuf(near.fileno()).start()
    assert evbuf.readline() is None
    far.send(b"a\n\nb\0\r\nabc")
    base.loop(0)
    assert [evbuf.readline() for _ in range(5)] == [b"a", b"", b"b\0", None, None]
    far.send(b"def\n")
    base.loop(0)
    assert evbuf.readline() == b"abcdef"
    assert evbuf.read() == b""


@pytest.mark.parametrize("low", [2, 3, 4])
def test_readcb_needs_lowwater(base: Base, pair: Pairs, low: int) -> None:
    near, far = pair()
    calls: list[object] = []
    evbuf = base.newevbuf(near.fileno(), calls.append)
    evbuf.set_read_watermarks(low, 0)
    evbuf.start()
    far.send(b"abc")
    base.loop(0)
    assert len(calls) == (low <= 3)


def test_highwater_bounds_the_buffer_and_draining_goes_on(base: Base, pair: Pairs) -> None:
    near, far = pair()
    levels: list[int] = []

    def read(file: int) -> None:
        data = evbuf.read()
        levels.append(len(data))

    evbuf = base.newevbuf(near.fileno(), read)
    evbuf.set_read_watermarks(0, 4)
    evbuf.start()
    far.send(b"0123456789")
    far.close()
    base.loop()
    assert levels == [4, 4, 2]


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


def test_timeouts_reach_errorcb(base: Base, pair: Pairs) -> None:
    near, _ = pair()
    calls: list[object] = []
    evbuf = base.newevbuf(near.fileno(), None, None, lambda file, what: calls.append(what))
    evbuf.set_timeouts(3600, None)
    evbuf.start()
    base.loop()
    assert calls == [levent.EVBUFFER_TIMEOUT | levent.EVBUFFER_READ]


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


def test_after_delete_nothing_is_left(poller: str, pair: Pairs) -> None:
    class Callback:
        def __call__(self, file: object) -> None:
            """Never called."""

    near, far = pair()
    before = set(os.listdir("/dev/fd"))
    base = levent.entry(poller).newbase()
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
