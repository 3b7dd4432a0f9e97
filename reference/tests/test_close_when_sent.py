"""A buffered event that closes when its output is sent, and what may come between."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable

import pytest

from tideloop import (
    READ,
    WRITE,
    BufferedEvent,
    ClosedError,
    Hold,
    Loop,
    VirtualClock,
    levent,
    luaevent,
)
from tideloop.luaevent.flags import (
    EV_READ,
    EVBUFFER_EOF,
    EVBUFFER_ERROR,
    EVBUFFER_READ,
    EVBUFFER_TIMEOUT,
    EVBUFFER_WRITE,
)

Pairs = Callable[[], tuple[socket.socket, socket.socket]]

# more than the kernel takes at once
MUCH = 8_000_000


@pytest.fixture
def poller() -> str:
    """One is enough: a buffered event asks the loop alone."""
    return "poll"


class Leaver:
    """A buffered event that writes down its calls."""

    def __init__(self, loop: Loop, near: socket.socket) -> None:
        self.calls: list[object] = []
        self.event = BufferedEvent(loop, near, self.on_read, self.on_write, self.on_error)
        self.event.enable(announce=False)

    def on_read(self, event: BufferedEvent) -> None:
        self.calls.append("read")

    def on_write(self, event: BufferedEvent) -> None:
        self.calls.append("write")

    def on_error(self, event: BufferedEvent, what: int) -> None:
        assert not event.closed
        self.calls.append(what)

    def then(self, event: BufferedEvent) -> None:
        assert event is self.event
        assert event.closed
        self.calls.append("then")


def drain(loop: Loop, far: socket.socket) -> int:
    """Turn and read until nothing comes any more; how much came."""
    got = 0
    for _ in range(2000):
        loop.turn(0)
        try:
            data = far.recv(1 << 20)
        except BlockingIOError:
            break
        if not data:
            break
        got += len(data)
    return got


def test_it_closes_once_all_is_sent(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    leaver = Leaver(loop, near)
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent(then=leaver.then)
    far.send(b"not read")
    loop.turn(0)
    assert not leaver.event.closed
    calls: list[Callable[[], object]] = [
        lambda: leaver.event.write(b"x"),
        leaver.event.enable,
        leaver.event.disable,
        lambda: leaver.event.set_timeouts(1, 1),
        lambda: leaver.event.set_read_watermarks(1, 2),
    ]
    for late in calls:
        with pytest.raises(ClosedError):
            late()
    assert drain(loop, far) == MUCH
    assert leaver.event.closed
    loop.run()
    assert leaver.calls == ["then"]
    assert near.recv(100) == b"not read"


def test_with_nothing_to_send_it_is_closed_at_once(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    far.send(b"left")
    leaver = Leaver(loop, near)
    loop.turn(0)
    leaver.calls.clear()
    leaver.event.close_when_sent(5, leaver.then)
    assert leaver.event.closed
    assert leaver.calls == []
    loop.run()
    assert leaver.calls == ["then"]
    assert leaver.event.take() == b"left"


def test_writing_that_was_disabled_is_enabled(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    event = BufferedEvent(loop, near)
    event.write(b"goodbye")
    event.close_when_sent()
    loop.run()
    assert event.closed
    assert far.recv(100) == b"goodbye"


@pytest.mark.parametrize("limit", [0, 3, 2.5])
def test_the_limit_closes_it_with_the_rest_unsent(
    loop: Loop, clock: VirtualClock, pair: Pairs, limit: float
) -> None:
    near, _far = pair()
    leaver = Leaver(loop, near)
    leaver.event.write(bytes(MUCH))
    start = clock.now()
    leaver.event.close_when_sent(limit, leaver.then)
    loop.run()
    assert clock.now() == start + limit
    assert leaver.calls == [EVBUFFER_TIMEOUT | EVBUFFER_WRITE, "then"]
    assert leaver.event.closed
    assert 0 < len(leaver.event.output) < MUCH


def test_no_limit_is_left_behind_when_all_was_sent(
    loop: Loop, clock: VirtualClock, pair: Pairs
) -> None:
    near, _ = pair()
    leaver = Leaver(loop, near)
    leaver.event.write(b"short")
    start = clock.now()
    leaver.event.close_when_sent(1000)
    loop.run()
    assert clock.now() == start
    assert leaver.calls == []


def test_a_timeout_of_writing_counts_as_before(
    loop: Loop, clock: VirtualClock, pair: Pairs
) -> None:
    near, _far = pair()
    leaver = Leaver(loop, near)
    leaver.event.set_timeouts(None, 4)
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent(1000, leaver.then)
    start = clock.now()
    loop.run()
    assert clock.now() == start + 4
    assert leaver.calls == [EVBUFFER_TIMEOUT | EVBUFFER_WRITE, "then"]


def test_a_peer_that_hangs_up_is_told_once(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    leaver = Leaver(loop, near)
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent(then=leaver.then)
    loop.turn(0)
    far.close()
    loop.run()
    assert leaver.calls == [EVBUFFER_ERROR | EVBUFFER_WRITE, "then"]
    assert isinstance(leaver.event.error, OSError)


def test_a_peer_that_only_finished_sending_gets_everything(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    leaver = Leaver(loop, near)
    far.shutdown(socket.SHUT_WR)
    loop.turn(0)
    assert leaver.calls == [EVBUFFER_EOF | EVBUFFER_READ]
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent()
    assert drain(loop, far) == MUCH
    assert leaver.event.closed
    assert leaver.calls == [EVBUFFER_EOF | EVBUFFER_READ]


@pytest.mark.parametrize("where", ["read", "write", "error"])
def test_from_each_callback(loop: Loop, pair: Pairs, where: str) -> None:
    near, far = pair()
    calls: list[str] = []

    def leave(name: str, event: BufferedEvent) -> None:
        calls.append(name)
        if name == where:
            event.write(b"goodbye")
            event.close_when_sent(then=lambda event: calls.append("then"))

    event = BufferedEvent(
        loop,
        near,
        lambda event: leave("read", event),
        lambda event: leave("write", event),
        lambda event, what: leave("error", event),
    )
    far.send(b"x")
    if where == "error":
        far.shutdown(socket.SHUT_WR)
    event.enable(WRITE if where == "write" else READ)
    loop.run()
    assert event.closed
    assert far.recv(100) == b"goodbye"
    assert calls[-2:] == [where, "then"]
    assert calls.count(where) == 1


def test_called_again_the_new_limit_counts(loop: Loop, clock: VirtualClock, pair: Pairs) -> None:
    near, _far = pair()
    leaver = Leaver(loop, near)
    leaver.event.write(bytes(MUCH))
    start = clock.now()
    leaver.event.close_when_sent(1)
    leaver.event.close_when_sent(9, leaver.then)
    loop.run()
    assert clock.now() == start + 9
    assert leaver.calls == [EVBUFFER_TIMEOUT | EVBUFFER_WRITE, "then"]
    leaver.event.close_when_sent(1, leaver.then)
    loop.run()
    assert leaver.calls.count("then") == 1


@pytest.mark.parametrize("who", ["event", "loop"])
def test_closed_meanwhile_nothing_is_called_or_left(poller: str, pair: Pairs, who: str) -> None:
    near, _far = pair()
    loop = Loop(poller)
    leaver = Leaver(loop, near)
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent(5, leaver.then)
    loop.turn(0)
    (leaver.event if who == "event" else loop).close()
    assert leaver.event.closed
    assert not loop.busy
    assert leaver.calls == []
    reference = weakref.ref(leaver)
    del leaver
    gc.collect()
    assert reference() is None
    loop.close()


def test_a_refused_file_leaves_the_event_as_it_was(loop: Loop) -> None:
    with open(__file__, "rb") as file:
        event = BufferedEvent(loop, file)
        event.write(b"x")
        held = event.read_held, event.write_held
        with pytest.raises(PermissionError):
            event.close_when_sent(5)
        assert (event.read_held, event.write_held) == held
        event.write(b"y")
        assert not event.closed
        assert not loop.busy


def test_nobody_needs_to_keep_it(loop: Loop, pair: Pairs) -> None:
    """The loop holds what it has to send; the program may let go of everything."""
    near, far = pair()
    event = BufferedEvent(loop, near)
    event.write(bytes(MUCH))
    event.close_when_sent()
    del event
    gc.collect()
    assert drain(loop, far) == MUCH
    loop.run()


def test_levent_deletes_when_sent(poller: str, clock: VirtualClock, pair: Pairs) -> None:
    near, far = pair()
    base = levent.newbase(poller, clock)
    told: list[object] = []
    for limit in (None, 3):
        evbuf = base.newevbuf(near.fileno(), None, None, lambda file, what: told.append(what))
        evbuf.start()
        evbuf.write(bytes(MUCH))
        evbuf.delete_when_sent(limit)
        with pytest.raises(ClosedError):
            evbuf.write(b"x")
        evbuf.delete_when_sent()
        evbuf.delete()
        del evbuf
        gc.collect()
        if limit is None:
            assert drain(base._loop, far) == MUCH
            assert not told
        base.loop()
    assert told == [EVBUFFER_TIMEOUT | EVBUFFER_WRITE]
    base.close()


def test_luaevent_closes_when_sent(poller: str, clock: VirtualClock, pair: Pairs) -> None:
    near, far = pair()
    base = luaevent.new(poller, clock)
    told: list[object] = []
    for limit in (None, 3):
        held = luaevent.bufferevent.new(base, near, None, None, lambda _, what: told.append(what))
        held.enable(EV_READ)
        output = held.get_write()
        assert output is not None
        output.add(bytes(MUCH))
        held.close_when_sent(limit)
        held.close_when_sent()
        assert held.get_write() is None
        with pytest.raises(ClosedError):
            output.add(b"x")
        if limit is None:
            assert drain(base._loop, far) == MUCH
            assert not told
        base.loop()
    assert told == [EVBUFFER_TIMEOUT | EVBUFFER_WRITE]
    base.close()


def test_a_full_input_is_still_told_as_full(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    event = Leaver(loop, near).event
    event.set_read_watermarks(0, 2)
    far.send(b"abcd")
    loop.turn(0)
    event.write(bytes(MUCH))
    event.close_when_sent()
    assert event.read_held == Hold.DISABLED | Hold.FULL


def test_what_was_read_before_is_no_longer_told(loop: Loop, pair: Pairs) -> None:
    """Enough for the low watermark comes in only after the call."""
    near, far = pair()
    leaver = Leaver(loop, near)
    leaver.event.set_read_watermarks(4, 0)
    far.send(b"ab")
    loop.turn(0)
    leaver.event.write(bytes(MUCH))
    leaver.event.close_when_sent()
    far.send(b"cdef")
    drain(loop, far)
    assert leaver.calls == []
    assert leaver.event.take() == b"ab"


def test_an_error_that_was_told_before_is_not_told_again(loop: Loop, pair: Pairs) -> None:
    near, far = pair()
    leaver = Leaver(loop, near)
    far.close()
    leaver.event.write(b"never")
    loop.run()
    assert leaver.calls.count(EVBUFFER_ERROR | EVBUFFER_WRITE) == 1
    leaver.event.close_when_sent(then=leaver.then)
    assert leaver.event.closed
    loop.run()
    assert leaver.calls.count(EVBUFFER_ERROR | EVBUFFER_WRITE) == 1
    assert leaver.calls[-1] == "then"
