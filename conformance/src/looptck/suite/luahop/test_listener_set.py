"""LuaHop, listeners: set, and called when the descriptor is ready."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import poll_for, poll_until, wait_readable
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace

over = pytest.mark.parametrize("kind", ["pair", "pipe", "tcp"])


def ends(channels: Channels, kind: str) -> tuple[End, End]:
    """Return the reading and the writing end of a connection of that kind."""
    if kind == "pipe":
        return channels.pipe()
    return channels.pair() if kind == "pair" else channels.tcp_pair()


@rule("luahop.listener.create")
@pytest.mark.parametrize("mask", ["r", "w"])
@everywhere
def test_nothing_is_called_before_poll(
    luahop: Luahop,
    channels: Channels,
    clock: Clock,
    trace: Trace,
    situation: Situation,
    mask: str,
) -> None:
    """The descriptor is ready already; time passes, and other functions of the loop run."""
    near, far = channels.pair()
    other, _ = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    too_soon: list[int] = []

    def act() -> None:
        hop.set_listener(near.fileno(), mask, lambda: trace("called"))
        clock.advance(0.002)
        hop.set_timeout({"ms": 60_000}, lambda: None)
        hop.set_listener(other.fileno(), "r", lambda: None)
        hop.remove_listener(other.fileno(), "r")
        too_soon.append(len(trace))

    luahop_in(situation, hop, act)
    assert too_soon == [0], "a listener of a ready descriptor was called outside poll"
    poll_until(hop, "poll calls the listener", lambda: trace)


@rule("luahop.listener.create")
@everywhere
def test_a_reader_is_called_each_time_there_is_something_to_read(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation
) -> None:
    """Each byte is taken before the next one is sent, so each needs a call of its own."""
    near, far = channels.pair()
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near)))),
    )
    for number in range(1, 4):
        far.send(b"%d" % number)
        poll_until(hop, f"the reader is called for byte {number}", partial(reached, trace, number))
    assert trace == ["b'1'", "b'2'", "b'3'"], f"1, 2, 3 were sent; the reader got {trace}"


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


@rule("luahop.listener.create")
def test_a_writer_is_called_each_time_there_is_room(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Each call fills the buffer, so that the next one needs the peer to make room."""
    near, far = channels.pair()
    hop = luahop.new()
    hop.set_listener(near.fileno(), "w", lambda: trace("room" if fill(near) else "no room"))
    for number in range(1, 4):
        poll_until(hop, f"the writer is called, time {number}", partial(reached, trace, number))
        drain(far)
    assert trace == ["room"] * 3, f"there was room three times; the writer found {trace}"


@rule("luahop.listener.read")
@over
@everywhere
def test_one_byte_brings_one_call_of_the_reader(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, kind: str
) -> None:
    """A timer bounds the polling before and after the byte, so a second call shows."""
    near, far = ends(channels, kind)
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near)))),
    )
    poll_for(hop, 3, trace)
    assert trace == [], "the reader was called before there was anything to read"
    far.send(b"x")
    wait_readable([near])
    poll_until(hop, "the reader is called for a byte", lambda: trace)
    poll_for(hop, 3, trace)
    assert trace == ["b'x'"], f"one byte was sent; the reader was called and got {trace}"


@rule("luahop.listener.read")
@over
@everywhere
def test_data_that_arrived_before_the_listener_is_told(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, kind: str
) -> None:
    """Nothing arrives after the listener is set: an edge-triggered poller misses the data."""
    near, far = ends(channels, kind)
    far.send(b"early")
    wait_readable([near])
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near)))),
    )
    poll_until(hop, "the reader is called for data older than it is", lambda: trace)
    poll_for(hop, 3, trace)
    assert trace == ["b'early'"], f"one message came early; the reader got {trace}"


@rule("luahop.listener.read")
@pytest.mark.parametrize("ready", [0, 1, 2])
def test_the_reader_of_the_ready_descriptor_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, ready: int
) -> None:
    """One loop body makes three listeners: a loop that keeps one callback for all calls the
    wrong one."""
    pairs = [channels.pair() for _ in range(3)]
    hop = luahop.new()
    for number, (near, _) in enumerate(pairs):
        hop.set_listener(near.fileno(), "r", partial(read, trace, number, near))
    pairs[ready][1].send(b"x")
    poll_until(hop, "the reader of the ready descriptor is called", lambda: trace)
    poll_for(hop, 3, trace)
    assert trace == [f"{ready} read b'x'"], f"only {ready} was ready; the readers: {trace}"


def read(trace: Trace, number: int, near: End) -> None:
    trace(f"{number} read {drain(near)!r}")


