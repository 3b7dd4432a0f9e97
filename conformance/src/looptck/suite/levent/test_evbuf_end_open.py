"""levent, buffered events: errorcb, of which the document has only the name."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive, unread
from looptck.testing.channels import Channels, fill, reset
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


def _calls(rounds: LeventDriver) -> str:
    """The calls but those of writecb; one of readcb and several are the same."""
    called: list[str] = []
    for entry in rounds.trace:
        if entry != "write" and (entry != "read" or called[-1:] != ["read"]):
            called.append(entry)
    return ", ".join(called) or "no call"


@rule("levent.newevbuf.errorcb")
@pytest.mark.parametrize("data", [b"", b"data"], ids=["no data", "data"])
@pytest.mark.parametrize("end", ["close", "half close"])
def test_what_the_end_of_the_file_brings(
    rounds: LeventDriver, channels: Channels, observe: Observation, end: str, data: bytes
) -> None:
    """It is there before the first pass."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    if data:
        inlet.send_bytes(data)
    if end == "close":
        inlet.far.close()
    else:
        inlet.far.shutdown(socket.SHUT_WR)
    rounds.quiet()
    observe(_calls(rounds), of=f"{end}{' after data' if data else ''}")


@rule("levent.newevbuf.errorcb")
def test_what_a_reset_connection_brings(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    near, far = channels.tcp_pair()
    rounds.evbuf(near.fileno()).start()
    rounds.once()
    reset(far)
    rounds.quiet()
    observe(_calls(rounds), of="reset")


@rule("levent.newevbuf.errorcb")
def test_what_a_peer_that_is_gone_brings_to_output_that_waits(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Both directions meet it, in any order."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    outlet.write(100)
    outlet.far.close()
    rounds.quiet()
    errors = rounds.count("error")
    observe(f"{errors} calls of errorcb", of="the peer is gone while output waits")


@rule("levent.newevbuf.errorcb")
def test_whether_output_leaves_after_the_end_of_the_input(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The peer only finished sending: it still reads."""
    near, far = channels.pair()
    evbuf = rounds.evbuf(near.fileno())
    evbuf.start()
    fill(near)
    evbuf.write(b"before")
    far.shutdown(socket.SHUT_WR)
    rounds.quiet()
    receive(far, unread(far))
    rounds.quiet()
    observe("leaves" if receive(far, 100) else "stays", of="written before the end")
    evbuf.write(b"after")
    rounds.quiet()
    observe("leaves" if receive(far, 100) else "stays", of="written after the end")


@rule("levent.newevbuf.errorcb")
def test_whether_the_end_is_told_again(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """stop() and start() of an event whose file has ended."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.far.close()
    rounds.quiet()
    before = rounds.count("error")
    inlet.evbuf.stop()
    inlet.evbuf.start()
    rounds.quiet()
    observe(f"{rounds.count('error') - before} more calls", of="started again after the end")
