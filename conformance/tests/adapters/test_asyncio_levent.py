"""levent over asyncio: the loop does its part, the adapter the rest, and nothing is kept."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from looptck.adapters.asyncio import from_loop_factory
from looptck.adapters.asyncio_levent import Levent

from .levent_objects import DroppedWhenCalled, Pair, noting_evbuf

# More than the passes that any of these loops needs to make a transport.
PASSES = 10


# rloop is not among them: asked to stop before it runs, it looks at nothing, so
# that it has no single pass (docs/findings/a_stop_beforehand_looks_at_nothing.md).
@pytest.fixture(params=["asyncio", "uvloop"])
def levent(request: pytest.FixtureRequest) -> Levent:
    module = pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return Levent(module.new_event_loop)


def passes(base: Any, until: Callable[[], object] = lambda: False) -> None:
    for _ in range(PASSES):
        base.loop(0)
        if until():
            return


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_the_engine_is_the_loop_that_the_factory_made() -> None:
    made = from_loop_factory("asyncio:SelectorEventLoop", asyncio.SelectorEventLoop)
    assert made.engine is not None
    base = made.profiles["levent"](importlib.import_module("time")).newbase()
    assert type(made.engine(base)) is asyncio.SelectorEventLoop


def test_bytes_go_both_ways(levent: Levent, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    evbuf, calls = noting_evbuf(base, near)
    far.send(b"one\r\ntwo\nthree\0")
    passes(base)
    assert calls == []
    evbuf.start()
    passes(base, lambda: calls)
    assert calls == [("read", near.fileno())]
    assert [evbuf.readline(), evbuf.readline(), evbuf.readline()] == [b"one", b"two", None]
    assert [evbuf.read(2), evbuf.read(), evbuf.read()] == [b"th", b"ree\0", b""]
    evbuf.write(b"back")
    passes(base, lambda: len(calls) > 1)
    assert far.recv(10) == b"back"
    assert calls[1:] == [("write", near.fileno())]
    far.close()
    passes(base, lambda: len(calls) > 2)
    assert calls[2:] == [("error", near.fileno(), 0x11)]
    base.loop()  # nothing is left to wait for


def test_the_loop_gets_no_more_room_than_high_leaves(levent: Levent, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    lengths: list[int] = []
    evbuf: Any = base.newevbuf(near.fileno(), lambda _: lengths.append(len(evbuf.read())))
    evbuf.set_read_watermarks(3, 3)
    evbuf.start()
    far.send(b"1234567")
    passes(base)
    assert lengths == [3, 3]
    assert evbuf.read() == b"7"


def test_a_full_input_is_read_again_once_it_is_drained(levent: Levent, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    calls: list[Any] = []
    evbuf = base.newevbuf(near.fileno(), calls.append)
    evbuf.set_read_watermarks(0, 4)
    evbuf.start()
    far.send(b"123456")
    passes(base)
    assert len(calls) == 1
    assert evbuf.read() == b"1234"
    passes(base)
    assert evbuf.read() == b"56"


def test_writecb_runs_when_the_output_falls_to_low(levent: Levent, pair: Pair) -> None:
    """The output is more than the socket takes at once; the peer reads between the passes."""
    near, far = pair
    base = levent.newbase()
    calls: list[Any] = []
    evbuf = base.newevbuf(near.fileno(), None, calls.append)
    evbuf.set_write_watermarks(1000, 0)
    evbuf.start()
    evbuf.write(bytes(1_000_000))
    passes(base)
    assert calls == []
    got = 0
    while got < 1_000_000 - 1000:
        base.loop(0)
        got += len(far.recv(1 << 20))
    passes(base)
    assert calls == [near.fileno()]


def test_several_events_may_be_for_one_file(levent: Levent, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()
    calls: list[str] = []
    first = base.newevent(near.fileno(), lambda _: calls.append("first"))
    second = base.newevent(near.fileno(), lambda _: calls.append("second"))
    first.start()
    second.start()
    far.send(b"x")
    passes(base, lambda: len(calls) > 1)
    assert set(calls) == {"first", "second"}
    first.stop()
    calls.clear()
    base.loop(1)
    assert set(calls) == {"second"}


def test_an_exception_of_a_callback_harms_no_transport(levent: Levent, pair: Pair) -> None:
    near, far = pair
    base = levent.newbase()

    def on_read(_file: int) -> None:
        raise KeyError("mine")

    evbuf = base.newevbuf(near.fileno(), on_read)
    evbuf.start()
    far.send(b"x")
    with pytest.raises(KeyError, match="mine"):
        base.loop(1)
    far.send(b"y")
    with pytest.raises(KeyError, match="mine"):
        base.loop()
    assert evbuf.read() == b"xy"


def test_asyncio_refuses_a_loop_inside_a_loop(levent: Levent, pair: Pair) -> None:
    base = levent.newbase()
    event = base.newevent(pair[0].fileno(), lambda _: base.loop(0), "w")
    event.start()
    with pytest.raises(RuntimeError):
        base.loop()


def test_the_file_stays_open_and_its_duplicates_are_closed(pair: Pair) -> None:
    """uvloop keeps duplicates of its own until its loop is collected: only asyncio is tested."""
    near, far = pair
    gc.collect()
    before = descriptors()
    base = Levent(asyncio.new_event_loop).newbase()
    event = base.newevent(near.fileno(), print, "r")
    evbuf = base.newevbuf(near.fileno())
    event.start()
    evbuf.start()
    passes(base)
    event.delete()
    evbuf.delete()
    passes(base)
    del base, event, evbuf
    assert descriptors() == before
    far.send(b"still open")
    assert near.recv(20) == b"still open"


@pytest.mark.parametrize("kind", ["event", "evbuf"])
def test_an_event_dropped_in_its_callback_is_gone(levent: Levent, pair: Pair, kind: str) -> None:
    near, far = pair
    base = levent.newbase()
    held = DroppedWhenCalled(base, near, kind)
    far.send(b"x")
    base.loop()
    assert not held.kept
    assert held.is_gone()


def test_deleted_objects_refuse_every_use(levent: Levent, pair: Pair) -> None:
    base = levent.newbase()
    event, evbuf = base.newevent(pair[0].fileno(), print), base.newevbuf(pair[0].fileno())
    event.delete()
    evbuf.delete()
    for use in (event.start, event.stop, evbuf.start, evbuf.stop, evbuf.read, evbuf.readline):
        with pytest.raises(ValueError, match="deleted"):
            use()


def test_an_object_is_a_file_once_its_type_has_an_accessor(levent: Levent, pair: Pair) -> None:
    near, _far = pair
    base = levent.newbase()
    with pytest.raises(TypeError, match="setfdaccessor"):
        base.newevent(near, print)
    levent.setfdaccessor(socket.socket, levent.fdfromfile)
    assert levent.fdfromvalue(near) == near.fileno()
    files: list[Any] = []
    event = base.newevent(near, files.append, "w")
    event.start()
    base.loop(1)
    assert set(files) == {near}
