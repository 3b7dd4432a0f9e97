"""LuaHop, listeners: connections that end, crowds, and callbacks that are kept alive."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from functools import partial

import pytest

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.hop_driver import poll_for, poll_until, wait_readable
from looptck.testing.situations import Situation, everywhere, luahop_in
from looptck.testing.trace import Trace
from looptck.testing.urgent_data import urgent_channel

either = pytest.mark.parametrize("mask", ["r", "w"])


def read_once(near: End, trace: Trace) -> None:
    """Note the bytes of one `recv`."""
    trace(repr(near.recv(100)))


@rule("luahop.listener.eof")
@pytest.mark.parametrize("kind", ["pair", "tcp"])
@pytest.mark.parametrize("how", ["close", "shutdown"])
@pytest.mark.parametrize("data", [b"", b"last words"], ids=["silent", "data"])
@pytest.mark.parametrize("early", [True, False], ids=["ended-first", "set-first"])
def test_a_reader_is_called_for_the_end(
    luahop: Luahop, channels: Channels, trace: Trace, kind: str, how: str, data: bytes, early: bool
) -> None:
    """The end may come with the data or after them, so the calls are counted by the data."""
    near, far = channels.pair() if kind == "pair" else channels.tcp_pair()
    hop = luahop.new()

    def watch() -> None:
        hop.set_listener(near.fileno(), "r", lambda: read_once(near, trace))

    if not early:
        watch()
        poll_for(hop, 2, trace)
        assert trace == [], "the reader was called before the end"
    if data:
        far.send(data)
    if how == "close":
        far.close()
    else:
        far.shutdown(socket.SHUT_WR)
    if early:
        watch()
    expected = [repr(data), "b''"] if data else ["b''"]
    for number in range(1, len(expected) + 1):
        if len(trace) < number:
            wait_readable([near])
            poll_until(hop, f"call {number} of the reader", partial(reached, trace, number))
    came = trace[: len(expected)]
    assert came == expected, f"expected to read {expected}, read {came}"


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


@rule("luahop.listener.eof")
def test_the_end_of_one_connection_is_not_the_end_of_another(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """One of three ends; the others go on to work."""
    pairs = [channels.pair() for _ in range(3)]
    hop = luahop.new()
    for near, _ in pairs:
        hop.set_listener(near.fileno(), "r", partial(read_once, near, trace))
    pairs[1][1].close()
    poll_until(hop, "the reader meets the end", lambda: trace)
    pairs[0][1].send(b"0")
    pairs[2][1].send(b"2")
    poll_until(hop, "the other readers are called", lambda: len(set(trace)) == 3)
    assert trace[0] == "b''", f"the first call noted was {trace[0]}, not \"b''\""
    assert set(trace) == {"b''", "b'0'", "b'2'"}, (
        f"the calls noted were {set(trace)}, not {{\"b''\", \"b'0'\", \"b'2'\"}}"
    )


@rule("luahop.listener.eof-pipe")
@everywhere
@pytest.mark.parametrize("data", [b"", b"last words"], ids=["silent", "data"])
def test_a_reader_of_a_pipe_is_called_for_the_end(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, data: bytes
) -> None:
    """The listener is set before the end. Nothing was written, so the kernel reports a hang-up
    alone."""
    near, far = channels.pipe()
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(near.fileno(), "r", lambda: read_once(near, trace)),
    )
    poll_for(hop, 2, trace)
    assert trace == [], f"the calls noted were {trace}, not []"
    if data:
        far.send(data)
    far.close()
    poll_until(hop, "the reader meets the end of the pipe", lambda: "b''" in trace)
    expected = [repr(data), "b''"] if data else ["b''"]
    came = trace[: len(expected)]
    assert came == expected, f"expected to read {expected}, read {came}"


@rule("luahop.listener.eof-pipe")
@everywhere
def test_a_reader_is_called_for_a_pipe_that_ended_before(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation
) -> None:
    """Nothing changes after the listener is set, so an edge-triggered poller misses the end."""
    near, far = channels.pipe()
    far.close()
    hop = luahop.new()
    luahop_in(
        situation,
        hop,
        lambda: hop.set_listener(near.fileno(), "r", lambda: read_once(near, trace)),
    )
    poll_until(hop, "the reader meets the end of the pipe", lambda: trace)
    assert trace[0] == "b''", f"the first call noted was {trace[0]}, not \"b''\""


@rule("luahop.listener.many-ready")
@pytest.mark.parametrize("count", [4, 200])
@pytest.mark.parametrize("drains", [True, False], ids=["taking", "leaving"])
@either
def test_each_of_many_ready_descriptors_is_called(
    luahop: Luahop, channels: Channels, count: int, drains: bool, mask: str
) -> None:
    """In one case all descriptors stay ready: a loop that always begins at the same end starves
    some."""
    called: set[int] = set()
    hop = luahop.new()

    def on_ready(number: int, near: End) -> None:
        called.add(number)
        if drains:
            drain(near) if mask == "r" else fill(near)

    for number in range(count):
        near, far = channels.pair()
        far.send(b"x")
        hop.set_listener(near.fileno(), mask, partial(on_ready, number, near))
    what = f"each of {count} ready listeners is called"
    # a loop may serve one at a time, and be slow
    poll_until(hop, what, lambda: len(called) == count, within=3000)


@rule("luahop.listener.many-ready")
def test_a_busy_descriptor_does_not_starve_the_others(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """Ten writable descriptors are registered before and after the one that has data."""
    hop = luahop.new()
    near, far = channels.pair()
    for number in range(11):
        if number == 5:
            hop.set_listener(near.fileno(), "r", lambda: trace(repr(drain(near))))
        else:
            hop.set_listener(channels.pair()[0].fileno(), "w", lambda: None)
    for data in (b"1", b"2"):
        far.send(data)
        poll_until(
            hop, "a reader among busy writers is called", partial(trace.__contains__, repr(data))
        )
    assert trace == ["b'1'", "b'2'"], f"the calls noted were {trace}, not [\"b'1'\", \"b'2'\"]"


class Counter:
    """An object with a method that serves as a callback."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def count(self) -> None:
        self._trace("called")

    def __call__(self) -> None:
        self._trace("called")


