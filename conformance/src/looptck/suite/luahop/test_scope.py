"""LuaHop, scope: a loop leaves the user's descriptors alone and leaves nothing behind."""

from __future__ import annotations

import fcntl
import gc
import os
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain
from looptck.testing.hop_driver import error_of, poll_for, poll_rounds, poll_until
from looptck.testing.observation import Observation
from looptck.testing.resources import ResourceSnapshot, alive, left_since
from looptck.testing.trace import Trace


def end_of(hop: Hop) -> None:
    """Close *hop* if it can be closed; the caller drops the last reference."""
    close = getattr(hop, "close", None)
    if callable(close):
        close()


def flags_of(end: End) -> tuple[int, int]:
    fd = end.fileno()
    return fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD)


@rule("luahop.scope.no-sockets")
@pytest.mark.parametrize("kind", ["pair", "pipe"])
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "nonblocking"])
@pytest.mark.parametrize("mask", ["r", "w"])
@pytest.mark.parametrize("removed", [True, False], ids=["removed", "registered"])
def test_the_flags_of_a_descriptor_stay_as_they_are(
    luahop: Luahop,
    channels: Channels,
    trace: Trace,
    kind: str,
    blocking: bool,
    removed: bool,
    mask: str,
) -> None:
    """The test looks after every step, since a loop may restore on removal what it changed."""
    near, far = channels.pair() if kind == "pair" else channels.pipe()
    if mask == "w":
        near, far = far, near
    os.set_blocking(near.fileno(), blocking)
    os.set_inheritable(near.fileno(), blocking)
    if mask == "r":
        far.send(b"x")
    before = flags_of(near)
    hop = luahop.new()

    def same(when: str) -> None:
        error = error_of(os.fstat, near.fileno())
        assert error is None, f"the loop closed a descriptor of the user's {when} ({error})"
        now = flags_of(near)
        assert now == before, (
            f"the flags (F_GETFL, F_GETFD) of a descriptor changed from {before} to {now} {when}"
        )

    hop.set_listener(near.fileno(), mask, lambda: trace("called"))
    same("by set_listener")
    poll_until(hop, "the listener is called", lambda: trace)
    same("by poll")
    if removed:
        hop.remove_listener(near.fileno(), mask)
        same("by remove_listener")
    end_of(hop)
    del hop
    gc.collect()
    same("when the loop was dropped")


@rule("luahop.scope.no-sockets")
@pytest.mark.parametrize("masks", ["r", "w", "wr"])
def test_no_second_descriptor_appears(
    luahop: Luahop, channels: Channels, trace: Trace, masks: str
) -> None:
    """The test tells an open file by device and inode, which all its descriptors share."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    before = _descriptors_like(near)
    for mask in masks:
        hop.set_listener(near.fileno(), mask, partial(trace, mask))
    poll_until(hop, "the listeners are called", lambda: set(trace) == set(masks))
    assert _descriptors_like(near) == before, "the loop made a descriptor of its own for the file"


@rule("luahop.scope.no-sockets")
def test_the_peer_sees_the_end_when_the_user_closes(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """A duplicate kept by the loop would hold the connection open."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("read"))
    hop.set_listener(near.fileno(), "w", lambda: trace("write"))
    poll_until(hop, "the listeners are called", lambda: len(set(trace)) == 2)
    hop.remove_listener(near.fileno(), "r")
    hop.remove_listener(near.fileno(), "w")
    drain(near)
    near.close()
    try:
        end = far.recv(1)
    except BlockingIOError:
        end = b"nothing yet"
    assert end == b"", "the user closed the descriptor, but the connection is still open"


