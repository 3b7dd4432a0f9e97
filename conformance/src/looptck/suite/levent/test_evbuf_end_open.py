"""levent, buffered events: the calls of errorcb, which the document only names, are observed."""

from __future__ import annotations

import socket

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive, unread
from looptck.testing.channels import Channels, fill, reset
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


def _calls(driver: LeventDriver) -> str:
    """Return the calls but those of writecb; several calls of readcb in a row count as one."""
    called: list[str] = []
    for entry in driver.trace:
        if entry != "write" and (entry != "read" or called[-1:] != ["read"]):
            called.append(entry)
    return ", ".join(called) or "no call"


@rule("levent.newevbuf.errorcb")
@pytest.mark.parametrize("data", [b"", b"data"], ids=["no data", "data"])
@pytest.mark.parametrize("end", ["close", "half close"])
def test_the_calls_at_the_end_of_the_file_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, end: str, data: bytes
) -> None:
    """The end is there before the first pass."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    if data:
        receiver.send_bytes(data)
    if end == "close":
        receiver.far.close()
    else:
        receiver.far.shutdown(socket.SHUT_WR)
    driver.run_idle()
    observe(_calls(driver), of=f"{end}{' after data' if data else ''}")


@rule("levent.newevbuf.errorcb")
def test_the_calls_at_a_reset_connection_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    near, far = channels.tcp_pair()
    driver.evbuf(near.fileno()).start()
    driver.run_once()
    reset(far)
    driver.run_idle()
    observe(_calls(driver), of="reset")


@rule("levent.newevbuf.errorcb")
def test_the_calls_for_output_without_a_peer_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Both directions meet the error, in any order."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    sender.write(100)
    sender.far.close()
    driver.run_idle()
    errors = driver.count("error")
    observe(f"{errors} calls of errorcb", of="the peer is gone while output waits")


@rule("levent.newevbuf.errorcb")
def test_output_after_the_end_of_the_input_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The peer only shut down its sending side: it still reads."""
    near, far = channels.pair()
    evbuf = driver.evbuf(near.fileno())
    evbuf.start()
    fill(near)
    evbuf.write(b"before")
    far.shutdown(socket.SHUT_WR)
    driver.run_idle()
    receive(far, unread(far))
    driver.run_idle()
    observe("leaves" if receive(far, 100) else "stays", of="written before the end")
    evbuf.write(b"after")
    driver.run_idle()
    observe("leaves" if receive(far, 100) else "stays", of="written after the end")


@rule("levent.newevbuf.errorcb")
def test_a_restart_after_the_end_of_the_file_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """An event whose file has ended is stopped and started again."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.far.close()
    driver.run_idle()
    before = driver.count("error")
    receiver.evbuf.stop()
    receiver.evbuf.start()
    driver.run_idle()
    observe(f"{driver.count('error') - before} more calls", of="started again after the end")
