"""luaevent, core:addevent: the timeout of an event."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Event, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.retry import retry
from looptck.testing.situations import Situation, everywhere, luaevent_in
from looptck.testing.stopwatch import Stopwatch, assert_not_early, assert_prompt

# A loop with a coarse clock is judged by luaevent.addevent.timeout-not-early
# alone, in seconds.
SLACK = 0.005

# What a loop may be late without having taken the timeout for another, in
# seconds.  It is allowed several attempts.
LATE = 0.05

# What an event with a timeout can wait for in vain.
WAITING = ("timer", "reader", "writer", "both")
waiting = pytest.mark.parametrize("kind", WAITING)


def _in_vain(luaevent: Luaevent, channels: Channels, kind: str) -> tuple[int | None, int]:
    """Return a descriptor and flags for which nothing ever happens."""
    if kind == "timer":
        return None, luaevent.EV_TIMEOUT
    near, _ = channels.pair()
    fill(near)
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    return near.fileno(), {"reader": read, "writer": write, "both": read | write}[kind]


@rule("luaevent.addevent.timeout-seconds")
@waiting
@pytest.mark.parametrize("timeout", [1, 30.0])
def test_a_second_is_no_shorter_unit(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, timeout: float
) -> None:
    """The test waits for a small part of a second: a millisecond, or nothing, would be over by
    then."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)
    since = Stopwatch(clock)
    driver.add("event", fd, event, luaevent.LEAVE, timeout=timeout)
    driver.after("end", 0.04, driver.close_all)
    driver.run()
    elapsed = since.elapsed()
    driver.assert_calls("end timeout")
    assert elapsed >= 0.04 - SLACK, f"40 ms were over after {elapsed * 1000:.3f} ms"


