"""levent: urgent data is not readable, and a signal does not end loop()."""

from __future__ import annotations

from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import wait_readable
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.urgent_data import urgent_channel


@rule("levent.newevent.evtype-r")
def test_an_urgent_byte_that_no_read_returns_is_not_readable(
    driver: LeventDriver, channels: Channels
) -> None:
    """The kernel announces it apart from data.  A byte that can be read comes later."""
    channel = urgent_channel(channels)
    if channel is None:
        return  # this system puts urgent bytes in line: a read returns them
    near, far = channel
    event = driver.event("reader", near.fileno(), "r", lambda *_: event.stop())
    event.start()
    driver.run_idle(5)
    assert not driver.trace, (
        "an event for reading was called for an urgent byte, which no read returns"
    )
    far.send(b"x")
    wait_readable([near])
    assert driver.until_count("reader"), "an event was not called for a byte that can be read"
