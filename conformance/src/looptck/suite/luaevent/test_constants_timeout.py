"""luaevent, Constants: EV_TIMEOUT marks timeouts, and EV_PERSIST is never received."""

from __future__ import annotations

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere

# Timeouts in seconds: one that passes in a test, and one that nothing waits for.
_SHORT = 0.01
_LONG = 30.0


def _waiting(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """Return a descriptor on which nothing happens, and the flags to wait for."""
    near, _far = channels.pair()
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    if kind == "read":
        return near.fileno(), luaevent.EV_READ
    fill(near)
    if kind == "write":
        return near.fileno(), luaevent.EV_WRITE
    return near.fileno(), luaevent.EV_READ | luaevent.EV_WRITE


_KINDS = pytest.mark.parametrize("kind", ["timer", "read", "write", "read and write"])


@rule("luaevent.constants.ev-timeout")
@everywhere
@_KINDS
def test_a_timeout_is_marked_with_ev_timeout(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, situation: Situation, kind: str
) -> None:
    """Another rule judges the other flags."""
    fd, flags = _waiting(luaevent, channels, kind)
    driver.run(lambda: driver.add("event", fd, flags, luaevent.LEAVE, timeout=_SHORT), situation)
    driver.assert_calls("event timeout")


@rule("luaevent.constants.ev-timeout")
@everywhere
@pytest.mark.parametrize("direction", ["read", "write"])
def test_readiness_in_time_is_not_marked_with_ev_timeout(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    direction: str,
) -> None:
    """The timeout is so long that no slow machine reaches it."""
    near, far = channels.pair()
    far.send(b"unread")
    flags = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE
    driver.run(
        lambda: driver.add("event", near.fileno(), flags, luaevent.LEAVE, timeout=_LONG),
        situation,
    )
    driver.assert_calls(f"event {direction}")


@rule("luaevent.constants.ev-timeout")
@pytest.mark.parametrize("direction", ["read", "write"])
def test_readiness_before_the_deadline_comes_without_ev_timeout(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, direction: str
) -> None:
    """The descriptor becomes ready while the loop waits."""
    near, far = channels.pair()
    if direction == "read":
        driver.add("event", near.fileno(), luaevent.EV_READ, luaevent.LEAVE, timeout=_LONG)
        driver.after("peer", _SHORT, lambda: far.send(b"x"))
    else:
        fill(near)
        driver.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE, timeout=_LONG)
        driver.after("peer", _SHORT, lambda: drain(far))
    driver.run()
    driver.assert_calls("peer timeout", f"event {direction}")


@rule("luaevent.constants.ev-timeout")
def test_readiness_after_a_timeout_is_not_marked_with_ev_timeout(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """The callback of the timeout sends the data. On a slow machine the timeout may pass again
    before that arrives."""
    near, far = channels.pair()

    def called(flags: int) -> int:
        if len(driver.trace) == 1:
            far.send(b"x")
        ready = not flags & luaevent.EV_TIMEOUT
        return luaevent.LEAVE if ready else luaevent.EV_READ

    driver.add("event", near.fileno(), luaevent.EV_READ, called, timeout=_SHORT)
    driver.run()
    assert driver.trace[-1:] == ["event read"], (
        f"data came after a timeout, and no call was for reading: "
        f"{', '.join(driver.trace[:6]) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.constants.ev-persist")
@pytest.mark.parametrize("ready", [False, True], ids=["timeout", "ready"])
@_KINDS
def test_ev_persist_is_never_among_the_flags(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    clock: Clock,
    channels: Channels,
    kind: str,
    ready: bool,
) -> None:
    """Other rules judge that the event is called at all, and twice."""
    fd, flags = _waiting(luaevent, channels, kind)
    if ready and fd is not None:
        near, far = channels.pair()
        far.send(b"unread")
        fd = near.fileno()

    def called(received: int) -> int:
        assert not received & luaevent.EV_PERSIST, "a call had EV_PERSIST among its flags"
        return luaevent.LEAVE if len(driver.trace) == 2 else flags

    driver.run(lambda: driver.add("event", fd, flags, called, timeout=_SHORT))