@rule("luaevent.addevent.timeout-seconds")
@waiting
def test_a_second_is_no_longer_unit(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """A busy machine is not late by seconds every time; a loop that takes minutes is."""

    def lateness() -> float:
        base = luaevent.new()
        fd, event = _in_vain(luaevent, channels, kind)
        calls: list[float] = []
        since = Stopwatch(clock)

        def on_timeout(_flags: int) -> int:
            calls.append(since.elapsed())
            return luaevent.LEAVE

        kept = base.addevent(fd, event, on_timeout, 0.02)
        base.loop()
        del kept
        assert calls, "loop() returned before the timeout of its only event"
        return calls[0] - 0.02

    assert_prompt(lateness, 0.5)


@rule("luaevent.addevent.timeout-decimal")
def test_fractions_of_a_second_are_kept(
    luaevent: Luaevent, channels: Channels, clock: Clock
) -> None:
    """All events wait side by side; each is measured against its own beginning."""
    fractions = (0.01, 0.05, 0.123, 0.25)

    def attempt() -> None:
        driver = LuaeventDriver(luaevent, within=1.0)
        after: dict[tuple[str, float], float] = {}

        def begin(kind: str, timeout: float) -> None:
            fd, event = _in_vain(luaevent, channels, kind)
            since = Stopwatch(clock)

            def on_timeout(_flags: int) -> int:
                after[kind, timeout] = since.elapsed()
                return luaevent.LEAVE

            driver.add(f"{kind} {timeout}", fd, event, on_timeout, timeout=timeout)

        for kind, timeout in itertools.product(WAITING, fractions):
            begin(kind, timeout)
        driver.run()
        for kind, timeout in itertools.product(WAITING, fractions):
            elapsed = after.get((kind, timeout))
            assert elapsed is not None, (
                f"a timeout of {timeout} s ({kind}) did not come{driver.timeout_note}"
            )
            assert timeout - SLACK <= elapsed <= timeout + LATE, (
                f"a timeout of {timeout} s ({kind}) came after {elapsed:.3f} s"
            )

    retry(attempt)


# With these a heap in which what fills a gap moves away from the root, and never towards it,
# hides a timer under one that is due later: three of 600 orders do.
_HIDING = (29, 83, 106)


@rule("luaevent.addevent.timeout-decimal")
@pytest.mark.parametrize("seed", _HIDING)
def test_closing_some_makes_no_other_late(luaevent: Luaevent, clock: Clock, seed: int) -> None:
    """Three of nine timers, 60 ms apart, are closed before the loop begins."""

    def lateness() -> float:
        dice = Random(seed)
        lengths = [60 * number for number in range(1, 10)]
        dice.shuffle(lengths)
        base = luaevent.new()
        late: list[float] = []
        open_timers: dict[int, Event] = {}

        def begin(length: int) -> None:
            since = Stopwatch(clock)

            def on_timeout(_flags: int) -> int:
                late.append(since.elapsed() - length / 1000)
                return luaevent.LEAVE

            open_timers[length] = base.addevent(
                None, luaevent.EV_TIMEOUT, on_timeout, length / 1000
            )

        for length in lengths:
            begin(length)
        for length in dice.sample(lengths[1:], 3):
            open_timers.pop(length).close()
        base.loop()
        assert len(late) == len(open_timers), f"of {len(open_timers)} timers {len(late)} came"
        return max(late)

    assert_prompt(lateness, LATE)


# Not whole in any unit that a loop could round to.
_UNEVEN = (0.0019, 0.0105, 0.0213)


@rule("luaevent.addevent.timeout-not-early")
@everywhere
@waiting
@pytest.mark.parametrize("timeout", _UNEVEN)
def test_a_timeout_is_never_early(
    luaevent: Luaevent,
    channels: Channels,
    clock: Clock,
    situation: Situation,
    kind: str,
    timeout: float,
) -> None:
    """The stopwatch starts before addevent, so a conforming loop can only measure less time."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)
    since = Stopwatch(clock)
    after: list[float] = []

    def on_timeout(_flags: int) -> int:
        after.append(since.elapsed())
        return luaevent.LEAVE

    def act() -> None:
        since.restart()
        driver.add("event", fd, event, on_timeout, timeout=timeout)

    driver.run(act, situation)
    driver.assert_calls("event timeout")
    assert_not_early(after[0], timeout)


@rule("luaevent.addevent.timeout-not-early")
@waiting
@pytest.mark.parametrize("opened_by", ["a timer", "a descriptor"])
def test_time_spent_before_addevent_does_not_count(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str, opened_by: str
) -> None:
    """Both the wait before the callback and the callback take time: a time from before is old."""
    driver = LuaeventDriver(luaevent)
    near, _ = channels.pair()
    fd, event = _in_vain(luaevent, channels, kind)
    since = Stopwatch(clock)
    after: list[float] = []

    def on_timeout(_flags: int) -> int:
        after.append(since.elapsed())
        return luaevent.LEAVE

    def opener(_flags: int) -> int:
        clock.advance(0.015)
        since.restart()
        driver.add("event", fd, event, on_timeout, timeout=0.0105)
        return luaevent.LEAVE

    if opened_by == "a timer":
        driver.add("opener", None, luaevent.EV_TIMEOUT, opener, timeout=0.01)
    else:
        driver.add("opener", near.fileno(), luaevent.EV_WRITE, opener)
    driver.run()
    assert after, f"the timeout never came{driver.timeout_note}"
    assert_not_early(after[0], 0.0105)


@rule("luaevent.addevent.timeout-not-early")
@waiting
def test_a_repeated_timeout_is_never_early(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """The test measures from addevent, since a loop may keep to a grid after a call that came
    late."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)
    since = Stopwatch(clock)
    after: list[float] = []

    def on_timeout(_flags: int) -> int:
        after.append(since.elapsed())
        if len(after) == 2:
            clock.advance(0.004)
        return luaevent.LEAVE if len(after) == 4 else event

    driver.add("event", fd, event, on_timeout, timeout=0.0105)
    driver.run()
    assert len(after) == 4, f"of 4 timeouts {len(after)} came{driver.timeout_note}"
    for number, elapsed in enumerate(after, 1):
        assert_not_early(elapsed, number * 0.0105)


@rule("luaevent.addevent.timeout-not-early")
@pytest.mark.parametrize("attempt", range(3))
def test_none_of_many_timeouts_is_early(luaevent: Luaevent, clock: Clock, attempt: int) -> None:
    """The timers are set over a while: a clock that moves by milliseconds is behind for some of
    them."""
    base = luaevent.new()
    after: dict[float, float] = {}

    def begin(timeout: float) -> Event:
        since = Stopwatch(clock)

        def on_timeout(_flags: int) -> int:
            after[timeout] = since.elapsed()
            return luaevent.LEAVE

        return base.addevent(None, luaevent.EV_TIMEOUT, on_timeout, timeout)

    kept: list[Event] = []
    for number in range(12):
        kept.append(begin(0.0105 + 0.0007 * number))
        clock.advance(0.0005)
    base.loop()
    assert len(after) == len(kept), f"of {len(kept)} timeouts {len(after)} came"
    for timeout, elapsed in after.items():
        assert_not_early(elapsed, timeout)


@rule("luaevent.addevent.timeout-not-early")
def test_a_timeout_after_activity_is_never_early(
    luaevent: Luaevent, channels: Channels, clock: Clock
) -> None:
    """The data comes when most of the first wait is over; the next wait has to be a whole one."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()
    since = Stopwatch(clock)
    gaps: list[float] = []

    def on_event(flags: int) -> int:
        if flags & luaevent.EV_TIMEOUT:
            gaps.append(since.elapsed())
            return luaevent.LEAVE
        near.recv(10)
        since.restart()
        return luaevent.EV_READ

    driver.add("reader", near.fileno(), luaevent.EV_READ, on_event, timeout=0.0305)
    driver.after("sender", 0.02, lambda: far.send(b"x"))
    driver.run()
    assert gaps, f"the timeout never came{driver.timeout_note}"
    assert_not_early(gaps[0], 0.0305)


@rule("luaevent.addevent.timeout-from-addevent")
@waiting
def test_time_before_the_loop_counts(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """The second timer is due 20 ms after the first if that counts from addevent, and before it
    if not."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)
    driver.add("first", fd, event, luaevent.LEAVE, timeout=0.05)
    clock.advance(0.04)
    driver.add("second", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=0.03)
    driver.run()
    driver.assert_calls("first timeout", "second timeout")


@rule("luaevent.addevent.timeout-from-addevent")
@waiting
def test_a_timeout_that_is_over_already_comes_at_once(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """Nothing else can end the wait: a timeout that began anew is late."""

    def lateness() -> float:
        base = luaevent.new()
        fd, event = _in_vain(luaevent, channels, kind)
        calls: list[float] = []

        def on_timeout(_flags: int) -> int:
            calls.append(since.elapsed())
            return luaevent.LEAVE

        kept = base.addevent(fd, event, on_timeout, 0.06)
        clock.advance(0.07)
        since = Stopwatch(clock)
        base.loop()
        del kept
        assert calls, "an event whose timeout was over when loop() began was never called"
        return calls[0]

    assert_prompt(lateness, LATE)


@rule("luaevent.addevent.timeout-missing")
@everywhere
@pytest.mark.parametrize("given", ["nothing", "None"])
@pytest.mark.parametrize("kind", ["reader", "writer", "both"])
def test_an_event_without_a_timeout_never_times_out(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str, given: str
) -> None:
    """A timer of the same base bounds the time; other events' timeouts must not apply to this
    one."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)

    def act() -> None:
        callback = driver.callback("event", event)
        rest = (None,) if given == "None" else ()
        driver.keep(driver.base.addevent(fd, event, callback, *rest))
        driver.add("tick", None, luaevent.EV_TIMEOUT, *[luaevent.EV_TIMEOUT] * 2, timeout=0.006)
        driver.after("end", 0.02, driver.close_all)

    driver.run(act, situation)
    wrong = [call for call in driver.trace if call.startswith("event")]
    assert not wrong, f"an event without a timeout for which nothing happened was called: {wrong}"


@rule("luaevent.addevent.timeout-missing")
@pytest.mark.parametrize("given", ["nothing", "None"])
def test_an_event_without_a_timeout_has_none_after_it_was_served(
    luaevent: Luaevent, channels: Channels, given: str
) -> None:
    """The data comes late, so that a loop that sets a timeout when it puts the event back shows."""
    driver = LuaeventDriver(luaevent)
    near, far = channels.pair()

    def on_read(_flags: int) -> int:
        near.recv(10)
        if driver.count("reader read") == 1:
            driver.after("sender", 0.01, lambda: far.send(b"x"))
        else:
            driver.after("end", 0.02, driver.close_all)
        return luaevent.EV_READ

    callback = driver.callback("reader", on_read)
    rest = (None,) if given == "None" else ()
    far.send(b"x")
    driver.keep(driver.base.addevent(near.fileno(), luaevent.EV_READ, callback, *rest))
    driver.run()
    driver.assert_calls("reader read", "sender timeout", "reader read", "end timeout")


@rule("luaevent.addevent.timeout-tiny")
@everywhere
@waiting
@pytest.mark.parametrize("timeout", [1e-9, 1e-7, 4e-4])
def test_a_tiny_timeout_comes(
    luaevent: Luaevent, channels: Channels, situation: Situation, kind: str, timeout: float
) -> None:
    """The timeout is due long before the timer that ends the test, so it comes first."""
    driver = LuaeventDriver(luaevent)
    fd, event = _in_vain(luaevent, channels, kind)

    def on_timeout(_flags: int) -> int:
        driver.close_all()
        return luaevent.LEAVE

    def act() -> None:
        driver.add("event", fd, event, on_timeout, timeout=timeout)
        driver.after("end", 0.05, driver.close_all)

    driver.run(act, situation)
    driver.assert_calls("event timeout")


@rule("luaevent.addevent.timeout-repeats")
@waiting
def test_a_timeout_begins_again_each_time(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """The test waits five times: a second wait that is lost, or waits that grow, show."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        fd, event = _in_vain(luaevent, channels, kind)
        times: list[float] = []
        since = Stopwatch(clock)

        def on_timeout(_flags: int) -> int:
            times.append(since.elapsed())
            return luaevent.LEAVE if len(times) == 5 else event

        driver.add("event", fd, event, on_timeout, timeout=0.01)
        driver.run()
        assert len(times) == 5, f"of 5 timeouts {len(times)} came{driver.timeout_note}"
        for number, (before, after) in enumerate(itertools.pairwise([0.0, *times]), 1):
            # a loop may go on by a grid, on which a late call does not put off the next
            assert after >= number * (0.01 - SLACK), (
                f"{number} timeouts of 10 ms were over after {after * 1000:.1f} ms"
            )
            assert after - before <= 0.01 + LATE, (
                f"a timeout of 10 ms came again after {(after - before) * 1000:.1f} ms"
            )

    retry(attempt)


@rule("luaevent.addevent.timeout-repeats")
@everywhere
def test_an_event_that_timed_out_still_waits_for_its_descriptor(
    luaevent: Luaevent, channels: Channels, situation: Situation
) -> None:
    """The callback of a timeout sends the data, long before the next timeout."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()

        def on_event(flags: int) -> int:
            if not flags & luaevent.EV_TIMEOUT:
                near.recv(10)
            if driver.count("reader timeout") == 5:
                return luaevent.LEAVE
            if driver.count("reader timeout") == 3 and driver.trace[-1] == "reader timeout":
                far.send(b"x")
            return luaevent.EV_READ

        driver.run(
            lambda: driver.add("reader", near.fileno(), luaevent.EV_READ, on_event, timeout=0.01),
            situation,
        )
        driver.assert_calls(*["reader timeout"] * 3, "reader read", *["reader timeout"] * 2)

    retry(attempt)


@rule("luaevent.addevent.timeout-reset")
@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_no_timeout_comes_while_the_descriptor_stays_busy(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """Each pause is a part of the timeout, and all of them together are longer than it."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()
        served = "reader read" if kind == "reader" else "writer write"
        event = luaevent.EV_READ if kind == "reader" else luaevent.EV_WRITE
        far.send(b"12345678")
        since = Stopwatch(clock)
        after: list[float] = []

        def on_event(flags: int) -> int:
            if flags & luaevent.EV_TIMEOUT:
                after.append(since.elapsed())
                return luaevent.LEAVE
            clock.advance(0.012)
            if kind == "reader":
                near.recv(1)
            elif len(driver.trace) == 8:
                fill(near)
            since.restart()
            return event

        driver.add(kind, near.fileno(), event, on_event, timeout=0.04)
        driver.run()
        driver.assert_calls(*[served] * 8, f"{kind} timeout")
        # a wait may count from the beginning of the last call, which took 12 ms
        assert 0.028 - SLACK <= after[0] <= 0.04 + LATE, (
            f"a timeout of 40 ms came {after[0] * 1000:.1f} ms after the last delivery"
        )

    retry(attempt)


@rule("luaevent.addevent.timeout-reset")
def test_a_delivery_after_a_pause_begins_a_new_wait(
    luaevent: Luaevent, channels: Channels, clock: Clock
) -> None:
    """Data comes when more than half of each wait is over: waits that do not begin anew overlap."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()

        def on_event(flags: int) -> int:
            if flags & luaevent.EV_TIMEOUT:
                return luaevent.LEAVE
            near.recv(10)
            if driver.count("reader read") < 3:
                driver.after("sender", 0.025, lambda: far.send(b"x"))
            return luaevent.EV_READ

        driver.add("reader", near.fileno(), luaevent.EV_READ, on_event, timeout=0.04)
        driver.after("sender", 0.025, lambda: far.send(b"x"))
        driver.run()
        driver.assert_calls(*["sender timeout", "reader read"] * 3, "reader timeout")

    retry(attempt)


@rule("luaevent.addevent.timeout-ready")
@pytest.mark.parametrize("kind", ["reader", "writer", "both"])
def test_an_event_that_is_always_ready_never_times_out(
    luaevent: Luaevent, channels: Channels, clock: Clock, kind: str
) -> None:
    """Time passes inside the callbacks alone, a third of the timeout in each."""

    def attempt() -> None:
        driver = LuaeventDriver(luaevent)
        near, far = channels.pair()
        far.send(b"x")
        read, write = luaevent.EV_READ, luaevent.EV_WRITE
        event = {"reader": read, "writer": write, "both": read | write}[kind]

        def on_event(flags: int) -> int:
            clock.advance(0.01)
            return luaevent.LEAVE if len(driver.trace) == 6 else event

        driver.add("event", near.fileno(), event, on_event, timeout=0.03)
        driver.run()
        assert driver.count("event timeout") == 0, (
            f"an event that was ready in every turn timed out: {', '.join(driver.trace)}"
        )
        assert len(driver.trace) == 6, f"of 6 calls {len(driver.trace)} came{driver.timeout_note}"

    retry(attempt)


@rule("luaevent.addevent.timeout-ready")
@everywhere
def test_readiness_brings_no_timeout_of_its_own(
    luaevent: Luaevent, channels: Channels, situation: Situation
) -> None:
    """The timeout is far away, so EV_TIMEOUT can only come from confused flags."""
    base = luaevent.new()
    near, far = channels.pair()
    far.send(b"x")
    flags_seen: list[int] = []

    def on_event(flags: int) -> int:
        flags_seen.append(flags)
        return luaevent.LEAVE if len(flags_seen) == 3 else luaevent.EV_READ

    kept = []
    luaevent_in(
        situation,
        luaevent,
        base,
        lambda: kept.append(base.addevent(near.fileno(), luaevent.EV_READ, on_event, 30)),
    )
    assert not any(flags & luaevent.EV_TIMEOUT for flags in flags_seen), (
        "a call for data also carried EV_TIMEOUT"
    )
    assert len(flags_seen) == 3
