"""luaevent, Constants: EV_READ reports data, connections and the end of a stream."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill, reset
from looptck.testing.hop_driver import wait_readable
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere
from looptck.testing.urgent_data import urgent_channel

# How long a descriptor has to be silent, in seconds.
_QUIET = 0.01

# {kind: makes the end to read from and the end to write to}
Connect = Callable[[Channels], tuple[End, End]]
_CHANNELS: dict[str, Connect] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}

any_channel = pytest.mark.parametrize("connect", _CHANNELS.values(), ids=_CHANNELS)


@rule("luaevent.constants.ev-read")
@everywhere
@any_channel
@pytest.mark.parametrize("when", ["before addevent", "before the loop", "in the loop"])
def test_a_single_byte_is_reported_once_it_is_there(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
    when: str,
) -> None:
    """An edge-triggered poller may miss a byte that was there before addevent. A timer sends the
    late one, so that a call before the timer's is a false one. A socket is writable all the time:
    a loop must not take that for data."""
    near, far = connect(channels)

    def act() -> None:
        if when == "before addevent":
            far.send(b"x")
        driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        if when == "before the loop":
            far.send(b"x")
        elif when == "in the loop":
            driver.after("sender", _QUIET, lambda: far.send(b"x"))

    driver.run(act, situation)
    driver.assert_calls(*["sender timeout"] * (when == "in the loop"), "reader read")


@rule("luaevent.constants.ev-read")
def test_data_is_reported_to_the_event_of_its_own_descriptor(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """One of three descriptors has data; the others get data when its event has left."""
    pairs = {name: channels.pair() for name in ("first", "second", "third")}

    def served(name: str) -> Callable[[int], int]:
        def serve(_flags: int) -> int:
            assert drain(pairs[name][0]) == name.encode(), f"{name} was called without data"
            if name == "second":
                for other in ("first", "third"):
                    pairs[other][1].send(other.encode())
            return luaevent.LEAVE

        return serve

    for name, (near, _) in pairs.items():
        driver.add(name, near.fileno(), luaevent.EV_READ, served(name))
    pairs["second"][1].send(b"second")
    driver.run()
    assert sorted(driver.trace) == ["first read", "second read", "third read"], (
        f"each of three events was due one call for its data; there came "
        f"{', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.constants.ev-read-accept")
@everywhere
def test_each_pending_connection_gets_a_call(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, situation: Situation
) -> None:
    """Three are pending before the socket is watched, and each call accepts one; a fourth comes
    when they are through."""
    listening = channels.listener()
    for _ in range(3):
        channels.connect(listening)

    def accept(_flags: int) -> int:
        try:
            served, _ = listening.accept()
        except BlockingIOError:
            raise AssertionError("called, and there was no connection to accept") from None
        channels.keep(served.close)
        if driver.count("server read") == 3:
            driver.after("client", _QUIET, lambda: channels.connect(listening))
        return luaevent.LEAVE if driver.count("server read") == 4 else luaevent.EV_READ

    driver.run(
        lambda: driver.add("server", listening.fileno(), luaevent.EV_READ, accept), situation
    )
    driver.assert_calls(*["server read"] * 3, "client timeout", "server read")


def _close(far: End) -> None:
    far.close()


def _shut_down(far: End) -> None:
    assert isinstance(far, socket.socket)
    far.shutdown(socket.SHUT_WR)


def _reset(far: End) -> None:
    assert isinstance(far, socket.socket)
    reset(far)


_ENDINGS = pytest.mark.parametrize(
    "connect, end",
    [
        pytest.param(_CHANNELS["socket pair"], _close, id="socket pair closed"),
        pytest.param(_CHANNELS["socket pair"], _shut_down, id="socket pair shut down"),
        pytest.param(_CHANNELS["pipe"], _close, id="pipe closed"),
        pytest.param(_CHANNELS["TCP"], _close, id="TCP closed"),
        pytest.param(_CHANNELS["TCP"], _shut_down, id="TCP shut down"),
        pytest.param(_CHANNELS["TCP"], _reset, id="TCP reset"),
    ],
)


def _at_its_end(near: End) -> bool:
    """Return whether a read returns nothing, or fails because the connection is gone."""
    try:
        return near.recv(10) == b""
    except ConnectionError:
        return True
    except BlockingIOError:
        return False


@rule("luaevent.constants.ev-read-disconnect")
@_ENDINGS
@pytest.mark.parametrize("run_beside", [False, True], ids=["before the loop", "in the loop"])
def test_the_end_of_a_stream_is_reported_again_and_again(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    end: Callable[[End], None],
    run_beside: bool,
) -> None:
    """Some kernels report a pipe whose writer is gone as hung up, and not as readable."""
    near, far = connect(channels)

    def read(_flags: int) -> int:
        assert _at_its_end(near), "called, and a read found no end of the stream"
        return luaevent.EV_READ

    driver.add("reader", near.fileno(), luaevent.EV_READ, read, read, luaevent.LEAVE)
    if run_beside:
        driver.after("peer", _QUIET, lambda: end(far))
    else:
        end(far)
    driver.run()
    driver.assert_calls(*["peer timeout"] * run_beside, "reader read", "reader read", "reader read")


@rule("luaevent.constants.ev-read")
@everywhere
@pytest.mark.parametrize("write", [False, True], ids=["EV_READ", "EV_READ|EV_WRITE"])
def test_an_urgent_byte_that_no_read_returns_is_not_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    write: bool,
) -> None:
    """The kernel announces it apart from data. A timer sends a byte that can be read, so that a
    call before the timer's is a false one. The end has no room where EV_WRITE is registered too."""
    channel = urgent_channel(channels)
    if channel is None:
        return  # this system puts urgent bytes in line: a read returns them
    near, far = channel
    flags = luaevent.EV_READ
    if write:
        flags |= luaevent.EV_WRITE
        fill(near)

    def called(_flags: int) -> int:
        try:
            near.recv(10)
        except BlockingIOError:
            raise AssertionError(
                "EV_READ came for an urgent byte; a read would have had to wait"
            ) from None
        return luaevent.LEAVE

    def send() -> None:
        far.send(b"x")
        wait_readable([near])

    def act() -> None:
        driver.add("reader", near.fileno(), flags, called, timeout=30.0)
        driver.after("sender", _QUIET, send)

    driver.run(act, situation)
    driver.assert_calls("sender timeout", "reader read")
