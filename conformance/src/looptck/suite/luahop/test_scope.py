"""LuaHop, scope: a loop leaves the user's descriptors alone and leaves nothing behind."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from looptck.protocols.luahop import Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels, End
from looptck.testing.hop_driver import error_of, poll_for, poll_rounds, poll_until
from looptck.testing.observation import Observation
from looptck.testing.resources import ResourceSnapshot, alive, left_since
from looptck.testing.trace import Trace


def end_of(hop: Hop) -> None:
    """Close *hop* if it can be closed; the caller drops the last reference."""
    close = getattr(hop, "close", None)
    if callable(close):
        close()


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


class Callback:
    def __call__(self) -> None:
        """Does nothing; is an object of its own."""


def use(luahop: Luahop, near: End, polls: int) -> list[weakref.ref[Callback]]:
    """Use a loop in every way, leave something of every kind, and return its callbacks."""
    made: list[weakref.ref[Callback]] = []

    def callback() -> Callable[[], None]:
        one = Callback()
        made.append(weakref.ref(one))
        return calling(one)

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
