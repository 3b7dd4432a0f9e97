"""luaevent, core:addevent: its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, as_descriptor_zero, drain, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere, luaevent_in
from looptck.testing.stopwatch import Stopwatch
from looptck.testing.trace import Trace

# A loop with a coarse clock is judged by luaevent.addevent.timeout-not-early
# alone, in seconds.
SLACK = 0.005

# How long a test listens for a call that must not come, in seconds.
LISTEN = 0.03

# How often a feeder comes at the most; a loop that loses nothing needs a few.
_PATIENT = 25


@rule("luaevent.addevent.adds")
@everywhere
@pytest.mark.parametrize("kind", ["reader", "writer", "timer"])
def test_an_event_is_active_once_addevent_returned(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str
) -> None:
    """The descriptor is ready before the call, so that no later change can start the event."""
    near, far = channels.pair()
    far.send(b"x")
    driver = LuaeventDriver(luaevent)
    adding = False

    def on_event(_flags: int) -> int:
        assert not adding, "addevent called the callback itself; only loop may do that"
        return luaevent.LEAVE

    def act() -> None:
        nonlocal adding
        adding = True
        if kind == "reader":
            driver.add("event", near.fileno(), luaevent.EV_READ, on_event)
        elif kind == "writer":
            driver.add("event", near.fileno(), luaevent.EV_WRITE, on_event)
        else:
            driver.add("event", None, luaevent.EV_TIMEOUT, on_event, timeout=0.001)
        adding = False

    driver.run(act, situation)
    driver.assert_calls(
        {"reader": "event read", "writer": "event write", "timer": "event timeout"}[kind]
    )


@rule("luaevent.addevent.adds")
def test_every_added_event_is_active(luaevent: Luaevent, channels: Channels) -> None:
    """Many events of all kinds are added: a table of fixed size or a single slot shows."""
    driver = LuaeventDriver(luaevent, most=200)
    expected = []
    for number in range(20):
        near, far = channels.pair()
        far.send(b"x")
        driver.add(f"reader {number}", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        driver.add(f"writer {number}", far.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
        driver.add(f"timer {number}", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=0.002)
        expected += [f"reader {number} read", f"writer {number} write", f"timer {number} timeout"]
    driver.run()
    missing = sorted(set(expected) - set(driver.trace))
    assert not missing, f"of {len(expected)} events these were never called: {missing}"
    assert len(driver.trace) == len(expected), "an event that left was called again"


@rule("luaevent.addevent.adds")
@everywhere
def test_addevent_calls_no_callback_even_if_one_is_due(
    luaevent: Luaevent, channels: Channels, clock: Clock, situation: Situation
) -> None:
    """A timer is due and a descriptor ready while another event is added."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    added = Trace()

    def on_timeout(_flags: int) -> int:
        assert added, "addevent called the callback itself; only loop may do that"
        return luaevent.LEAVE

    def act() -> None:
        driver.add("timer", None, luaevent.EV_TIMEOUT, on_timeout, timeout=0.001)
        driver.add("writer", near.fileno(), luaevent.EV_WRITE, on_timeout)
        clock.advance(0.002)
        driver.add("other", far.fileno(), luaevent.EV_WRITE, on_timeout)
        added("added")

    driver.run(act, situation)
    assert sorted(driver.trace) == ["other write", "timer timeout", "writer write"], (
        f"of three events these were called: {', '.join(driver.trace)}{driver.timeout_note}"
    )


@rule("luaevent.addevent.input-order")
@pytest.mark.parametrize("given", ["three arguments", "None for a timeout", "a timeout"])
def test_the_arguments_are_fd_event_callback_timeout(
    luaevent: Luaevent, channels: Channels, given: str
) -> None:
    """The number of the descriptor is no flag, so arguments in another order show."""
    near, far = channels.pair()
    number = channels.numbered(near, 300).fileno()
    driver = LuaeventDriver(luaevent)
    callback = driver.callback("event", luaevent.LEAVE)
    if given == "three arguments":
        far.send(b"x")
        driver.keep(driver.base.addevent(number, luaevent.EV_READ, callback))
    elif given == "None for a timeout":
        far.send(b"x")
        driver.keep(driver.base.addevent(number, luaevent.EV_READ, callback, None))
    else:
        driver.keep(driver.base.addevent(number, luaevent.EV_READ, callback, 0.01))
    driver.run()
    driver.assert_calls("event timeout" if given == "a timeout" else "event read")