@rule("luahop.listener.write")
@over
@everywhere
def test_a_writer_with_room_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, kind: str
) -> None:
    """Nothing can be read at that end, so a poller that was asked for reading stays silent."""
    _, near = ends(channels, kind)
    hop = luahop.new()
    luahop_in(situation, hop, lambda: hop.set_listener(near.fileno(), "w", lambda: trace("room")))
    poll_until(hop, "the writer of an idle connection is called", lambda: trace)
    hop.remove_listener(near.fileno(), "w")


@rule("luahop.listener.write")
@pytest.mark.parametrize("kind", ["pair", "pipe"])
@everywhere
def test_a_writer_without_room_waits_for_the_peer(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, kind: str
) -> None:
    """The buffer is full, and a later timer shows that the loop was not just slow."""
    far, near = ends(channels, kind)
    fill(near)
    hop = luahop.new()
    luahop_in(situation, hop, lambda: hop.set_listener(near.fileno(), "w", lambda: trace("room")))
    poll_for(hop, 10, trace)
    assert trace == [], "the writer was called although the send buffer is full"
    drain(far)
    poll_until(hop, "the writer is called once there is room", lambda: trace)


@rule("luahop.listener.accept")
@pytest.mark.parametrize("clients", [1, 2, 5])
@everywhere
def test_each_waiting_client_brings_one_call(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, clients: int
) -> None:
    """The socket does not block, so a call without a client shows in the trace."""
    listening = channels.listener()
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(listening.fileno(), "r", lambda: accept_one(listening, trace)),
    )
    for _ in range(clients):
        channels.connect(listening)
    for number in range(1, clients + 1):
        if len(trace) < number:
            wait_readable([listening])
            poll_until(hop, f"client {number} is accepted", partial(reached, trace, number))
    poll_for(hop, 3, trace)
    assert trace == ["accepted"] * clients, f"{clients} clients came; the listener: {trace}"
    channels.connect(listening)
    wait_readable([listening])
    poll_until(hop, "a later client is accepted", partial(reached, trace, clients + 1))
    assert trace[clients:] == ["accepted"], f"one more client came: {trace[clients:]}"


def accept_one(listening: socket.socket, trace: Trace) -> None:
    try:
        served, _ = listening.accept()
    except BlockingIOError:
        trace("called without a client")
    else:
        served.close()
        trace("accepted")


@rule("luahop.listener.level-triggered")
@pytest.mark.parametrize("kind", ["pair", "pipe"])
def test_a_reader_that_leaves_a_byte_is_called_for_it(
    luahop: Luahop, channels: Channels, trace: Trace, kind: str
) -> None:
    """All bytes are there before the first call and none is sent later."""
    near, far = ends(channels, kind)
    far.send(b"abc")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace(near.recv(1).decode()))
    poll_until(hop, "the reader is called for the bytes that it left", partial(reached, trace, 3))
    poll_for(hop, 3, trace)
    assert trace == ["a", "b", "c"], f"'abc' was sent; read byte by byte: {trace}"


