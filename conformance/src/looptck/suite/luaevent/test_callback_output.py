"""luaevent, event_callback: its event waits for the flags that it returns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.luaevent import Answer, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End, drain, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.retry import retry
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import cpu_seconds

# How long a descriptor has to be silent, and a timeout that never passes, in seconds.
_QUIET = 0.01
_LONG = 30.0

with_and_without_timeout = pytest.mark.parametrize(
    "timeout", [None, _LONG], ids=["no timeout", "with a timeout"]
)


@rule("luaevent.callback.output-same")
@everywhere
@pytest.mark.parametrize("asked", ["EV_READ", "EV_WRITE", "both"])
@with_and_without_timeout
def test_an_event_stays_as_long_as_its_condition_holds(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    asked: str,
    timeout: float | None,
) -> None:
    """The data is never read, or room never used up: an edge-triggered poller brings one call
    only."""
    near, far = channels.pair()
    far.send(b"unread")
    both = luaevent.EV_READ | luaevent.EV_WRITE
    flags = both if asked == "both" else getattr(luaevent, asked)
    driver.run(
        lambda: driver.add(
            "event", near.fileno(), flags, *[flags] * 4, luaevent.LEAVE, timeout=timeout
        ),
        situation,
    )
    assert len(driver.trace) == 5, (
        f"an event that is always ready returned its flags 4 times and then LEAVE; there came "
        f"{len(driver.trace)} calls, not 5{driver.timeout_note}"
    )


_CHANNELS: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}


@rule("luaevent.callback.output-same")
@pytest.mark.parametrize("channel", _CHANNELS)
def test_an_event_is_called_until_all_is_read(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, channel: str
) -> None:
    """Each call reads one of five bytes; a sixth comes when they are read."""
    near, far = _CHANNELS[channel](channels)

    def read(_flags: int) -> int:
        try:
            near.recv(1)
        except BlockingIOError:
            raise AssertionError("called for reading when all was read") from None
        if len(driver.trace) == 5:
            driver.after("sender", _QUIET, lambda: far.send(b"6"))
        return luaevent.EV_READ

    far.send(b"12345")
    driver.add("reader", near.fileno(), luaevent.EV_READ, *[read] * 5, luaevent.LEAVE)
    driver.run()
    driver.assert_calls(*["reader read"] * 5, "sender timeout", "reader read")


@rule("luaevent.callback.output-same")
def test_an_event_is_called_for_each_new_piece_of_data(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """Each call reads everything, and the loop sleeps until the next piece is sent."""
    near, far = channels.pair()

    def read(_flags: int) -> int:
        drain(near)
        driver.after("sender", _QUIET, lambda: far.send(b"more"))
        return luaevent.EV_READ

    far.send(b"first")
    driver.add("reader", near.fileno(), luaevent.EV_READ, read, read, luaevent.LEAVE)
    driver.run()
    driver.assert_calls(
        "reader read", "sender timeout", "reader read", "sender timeout", "reader read"
    )


@rule("luaevent.callback.output-same")
def test_an_event_for_both_keeps_the_direction_not_received(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """Only data comes at first, and the callback returns both flags; room must then bring a
    call."""
    near, far = channels.pair()
    fill(near)
    both = luaevent.EV_READ | luaevent.EV_WRITE

    def read(_flags: int) -> int:
        drain(near)
        driver.after("peer", _QUIET, lambda: drain(far))
        return both

    far.send(b"data")
    # Without a timeout it is the affair of luaevent.callback.change-no-spurious-timeout.
    driver.add("event", near.fileno(), both, read, luaevent.LEAVE, timeout=_LONG)
    driver.run()
    driver.assert_calls("event read", "peer timeout", "event write")


@rule("luaevent.callback.output-change")
@everywhere
@with_and_without_timeout
@pytest.mark.parametrize("first", ["read", "write"])
def test_an_event_changes_its_direction_and_back(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    timeout: float | None,
    first: str,
) -> None:
    """The descriptor is ready in both directions throughout."""
    near, far = channels.pair()
    far.send(b"unread")
    one, two = luaevent.EV_READ, luaevent.EV_WRITE
    names = ["event read", "event write"]
    if first == "write":
        one, two = two, one
        names.reverse()
    driver.run(
        lambda: driver.add(
            "event", near.fileno(), one, two, one, two, two, luaevent.LEAVE, timeout=timeout
        ),
        situation,
    )
    driver.assert_calls(names[0], names[1], names[0], names[1], names[1])


@rule("luaevent.callback.output-change")
@with_and_without_timeout
def test_an_event_that_turned_to_writing_waits_for_room(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels, timeout: float | None
) -> None:
    """The callback gives up reading while the send buffer is full and the data unread."""
    near, far = channels.pair()
    fill(near)
    far.send(b"unread")

    def read(_flags: int) -> int:
        driver.after("peer", _QUIET, lambda: drain(far))
        return luaevent.EV_WRITE

    driver.add(
        "event",
        near.fileno(),
        luaevent.EV_READ,
        read,
        luaevent.EV_WRITE,
        luaevent.LEAVE,
        timeout=timeout,
    )
    driver.run()
    driver.assert_calls("event read", "peer timeout", "event write", "event write")


@rule("luaevent.callback.output-change")
@with_and_without_timeout
@pytest.mark.parametrize("channel", ["socket pair", "TCP"])
def test_an_event_that_turned_to_reading_waits_for_data(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    timeout: float | None,
    channel: str,
) -> None:
    """The callback gives up writing while there is room."""
    near, far = channels.pair() if channel == "socket pair" else channels.tcp_pair()

    def write(_flags: int) -> int:
        driver.after("peer", _QUIET, lambda: far.send(b"data"))
        return luaevent.EV_READ

    driver.add(
        "event",
        near.fileno(),
        luaevent.EV_WRITE,
        write,
        luaevent.EV_READ,
        luaevent.LEAVE,
        timeout=timeout,
    )
    driver.run()
    driver.assert_calls("event write", "peer timeout", "event read", "event read")


@rule("luaevent.callback.output-change")
def test_another_event_of_the_descriptor_keeps_its_direction(
    luaevent: Luaevent, driver: LuaeventDriver, channels: Channels
) -> None:
    """One event turns from writing to reading; the other one must go on writing."""
    near, far = channels.pair()
    write, read = luaevent.EV_WRITE, luaevent.EV_READ

    def turn(_flags: int) -> int:
        driver.after("peer", _QUIET, lambda: far.send(b"data"))
        driver.add("other", near.fileno(), write, *[write] * 3, luaevent.LEAVE)
        return read

    driver.add("event", near.fileno(), write, turn, luaevent.LEAVE)
    driver.run()
    assert [call for call in driver.trace if call.startswith("event")] == [
        "event write",
        "event read",
    ], f"one event turned to reading; there came {', '.join(driver.trace)}{driver.timeout_note}"
    assert driver.count("other write") == 4, (
        f"the other event stayed with writing, and was due 4 calls; there came "
        f"{', '.join(driver.trace)}{driver.timeout_note}"
    )


# {change: the set before, the set after}
_CHANGES = {
    "EV_WRITE to EV_READ": (("EV_WRITE",), ("EV_READ",)),
    "both to EV_READ": (("EV_READ", "EV_WRITE"), ("EV_READ",)),
    "EV_READ to EV_WRITE": (("EV_READ",), ("EV_WRITE",)),
    "EV_READ to both": (("EV_READ",), ("EV_READ", "EV_WRITE")),
    # No change, but a loop that compares with what the call had takes it for one.
    "EV_READ of both to both": (("EV_READ", "EV_WRITE"), ("EV_READ", "EV_WRITE")),
}


def _change(
    driver: LuaeventDriver, channels: Channels, change: str, form: str, wait: float
) -> None:
    """Run an event through *change*, after which nothing is ready for *wait* seconds."""
    luaevent = driver.luaevent
    near, far = channels.pair()
    before, after = (sum(getattr(luaevent, name) for name in names) for names in _CHANGES[change])
    if change.startswith("EV_READ"):
        fill(near)
        far.send(b"data")

    def ready(_flags: int) -> Answer:
        drain(near)
        driver.after("timer", wait, lambda: far.send(b"more"))
        driver.after("peer", wait, lambda: drain(far))
        return after if form == "flags" else (after, None)

    driver.add("event", near.fileno(), before, ready, luaevent.LEAVE)
    driver.run()


@rule("luaevent.callback.change-no-spurious-timeout")
@pytest.mark.parametrize("change", _CHANGES)
@pytest.mark.parametrize("form", ["flags", "flags and None"])
def test_a_change_of_direction_brings_no_timeout(
    driver: LuaeventDriver, channels: Channels, change: str, form: str
) -> None:
    """After the change nothing is ready until a timer makes it so."""
    _change(driver, channels, change, form, 0.04)
    calls = [call for call in driver.trace if call.startswith("event")]
    assert "event timeout" not in calls, (
        f"{change}, without any timeout; the calls were {', '.join(calls)}"
    )


@rule("luaevent.callback.change-no-spurious-timeout")
@pytest.mark.parametrize("change", ["EV_WRITE to EV_READ", "EV_READ to EV_WRITE"])
def test_a_loop_sleeps_after_a_change_of_direction(
    luaevent: Luaevent, channels: Channels, change: str
) -> None:
    """A loop that spins uses the processor all the time, or as much of it as a busy machine
    leaves."""
    wait = 0.1

    def attempt() -> None:
        used = cpu_seconds(
            lambda: _change(LuaeventDriver(luaevent), channels, change, "flags", wait)
        )
        assert used < wait / 10, (
            f"{change}: for {wait * 1000:.0f} ms nothing was ready, and the loop used "
            f"{used * 1000:.0f} ms of the processor"
        )

    retry(attempt)
