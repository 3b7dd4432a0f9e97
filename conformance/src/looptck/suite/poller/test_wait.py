"""The poller contract: what is told."""

from __future__ import annotations

import os
import socket
from functools import partial

import pytest

from looptck.protocols.poller import BOTH, READ, WRITE
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill, reset
from looptck.testing.poller_driver import PollerDriver, shown

# Enough that no list of a fixed length holds them all, in descriptors.
_THOUSANDS = 1_100

both_kinds = pytest.mark.parametrize("kind", ["pair", "pipe", "tcp_pair"])


def ends(channels: Channels, kind: str) -> tuple[socket.socket, socket.socket]:
    """The end to read at, and the end to write into."""
    made: tuple[socket.socket, socket.socket] = getattr(channels, kind)()
    return made


@rule("poller.wait.level")
def test_room_and_clients_are_told_again(driver: PollerDriver, channels: Channels) -> None:
    near, _far = channels.pair()
    listening = channels.listener()
    channels.connect(listening)
    driver.watch(near.fileno(), WRITE)
    driver.watch(listening.fileno(), READ)
    wanted = {near.fileno(): WRITE, listening.fileno(): READ}
    for _ in range(4):
        driver.until_all_told(wanted)


@rule("poller.wait.one-entry")
@pytest.mark.parametrize("steps", [(BOTH,), (READ, BOTH), (WRITE, BOTH), (BOTH, READ, BOTH)])
def test_both_directions_come_in_one_pair(
    driver: PollerDriver, channels: Channels, steps: tuple[int, ...]
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    for directions in steps:
        driver.watch(near.fileno(), directions)
    driver.until("the socket is told", lambda told: near.fileno() in told)
    for _ in range(3):
        entries = [hit for fd, hit in driver.entries(0.1) if fd == near.fileno()]
        assert entries in ([BOTH], []), (
            f"a socket with input and room was watched for both; it came {len(entries)} times, "
            f"for {shown(dict(enumerate(entries)))}"
        )


@rule("poller.wait.end")
@both_kinds
@pytest.mark.parametrize("unread", [b"", b"xy"], ids=["nothing left", "bytes left"])
def test_the_end_is_told_for_reading(
    driver: PollerDriver, channels: Channels, kind: str, unread: bytes
) -> None:
    near, far = ends(channels, kind)
    driver.watch(near.fileno(), READ)
    if unread:
        far.send(unread)
    far.close()
    driver.until_told(near.fileno(), READ)
    assert near.recv(8) == unread, "bytes from before the end were not there"
    for _ in range(3):
        driver.until_told(near.fileno(), READ)
        assert near.recv(8) == b""


@rule("poller.wait.end")
@pytest.mark.parametrize("kind", ["pair", "tcp_pair"])
def test_a_half_close_is_told_for_reading_alone(
    driver: PollerDriver, channels: Channels, kind: str
) -> None:
    """The own output is full, so that the socket is not writable for room."""
    near, far = ends(channels, kind)
    fill(near)
    driver.watch(near.fileno(), BOTH)
    while driver.told():  # TCP moves bytes on, and has room again
        fill(near)
    far.shutdown(socket.SHUT_WR)
    driver.until_told(near.fileno(), READ)
    driver.assert_silent(near.fileno(), WRITE)


@rule("poller.wait.error-wakes-both")
@pytest.mark.parametrize("direction", [READ, WRITE], ids=["reading", "writing"])
@pytest.mark.parametrize("late", [False, True], ids=["watched before", "watched after"])
def test_a_refused_connect_is_told(
    driver: PollerDriver, channels: Channels, direction: int, late: bool
) -> None:
    """The error is still there for the program: SO_ERROR tells it afterwards."""
    client = channels.refused()
    if late:
        driver.watch(client.fileno(), WRITE)
        driver.until_told(client.fileno(), WRITE)
        driver.forget(client.fileno())
    driver.watch(client.fileno(), direction)
    driver.until_told(client.fileno(), direction)
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error, "the error of a refused connect was taken away"


@rule("poller.wait.error-wakes-both")
@pytest.mark.parametrize("direction", [READ, WRITE], ids=["reading", "writing"])
def test_a_reset_is_told(driver: PollerDriver, channels: Channels, direction: int) -> None:
    client, served = channels.tcp_pair()
    fill(client)
    driver.watch(client.fileno(), direction)
    reset(served)
    driver.until_told(client.fileno(), direction)
    with pytest.raises(OSError, match=r"reset|pipe"):
        client.recv(1 << 20) if direction == READ else client.send(b"x")


@rule("poller.wait.error-wakes-both")
@pytest.mark.parametrize("full", [False, True], ids=["with room", "full"])
@pytest.mark.parametrize("late", [False, True], ids=["watched before", "watched after"])
def test_a_pipe_without_a_reader_is_told(
    driver: PollerDriver, channels: Channels, full: bool, late: bool
) -> None:
    reading, writing = channels.pipe()
    if full:
        fill(writing)
    if not late:
        driver.watch(writing.fileno(), WRITE)
        driver.answer()
    reading.close()
    if late:
        driver.watch(writing.fileno(), WRITE)
    for _ in range(3):
        driver.until_told(writing.fileno(), WRITE)
    driver.forget(writing.fileno())
    driver.assert_silent(writing.fileno(), WRITE)


@rule("poller.wait.all-ready")
def test_of_thousands_each_is_told(driver: PollerDriver, channels: Channels) -> None:
    """All are numbers of one readable socket, and stay ready."""
    near, far = channels.pair()
    far.send(b"x")
    numbers = [os.dup(near.fileno()) for _ in range(_THOUSANDS)]
    for number in numbers:
        channels.keep(partial(os.close, number))
    for number in numbers:
        driver.watch(number, READ)
    told = dict.fromkeys(numbers, 0)
    for _ in range(2 * _THOUSANDS):  # one may come at a time, and none now and then
        for number in driver.told(0.1):
            told[number] += 1
        if all(told.values()):
            break
        assert max(told.values()) <= 2, (
            f"a descriptor was told {max(told.values())} times while "
            f"{sum(not count for count in told.values())} of {_THOUSANDS} were not told once"
        )
    missing = sum(not count for count in told.values())
    assert not missing, f"{missing} of {_THOUSANDS} ready descriptors were never told"


@rule("poller.wait.large-number")
@pytest.mark.parametrize("number", [1024, 1100, 2047])
def test_a_large_number_is_told(driver: PollerDriver, channels: Channels, number: int) -> None:
    near, far = channels.pair()
    large = channels.numbered(near, number)
    driver.watch(large.fileno(), READ)
    driver.assert_silent(large.fileno(), READ)
    far.send(b"x")
    driver.until_told(large.fileno(), READ)
    driver.watch(large.fileno(), WRITE)
    driver.until("the large number is told for writing", lambda t: t == {large.fileno(): WRITE})
    driver.forget(large.fileno())
    driver.assert_silent(large.fileno(), BOTH)
