"""levent, newevent: an event that goes on is called as long as its file is ready."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.readiness import ReadinessToggle, either_evtype


@rule("levent.newevent.evtype-rw")
@pytest.mark.parametrize("turns", ["rw", "wr", "rrw", "wwr"])
@either_evtype
def test_an_event_for_both_waits_for_both_after_a_restart(
    driver: LeventDriver, channels: Channels, turns: str, evtype: str
) -> None:
    """Between two calls it is stopped, some passes go by, and it is started; *evtype* ends it."""
    switch = ReadinessToggle(channels, "rw")

    def take(*_: object) -> None:
        switch.off()
        event.stop()

    event = driver.event("either", switch.number, "rw", take)
    for calls, turn in enumerate(turns + evtype, start=1):
        event.start()
        driver.run_idle(3)
        switch.on(turn)
        is_called = driver.until_count("either", calls)
        if not is_called:
            # if it is silent for that too, then start is not heard, which is another rule's
            switch.on("w" if turn == "r" else "r")
            is_called = not driver.until_count("either", calls) and calls > 1
            turns = ""
        assert is_called, (
            f'an event for "rw" was called {calls - 1} times, stopped and started, and not called '
            f"again when its file was {'readable' if turn == 'r' else 'writable'}"
        )
        if not turns:
            return
        driver.run_idle(3)