KINDS: dict[str, Callable[[Trace], Callable[[], object]]] = {
    "closure": lambda trace: lambda: trace("called"),
    "bound method": lambda trace: Counter(trace).count,
    "callable object": Counter,
    "partial": lambda trace: partial(trace, "called"),
}


@rule("luahop.listener.strong-ref")
@everywhere
@either
@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_lives_as_long_as_its_listener(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation, mask: str, kind: str
) -> None:
    """Garbage is collected before the descriptor is ready for the first time, and again later."""
    near, far = channels.pair()
    fill(near)
    hop = luahop.new()
    luahop_in(situation, hop, lambda: hop.set_listener(near.fileno(), mask, KINDS[kind](trace)))
    for _ in range(2):
        gc.collect()
        trace.clear()
        if mask == "r":
            far.send(b"x")
        else:
            drain(far)
        poll_until(hop, f"a {kind} to which only the loop refers is called", lambda: trace)
        if mask == "r":
            drain(near)
        else:
            fill(near)


@rule("luahop.listener.not-ready")
@everywhere
def test_an_urgent_byte_that_no_read_returns_is_not_readable(
    luahop: Luahop, channels: Channels, trace: Trace, situation: Situation
) -> None:
    """The kernel announces it apart from data.  A byte that can be read comes later."""
    channel = urgent_channel(channels)
    if channel is None:
        return  # this system puts urgent bytes in line: a read returns them
    near, far = channel
    hop = luahop.new()

    def called() -> None:
        try:
            trace(repr(near.recv(10)))
        except BlockingIOError:
            trace("nothing to read")

    luahop_in(situation, hop, lambda: hop.set_listener(near.fileno(), "r", called))
    poll_for(hop, 5, trace)
    assert trace == [], "a reader was called for an urgent byte; a read would have had to wait"
    far.send(b"x")
    wait_readable([near])
    poll_until(hop, "the reader is called for a byte that can be read", lambda: trace)
    assert trace == ["b'x'"], f"the calls noted were {trace}, not [\"b'x'\"]"
