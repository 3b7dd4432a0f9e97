"""luaevent, core:loop: signals that arrive while it waits."""

from __future__ import annotations

import signal

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.alarms import signals_before
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace


@rule("luaevent.loop.not-before")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_a_signal_does_not_end_the_loop(
    luaevent: Luaevent, channels: Channels, kind: str, siginterrupt: bool
) -> None:
    """A few signals arrive for nothing; then the peer makes the descriptor ready."""
    base = luaevent.new()
    near, far = channels.pair()
    if kind == "writer":
        fill(near)
    trace = Trace()

    def make_ready() -> None:
        far.send(b"x") if kind == "reader" else drain(far)

    flags = luaevent.EV_READ if kind == "reader" else luaevent.EV_WRITE

    def on_event(_flags: int) -> int:
        trace("served")
        drain(near) if kind == "reader" else fill(near)
        return luaevent.LEAVE

    event = base.addevent(near.fileno(), flags, on_event)
    with signals_before(make_ready):
        signal.siginterrupt(signal.SIGALRM, siginterrupt)
        try:
            base.loop()
        except Exception as error:
            raise AssertionError(
                f"a signal made loop() raise {type(error).__name__}: {error}"
            ) from error
    del event  # kept until here: an event that nobody holds is erased
    assert trace == ["served"], "a signal made loop() return with an event left"


class _Stop(Exception):  # noqa: N818  # what the handler raises is no error of the loop's
    """The exception that the handler of a signal raises."""


@rule("luaevent.loop.signal-raises")
def test_an_exception_of_a_signal_handler_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation
) -> None:
    """The handler raises once; then a byte ends the wait of a loop that swallowed it."""
    base = luaevent.new()
    near, far = channels.pair()
    trace = Trace()
    raised = False

    def on_signal() -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise _Stop

    def on_read(_flags: int) -> int:
        trace("read")
        return luaevent.LEAVE

    event = base.addevent(near.fileno(), luaevent.EV_READ, on_read)
    with signals_before(lambda: far.send(b"x"), handler=on_signal):
        try:
            base.loop()
        except _Stop:
            observe("comes out", of="the exception")
        except Exception as error:
            observe(f"comes out as {type(error).__name__}", of="the exception")
        else:
            observe("does not come out", of="the exception")
        if not trace:
            try:
                base.loop()
            except Exception as error:
                observe.raised(error, of="the next loop()")
    observe("is served" if trace else "is lost", of="the event")
    event.close()
