"""Checks of what a loop keeps, of its user's and of its own: callbacks, descriptors, threads."""

from __future__ import annotations

import fcntl
import gc
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from ..testing.channels import Channels, End, drain
from ..testing.readiness import ReadinessToggle
from ..testing.resources import ResourceSnapshot, alive, forget_signals, left_since, open_numbers
from ..testing.situations import Situation, everywhere
from .needs import also_needs
from .scenes import Watched, act_in, either_direction, serve_all
from .verbs import Direction, Script, Watching, as_function, turns, until


class _Callback:
    """A callback that can be referred to weakly: it calls *then* and returns *answer*."""

    def __init__(self, answer: Any, then: Callable[[], object]) -> None:
        self._answer, self._then = answer, then

    def __call__(self, *_arguments: object) -> Any:
        return self.call()

    def call(self, *_arguments: object) -> Any:
        self._then()
        return self._answer


def _noting(toggle: ReadinessToggle, called: list[bool]) -> Callable[[], None]:
    """A function that notes its calls and ends the readiness of *toggle*."""

    def note() -> None:
        called.append(True)
        toggle.off()

    return note


@either_direction
@pytest.mark.parametrize("served", [False, True], ids=["new", "served"])
def test_the_callback_of_an_ended_watch_is_let_go(
    loop: Watching, channels: Channels, direction: Direction, served: bool
) -> None:
    """The program keeps what began the watch, and nothing but the loop the callback."""
    toggle = ReadinessToggle(channels, direction, on=served)
    called: list[bool] = []
    kept: list[Any] = []

    def script() -> Script:
        callback = _Callback(loop.stays(direction), _noting(toggle, called))
        reference = weakref.ref(callback)
        kept.append(loop.watch(toggle.number, direction, as_function(callback)))
        del callback
        if served:
            yield until("the watch is called", lambda: called)
        else:
            yield turns(1)
        loop.unwatch(kept[0])
        yield turns(2)
        assert alive([reference]) == 0, "a watch has ended, and its callback is still held"

    loop.play(script())


_KEPT: dict[str, Callable[[_Callback], Callable[..., Any]]] = {
    "closure": lambda callback: lambda *_: callback(),
    "bound-method": lambda callback: callback.call,
    "callable-object": lambda callback: callback,
    "partial": partial,
}


@everywhere
@either_direction
@pytest.mark.parametrize("kind", _KEPT)
def test_a_callback_lives_as_long_as_its_watch(
    loop: Watching, channels: Channels, situation: Situation, direction: Direction, kind: str
) -> None:
    """Nobody else holds it, and garbage is collected before the descriptor is ready."""
    toggle = ReadinessToggle(channels, direction)
    called: list[bool] = []

    def watch() -> None:
        callback = _KEPT[kind](_Callback(loop.stays(direction), _noting(toggle, called)))
        with suppress(TypeError):  # a loop may refuse what is no function
            watches.append(loop.watch(toggle.number, direction, callback))

    watches: list[Any] = []

    def script() -> Script:
        yield from act_in(situation, loop, channels, watch)
        if kind != "closure" and not watches:
            return
        gc.collect()
        toggle.on()
        yield until(f"a {kind} that only the loop holds is called", lambda: called)
        loop.unwatch(watches[0])

    loop.play(script())


def _flags(number: int) -> tuple[int, int]:
    return fcntl.fcntl(number, fcntl.F_GETFL), fcntl.fcntl(number, fcntl.F_GETFD)


@either_direction
@pytest.mark.parametrize("kind", ["pair", "pipe"])
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "nonblocking"])
def test_the_flags_of_a_descriptor_stay_as_they_are(
    loop: Watching, channels: Channels, direction: Direction, kind: str, blocking: bool
) -> None:
    """The check looks after each step, since a loop may restore at the end what it changed."""
    near, far = channels.pair() if kind == "pair" else channels.pipe()
    if direction == "r":
        far.send(b"x")
    else:
        near, far = far, near
    number = near.fileno()
    os.set_blocking(number, blocking)
    os.set_inheritable(number, blocking)
    before = _flags(number)
    calls = loop.calls("watch")

    def same(when: str) -> None:
        now = _flags(number)
        assert now == before, (
            f"the flags (F_GETFL, F_GETFD) of a descriptor changed from {before} to {now} {when}"
        )

    def script() -> Script:
        watch = loop.watch(number, direction, calls)
        same("when it was watched")
        yield until("the watch is called", lambda: calls.count)
        same("when it was called")
        loop.unwatch(watch)
        same("when the watch ended")
        yield turns(2)
        same("after the watch ended")

    loop.play(script())
    same("when the loop returned")


