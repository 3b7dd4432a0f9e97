"""LuaHop, poll: signals that arrive while it waits."""

from __future__ import annotations

import signal

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.alarms import SIGNALS, signals_before
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import polls
from looptck.testing.hop_timers import TimerLog
from looptck.testing.stopwatch import assert_prompt

LATENESS = 0.050

# How long signals may keep a timer of 50 ms from running, in milliseconds.
_LONGEST = 500

# So many signals arrive before and after a timer of 50 ms is due.
_STORM = 60


@rule("luahop.poll.eintr")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
def test_a_signal_does_not_make_a_waiting_poll_fail(
    luahop: Luahop, channels: Channels, siginterrupt: bool
) -> None:
    """A few signals arrive for nothing, then the peer sends a byte; and once more."""
    hop = luahop.new()
    near, far = channels.pair()
    received: list[bytes] = []

    def send() -> None:
        far.send(b"x")

    hop.set_listener(near.fileno(), "r", lambda: received.append(drain(near)))
    with signals_before(send, send):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        try:
            for _ in polls(hop):
                if b"".join(received) == b"xx":
                    break
        except Exception as error:
            raise AssertionError(
                f"a signal during poll made it raise {type(error).__name__}: {error}"
            ) from error
    assert b"".join(received) == b"xx", "bytes that arrived between signals were not served"


@rule("luahop.poll.eintr")
def test_signals_do_not_move_a_timer(luahop: Luahop, clock: Clock) -> None:
    """Ten signals arrive before the timer is due, and ten more before the bound is reached. A
    poll that begins its wait anew with each of them is late by as much."""

    def lateness() -> float:
        hop = luahop.new()
        table = TimerLog(hop, clock)
        table.timeout("of 50 ms", 50)
        hop.set_interval({"ms": 15}, _nobody)
        with signals_before(*[_nobody] * (_STORM // SIGNALS)):
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
    """A callback that no test waits for."""