@rule("luaevent.addevent.fd-integer")
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("number", [0, 1200])
@everywhere
def test_a_descriptor_of_any_number_is_watched(
    luaevent: Luaevent, channels: Channels, situation: Situation, number: int, direction: str
) -> None:
    """The other direction is not ready, so only the right one can bring the call."""
    near, far = channels.pair()
    if direction == "read":
        far.send(b"x")
        fill(near)
    watched = (
        as_descriptor_zero(channels, near)
        if number == 0
        else channels.numbered(near, number).fileno()
    )
    event = luaevent.EV_READ if direction == "read" else luaevent.EV_WRITE
    driver = LuaeventDriver(luaevent)
    driver.run(lambda: driver.add("event", watched, event, luaevent.LEAVE), situation)
    driver.assert_calls(f"event {direction}")


@rule("luaevent.addevent.fd-integer")
def test_only_the_descriptor_of_that_number_is_watched(
    luaevent: Luaevent, channels: Channels
) -> None:
    """The neighbours are ready, and a timer ends the loop after any call they could bring."""
    silent, _ = channels.pair()
    for _ in range(3):
        near, far = channels.pair()
        far.send(b"x")
        fill(near)
    watched = as_descriptor_zero(channels, silent)
    driver = LuaeventDriver(luaevent)
    driver.add("silent", watched, luaevent.EV_READ, luaevent.LEAVE)
    driver.after("end", LISTEN, driver.close_all)
    driver.run()
    driver.assert_calls("end timeout")


@rule("luaevent.addevent.fd-nil-timer")
@everywhere
@pytest.mark.parametrize("asked", ["EV_TIMEOUT", "0", "EV_READ", "EV_READ | EV_WRITE"])
def test_an_event_without_a_descriptor_is_a_timer(
    luaevent: Luaevent, clock: Clock, situation: Situation, asked: str
) -> None:
    """Other rules need this one, so the test uses LEAVE and close only to end the loop."""
    event = {
        "EV_TIMEOUT": luaevent.EV_TIMEOUT,
        "0": 0,
        "EV_READ": luaevent.EV_READ,
        "EV_READ | EV_WRITE": luaevent.EV_READ | luaevent.EV_WRITE,
    }[asked]
    base = luaevent.new()
    calls: list[tuple[int, float]] = []
    timers: list[Event] = []
    since: list[Stopwatch] = []

    def on_timeout(flags: int) -> int:
        calls.append((flags, since[0].elapsed()))
        if len(calls) > 1:
            timers[0].close()
        assert len(calls) < 50, "a timer that answers LEAVE and is closed is called again and again"
        return luaevent.LEAVE

    def act() -> None:
        since.append(Stopwatch(clock))
        timers.append(base.addevent(None, event, on_timeout, 0.02))

    luaevent_in(situation, luaevent, base, act)
    assert calls, f"a timer with the event argument {asked} was never called"
    flags, elapsed = calls[0]
    assert flags & luaevent.EV_TIMEOUT, "a timer was called without EV_TIMEOUT"
    unexpected_directions = flags & (luaevent.EV_READ | luaevent.EV_WRITE) & ~event
    assert not unexpected_directions, "a timer was told of a direction that it had not asked for"
    assert elapsed >= 0.02 - SLACK, f"a timer of 20 ms was called after {elapsed * 1000:.3f} ms"


