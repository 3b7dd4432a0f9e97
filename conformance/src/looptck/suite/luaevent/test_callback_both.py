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


@rule("luaevent.callback.output-widen")
@with_and_without_timeout
def test_both_directions_become_ready_after_one_was_added(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, timeout: float | None
) -> None:
    """Neither direction is ready after the change; a timer makes each ready."""
    near, far = channels.pair()
    fill(near)
    far.send(b"data")
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def widen(_flags: int) -> int:
        drain(near)
        driver.after("drained", _QUIET, lambda: drain(far))
        return both

    def written(_flags: int) -> int:
        fill(near)
        driver.after("sent", _QUIET, lambda: far.send(b"more"))
        return both

    driver.add(
        "event", near.fileno(), luaevent.EV_READ, widen, written, luaevent.LEAVE, timeout=timeout
    )
    driver.run()
    if not _has_an_unasked_timeout(driver, timeout):
        driver.assert_calls(
            "event read", "drained timeout", "event write", "sent timeout", "event read"
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


@rule("luaevent.callback.output-narrow")
@with_and_without_timeout
@pytest.mark.parametrize("kept", ["read", "write"])
def test_one_direction_is_given_up_when_both_were_received(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, timeout: float | None, kept: str
) -> None:
    """Both directions stay ready. Once the callback returned one, only that one is reported."""
    near, far = channels.pair()
    far.send(b"unread")
    both = luaevent.EV_READ | luaevent.EV_WRITE
    alone = luaevent.EV_READ if kept == "read" else luaevent.EV_WRITE
    narrowed_at: list[int] = []

    def called(flags: int) -> int:
        if not narrowed_at:
            if flags & both != both and len(driver.trace) < 30:
                return both
            narrowed_at.append(len(driver.trace))
        return luaevent.LEAVE if len(driver.trace) == narrowed_at[0] + 4 else alone

    driver.add("event", near.fileno(), both, called, timeout=timeout)
    driver.run()
    later = driver.trace[narrowed_at[0] :] if narrowed_at else []
    assert later == [f"event {kept}"] * 4, (
        f"registered for both, returned {kept} alone, and was due calls for {kept} alone; "
        f"there came {', '.join(later) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.callback.output-narrow")
def test_a_direction_that_was_added_can_be_given_up(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """The set has changed before: a loop must not go back to the first one."""
    near, far = channels.pair()
    write = luaevent.EV_WRITE
    both = luaevent.EV_READ | write

    def narrow(_flags: int) -> int:
        far.send(b"data")
        return write

    driver.add("event", near.fileno(), write, both, both, narrow, *[write] * 3, luaevent.LEAVE)
    driver.run()
    driver.assert_calls(*["event write"] * 7)
