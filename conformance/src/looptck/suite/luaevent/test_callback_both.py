"""luaevent, event_callback: the returned flags add a direction or give one up."""

from __future__ import annotations

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.luaevent_driver import LuaeventDriver

# How long a descriptor has to be silent, and a timeout that never passes, in seconds.
_QUIET = 0.01
_LONG = 30.0

with_and_without_timeout = pytest.mark.parametrize(
    "timeout", [None, _LONG], ids=["no timeout", "with a timeout"]
)


def _has_an_unasked_timeout(driver: LuaeventDriver, timeout: float | None) -> bool:
    """Return whether an unasked timeout spoiled the test:
    luaevent.callback.change-no-spurious-timeout judges it."""
    return timeout is None and "event timeout" in driver.trace


@rule("luaevent.callback.output-widen")
@with_and_without_timeout
@pytest.mark.parametrize("first", ["read", "write"])
def test_both_directions_are_watched_after_one_was_added(
    luaevent: Luaevent, channels: Channels, timeout: float | None, first: str
) -> None:
    """The flags may come together or apart; both are seen within a few calls."""
    driver = LuaeventDriver(luaevent, most=200)
    near, far = channels.pair()
    far.send(b"unread")
    both = luaevent.EV_READ | luaevent.EV_WRITE
    alone = luaevent.EV_READ if first == "read" else luaevent.EV_WRITE
    seen = 0

    def called(flags: int) -> int:
        nonlocal seen
        if len(driver.trace) > 1 and not flags & luaevent.EV_TIMEOUT:
            seen |= flags & both
        return luaevent.LEAVE if seen == both or len(driver.trace) > 40 else both

    driver.add("event", near.fileno(), alone, called, timeout=timeout)
    driver.run()
    if _has_an_unasked_timeout(driver, timeout):
        return
    missing = [name for name in ("EV_READ", "EV_WRITE") if not seen & getattr(luaevent, name)]
    assert not missing, (
        f"ready in both directions, {first} alone at first, then both; {' and '.join(missing)} "
        f"never came; the calls were {', '.join(driver.trace[:6])}{driver.timeout_note}"
    )


@rule("luaevent.callback.output-narrow")
@with_and_without_timeout
def test_returning_ev_write_alone_gives_up_reading(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, timeout: float | None
) -> None:
    """Only room is reported and only EV_WRITE returned. Data that comes then must bring no call."""
    near, far = channels.pair()
    write = luaevent.EV_WRITE

    def narrow(_flags: int) -> int:
        far.send(b"data")
        return write

    driver.add(
        "event",
        near.fileno(),
        luaevent.EV_READ | write,
        narrow,
        *[write] * 4,
        luaevent.LEAVE,
        timeout=timeout,
    )
    driver.run()
    driver.assert_calls(*["event write"] * 6)


@rule("luaevent.callback.output-narrow")
@with_and_without_timeout
def test_returning_ev_read_alone_gives_up_writing(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, timeout: float | None
) -> None:
    """Only data is reported and only EV_READ returned. Room that comes then must bring no call."""
    near, far = channels.pair()
    fill(near)
    read = luaevent.EV_READ

    def narrow(_flags: int) -> int:
        drain(near)
        driver.after("drained", _QUIET, make_room)
        return read

    def make_room() -> None:
        drain(far)
        driver.after("sent", _QUIET, lambda: far.send(b"more"))

    far.send(b"data")
    driver.add(
        "event",
        near.fileno(),
        read | luaevent.EV_WRITE,
        narrow,
        read,
        luaevent.LEAVE,
        timeout=timeout,
    )
    driver.run()
    driver.assert_calls("event read", "drained timeout", "sent timeout", "event read", "event read")