@rule("luaevent.addevent.event-flagset")
@pytest.mark.parametrize("asked", ["read", "write", "read write"])
@pytest.mark.parametrize("ready", ["nothing", "read", "write", "read write"])
@everywhere
def test_the_event_argument_selects_the_watched_directions(
    luaevent: Luaevent, channels: Channels, situation: Situation, asked: str, ready: str
) -> None:
    """A timer ends the loop after any call that readiness could bring."""
    near, far = channels.pair()
    if "read" in ready:
        far.send(b"x")
    if "write" not in ready:
        fill(near)
    bits = {"read": luaevent.EV_READ, "write": luaevent.EV_WRITE}
    event = sum(bits[each] for each in asked.split())
    expected = set(asked.split()) & set(ready.split())
    driver = LuaeventDriver(luaevent)
    seen: set[str] = set()

    def on_event(flags: int) -> int:
        seen.update(name for name, bit in bits.items() if flags & bit)
        return luaevent.LEAVE if seen >= expected else event

    def act() -> None:
        driver.add("event", near.fileno(), event, on_event)
        driver.after("end", 0.01, driver.close_all)

    driver.run(act, situation)
    assert seen == expected, (
        f"asked for {_row(asked.split())}, ready for {_row(ready.split())}: "
        f"called for {_row(seen)}, due were {_row(expected)}"
    )


