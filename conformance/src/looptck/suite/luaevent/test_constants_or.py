"""luaevent, Constants: events for flags joined by OR, and the flags received."""

from __future__ import annotations

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation
from looptck.testing.situations import Situation, everywhere

# How long a descriptor has to be silent, in seconds.
_QUIET = 0.01

# A timeout that never passes.  An event that has none and answers with flags is
# the affair of luaevent.callback.change-no-spurious-timeout.
_LONG = 30.0


@rule("luaevent.constants.ev-or-capture")
@everywhere
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
def test_room_alone_is_reported_as_ev_write_alone(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    channel: str,
) -> None:
    """There is nothing to read, before and after."""
    near, _far = channels.pair() if channel == "socket pair" else channels.tcp_pair()
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def register() -> None:
        driver.add("event", near.fileno(), both, luaevent.LEAVE)

    driver.run(register, situation)
    driver.assert_calls("event write")


@rule("luaevent.constants.ev-or-capture")
@everywhere
def test_data_alone_is_reported_as_ev_read_alone(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, situation: Situation
) -> None:
    """The send buffer is full, so that there is no room to write."""
    near, far = channels.pair()
    fill(near)
    far.send(b"unread")
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def register() -> None:
        driver.add("event", near.fileno(), both, luaevent.LEAVE)

    driver.run(register, situation)
    driver.assert_calls("event read")


@rule("luaevent.constants.ev-or-capture")
def test_each_direction_is_reported_when_it_becomes_ready(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """Neither is ready at first; then there is data, and room when the data was read."""
    near, far = channels.pair()
    fill(near)
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def read(_flags: int) -> int:
        drain(near)
        driver.after("drained", _QUIET, lambda: drain(far))
        return both

    driver.add("event", near.fileno(), both, read, luaevent.LEAVE, timeout=_LONG)
    driver.after("sent", _QUIET, lambda: far.send(b"data"))
    driver.run()
    driver.assert_calls("sent timeout", "event read", "drained timeout", "event write")


@rule("luaevent.constants.ev-or-receive")
@everywhere
def test_calls_with_both_flags_are_recorded(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    observe: Observation,
    situation: Situation,
) -> None:
    """The descriptor stays ready in both directions for many turns: a loop that joins the flags
    at all does so by then."""
    near, far = channels.pair()
    far.send(b"unread")
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def ready(flags: int) -> int:
        joined = flags & luaevent.EV_READ and flags & luaevent.EV_WRITE
        return luaevent.LEAVE if joined or len(driver.trace) >= 40 else both

    driver.run(lambda: driver.add("event", near.fileno(), both, ready), situation)
    joined = "event read+write" in driver.trace
    observe("both in one call" if joined else "one in each call", of=str(situation))


_WITH_SIGNAL = pytest.mark.parametrize(
    "names", [("EV_READ",), ("EV_WRITE",), ("EV_READ", "EV_WRITE")], ids="|".join
)


@rule("luaevent.constants.ev-or-signal")
@everywhere
@_WITH_SIGNAL
def test_a_direction_registered_with_ev_signal_is_refused(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    names: tuple[str, ...],
) -> None:
    """The descriptor is ready in both directions: an event that was registered would be called."""
    near, far = channels.pair()
    far.send(b"unread")
    flags = luaevent.EV_SIGNAL
    for name in names:
        flags |= getattr(luaevent, name)
    refused: list[Exception] = []

    def register() -> None:
        try:
            driver.add("event", near.fileno(), flags, luaevent.LEAVE)
        except Exception as error:
            refused.append(error)
            # if something was registered all the same, it is waited for in vain, or called
            driver.after("timer", _QUIET, lambda: driver.stop_expecting("event"))

    driver.run(register, situation)
    assert refused, f"addevent took {' | '.join(names)} | EV_SIGNAL without an error"
    driver.assert_calls("timer timeout")


@rule("luaevent.constants.ev-or-signal")
@_WITH_SIGNAL
def test_returning_a_direction_with_ev_signal_does_no_harm(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, names: tuple[str, ...]
) -> None:
    """The loop may end the event; it must never deliver EV_SIGNAL, and the process goes on."""
    near, far = channels.pair()
    far.send(b"unread")
    answer = luaevent.EV_SIGNAL
    for name in names:
        answer |= getattr(luaevent, name)

    def called(flags: int) -> int:
        assert not flags & luaevent.EV_SIGNAL, "a call had EV_SIGNAL, and no event watched a signal"
        return answer if len(driver.trace) < 3 else luaevent.LEAVE

    def end() -> None:
        driver.close_all()
        far.close()

    driver.add("event", near.fileno(), luaevent.EV_READ | luaevent.EV_WRITE, called)
    driver.after("timer", _QUIET, end)
    try:
        driver.run()
    except AssertionError:
        raise
    except Exception:  # refusing the answer is one thing that may become of it
        driver.close_all()
