"""luaevent, Constants: EV_WRITE reports room to write and the end of a connect."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere

# How long a descriptor has to be silent, in seconds.
_QUIET = 0.01

# {kind: makes the end to write to and the end to read from}
Connect = Callable[[Channels], tuple[End, End]]
_CHANNELS: dict[str, Connect] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe()[::-1],
    "TCP": lambda channels: channels.tcp_pair(),
}


@rule("luaevent.constants.ev-write")
@everywhere
@pytest.mark.parametrize("connect", _CHANNELS.values(), ids=_CHANNELS)
def test_room_to_write_is_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    connect: Connect,
    situation: Situation,
) -> None:
    """Nothing was ever written: the room was there before addevent."""
    near, _far = connect(channels)
    driver.run(
        lambda: driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE), situation
    )
    driver.assert_calls("writer write")


def _is_broken(end: End) -> bool:
    try:
        end.send(b"x")
    except BrokenPipeError:
        return True
    except BlockingIOError:
        pass
    return False


# Left out is TCP: its buffers grow on their own.
@rule("luaevent.constants.ev-write")
@pytest.mark.parametrize("kind", ["socket pair", "pipe"])
def test_nothing_is_reported_until_the_peer_has_read(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, kind: str
) -> None:
    """The timer makes the room, so that a call before the timer's is a false one. A socket has
    data all the while: a loop must not take that for room."""
    near, far = _CHANNELS[kind](channels)
    if kind == "socket pair":
        far.send(b"to be ignored")
    fill(near)
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    driver.after("peer", _QUIET, lambda: drain(far))
    driver.run()
    driver.assert_calls("peer timeout", "writer write")


@rule("luaevent.constants.ev-write")
@pytest.mark.parametrize("kind", ["socket pair", "pipe"])
def test_nothing_is_reported_once_the_room_is_used_up(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, kind: str
) -> None:
    """One event uses up the room. The next one, on a second number for the same file, finds none
    until a timer makes some."""
    near, far = _CHANNELS[kind](channels)

    def write(_flags: int) -> int:
        fill(near)
        return luaevent.LEAVE

    driver.add("first", near.fileno(), luaevent.EV_WRITE, write)
    driver.run()
    number = os.dup(near.fileno())
    channels.keep(lambda: os.close(number))
    driver.add("second", number, luaevent.EV_WRITE, luaevent.LEAVE)
    driver.after("peer", _QUIET, lambda: drain(far))
    driver.run()
    driver.assert_calls("first write", "peer timeout", "second write")


@rule("luaevent.constants.ev-write")
@pytest.mark.parametrize(
    "full, run_beside",
    [
        pytest.param(False, False, id="empty, before the loop"),
        pytest.param(True, False, id="full, before the loop"),
        pytest.param(True, True, id="full, in the loop"),
    ],
)
def test_a_pipe_that_lost_its_reader_is_reported(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, full: bool, run_beside: bool
) -> None:
    """A full pipe has no room: the kernel reports it as broken only, and a write fails at once."""
    reading, writing = channels.pipe()
    if full:
        fill(writing)

    def write(_flags: int) -> int:
        assert _is_broken(writing), "called while the reader was there and the pipe full"
        return luaevent.LEAVE

    driver.add("writer", writing.fileno(), luaevent.EV_WRITE, write)
    if run_beside:
        driver.after("peer", _QUIET, reading.close)
    else:
        reading.close()
    driver.run()
    driver.assert_calls(*["peer timeout"] * run_beside, "writer write")


@rule("luaevent.constants.ev-write")
def test_the_reading_end_of_a_pipe_is_never_writable(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """A loop may refuse it. A hang-up at last wakes even a loop that cannot close."""
    reading, writing = channels.pipe()
    writing.send(b"x")
    with suppress(Exception):  # the class is open
        driver.add("wrong end", reading.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)

    def end() -> None:
        driver.close_all()
        writing.close()

    driver.after("timer", _QUIET, end)
    driver.run()
    driver.assert_calls("timer timeout")


@rule("luaevent.constants.ev-write-connect")
@everywhere
def test_a_connect_that_succeeds_is_reported(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, situation: Situation
) -> None:
    """The connect may be over at once or after a while."""
    listening = channels.listener()

    def connect() -> None:
        client = channels.connecting(listening.getsockname())

        def connected(_flags: int) -> int:
            error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == 0, f"connected, and SO_ERROR is {errno.errorcode.get(error, error)}"
            client.getpeername()  # raises unless the socket is connected
            return luaevent.LEAVE

        driver.add("client", client.fileno(), luaevent.EV_WRITE, connected)

    driver.run(connect, situation)
    driver.assert_calls("client write")


@rule("luaevent.constants.ev-write-connect-failed")
@everywhere
@pytest.mark.parametrize("also_read", [False, True], ids=["EV_WRITE", "EV_READ|EV_WRITE"])
def test_a_connect_that_is_refused_is_reported(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    also_read: bool,
) -> None:
    """With both directions registered, calls with EV_READ alone may come before."""
    flags = luaevent.EV_READ | luaevent.EV_WRITE if also_read else luaevent.EV_WRITE

    def connect() -> None:
        client = socket.socket()
        channels.keep(client.close)
        client.setblocking(False)
        begun = client.connect_ex(channels.refused_address())

        def refused(received: int) -> int:
            if not received & luaevent.EV_WRITE:
                return flags
            error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if begun == errno.EINPROGRESS:  # else the error was told there and then
                assert error, "the connect was refused, and SO_ERROR is 0: has the loop read it?"
            return luaevent.LEAVE

        driver.add("client", client.fileno(), flags, refused)

    driver.run(connect, situation)
    if also_read:
        assert "write" in "".join(driver.trace[-1:]), (
            f"a refused connect was not reported with EV_WRITE; the calls were "
            f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
        )
    else:
        driver.assert_calls("client write")