@rule("luaevent.addevent.event-signal")
@pytest.mark.parametrize("timeout", [None, 0.01])
def test_ev_signal_never_watches_the_descriptor_of_that_number(
    luaevent: Luaevent, channels: Channels, timeout: float | None
) -> None:
    """The descriptor is ready in both directions: a loop that watched it would call at once."""
    near, far = channels.pair()
    far.send(b"x")
    number = channels.numbered(near, 20).fileno()
    other, _ = channels.pair()
    driver = LuaeventDriver(luaevent)
    calls: list[int] = []

    def on_signal(flags: int) -> int:
        calls.append(flags)
        return luaevent.LEAVE

    driver.add("other", other.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    arguments = (number, luaevent.EV_SIGNAL, on_signal, timeout)
    error_of(lambda: driver.keep(driver.base.addevent(*arguments)))
    driver.after("end", LISTEN, driver.close_all)
    driver.run()
    wrong = [flags for flags in calls if not flags & (luaevent.EV_TIMEOUT | luaevent.EV_SIGNAL)]
    assert not wrong, (
        "addevent(n, EV_SIGNAL, ...) watched the descriptor n: its callback was called for it"
    )
    assert not any(flags & luaevent.EV_SIGNAL for flags in calls), (
        "addevent(n, EV_SIGNAL, ...) called for a signal that was not sent: "
        "only the descriptor n was ready"
    )
    assert "other write" in driver.trace, "an event that was there before was not served"


@rule("luaevent.addevent.event-persist")
def test_ev_persist_makes_a_reader_no_different(luaevent: Luaevent, channels: Channels) -> None:
    """Data comes three times, each time after the reader was silent for a while."""
    near, far = channels.pair()
    driver = LuaeventDriver(luaevent)
    event = luaevent.EV_READ | luaevent.EV_PERSIST
    read: list[bytes] = []

    def on_read(flags: int) -> int:
        assert not flags & luaevent.EV_PERSIST, "EV_PERSIST was handed to a callback"
        assert len(read) < sent, "called before there was anything to read"
        read.append(near.recv(10))
        if len(read) == 3:
            driver.close_all()
            return luaevent.LEAVE
        return luaevent.EV_READ

    sent = 0

    def feed(_flags: int) -> int:
        nonlocal sent
        if len(read) == sent < 3:
            sent += 1
            far.send(b"x")
        done = len(read) == 3 or driver.count("feeder timeout") == _PATIENT
        return luaevent.LEAVE if done else luaevent.EV_TIMEOUT

    if error_of(driver.add, "reader", near.fileno(), event, on_read) is not None:
        driver.stop_expecting("reader")
        read += [b"x"] * 3  # refused: then nothing may be registered
        far.send(b"x")
        driver.add("feeder", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=LISTEN)
        driver.run()
        driver.assert_calls("feeder timeout")
        return
    driver.add("feeder", None, luaevent.EV_TIMEOUT, feed, timeout=0.01)
    driver.run()
    assert read == [b"x"] * 3, f"of 3 bytes, sent one by one, {len(read)} were announced"
    assert driver.count("reader read") == 3, "a reader was called for something else than data"


@rule("luaevent.addevent.event-persist")
def test_ev_persist_does_not_outlive_leave(luaevent: Luaevent, channels: Channels) -> None:
    """The data is never read, so only LEAVE can end the calls."""
    near, far = channels.pair()
    far.send(b"x")
    driver = LuaeventDriver(luaevent)
    event = luaevent.EV_READ | luaevent.EV_PERSIST
    refused = error_of(driver.add, "reader", near.fileno(), event, luaevent.LEAVE)
    if refused is not None:
        driver.stop_expecting("reader")
    driver.after("end", 0.02, driver.close_all)
    driver.run()
    expected = ["end timeout"] if refused else ["reader read", "end timeout"]
    driver.assert_calls(*expected)


@rule("luaevent.addevent.persistent")
def test_a_reader_is_called_again_for_later_data(luaevent: Luaevent, channels: Channels) -> None:
    """The callback reads everything, so that only later data can bring a call."""
    near, far = channels.pair()
    driver = LuaeventDriver(luaevent)
    read = Trace()
    sent = 0

    def on_read(_flags: int) -> int:
        read(drain(near).decode())
        return luaevent.LEAVE if len(read) == 4 else luaevent.EV_READ

    def feed(_flags: int) -> int:
        nonlocal sent
        if len(read) == sent < 4:
            sent += 1
            far.send(b"%d" % sent)
        done = sent == 4 or driver.count("feeder timeout") == _PATIENT
        return luaevent.LEAVE if done else luaevent.EV_TIMEOUT

    driver.add("reader", near.fileno(), luaevent.EV_READ, on_read)
    driver.add("feeder", None, luaevent.EV_TIMEOUT, feed, timeout=0.005)
    driver.run()
    assert read == ["1", "2", "3", "4"], (
        f"four pieces of data, each sent after the one before was read, brought {len(read)} calls"
        f"{driver.timeout_note}"
    )


@rule("luaevent.addevent.persistent")
def test_a_writer_is_called_again_for_later_room(luaevent: Luaevent, channels: Channels) -> None:
    """The callback fills the socket, so that only later room can bring a call."""
    near, far = channels.pair()
    fill(near)
    driver = LuaeventDriver(luaevent)
    drained = 0

    def on_write(_flags: int) -> int:
        fill(near)
        return luaevent.LEAVE if driver.count("writer write") == 3 else luaevent.EV_WRITE

    def make_room(_flags: int) -> int:
        nonlocal drained
        if driver.count("writer write") == drained:
            drained += 1
            drain(far)
        done = drained == 3 or driver.count("drain timeout") == _PATIENT
        return luaevent.LEAVE if done else luaevent.EV_TIMEOUT

    driver.add("writer", near.fileno(), luaevent.EV_WRITE, on_write)
    driver.add("drain", None, luaevent.EV_TIMEOUT, make_room, timeout=0.005)
    driver.run()
    assert driver.count("writer write") == 3, (
        "three times there was room again, and the writer was called "
        f"{driver.count('writer WRITE')} times{driver.timeout_note}"
    )


@rule("luaevent.addevent.persistent")
@pytest.mark.parametrize("kind", ["timer", "reader"])
@everywhere
def test_a_timeout_repeats_without_being_added_again(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str
) -> None:
    """The descriptor is never ready, so only the timeout can bring a call."""
    near, _ = channels.pair()
    fd = None if kind == "timer" else near.fileno()
    event = luaevent.EV_TIMEOUT if kind == "timer" else luaevent.EV_READ
    driver = LuaeventDriver(luaevent)
    replies = [event, event, event, luaevent.LEAVE]
    driver.run(lambda: driver.add("event", fd, event, *replies, timeout=0.005), situation)
    driver.assert_calls(*["event timeout"] * 4)


_NOT_CALLABLE: dict[str, tuple[object, ...]] = {
    "missing": (),
    "None": (None,),
    "a number": (7,),
    "a string": ("callback",),
    "a list": ([],),
    "a dict": ({},),
    "a tuple": ((),),
}


@rule("luaevent.addevent.callback-required")
@everywhere
@pytest.mark.parametrize("callback", _NOT_CALLABLE)
@pytest.mark.parametrize("kind", ["writer", "timer"])
def test_a_callback_that_cannot_be_called_is_refused(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str, callback: str
) -> None:
    """The descriptor is ready and the timer short: an event that was registered nevertheless
    comes at once."""
    near, _ = channels.pair()
    base = luaevent.new()
    given = _NOT_CALLABLE[callback]
    timeout = (0.001,) if given else ()
    kept: list[Event] = []
    accepted = Trace()

    def act() -> None:
        fd, event = (None, luaevent.EV_TIMEOUT)
        if kind == "writer":
            fd, event = (near.fileno(), luaevent.EV_WRITE)
        add: Callable[..., Event] = base.addevent
        if error_of(lambda: kept.append(add(fd, event, *given, *timeout))) is None:
            accepted("accepted")
            with suppress(Exception):
                kept.pop().close()

    luaevent_in(situation, luaevent, base, act)
    assert not accepted, f"addevent took a callback that is {callback} and raised no error"
    base.loop()


@rule("luaevent.addevent.output")
@everywhere
@pytest.mark.parametrize("kind", ["writer", "timer"])
def test_addevent_returns_an_object_with_close(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str
) -> None:
    """The test calls `close`, since the attribute may be anything."""
    near, _ = channels.pair()
    fd = None if kind == "timer" else near.fileno()
    event = luaevent.EV_TIMEOUT if kind == "timer" else luaevent.EV_WRITE
    driver = LuaeventDriver(luaevent)
    returned: list[object] = []

    def act() -> None:
        added = driver.add("event", fd, event, luaevent.LEAVE, timeout=0.001)
        returned.append(added)

    driver.run(act, situation)
    assert returned[0] is not None, "addevent returned nothing that could be closed"
    close = getattr(returned[0], "close", None)
    assert callable(close), f"what addevent returned has no callable close, but {close!r:.60}"
    close()


@rule("luaevent.addevent.output")
@pytest.mark.parametrize("kind", ["writer", "timer"])
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_each_call_of_addevent_returns_an_object_of_its_own(
    luaevent: Luaevent, channels: Channels, kind: str, closed: int
) -> None:
    """The arguments are the same three times: one event is closed, and two must still be called."""
    near, _ = channels.pair()
    fd = None if kind == "timer" else near.fileno()
    event = luaevent.EV_TIMEOUT if kind == "timer" else luaevent.EV_WRITE
    driver = LuaeventDriver(luaevent)
    callback = driver.callback("event", luaevent.EV_TIMEOUT if kind == "timer" else event)
    calls = 0

    def same(flags: int) -> int:
        nonlocal calls
        calls += 1
        callback(flags)
        if calls == 2:
            driver.stop_expecting("event")
        return luaevent.LEAVE

    base = driver.base
    events = [driver.keep(base.addevent(fd, event, same, 0.005))]
    try:
        events += [driver.keep(base.addevent(fd, event, same, 0.005)) for _ in range(2)]
    except Exception:
        return  # a loop may refuse a second event on a descriptor
    events[closed].close()
    driver.run()
    assert calls == 2, (
        f"of three events with the same arguments one was closed; two calls were due, {calls} came"
        f"{driver.timeout_note}"
    )


def _row(names: object) -> str:
    return " and ".join(sorted(names)) or "nothing"  # type: ignore[call-overload]  # whatever it is, it must sort
