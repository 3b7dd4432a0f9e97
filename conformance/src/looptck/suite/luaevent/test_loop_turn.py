"""luaevent, core:loop: the events that a turn serves, and their order."""

from __future__ import annotations

import itertools
import select
import socket
from collections.abc import Callable
from random import Random

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing import guards
from looptck.testing.channels import Channels, End, fill
from looptck.testing.event_kinds import event_arguments
from looptck.testing.luaevent_deadlines import Deadlines
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.retry import retry
from looptck.testing.situations import Situation, everywhere
from looptck.testing.stopwatch import Stopwatch, cpu_seconds

# The share of the time that an idle loop may compute.
_IDLE = 0.1


def _silent_reader(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, _ = channels.pair()
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)


def _silent_writer(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, far = channels.pair()
    fill(near)
    far.send(b"x")
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)


def _timers(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    for each in range(3):
        timeout = 30.0 + each
        driver.add(f"timer {each}", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=timeout)


def _reader_with_timeout(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, _ = channels.pair()
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE, timeout=30.5)


def _closed_but_ready(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, far = channels.pair()
    far.send(b"x")

    def on_read(_flags: int) -> int:
        for event in events:
            event.close()
        driver.stop_expecting("reader")
        return luaevent.EV_READ

    events = [driver.add("reader", near.fileno(), luaevent.EV_READ, on_read)]


def _left_but_ready(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, far = channels.pair()
    far.send(b"x")
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    driver.add("writer", far.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)


def _one_of_two_left(luaevent: Luaevent, driver: LuaeventDriver, channels: Channels) -> None:
    near, _ = channels.pair()
    driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)


_IDLING: dict[str, Callable[[Luaevent, LuaeventDriver, Channels], None]] = {
    "a reader on a socket with room to write": _silent_reader,
    "a writer on a socket with data to read": _silent_writer,
    "far timers": _timers,
    "a reader with a far timeout": _reader_with_timeout,
    "a ready socket whose event was closed": _closed_but_ready,
    "ready sockets whose events have left": _left_but_ready,
    "a reader beside a writer that left": _one_of_two_left,
}


@rule("luaevent.loop.idle")
@pytest.mark.parametrize("idling", _IDLING)
def test_a_loop_without_due_events_sleeps(
    luaevent: Luaevent, channels: Channels, clock: Clock, idling: str
) -> None:
    """Other processes add no processor time; one attempt of several has to be idle."""

    def computing() -> float:
        driver = LuaeventDriver(luaevent)
        _IDLING[idling](luaevent, driver, channels)
        driver.after("end", 0.06, driver.close_all)
        since = Stopwatch(clock)
        computed = cpu_seconds(driver.run)
        assert driver.trace[-1] == "end timeout", f"the loop ended early{driver.timeout_note}"
        return computed / since.elapsed()

    shares = []
    for _ in range(4):
        shares.append(computing())
        if shares[-1] <= _IDLE:
            return
    raise AssertionError(
        f"idle beside {idling}, the loop computed for {min(shares):.0%} of the time; "
        f"a loop that sleeps needs less than {_IDLE:.0%}"
    )


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


@rule("luaevent.loop.level")
@everywhere
def test_unread_data_brings_another_call(
    luaevent: Luaevent, channels: Channels, situation: Situation
) -> None:
    """All data is sent at once and read byte by byte."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(b"12345678")
    read: list[bytes] = []

    def on_read(_flags: int) -> int:
        read.append(near.recv(1))
        return luaevent.LEAVE if len(read) == 8 else luaevent.EV_READ

    driver.run(lambda: driver.add("reader", near.fileno(), luaevent.EV_READ, on_read), situation)
    assert b"".join(read) == b"12345678", (
        f"8 bytes were there, read one by one; {len(read)} calls came{driver.timeout_note}"
    )


@rule("luaevent.loop.level")
@everywhere
@pytest.mark.parametrize("data", [b"", b"x"])
@pytest.mark.parametrize("ending", ["close", "half close"])
def test_an_end_that_is_not_handled_is_told_again(
    luaevent: Luaevent, channels: Channels, situation: Situation, ending: str, data: bytes
) -> None:
    """The callback reads all data, and the empty read, each time."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(data)
    if ending == "close":
        far.close()
    else:
        far.shutdown(socket.SHUT_WR)

    def on_read(_flags: int) -> int:
        while near.recv(10):
            pass
        return luaevent.LEAVE if len(driver.trace) == 6 else luaevent.EV_READ

    driver.run(lambda: driver.add("reader", near.fileno(), luaevent.EV_READ, on_read), situation)
    driver.assert_calls(*["reader read"] * 6)


@rule("luaevent.loop.level")
def test_a_condition_is_told_again_after_a_pause(luaevent: Luaevent, channels: Channels) -> None:
    """One of two readers leaves without reading; the data must bring a call of the next reader."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    far.send(b"x")

    def add_second() -> None:
        driver.add("second", near.fileno(), luaevent.EV_READ, luaevent.EV_READ, luaevent.LEAVE)

    driver.add("first", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    driver.after("later", 0.004, add_second)
    driver.run()
    driver.assert_calls("first read", "later timeout", "second read", "second read")


# A busy event is called this often at the most before something else must
# have come.
_MOST = 60


@rule("luaevent.loop.busy-fd-timer")
@everywhere
@pytest.mark.parametrize("busy", ["ready reader", "ready writer"])
@pytest.mark.parametrize("number", [1, 5])
def test_descriptors_that_are_always_ready_do_not_hold_up_timers(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    busy: str,
    number: int,
) -> None:
    """Each call takes a millisecond: the timer is due after a few calls, without any wait."""
    driver = LuaeventDriver(luaevent, most=200)
    calls = 0
    ticks = 0

    def on_busy(event: int) -> int:
        nonlocal calls
        calls += 1
        clock.advance(0.001)
        return luaevent.LEAVE if ticks == 3 or calls >= _MOST else event

    def on_tick(_flags: int) -> int:
        nonlocal ticks
        ticks += 1
        return luaevent.LEAVE if ticks == 3 else luaevent.EV_TIMEOUT

    def add(each: int) -> None:
        fd, event = event_arguments(luaevent, channels, busy)
        driver.add(f"busy {each}", fd, event, lambda _: on_busy(event))

    def act() -> None:
        for each in range(number):
            add(each)
        driver.add("timer", None, luaevent.EV_TIMEOUT, on_tick, timeout=0.003)

    driver.run(act, situation)
    before = [call for call in driver.trace[:_MOST] if call.startswith("timer")]
    assert len(before) == 3, (
        f"beside {number} descriptors that are always ready, a timer of 3 ms was called "
        f"{len(before)} times in {calls} ms; 3 calls were due"
    )


@rule("luaevent.loop.busy-fd-timer")
@pytest.mark.parametrize("kind", ["ready reader", "ready writer"])
@pytest.mark.parametrize("timeout", [0, 1e-9, 0.0005])
def test_a_timer_that_is_always_due_does_not_hold_up_descriptors(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, timeout: float
) -> None:
    """A timeout of 0 may be refused or come once; it must not hold up the descriptor either."""
    driver = LuaeventDriver(luaevent, most=200)
    ticks = 0

    def on_tick(_flags: int) -> int:
        nonlocal ticks
        ticks += 1
        clock.advance(0.001)
        done = ticks >= _MOST or not any(call.startswith("event") for call in expected)
        return luaevent.LEAVE if done else luaevent.EV_TIMEOUT

    fd, event = event_arguments(luaevent, channels, kind)
    expected = ["event"] * 3

    def on_event(_flags: int) -> int:
        expected.pop()
        return event if expected else luaevent.LEAVE

    try:
        driver.add("timer", None, luaevent.EV_TIMEOUT, on_tick, timeout=timeout)
    except Exception:
        if timeout:
            raise
        driver.stop_expecting("timer")
    driver.add("event", fd, event, on_event)
    driver.run()
    served_in_time = 3 - len(expected) if ticks < _MOST else 0
    assert served_in_time == 3, (
        f"beside a timer that is always due, a ready descriptor was served {served_in_time} of 3 "
        f"times while the timer came {ticks} times{driver.timeout_note}"
    )


@rule("luaevent.loop.timer-order")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations((6, 12, 18))))
def test_timers_come_in_the_order_of_their_deadlines(
    luaevent: Luaevent, clock: Clock, order: tuple[int, ...], late: bool
) -> None:
    """In one case all are overdue when the loop begins, so that only their deadlines order them."""
    driver = LuaeventDriver(luaevent)
    deadlines = Deadlines(driver, clock)
    for milliseconds in order:
        deadlines.timer(f"{milliseconds} ms", milliseconds / 1000)
    if late:
        clock.advance(0.02)
    driver.run()
    deadlines.assert_in_order()


@rule("luaevent.loop.timer-order")
@pytest.mark.parametrize("kind", ["timers", "silent readers", "mixed"])
@everywhere
def test_many_timeouts_come_in_the_order_of_their_deadlines(
    luaevent: Luaevent, channels: Channels, clock: Clock, situation: Situation, kind: str
) -> None:
    """A dozen timers are added in mixed order and come late."""
    driver = LuaeventDriver(luaevent)
    deadlines = Deadlines(driver, clock)
    number = 12
    places = [each * 7 % number for each in range(number)]
    events = [
        event_arguments(luaevent, channels, "timer" if timer else "silent reader")
        for timer in (kind == "timers" or (kind == "mixed" and place % 2) for place in places)
    ]

    def act() -> None:
        for place, (fd, event) in zip(places, events, strict=True):
            deadlines.add(f"{place}", fd, event, 0.003 * (place + 1), lambda: None)
        clock.advance(0.04)

    driver.run(act, situation)
    deadlines.assert_in_order()


@rule("luaevent.loop.timer-order")
@pytest.mark.parametrize("seed", range(12))
def test_timers_stay_in_order_when_many_are_closed(
    luaevent: Luaevent, clock: Clock, seed: int
) -> None:
    """Of two hundred timers two in three are closed, before the loop and inside it: whatever
    holds them loses most of its middle. Each seed gives another order."""
    dice = Random(seed)
    driver = LuaeventDriver(luaevent, most=300, within=1.0)
    deadlines = Deadlines(driver, clock)
    open_timers: dict[str, Event] = {}

    def add(number: int) -> None:
        length = dice.randint(20, 120)
        name = f"{number} of {length} ms"
        open_timers[name] = deadlines.timer(
            name, length / 1000, lambda: open_timers.pop(name, None)
        )

    def close_some(count: int) -> None:
        # on a slow machine some have run by now
        for name in dice.sample(sorted(open_timers), min(count, len(open_timers))):
            deadlines.close(name, open_timers.pop(name))

    def inside() -> None:
        close_some(60)
        for number in range(200, 220):
            add(number)

    for number in range(200):
        add(number)
        if number % 3 == 2:
            close_some(1)
    deadlines.timer("closes others", 0.005, inside)
    driver.run()
    deadlines.assert_in_order()


@rule("luaevent.loop.timer-order")
def test_a_timer_added_later_for_an_earlier_time_comes_first(
    luaevent: Luaevent, clock: Clock
) -> None:
    """A slow callback makes all timers late, the old ones and those that it adds."""
    driver = LuaeventDriver(luaevent)
    deadlines = Deadlines(driver, clock)

    def on_first() -> None:
        deadlines.timer("10 ms later", 0.010)
        deadlines.timer("2 ms later", 0.002)
        clock.advance(0.03)

    deadlines.timer("first", 0.002, on_first)
    deadlines.timer("at 20 ms", 0.020)
    driver.run()
    deadlines.assert_in_order()


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
        _wait_for_the_end(near)

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


def _wait_for_the_end(near: End) -> None:
    """Wait until the kernel knows the end of the stream.

    Over loopback it may be on its way; a virtual clock does not wait for it.
    """
    hang_up = getattr(select, "POLLRDHUP", 0)
    if hang_up and isinstance(near, socket.socket):
        kernel = select.poll()
        kernel.register(near.fileno(), hang_up)
        assert kernel.poll(guards.guard(5.0) * 1000), (
            "the kernel did not deliver the end of a stream over loopback"
        )
