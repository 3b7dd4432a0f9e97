"""Checks of signals that arrive while a loop waits: they change nothing."""

from __future__ import annotations

import pytest

from ..clocks import MonotonicClock
from ..testing.alarms import SIGNALS, signals_before
from ..testing.channels import Channels, drain, fill
from ..testing.observation import Observation
from ..testing.stopwatch import assert_prompt
from .needs import spares
from .timer_log import TimerLog
from .timers import LATENESS
from .verbs import Direction, Timing, Watching

# So many signals arrive before and after a timer of 100 ms is due.
_STORM = 90

# The coarsest clock ticks each 10 ms; a signal that is taken for the end of the wait makes
# a timer early by more.
_GRAIN = 0.010

# A storm that did not come is tried again so often.
_ATTEMPTS = 6


@spares("w")
@pytest.mark.parametrize("siginterrupt", [False, True], ids=["restarting", "interrupting"])
@pytest.mark.parametrize("direction", ["r", "w"])
def test_a_signal_does_not_end_a_wait(
    loop: Watching, channels: Channels, direction: Direction, siginterrupt: bool
) -> None:
    """A few signals arrive for nothing, then another process makes the descriptor ready."""
    near, far = channels.pair()
    if direction == "w":
        fill(near)
    wanted = 2 if direction == "r" else 1
    served = 0

    def make_ready() -> None:
        far.send(b"x") if direction == "r" else drain(far)

    def serve() -> None:
        nonlocal served
        if direction == "r":
            served += len(drain(near))
        else:
            fill(near)
            served += 1
        if served == wanted:
            loop.unwatch(watch)

    watch = loop.watch(near.fileno(), direction, loop.calls("descriptor", serve))
    with signals_before(*[make_ready] * wanted, siginterrupt=siginterrupt):
        try:
            loop.run(
                "between signals a descriptor is served", lambda: served >= wanted, within=None
            )
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"a signal made the loop raise {type(error).__name__}: {error}"
            ) from error


@pytest.mark.parametrize("moved", ["earlier", "later"])
def test_signals_do_not_move_a_timer(real_loop: Timing, moved: str) -> None:
    """Signals arrive before timers are due and after it.

    A loop that begins its wait anew with each of them is late by as much.
    """

    def lateness() -> float:
        # a busy machine may keep the sender from sending
        for _ in range(_ATTEMPTS):
            late, signals = _in_a_storm(real_loop.another(), may_be_early=moved == "later")
            if signals:
                break
        return late

    if moved == "earlier":
        lateness()
    else:
        assert_prompt(lateness, LATENESS)


def _in_a_storm(loop: Timing, *, may_be_early: bool) -> tuple[float, int]:
    """Return how late timers of 100 ms are, and how many signals came just before that.

    A loop that begins its wait anew is then late by more than 50 ms.
    """
    clock = MonotonicClock()
    log = TimerLog(loop, clock)
    came: list[float] = []
    with signals_before(
        *[lambda: None] * (_STORM // SIGNALS), handler=lambda: came.append(clock.now())
    ):
        due = clock.now() + 0.100
        for kind in loop.timers:
            log.timer(0.100, kind=kind)
        try:
            log.run()
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"a signal made the loop raise {type(error).__name__}: {error}"
            ) from error
    log.assert_each_ran_once()
    if not may_be_early:
        log.assert_none_early(slack=_GRAIN)
    return log.lateness(), sum(due - 0.02 < moment < due for moment in came)


class _Stop(Exception):  # noqa: N818  # what the handler raises is no error of the loop's
    """The exception that the handler of a signal raises."""


def test_an_exception_of_a_signal_handler_is_recorded(
    loop: Watching, channels: Channels, observe: Observation
) -> None:
    """The handler raises once; then a byte ends the wait of a loop that swallowed it."""
    near, far = channels.pair()
    raised = False

    def on_signal() -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise _Stop

    read = loop.calls("reader", lambda: loop.unwatch(watch))
    watch = loop.watch(near.fileno(), "r", read)
    with signals_before(lambda: far.send(b"x"), handler=on_signal):
        try:
            loop.run("a byte is served", lambda: read.count, within=None)
        except _Stop:
            observe("comes out", of="the exception")
        except Exception as error:
            observe(f"comes out as {type(error).__name__}", of="the exception")
        else:
            observe("does not come out", of="the exception")
        if not read.count:
            try:
                loop.run("a byte is served", lambda: read.count, within=None)
            except AssertionError:
                pass  # the loop returned without it
            except Exception as error:
                observe.raised(error, of="the next run")
    observe("is served" if read.count else "is lost", of="the event")