@either_direction
def test_no_second_descriptor_appears(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Device and inode tell an open file, which all its descriptors share."""
    toggle = ReadinessToggle(channels, direction, on=True)
    calls = loop.calls("watch")
    before = _descriptors_like(toggle.near)

    def script() -> Script:
        loop.watch(toggle.number, direction, calls)
        yield until("the watch is called", lambda: calls.count)
        now = _descriptors_like(toggle.near)
        assert now == before, f"a file had {before} descriptors; watched it has {now}"

    loop.play(script())


def _descriptors_like(end: End) -> int:
    """Count the descriptors of this process that stand for the open file of *end*.

    They share its O_NONBLOCK.  The inodes of sockets and pipes are all 0 on some systems.
    """
    was_blocking = os.get_blocking(end.fileno())
    before = {number: os.get_blocking(number) for number in open_numbers()}
    os.set_blocking(end.fileno(), not was_blocking)
    try:
        return sum(os.get_blocking(number) != blocking for number, blocking in before.items())
    finally:
        os.set_blocking(end.fileno(), was_blocking)


@everywhere
@either_direction
@pytest.mark.parametrize("served", [False, True], ids=["new", "served"])
def test_the_descriptor_of_an_ended_watch_is_its_owners(
    loop: Watching, channels: Channels, situation: Situation, direction: Direction, served: bool
) -> None:
    """Bytes go both ways, and the peer sees the end when the owner closes the descriptor."""
    toggle = ReadinessToggle(channels, direction, on=served)
    calls = loop.calls("watch")
    watches: list[Any] = []

    def script() -> Script:
        yield from act_in(
            situation,
            loop,
            channels,
            lambda: watches.append(loop.watch(toggle.number, direction, calls)),
        )
        if served:
            yield until("the watch is called", lambda: calls.count)
        loop.unwatch(watches[0])
        yield turns(2)
        assert toggle.is_open, "a watch has ended, and its descriptor is closed"
        drain(toggle.far), drain(toggle.near)
        toggle.near.send(b"out")
        toggle.far.send(b"in")
        went = drain(toggle.far), drain(toggle.near)
        assert went == (b"out", b"in"), f"sent were out and in, received {went}"
        toggle.near.close()
        try:
            end = toggle.far.recv(1)
        except BlockingIOError:
            end = b"(nothing)"
        assert end == b"", f"the owner closed the descriptor, and its peer read {end!r}"

    loop.play(script())


@either_direction
def test_two_loops_may_watch_one_descriptor(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """Each calls its own callback; the end of one watch leaves the other."""
    toggle = ReadinessToggle(channels, direction, on=True)
    second: Watching = loop.another()
    mine, theirs = loop.calls("watch of the first loop"), loop.calls("watch of the second loop")

    def first_script() -> Script:
        watch = loop.watch(toggle.number, direction, mine)
        second.watch(toggle.number, direction, theirs)
        yield until("the first loop calls its watch", lambda: mine.count)
        yield turns()
        assert theirs.count == 0, "the first loop called the watch of the second"
        loop.unwatch(watch)
        yield turns()

    def second_script() -> Script:
        mine.clear()
        yield until("the second loop calls its watch", lambda: theirs.count)
        assert mine.count == 0, "a watch of the first loop that had ended was called"

    loop.play(first_script())
    second.play(second_script())


@also_needs("w")
def test_a_loop_that_is_gone_takes_nothing_from_another(loop: Watching, channels: Channels) -> None:
    """A second loop is used and dropped with its watches, one of a descriptor of the first."""
    watched = [Watched(loop, channels), Watched(loop, channels, "w")]

    def use_another() -> None:
        second: Watching = loop.another()
        for each in watched:
            second.watch(each.end.number, each.direction, loop.calls("watch of the second loop"))
        second.drop()
        del second
        gc.collect()

    def script() -> Script:
        yield from serve_all(watched)
        use_another()
        yield from serve_all(watched)
        assert all(each.end.is_open for each in watched), "a descriptor was closed with a loop"

    loop.play(script())
    use_another()
    assert all(each.end.is_open for each in watched), "a descriptor was closed with a loop"


@either_direction
def test_a_loop_that_is_gone_leaves_its_descriptors_open(
    loop: Watching, channels: Channels, direction: Direction
) -> None:
    """A loop that closes what is registered would close it now, or when it is collected."""
    toggle = ReadinessToggle(channels, direction)

    def use(another: Watching) -> None:
        def script() -> Script:
            another.watch(toggle.number, direction, another.calls("watch"))
            yield turns()

        another.play(script())
        another.drop()

    use(loop.another())
    gc.collect()
    assert toggle.is_open, "a descriptor was closed with a loop"


# The kinds of what may be left, by a word of its description; the first that is found counts.
_KINDS_LEFT = ("signal", "thread", "descriptor", "callback")


@pytest.mark.parametrize("kind", _KINDS_LEFT)
@pytest.mark.parametrize("played", [False, True], ids=["unused", "used"])
def test_nothing_is_left_of_loops_that_are_gone(
    loop: Watching, channels: Channels, played: bool, kind: str
) -> None:
    """Forty loops follow a first one, so that a thing made once for all of them does not count."""
    toggle = ReadinessToggle(channels)
    forget_signals()
    before_any = ResourceSnapshot.take()
    callbacks = _use(loop, toggle, played=played)
    first = [each for each in left_since(before_any) if "signal" in each]
    before = ResourceSnapshot.take()
    for _ in range(40):
        callbacks += _use(loop, toggle, played=played)
    left = [*dict.fromkeys(first + left_since(before))]
    if kept := alive(callbacks):
        left.append(f"a hold on {kept} of their callbacks")
    of_kind = [each for each in left if next(word for word in _KINDS_LEFT if word in each) == kind]
    assert not of_kind, f"loops are gone, but of them is left: {', '.join(of_kind)}"


def _use(loop: Watching, toggle: ReadinessToggle, *, played: bool) -> list[weakref.ref[_Callback]]:
    """Use another loop, leave watches of each direction in it, and return the callbacks."""
    made: list[weakref.ref[_Callback]] = []
    other: Watching = loop.another()
    called: list[bool] = []

    def callback(direction: Direction) -> Callable[..., Any]:
        one = _Callback(other.stays(direction), _noting(toggle, called))
        made.append(weakref.ref(one))
        return as_function(one)

    def script() -> Script:
        for direction in other.directions:
            other.unwatch(other.watch(toggle.number, direction, callback(direction)))
            other.watch(toggle.number, direction, callback(direction))
        if played:
            toggle.on()
            yield until("a watch is called", lambda: called)

    other.play(script())
    other.drop()
    return made
