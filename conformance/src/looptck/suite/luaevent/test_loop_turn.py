"""luaevent, core:loop: the events that a turn serves, and their order."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, End
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.retry import retry
from looptck.testing.situations import Situation, everywhere


@rule("luaevent.loop.level")
@everywhere
@pytest.mark.parametrize("kind", ["reader", "writer", "both"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_an_event_is_called_as_long_as_its_condition_holds(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str, when: str
) -> None:
    """The callback neither reads nor writes: an edge-triggered poller brings one call only."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    event = {"reader": read, "writer": write, "both": read | write}[kind]

    def act() -> None:
        if when == "before" or kind != "reader":
            far.send(b"x")
        else:
            driver.after("sender", 0.002, lambda: far.send(b"x"))
        driver.add("event", near.fileno(), event, *[event] * 9, luaevent.LEAVE)

    driver.run(act, situation)
    calls = [call for call in driver.trace if call.startswith("event")]
    assert len(calls) == 10, (
        f"the condition went on to hold, and of 10 calls {len(calls)} came{driver.timeout_note}"
    )


@rule("luaevent.loop.timer-order")
def test_a_repeated_timeout_takes_its_place_among_the_others(
    luaevent: Luaevent, clock: Clock
) -> None:
    """After its call the timeout is due later than another timer, and both are late."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)

        def on_first(_flags: int) -> int:
            if driver.count("repeated timeout") == 2:
                return luaevent.LEAVE
            driver.after("between", 0.004, lambda: None)
            driver.after("last", 0.016, lambda: None)
            driver.after("blocker", 0.001, lambda: clock.advance(0.03))
            return luaevent.EV_TIMEOUT

        driver.add("repeated", None, luaevent.EV_TIMEOUT, on_first, timeout=0.010)
        driver.run()
        driver.assert_calls(
            "repeated timeout",
            "blocker timeout",
            "between timeout",
            "repeated timeout",
            "last timeout",
        )

    retry(attempt)


_PEERS: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "socket pair": lambda channels: channels.pair(),
    "pipe": lambda channels: channels.pipe(),
    "TCP": lambda channels: channels.tcp_pair(),
}


@rule("luaevent.loop.data-before-eof")
@everywhere
@pytest.mark.parametrize("peer", _PEERS)
@pytest.mark.parametrize("ending", ["close", "half close"])
@pytest.mark.parametrize("flags", ["EV_READ", "EV_READ | EV_WRITE"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_all_data_can_be_read_before_the_end_is_seen(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    peer: str,
    ending: str,
    flags: str,
    when: str,
) -> None:
    """Five bytes are read two at a time: the end is there during every read and must come last."""
    near, far = _PEERS[peer](channels)
    if ending == "half close" and not isinstance(far, socket.socket):
        ending = "close"
    driver = LuaeventDriver(luaevent)
    event = luaevent.EV_READ | (luaevent.EV_WRITE if "WRITE" in flags else 0)
    read: list[bytes] = []

    def finish() -> None:
        far.send(b"abcde")
        if ending == "close" or not isinstance(far, socket.socket):
            far.close()
        else:
            far.shutdown(socket.SHUT_WR)

    def on_read(flags: int) -> int:
        if not flags & luaevent.EV_READ:
            clock.advance(0.0005)
            return event if len(driver.trace) < 40 else luaevent.LEAVE
        read.append(near.recv(2))
        return event if read[-1] else luaevent.LEAVE

    def act() -> None:
        if when == "before":
            finish()
        else:
            driver.after("peer", 0.002, finish)
        # Without a timeout it is the affair of luaevent.callback.change-no-spurious-timeout.
        driver.add("reader", near.fileno(), event, on_read, timeout=30.0)

    driver.run(act, situation)
    assert read == [b"ab", b"cd", b"e", b""], (
        "the peer sent abcde and ended; read two bytes at a time there came "
        f"{read}{driver.timeout_note}"
    )
