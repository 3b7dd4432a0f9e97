"""LuaHop, poll: signals that arrive while it waits."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from looptck.clocks import Clock
from looptck.markers import rule
from looptck.probes.stopwatch import assert_prompt
from looptck.probes.timetable import Timetable
from looptck.probes.wires import Wires, drain
from looptck.profiles.luahop import Luahop

LATENESS = 0.050

# Seconds between two signals, by the machine's clock: also a loop in virtual
# time waits for the kernel when it has no timer.
_EVERY = 0.005

# A poll that returns for nothing, again and again, is stopped after this many.
_MOST_POLLS = 20_000


@contextmanager
def alarms(handler: Callable[[], object]) -> Iterator[None]:
    """SIGALRM arrives every few milliseconds, and calls *handler*."""
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: handler())
    signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@rule("luahop.poll.eintr")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
def test_a_signal_does_not_make_a_waiting_poll_fail(
    luahop: Luahop, wires: Wires, siginterrupt: bool
) -> None:
    """Nothing but the descriptor can end the wait for good.  The first signals are for
    nothing; then their handler makes the descriptor ready."""
    hop = luahop.new()
    near, far = wires.pair()
    received: list[bytes] = []
    signals: list[bool] = []

    def on_signal() -> None:
        signals.append(True)
        if len(signals) % 4 == 0:
            far.send(b"x")

    hop.set_listener(near.fileno(), "r", lambda: received.append(drain(near)))
    with alarms(on_signal):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        for _ in range(_MOST_POLLS):
            if len(received) >= 2:
                break
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
        table = Timetable(hop, clock)
        left = 32

        def on_signal() -> None:
            nonlocal left
            left -= 1
            if not left:
                signal.setitimer(signal.ITIMER_REAL, 0)

        table.timeout("of 50 ms", 50)
        hop.set_interval({"ms": 15}, _nobody)
        with alarms(on_signal):
            for _ in range(_MOST_POLLS):
                if "of 50 ms" in table.ran:
                    break
                try:
                    hop.poll()
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
