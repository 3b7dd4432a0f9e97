"""LuaHop, listeners: removed while the loop runs callbacks, and numbers used again meanwhile."""

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
from looptck.testing.trace import Trace

either = pytest.mark.parametrize("mask", ["r", "w"])


def reached(trace: Trace, length: int) -> bool:
    return len(trace) >= length


def other(mask: str) -> str:
    return "w" if mask == "r" else "r"


def ends(channels: Channels, kind: str) -> tuple[End, End]:
    """Return two connected ends of that kind."""
    if kind == "pipe":
        return channels.pipe()
    return channels.pair() if kind == "pair" else channels.tcp_pair()


def note(trace: Trace, number: int, near: End) -> None:
    drain(near)
    trace(str(number))


@rule("luahop.listener.remove-inside-self")
@pytest.mark.parametrize("kind", ["pair", "pipe", "tcp"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_callback_may_remove_itself_and_close(
    luahop: Luahop, channels: Channels, trace: Trace, kind: str, position: int
) -> None:
    """One of three ready descriptors does so; afterwards its number is used again."""
    hop = luahop.new()
    near, far = ends(channels, kind)
    number = near.fileno()

    def on_end() -> None:
        trace(f"end {drain(near)!r}")
        hop.remove_listener(number, "r")
        near.close()

    others = [channels.pair() for _ in range(2)]
    watched: list[tuple[End, Callable[[], None]]] = [
        (end, partial(note, trace, at, end)) for at, (end, _) in enumerate(others)
    ]
    watched.insert(position, (near, on_end))
    for end, callback in watched:
        hop.set_listener(end.fileno(), "r", callback)
    far.send(b"bye")
    for _, to_other in others:
        to_other.send(b"x")
    wait_readable([near])
    poll_until(hop, "three ready listeners are called", partial(reached, trace, 3))
    assert sorted(trace) == ["0", "1", "end b'bye'"], (
        f"the calls noted were {sorted(trace)}, not ['0', '1', \"end b'bye'\"]"
    )
    _, to_later = channels.pair_at(number)
    to_later.send(b"x")
    poll_for(hop, 4, trace)
    assert len(trace) == 3, "a listener was called after it removed itself and closed"
    for _, to_other in others:
        to_other.send(b"y")
    poll_until(hop, "the others are called again", partial(reached, trace, 5))


@rule("luahop.listener.remove-inside-self")
@either
def test_a_callback_that_removed_itself_is_not_called_again(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str
) -> None:
    """The descriptor stays open and ready, so only the removal can keep it silent."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def once() -> None:
        trace("called")
        hop.remove_listener(near.fileno(), mask)

    hop.set_listener(near.fileno(), mask, once)
    poll_until(hop, "the listener is called", lambda: trace)
    poll_for(hop, 4, trace)
    assert trace == ["called"], "a listener was called after it removed itself"


@rule("luahop.listener.remove-other-ready")
@either
@pytest.mark.parametrize("count", [2, 5])
def test_one_of_several_that_remove_each_other_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, mask: str, count: int
) -> None:
    """All are ready in one batch; whichever comes first must be the only one."""
    pairs = [channels.pair() for _ in range(count)]
    hop = luahop.new()

    def remove_all(me: int) -> None:
        trace(f"{me} ran")
        for near, _ in pairs:
            hop.remove_listener(near.fileno(), mask)

    for me, (near, far) in enumerate(pairs):
        far.send(b"x")
        hop.set_listener(near.fileno(), mask, partial(remove_all, me))
    poll_until(hop, "one of the ready listeners is called", lambda: trace)
    poll_for(hop, 4, trace)
    assert len(trace) == 1, f"{trace[0]} and removed all listeners; then {', '.join(trace[1:])}"


@rule("luahop.listener.remove-other-ready")
def test_a_listener_that_removes_others_stays_registered(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """It is called again later, and they are not, though they stay ready."""
    pairs = [channels.pair() for _ in range(3)]
    hop = luahop.new()

    def remove_others(me: int) -> None:
        trace(str(me))
        drain(pairs[me][0])
        for number, (near, _) in enumerate(pairs):
            if number != me and len(trace) == 1:
                hop.remove_listener(near.fileno(), "r")

    for me, (near, far) in enumerate(pairs):
        far.send(b"x")
        hop.set_listener(near.fileno(), "r", partial(remove_others, me))
    poll_until(hop, "one of the ready listeners is called", lambda: trace)
    poll_for(hop, 3, trace)
    assert len(trace) == 1, f"listener {trace[0]} removed the others; then {trace[1:]} ran"
    first = int(trace[0])
    for _, far in pairs:
        far.send(b"y")
    poll_until(hop, "the listener that is left is called again", partial(reached, trace, 2))
    poll_for(hop, 3, trace)
    assert trace == [str(first), str(first)], (
        f"the calls noted were {trace}, not {[str(first), str(first)]}"
    )


@rule("luahop.listener.remove-other-ready")
def test_a_timer_may_remove_a_ready_listener_in_the_same_poll(
    luahop: Luahop, channels: Channels, clock: Clock, trace: Trace
) -> None:
    """The order of timer and listener is open: once the timer has fired, the listener is silent."""
    near, far = channels.pair()
    hop = luahop.new()

    def on_timer() -> None:
        trace("timer")
        hop.remove_listener(near.fileno(), "r")

    def on_read() -> None:
        trace("read")
        drain(near)

    hop.set_listener(near.fileno(), "r", on_read)
    hop.set_timeout({"ms": 1}, on_timer)
    clock.advance(0.003)
    far.send(b"x")
    poll_until(hop, "the timer fires", lambda: "timer" in trace)
    far.send(b"y")
    poll_for(hop, 3, trace)
    assert trace[-1] == "timer", "a listener was called after a timer had removed it"


@rule("luahop.listener.remove-write-from-read")
@pytest.mark.parametrize("first_set", ["r", "w"])
def test_one_of_two_directions_removing_each_other_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, first_set: str
) -> None:
    """Both are ready at once; the callback that runs removes both directions."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def leave(mask: str) -> None:
        trace(mask)
        hop.remove_listener(near.fileno(), other(mask))
        hop.remove_listener(near.fileno(), mask)

    for mask in (first_set, other(first_set)):
        hop.set_listener(near.fileno(), mask, partial(leave, mask))
    poll_until(hop, "one of the two listeners is called", lambda: trace)
    poll_for(hop, 4, trace)
    assert len(trace) == 1, f"{trace[0]!r} removed both directions; then {trace[1]!r} ran"


@rule("luahop.listener.remove-write-from-read")
@pytest.mark.parametrize("first_set", ["r", "w"])
def test_the_direction_that_removes_the_other_stays(
    luahop: Luahop, channels: Channels, trace: Trace, first_set: str
) -> None:
    """The descriptor stays ready both ways, so only the removal can silence the other direction."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()

    def remove_other(mask: str) -> None:
        trace(mask)
        if len(trace) == 1:
            hop.remove_listener(near.fileno(), other(mask))

    for mask in (first_set, other(first_set)):
        hop.set_listener(near.fileno(), mask, partial(remove_other, mask))
    poll_until(hop, "the direction that is left is called again", partial(reached, trace, 4))
    assert len(set(trace)) == 1, f"{trace[0]!r} removed the other direction; then ran {trace}"


@rule("luahop.listener.remove-write-from-read")
def test_one_callback_may_remove_both_directions(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The descriptor is closed as well, before the second direction could be called."""
    near, far = channels.pair()
    number = near.fileno()
    far.send(b"x")
    hop = luahop.new()

    def leave() -> None:
        trace("called")
        hop.remove_listener(number, "r")
        hop.remove_listener(number, "w")
        near.close()

    hop.set_listener(number, "r", leave)
    hop.set_listener(number, "w", leave)
    poll_until(hop, "one of the listeners is called", lambda: trace)
    poll_for(hop, 4, trace)
    assert trace == ["called"], f"the calls noted were {trace}, not ['called']"


@rule("luahop.listener.fd-reuse-same-poll")
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("same_callback", [False, True], ids=["new-callback", "same-callback"])
def test_a_reused_number_is_not_called_for_the_old_readiness(
    luahop: Luahop, channels: Channels, trace: Trace, count: int, same_callback: bool
) -> None:
    """All are ready in one batch; the first callback puts a silent socket in another's place.

    One case shares a single callback between old and new: it defeats a loop that tells listeners
    apart by their callback.
    """
    hop = luahop.new()
    pairs = [channels.pair() for _ in range(count)]
    fresh: list[socket.socket] = []
    senders: list[socket.socket] = []
    callbacks: list[Callable[[], None]] = []

    def on_read(me: int) -> None:
        if fresh and me == victim[0]:
            on_fresh()
        elif fresh:
            drain(pairs[me][0])
        else:
            drain(pairs[me][0])
            swap((me + 1) % count)

    def on_fresh() -> None:
        trace(f"fresh {drain(fresh[0])!r}")

    victim: list[int] = []

    def swap(number: int) -> None:
        trace("swapped")
        victim.append(number)
        near, _ = pairs[number]
        fd = near.fileno()
        hop.remove_listener(fd, "r")
        near.close()
        new, to_new = channels.pair_at(fd)
        fresh.append(new)
        senders.append(to_new)
        hop.set_listener(new.fileno(), "r", callbacks[number] if same_callback else on_fresh)

    for me, (near, far) in enumerate(pairs):
        far.send(b"old")
        callbacks.append(partial(on_read, me))
        hop.set_listener(near.fileno(), "r", callbacks[me])
    poll_until(hop, "one of the ready listeners is called", lambda: trace)
    poll_for(hop, 4, trace)
    assert trace == ["swapped"], "a new socket was called for the readiness of an old one"
    senders[0].send(b"new")
    poll_until(hop, "the new socket is called when it is ready", partial(reached, trace, 2))
    poll_for(hop, 2, trace)
    assert trace == ["swapped", "fresh b'new'"], (
        f"the calls noted were {trace}, not ['swapped', \"fresh b'new'\"]"
    )


@rule("luahop.listener.fd-reuse-same-poll")
def test_a_reused_number_is_not_writable_because_the_old_one_was(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The new socket has no room to send; both old ones had room."""
    hop = luahop.new()
    pairs = [channels.pair(), channels.pair()]
    peers: list[socket.socket] = []

    def swap(me: int) -> None:
        if peers:
            return
        hop.remove_listener(pairs[me][0].fileno(), "w")
        near = pairs[1 - me][0]
        fd = near.fileno()
        hop.remove_listener(fd, "w")
        near.close()
        new, far = channels.pair_at(fd)
        fill(new)
        peers.append(far)
        hop.set_listener(new.fileno(), "w", lambda: trace("fresh"))

    for me, (near, _) in enumerate(pairs):
        hop.set_listener(near.fileno(), "w", partial(swap, me))
    poll_until(hop, "one of the ready listeners is called", lambda: peers)
    poll_for(hop, 4, trace)
    assert trace == [], "a new socket was called for the readiness of an old one"
    drain(peers[0])
    poll_until(hop, "the new socket is called when it has room", lambda: trace)


@rule("luahop.listener.fd-reuse-same-poll")
def test_the_running_callbacks_own_number_may_be_reused(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The callback closes its descriptor, ready both ways, and registers a new file with its
    number."""
    hop = luahop.new()
    near, far = channels.pair()
    far.send(b"x")
    fd = near.fileno()
    senders: list[socket.socket] = []

    def swap() -> None:
        hop.remove_listener(fd, "r")
        hop.remove_listener(fd, "w")
        near.close()
        new, to_new = channels.pair_at(fd)
        fill(new)
        senders.append(to_new)
        for mask in "rw":
            hop.set_listener(new.fileno(), mask, partial(called, mask, new))

    def called(mask: str, new: End) -> None:
        trace(mask)
        drain(new) if mask == "r" else fill(new)

    hop.set_listener(fd, "r", swap)
    hop.set_listener(fd, "w", swap)
    poll_until(hop, "one of the two listeners is called", lambda: senders)
    poll_for(hop, 4, trace)
    assert trace == [], "a new socket was called for the readiness of the one it replaced"
    senders[0].send(b"y")
    poll_until(hop, "the new socket is called when it is ready", lambda: trace)
    assert trace == ["r"], f"the calls noted were {trace}, not ['r']"
