"""Makes sockets ready for an evtype of levent, and silent again.

This module knows the profile `levent` and no rule.  A `ReadinessToggle` is ready
for its own evtype alone: with "r" it is never writable, with "w" never readable.
"""

from __future__ import annotations

import os

import pytest

from .channels import Channels, drain, fill
from .levent_driver import Act, LeventDriver
from .situations import Situation

every_evtype = pytest.mark.parametrize("evtype", ["r", "w", "rw"])
either_evtype = pytest.mark.parametrize("evtype", ["r", "w"])

# The three meanings of `howmany`, for a loop that is sure to have something to serve.
every_howmany = pytest.mark.parametrize("howmany", [0, 1, None])


class ReadinessToggle:
    """A socket that is silent at first, and ready for *evtype* while it is on."""

    def __init__(
        self, channels: Channels, evtype: str = "r", *, on: bool = False, at: int | None = None
    ) -> None:
        """*at* is the number of a descriptor that was closed, for the socket to have."""
        self.evtype = evtype
        self.near, self.far = channels.pair() if at is None else channels.pair_at(at)
        fill(self.near)
        if on:
            self.on()

    @property
    def number(self) -> int:
        return self.near.fileno()

    @property
    def is_open(self) -> bool:
        """Whether nobody else has closed it."""
        try:
            os.fstat(self.number)
        except OSError:
            return False
        return True

    def on(self, evtype: str = "") -> None:
        """Make the socket ready for *evtype*, or for its own evtype if that is empty."""
        evtype = evtype or self.evtype
        if "r" in evtype:
            self.far.send(b"x")
        if "w" in evtype:
            drain(self.far)

    def off(self) -> None:
        """End the readiness as a callback does: read all bytes, or write until there is no room."""
        if "r" in self.evtype:
            drain(self.near)
        if "w" in self.evtype:
            fill(self.near)


def run(driver: LeventDriver, howmany: int | None) -> None:
    """Call the loop once with that *howmany*; with 0, until something was called."""
    if howmany == 0:
        driver.until(lambda: driver.trace)
    else:
        driver.run_once(howmany)


def act_in(situation: Situation, driver: LeventDriver, channels: Channels, act: Act) -> None:
    """Do *act* in that situation of the base; passing on is left to the test.

    The trace is empty afterwards but for what *act* brought about.
    """
    if situation is not Situation.FRESH:
        opener = driver.event(
            "opener",
            channels.pair()[0].fileno(),
            "w",
            lambda *_: (opener.stop(), act() if situation is Situation.INSIDE else None),
        )
        opener.start()
        assert driver.until_count("opener"), "an event for a writable file was not called"
        driver.trace.remove("opener")
    if situation is not Situation.INSIDE:
        act()
