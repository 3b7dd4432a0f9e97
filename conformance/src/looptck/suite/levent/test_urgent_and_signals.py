"""levent: urgent data is not readable, and a signal does not end loop()."""

from __future__ import annotations

import signal

import pytest

from looptck.rules.markers import rule
from looptck.testing.alarms import signals_before
from looptck.testing.channels import Channels, drain
from looptck.testing.levent_driver import LeventDriver


@rule("levent.loop.nil")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
def test_a_signal_does_not_end_the_loop(
    driver: LeventDriver, channels: Channels, siginterrupt: bool
) -> None:
    """A few signals arrive for nothing, then the peer sends a byte; and once more, so that
    the event outlives its call."""
    near, far = channels.pair()

    def send() -> None:
        far.send(b"x")

    def on_read(*_: object) -> None:
        drain(near)
        if driver.count("reader") == 2:
            event.stop()
        else:
            event.start()

    event = driver.event("reader", near.fileno(), "r", on_read)
    event.start()
    with signals_before(send, send):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        driver.run_once(None)
    served = driver.count("reader")
    assert served == 2, (
        f"a signal made loop() return with an event active, served {served} of 2 times"
    )
