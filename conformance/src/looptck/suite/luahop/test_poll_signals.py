"""LuaHop, poll: signals that arrive while it waits."""

from __future__ import annotations

import signal

import pytest

from looptck.clocks import Clock
from looptck.profiles.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.alarms import alarms, stop_alarms
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.stopwatch import assert_prompt

LATENESS = 0.050

# What a signal's handler made ready is served before so many more signals came.
_MOST_SIGNALS = 200

# How long signals may keep a timer of 50 ms from running, in milliseconds.
_LONGEST = 500


@rule("luahop.poll.eintr")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
def test_a_signal_does_not_make_a_waiting_poll_fail(
    luahop: Luahop, channels: Channels, siginterrupt: bool
) -> None:
    """Nothing but the descriptor can end the wait for good.  The first signals are for
    nothing; then their handler makes the descriptor ready."""
    hop = luahop.new()
    near, far = channels.pair()
    received: list[bytes] = []
    signals: list[bool] = []

    def on_signal() -> None:
        signals.append(True)
        if len(signals) % 4 == 0:
            far.send(b"x")

    hop.set_listener(near.fileno(), "r", lambda: received.append(drain(near)))
    with alarms(on_signal):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        while len(received) < 2 and len(signals) < _MOST_SIGNALS:
            try:
                hop.poll()
            except Exception as error:
                raise AssertionError(
                    f"a signal during poll made it raise {type(error).__name__}: {error}"
                ) from error
    assert len(received) >= 2, "what a signal handler made ready was not served"


@rule("luahop.poll.eintr")
def test_signals_do_not_move_a_timer(luahop: Luahop, clock: Clock) -> None:
    """Ten signals arrive before the timer is due, and ten more before the bound is reached.
    A poll that begins its wait anew with each of them is late by as much."""

    def lateness() -> float:
        hop = luahop.new()
        table = TimerLog(hop, clock)
        left = 32

        def on_signal() -> None:
            nonlocal left
            left -= 1
            if not left:
                stop_alarms()

        table.timeout("of 50 ms", 50)
        hop.set_interval({"ms": 15}, _nobody)
        with alarms(on_signal):
            try:
                for _ in polls(hop, _LONGEST):
                    if "of 50 ms" in table.ran:
                        break
            except Exception as error:
                raise AssertionError(
                    f"a signal during poll made it raise {type(error).__name__}: {error}"
                ) from error
        assert "of 50 ms" in table.ran, "after signals during poll a timer never ran"
        assert table.ran.count("of 50 ms") == 1
        table.assert_none_early()
        return table.times("of 50 ms")[0] - 0.050

    assert_prompt(lateness, LATENESS)


def _nobody() -> None:
    """A callback that nobody waits for."""
