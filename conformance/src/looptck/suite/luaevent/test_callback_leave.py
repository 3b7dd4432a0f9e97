"""luaevent, event_callback: LEAVE ends an event, its timeout too, and no other event."""

from __future__ import annotations

import os

import pytest

from looptck.protocols.luaevent import Answer, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.event_kinds import SHORT, any_kind, due_event
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.retry import retry
from looptck.testing.stopwatch import Stopwatch, assert_prompt, cpu_seconds

# How long an event that left has to be silent, in seconds.
_QUIET = 3 * SHORT


@rule("luaevent.callback.output-leave")
def test_the_number_of_a_descriptor_that_left_can_be_reused(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """A new file with the old number is ready: it brings no call until a new event watches it."""
    near, _ = channels.pair()
    number = near.fileno()

    def leave(_flags: int) -> int:
        driver.after("reuse", 0.001, reuse)
        return luaevent.LEAVE

    def reuse() -> None:
        other, _ = channels.pair()
        near.close()
        os.dup2(other.fileno(), number)
        channels.keep(lambda: os.close(number))
        driver.after("watch", SHORT, watch)

    def watch() -> None:
        driver.add("new", number, luaevent.EV_WRITE, luaevent.LEAVE)

    driver.add("old", number, luaevent.EV_WRITE, leave)
    driver.run()
    driver.assert_calls("old write", "reuse timeout", "watch timeout", "new write")


@rule("luaevent.callback.output-leave")
@pytest.mark.parametrize("direction", ["read", "write", "the end of the stream"])
def test_a_descriptor_that_left_does_not_wake_the_loop(
    luaevent: Luaevent, channels: Channels, direction: str
) -> None:
    """The descriptor stays ready while the loop waits for a timer. A loop that is woken by it
    for nothing uses the processor all the time, or as much of it as a busy machine leaves."""
    wait = 0.1

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()
        if direction == "read":
            far.send(b"unread")
        elif direction != "write":
            far.close()

        def leave(_flags: int) -> int:
            driver.after("timer", wait, lambda: None)
            return luaevent.LEAVE

        flags = luaevent.EV_WRITE if direction == "write" else luaevent.EV_READ
        driver.add("event", near.fileno(), flags, leave)
        used = cpu_seconds(driver.run)
        assert used < wait / 10, (
            f"while it waited {wait * 1000:.0f} ms, with the event gone, the loop used "
            f"{used * 1000:.0f} ms of the processor"
        )

    retry(attempt)


_PAIRS = pytest.mark.parametrize(
    "leaves, stays",
    [
        ("read", "write"),
        ("write", "read"),
        ("read", "read"),
        ("write", "write"),
        ("timer", "timer"),
    ],
    ids=lambda name: name,
)


def _register(
    driver: LuaeventDriver, channels: Channels, kinds: tuple[str, str]
) -> list[tuple[int | None, int, float | None]]:
    """Return the arguments for two events, on one descriptor that is ready for both, or for two
    timers."""
    near, far = channels.pair()
    far.send(b"unread")
    made: dict[str, tuple[int | None, int, float | None]] = {
        "read": (near.fileno(), driver.luaevent.EV_READ, None),
        "write": (near.fileno(), driver.luaevent.EV_WRITE, None),
        "timer": (None, driver.luaevent.EV_TIMEOUT, SHORT),
    }
    return [made[kind] for kind in kinds]


@rule("luaevent.callback.leave-only-this")
@_PAIRS
@pytest.mark.parametrize("order", ["the one that leaves first", "the one that stays first"])
def test_leave_of_one_event_leaves_the_other_active(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    leaves: str,
    stays: str,
    order: str,
) -> None:
    """Both are ready throughout."""
    leaving, staying = _register(driver, channels, (leaves, stays))

    def add_leaving() -> None:
        fd, flags, timeout = leaving
        driver.add("leaving", fd, flags, luaevent.LEAVE, timeout=timeout)

    if order == "the one that leaves first":
        add_leaving()
    fd, flags, timeout = staying
    driver.add("staying", fd, flags, *[flags] * 4, luaevent.LEAVE, timeout=timeout)
    if order != "the one that leaves first":
        add_leaving()
    driver.run()
    how = {"timer": "timeout"}
    assert sorted(driver.trace) == [
        f"leaving {how.get(leaves, leaves)}",
        *[f"staying {how.get(stays, stays)}"] * 5,
    ], (
        f"expected one call of the event that left and 5 of the one that stayed; there came "
        f"{', '.join(driver.trace) or 'none'}{driver.timeout_note}"
    )


@rule("luaevent.callback.leave-only-this")
@_PAIRS
def test_leave_ends_one_of_two_events_sharing_a_callback(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, leaves: str, stays: str
) -> None:
    """The first call returns LEAVE; all later calls must be the other event's."""
    left = False

    def callback(flags: int) -> int:
        nonlocal left
        driver.trace("call")
        if not left:
            left = True
            return luaevent.LEAVE
        if len(driver.trace) >= 6:
            driver.stop_expecting("both")
            return luaevent.LEAVE
        if flags & luaevent.EV_TIMEOUT:
            return luaevent.EV_TIMEOUT
        return flags

    driver.expect("both")
    for fd, flags, timeout in _register(driver, channels, (leaves, stays)):
        driver.register(fd, flags, callback, timeout)
    driver.run()
    assert len(driver.trace) == 6, (
        f"one event left in the first call, the other in its fifth; there came {len(driver.trace)} "
        f"calls, not 6{driver.timeout_note}"
    )


@rule("luaevent.callback.leave-cancels-timeout")
def test_loop_does_not_wait_for_the_timeout_after_leave(
    luaevent: Luaevent, stopwatch: Stopwatch, channels: Channels
) -> None:
    """It is the only event, and its timeout is far longer than any delay of the machine."""
    near, _ = channels.pair()
    timeout = 0.8

    def waited() -> float:
        driver = LuaeventDriver(luaevent)
        stopwatch.restart()
        driver.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE, timeout=timeout)
        driver.run()
        return stopwatch.elapsed()

    assert_prompt(waited, timeout / 2)


class _Leave(int):
    """LEAVE, for which a program has a type of its own."""


@rule("luaevent.callback.leave-cancels-timeout")
def test_leave_may_be_an_integer_of_any_type(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """The event is ready all the time, and its timeout passes before the timer."""
    near, _ = channels.pair()
    leave = _Leave(luaevent.LEAVE)
    driver.add("event", near.fileno(), luaevent.EV_WRITE, leave, timeout=0.002)
    driver.after("timer", 0.01, driver.close_all)
    driver.run()
    driver.assert_calls("event write", "timer timeout")


@rule("luaevent.callback.leave-with-newtimeout")
@any_kind
@pytest.mark.parametrize("new", [0, 0.0, 0.005, 1])
def test_leave_with_a_timeout_is_leave(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, kind: str, new: float
) -> None:
    """A timer that is set at the same moment fires when both timeouts have passed. A timeout of
    a whole second is not waited out: a loop that keeps it goes on after that timer."""
    due = due_event(luaevent, channels, kind)

    def leave(_flags: int) -> Answer:
        driver.after("timer", _QUIET, lambda: None)
        return luaevent.LEAVE, new

    driver.add("event", due.fd, due.event, leave, timeout=due.timeout)
    driver.run()
    driver.assert_calls(f"event {due.flag_text}", "timer timeout")
