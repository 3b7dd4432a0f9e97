"""luaevent, Constants: EV_READ reports data, connections and the end of a stream."""

from __future__ import annotations

import os
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
def test_a_single_byte_that_is_there_already_is_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
) -> None:
    """The byte was sent before addevent: an edge-triggered poller may miss it."""
    near, far = connect(channels)
    far.send(b"x")
    driver.run(
        lambda: driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE), situation
    )
    driver.assert_calls("reader read")


@rule("luaevent.constants.ev-read")
@any_channel
def test_a_byte_sent_between_addevent_and_loop_is_reported(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, connect: Connect
) -> None:
    """The byte comes while no loop runs."""
    near, far = connect(channels)
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    far.send(b"x")
    driver.run()
    driver.assert_calls("reader read")


@rule("luaevent.constants.ev-read")
@any_channel
def test_nothing_is_reported_until_a_byte_arrives(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, connect: Connect
) -> None:
    """The timer sends the byte, so that a call before the timer's is a false one. A socket is
    writable all the time: a loop must not take that for data."""
    near, far = connect(channels)
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    driver.after("sender", _QUIET, lambda: far.send(b"x"))
    driver.run()
    driver.assert_calls("sender timeout", "reader read")


@rule("luaevent.constants.ev-read")
@any_channel
def test_nothing_is_reported_once_the_data_is_read(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, connect: Connect
) -> None:
    """One event reads the data. The next one, on a second number for the same file, finds
    nothing until a timer sends more."""
    near, far = connect(channels)

    def read(_flags: int) -> int:
        assert drain(near) == b"one", "the call did not come for the data"
        return luaevent.LEAVE

    far.send(b"one")
    driver.add("first", near.fileno(), luaevent.EV_READ, read)
    driver.run()
    number = os.dup(near.fileno())
    channels.keep(lambda: os.close(number))
    driver.add("second", number, luaevent.EV_READ, luaevent.LEAVE)
    driver.after("sender", _QUIET, lambda: far.send(b"two"))
    driver.run()
    driver.assert_calls("first read", "sender timeout", "second read")


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


def _accept(listening: socket.socket, channels: Channels) -> None:
    try:
        served, _ = listening.accept()
    except BlockingIOError:
        raise AssertionError("called, and there was no connection to accept") from None
    channels.keep(served.close)


@rule("luaevent.constants.ev-read-accept")
@everywhere
def test_a_pending_connection_can_be_accepted(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, situation: Situation
) -> None:
    """The connection is in the backlog before the socket is watched."""
    listening = channels.listener()
    channels.connect(listening)

    def accept(_flags: int) -> int:
        _accept(listening, channels)
        return luaevent.LEAVE

    driver.run(
        lambda: driver.add("server", listening.fileno(), luaevent.EV_READ, accept), situation
    )
    driver.assert_calls("server read")


@rule("luaevent.constants.ev-read-accept")
def test_each_pending_connection_gets_a_call(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """Three are pending and each call accepts one; a fourth comes when they are through."""
    listening = channels.listener()
    for _ in range(3):
        channels.connect(listening)

    def accept(_flags: int) -> int:
        _accept(listening, channels)
        if driver.count("server read") == 3:
            driver.after("client", _QUIET, lambda: channels.connect(listening))
        return luaevent.EV_READ

    def accept_last(_flags: int) -> int:
        _accept(listening, channels)
        return luaevent.LEAVE

    driver.add("server", listening.fileno(), luaevent.EV_READ, accept, accept, accept, accept_last)
    driver.run()
    driver.assert_calls(
        "server read", "server read", "server read", "client timeout", "server read"
    )


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


def _read_byte(near: End) -> bytes:
    try:
        return near.recv(1)
    except BlockingIOError:
        raise AssertionError("called, and there was nothing to read") from None


@rule("luaevent.constants.ev-read-disconnect")
@any_channel
def test_data_comes_before_the_end_of_the_stream(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, connect: Connect
) -> None:
    """The data is read byte by byte while the kernel knows the end already."""
    near, far = connect(channels)
    chunks: list[bytes] = []

    def read(_flags: int) -> int:
        chunks.append(_read_byte(near))
        return luaevent.EV_READ if chunks[-1] else luaevent.LEAVE

    far.send(b"abc")
    far.close()
    driver.add("reader", near.fileno(), luaevent.EV_READ, read)
    driver.run()
    assert chunks == [b"a", b"b", b"c", b""], (
        f"sent were 3 bytes and the end; the calls read {chunks}{driver.timeout_note}"
    )


@rule("luaevent.constants.ev-read")
@everywhere
@pytest.mark.parametrize("names", [("EV_READ",), ("EV_READ", "EV_WRITE")], ids="|".join)
def test_an_urgent_byte_that_no_read_returns_is_not_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    names: tuple[str, ...],
) -> None:
    """The kernel announces it apart from data. A timer sends a byte that can be read, so that a
    call before the timer's is a false one. The end has no room where EV_WRITE is registered too."""
    channel = urgent_channel(channels)
    if channel is None:
        return  # this system puts urgent bytes in line: a read returns them
    near, far = channel
    flags = 0
    for name in names:
        flags |= getattr(luaevent, name)
    if "EV_WRITE" in names:
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