@rule("luahop.scope.no-sockets")
@pytest.mark.parametrize("masks", ["r", "w", "rw"])
@pytest.mark.parametrize("polled", [True, False], ids=["polled", "unpolled"])
def test_a_descriptor_outlives_the_loop(
    luahop: Luahop, channels: Channels, trace: Trace, masks: str, polled: bool
) -> None:
    """The listeners are still set when the loop goes, so it has something to close."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    for mask in masks:
        hop.set_listener(near.fileno(), mask, partial(trace, mask))
    if polled:
        poll_until(hop, "a listener is called", lambda: trace)
    was = os.fstat(near.fileno())
    end_of(hop)
    del hop
    gc.collect()
    now = error_of(os.fstat, near.fileno())
    assert now is None, f"the loop went and closed a descriptor of the user's ({now})"
    assert os.path.samestat(os.fstat(near.fileno()), was)
    far.send(b"y")
    assert drain(near) == b"xy", "the connection was disturbed when the loop went"
    near.send(b"z")
    assert drain(far) == b"z"


@rule("luahop.scope.no-sockets")
@pytest.mark.parametrize("kind", ["pair", "pipe"])
def test_the_end_of_a_connection_closes_nothing(
    luahop: Luahop, channels: Channels, trace: Trace, kind: str
) -> None:
    """A loop that cleans up after a hang-up closes the number that its user still has."""
    near, far = channels.pair() if kind == "pair" else channels.pipe()
    far.send(b"x")
    far.close()
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("called"))
    poll_until(hop, "the listener is called", lambda: trace)
    poll_rounds(hop, 3)
    error = error_of(os.fstat, near.fileno())
    assert error is None, f"the peer went, and the loop closed the user's descriptor ({error})"
    hop.remove_listener(near.fileno(), "r")


@rule("luahop.scope.no-sockets")
@pytest.mark.parametrize("fresh", [True, False], ids=["unknown", "removed"])
def test_removing_closes_nothing(luahop: Luahop, channels: Channels, fresh: bool) -> None:
    """Listeners that were never set are removed as well: a careless loop closes the number it is
    given."""
    near, far = channels.pair()
    hop = luahop.new()
    if not fresh:
        hop.set_listener(near.fileno(), "r", lambda: None)
    for mask in ("r", "w"):
        error_of(hop.remove_listener, near.fileno(), mask)
    far.send(b"x")
    assert drain(near) == b"x", "remove_listener disturbed the connection"


def _descriptors_like(end: End) -> int:
    """Count the descriptors of this process that stand for the open file of *end*."""
    wanted = os.fstat(end.fileno())
    found = 0
    for name in os.listdir("/dev/fd"):
        try:
            found += os.path.samestat(os.fstat(int(name)), wanted)
        except OSError:  # the one that listed the folder
            continue
    return found


class HasFileno:
    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


@rule("luahop.scope.fd-sources")
def test_descriptors_of_any_source_are_recorded(
    luahop: Luahop, channels: Channels, observe: Observation
) -> None:
    """Each source is readable when it is registered, and alone in a loop of its own."""
    reading, writing = channels.pipe()
    writing.send(b"x")
    near, far = channels.pair()
    far.send(b"x")
    listening = channels.listener()
    channels.connect(listening)
    served = channels.accept(listening)
    channels.connect(listening)
    master, terminal = os.openpty()
    for fd in (master, terminal):
        channels.keep(partial(os.close, fd))
    os.write(master, b"x\n")
    sources: dict[str, Any] = {
        "pipe": reading.fileno(),
        "socket pair": near.fileno(),
        "listening socket": listening.fileno(),
        "terminal": terminal,
        "object with fileno": HasFileno(near.fileno()),
        "socket object": near,
        "fileno of -1": HasFileno(-1),
        "text": str(near.fileno()),
    }
    if hasattr(os, "eventfd"):
        counter = os.eventfd(1)
        channels.keep(lambda: os.close(counter))
        sources["event counter"] = counter
    for name, source in sources.items():
        observe(_what_comes_of(luahop.new(), source), of=name)
    del served


def _what_comes_of(hop: Hop, source: Any) -> str:
    called: list[bool] = []

    def once() -> None:
        called.append(True)
        hop.remove_listener(source, "r")

    error = error_of(hop.set_listener, source, "r", once)
    if error is None:
        error = error_of(poll_for, hop, 3)
    if error is not None:
        return f"raises {type(error).__name__}"
    return "called" if called else "not called"


@rule("luahop.scope.nothing-left")
@pytest.mark.parametrize("polls", [0, 1, 5])
def test_nothing_is_left_of_a_loop_that_was_used(
    luahop: Luahop, channels: Channels, polls: int
) -> None:
    """Three loops follow a first one, so a thing that is made once for all loops does not count."""
    near, far = channels.pair()
    far.send(b"x")
    before_any = ResourceSnapshot.take()
    callbacks = use(luahop, near, polls)
    first = [each for each in left_since(before_any) if "signal" in each]
    before = ResourceSnapshot.take()
    for _ in range(3):
        callbacks += use(luahop, near, polls)
    left = [*dict.fromkeys(first + left_since(before))]
    if kept := alive(callbacks):
        left.append(f"a hold on {kept} of their callbacks")
    assert not left, f"loops are gone, but of them is left: {', '.join(left)}"


@rule("luahop.scope.nothing-left")
@pytest.mark.parametrize(
    "arrange",
    [
        pytest.param(lambda hop, fd, f: hop.set_listener(fd, "r", f), id="reader"),
        pytest.param(lambda hop, fd, f: hop.set_listener(fd, "w", f), id="writer"),
        pytest.param(lambda hop, fd, f: hop.set_timeout({"ms": 1}, f), id="timeout"),
        pytest.param(lambda hop, fd, f: hop.set_timeout({"ms": 60_000}, f), id="pending-timeout"),
        pytest.param(lambda hop, fd, f: hop.set_interval({"ms": 1}, f), id="interval"),
    ],
)
@pytest.mark.parametrize("polled", [True, False], ids=["polled", "unpolled"])
def test_no_callback_is_kept_alive_by_a_loop_that_is_gone(
    luahop: Luahop, channels: Channels, arrange: Callable[..., object], polled: bool
) -> None:
    """Only the loop holds the callback; garbage is collected before the look."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    callback = Callback()
    kept = weakref.ref(callback)
    handle = arrange(hop, near.fileno(), callback)
    del callback
    if polled:
        hop.set_timeout({"ms": 2}, Callback())
        hop.poll()
    end_of(hop)
    del hop, handle
    assert not alive([kept]), "the loop is gone, but something of it still holds its callback"


class Callback:
    def __call__(self) -> None:
        """Does nothing; is an object of its own."""


def use(luahop: Luahop, near: End, polls: int) -> list[weakref.ref[Callback]]:
    """Use a loop in every way, leave something of every kind, and return its callbacks."""
    made: list[weakref.ref[Callback]] = []

    def callback() -> Callback:
        one = Callback()
        made.append(weakref.ref(one))
        return one

    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", callback())
    hop.set_listener(near.fileno(), "r", callback())
    hop.set_listener(near.fileno(), "w", callback())
    hop.remove_listener(near.fileno(), "w")
    hop.set_timeout({"ms": 1}, callback())
    hop.set_timeout({"ms": 60_000}, callback())
    hop.set_interval({"ms": 1}, callback())
    luahop.clear_timer(hop.set_timeout({"ms": 5}, callback()))
    for _ in range(polls):
        hop.poll()
    end_of(hop)
    return made