@rule("luahop.listener.level-triggered")
@pytest.mark.parametrize("mask", ["r", "w"])
def test_a_callback_that_does_nothing_is_called_again(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """Four calls are needed: even an edge-triggered poller may bring one or two."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), mask, lambda: trace("called"))
    poll_until(hop, "a listener that changes nothing is called again", partial(reached, trace, 4))


@rule("luahop.listener.level-triggered")
def test_clients_that_are_left_waiting_are_told_again(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Nothing new arrives between the calls, and each call accepts one client only."""
    listening = channels.listener()
    hop = luahop.new()
    hop.set_listener(listening.fileno(), "r", lambda: accept_one(listening, trace))
    for _ in range(3):
        channels.connect(listening)
    for number in range(1, 4):
        if len(trace) < number:
            wait_readable([listening])
            poll_until(hop, f"waiting client {number} is told", partial(reached, trace, number))
    assert trace == ["accepted"] * 3, f"three clients were waiting; the listener: {trace}"


@rule("luahop.listener.level-triggered")
def test_unread_data_is_told_again_after_other_events(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Timers and another descriptor come in between and must not hide the unread data."""
    near, far = channels.pair()
    other, peer = channels.pair()
    far.send(b"abcdef")
    hop = luahop.new()

    def on_read() -> None:
        trace(near.recv(1).decode())
        peer.send(b"x")

    hop.set_listener(near.fileno(), "r", on_read)
    hop.set_listener(other.fileno(), "r", lambda: drain(other))
    for _ in range(3):
        hop.set_timeout({"ms": 1}, lambda: None)
    poll_until(hop, "the reader gets all that is left", partial(reached, trace, 6))
    assert trace == list("abcdef"), f"the calls noted were {trace}, not {list('abcdef')}"


def _drained(channels: Channels) -> tuple[End, str]:
    near, far = channels.pair()
    far.send(b"x")
    drain(near)
    return near, "r"


def _full_but_readable(channels: Channels) -> tuple[End, str]:
    near, far = channels.pair()
    fill(near)
    far.send(b"x")
    return near, "w"


def _full(kind: str, channels: Channels) -> tuple[End, str]:
    _, near = ends(channels, kind)
    fill(near)
    return near, "w"


NOT_READY: dict[str, Callable[[Channels], tuple[End, str]]] = {
    "reader of a fresh socket": lambda channels: (channels.pair()[0], "r"),
    "reader of a fresh TCP connection": lambda channels: (channels.tcp_pair()[0], "r"),
    "reader of an empty pipe": lambda channels: (channels.pipe()[0], "r"),
    "reader of a drained socket": _drained,
    "reader of a full socket": lambda channels: (_full("pair", channels)[0], "r"),
    "reader of a listening socket": lambda channels: (channels.listener(), "r"),
    "writer of a full socket": partial(_full, "pair"),
    "writer of a full pipe": partial(_full, "pipe"),
    "writer of a full socket with data": _full_but_readable,
}


@rule("luahop.listener.not-ready")
@pytest.mark.parametrize("case", NOT_READY)
@everywhere
def test_a_listener_that_is_not_ready_is_not_called(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, case: str
) -> None:
    """Timers fire meanwhile, each of which wakes the loop."""
    end, mask = NOT_READY[case](channels)
    hop = luahop.new()
    for milliseconds in (3, 5, 7):
        hop.set_timeout({"ms": milliseconds}, lambda: None)
    luahop_in(situation, hop, lambda: hop.set_listener(end.fileno(), mask, lambda: trace("called")))
    poll_for(hop, 10, trace)
    assert trace == [], f"the {case} was called"


@rule("luahop.listener.not-ready")
@pytest.mark.parametrize("case", NOT_READY)
def test_a_listener_is_silent_while_another_is_ready(
    luahop: Luahop, channels: Channels, trace: Trace, case: str
) -> None:
    """The other descriptor, registered before or after, is ready several times."""
    end, mask = NOT_READY[case](channels)
    first, to_first = channels.pair()
    last, to_last = channels.pair()
    hop = luahop.new()
    hop.set_listener(first.fileno(), "r", lambda: trace(f"first {drain(first)!r}"))
    hop.set_listener(end.fileno(), mask, lambda: trace("called"))
    hop.set_listener(last.fileno(), "r", lambda: trace(f"last {drain(last)!r}"))
    to_first.send(b"1")
    poll_until(hop, "another listener is called", lambda: trace)
    to_last.send(b"2")
    poll_until(hop, "another listener is called", partial(reached, trace, 2))
    poll_for(hop, 3, trace)
    assert trace == ["first b'1'", "last b'2'"], f"the {case} was called, or another one twice"


@rule("luahop.listener.not-ready")
@pytest.mark.parametrize("ready", ["r", "w"])
def test_a_direction_is_silent_while_the_other_is_ready(
    luahop: Luahop, channels: Channels, trace: Trace, ready: str
) -> None:
    """Both directions have a listener; one is made ready three times, the other one never."""
    near, far = channels.pair()
    fill(near)
    hop = luahop.new()

    def on_read() -> None:
        trace("r")
        drain(near)

    def on_write() -> None:
        trace("w")
        fill(near)

    hop.set_listener(near.fileno(), "r", on_read)
    hop.set_listener(near.fileno(), "w", on_write)
    for times in range(1, 4):
        if ready == "r":
            far.send(b"x")
        else:
            drain(far)
        poll_until(hop, f"the {ready!r} listener is called", partial(reached, trace, times))
        poll_for(hop, 2, trace)
        assert trace == [ready] * times, f"only {ready!r} was ready, {times} times"


@rule("luahop.listener.not-ready")
def test_a_drained_descriptor_brings_no_further_call(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Two bytes come at once: a loop that counts arrivals would call twice."""
    near, far = channels.pair()
    far.send(b"a")
    far.send(b"b")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near))))
    poll_until(hop, "the reader is called", lambda: trace)
    poll_for(hop, 5, trace)
    assert trace == ["b'ab'"], f"'ab' came and was read at once; the reader got {trace}"
