"""luaevent, core:loop: signals that arrive while it waits."""

from __future__ import annotations

import signal

import pytest

from looptck.profiles.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.alarms import alarms, stop_alarms
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace

# So many signals are for nothing; then the handler makes something ready.
_FOR_NOTHING = 3


@rule("luaevent.loop.not-before")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_a_signal_does_not_end_the_loop(
    luaevent: Luaevent, channels: Channels, kind: str, siginterrupt: bool
) -> None:
    """Nothing but the descriptor can end the wait.  The first signals are for nothing; then
    their handler makes the descriptor ready."""
    base = luaevent.new()
    near, far = channels.pair()
    if kind == "writer":
        fill(near)
    trace = Trace()
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals % (_FOR_NOTHING + 1) == 0:
            far.send(b"x") if kind == "reader" else drain(far)

    flags = luaevent.EV_READ if kind == "reader" else luaevent.EV_WRITE

    def on_event(_flags: int) -> int:
        trace("served")
        drain(near) if kind == "reader" else fill(near)
        return luaevent.LEAVE

    event = base.addevent(near.fileno(), flags, on_event)
    with alarms(on_signal):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        try:
            base.loop()
        except Exception as error:
            raise AssertionError(
                f"a signal made loop() raise {type(error).__name__}: {error}"
            ) from error
    del event  # kept until here: an event that nobody holds is erased
    assert trace == ["served"], f"loop() returned after {signals} signals with an event left"


class _Stop(Exception):  # noqa: N818  # what the handler raises is no error of the loop's
    """What the handler of a signal raises."""


@rule("luaevent.loop.signal-raises")
def test_what_a_handler_raises_while_the_loop_waits(
    luaevent: Luaevent, channels: Channels, observe: Observation
) -> None:
    """The second signal ends the wait of a loop that swallows what the first one raised."""
    base = luaevent.new()
    near, far = channels.pair()
    trace = Trace()
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals >= 2:
            stop_alarms()
            far.send(b"x")
        else:
            raise _Stop

    def on_read(_flags: int) -> int:
        trace("read")
        return luaevent.LEAVE

    event = base.addevent(near.fileno(), luaevent.EV_READ, on_read)
    with alarms(on_signal):
        try:
            base.loop()
        except _Stop:
            observe("comes out", of="the exception")
        except Exception as error:
            observe(f"comes out as {type(error).__name__}", of="the exception")
        else:
            observe("does not come out", of="the exception")
        stop_alarms()
    if not trace:
        far.send(b"x")
        try:
            base.loop()
        except Exception as error:
            observe.raised(error, of="the next loop()")
    observe("is served" if trace else "is lost", of="the event")
    event.close()
