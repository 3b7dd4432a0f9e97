"""LuaHop, poll: what its document leaves open.  Observed, never judged."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.observation import Observation
from looptck.testing.poll_timeout import Form, poll_at_most, timeout_in
from looptck.testing.stopwatch import Stopwatch
from looptck.testing.trace import Trace

_FORMS = pytest.mark.parametrize("form", list(Form), ids=str)

# The timer that ends a poll whose timeout is not honoured, in milliseconds.
_LAST = 60


def _wait(luahop: Luahop, clock: Clock, timeout: Any) -> tuple[str, float]:
    """Return the outcome of `poll(timeout)`, with a timer in 60 ms, and its length in seconds."""
    hop = luahop.new()
    ran: list[bool] = []
    hop.set_timeout({"ms": _LAST}, lambda: ran.append(True))
    stopwatch = Stopwatch(clock)
    try:
        hop.poll(timeout)
    except Exception as error:
        return f"raises {type(error).__name__}", 0
    return ("waits for the next event" if ran else "returns"), stopwatch.elapsed()


@rule("luahop.poll.timeout-arg")
@_FORMS
def test_the_accepted_forms_of_a_poll_timeout_are_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, form: Form
) -> None:
    """A timer of 60 ms ends a poll that does not know the form. An early return counts only if
    all of a few attempts agree, since a busy machine makes everything late."""
    did, took = _wait(luahop, clock, timeout_in(form, 10))
    if did == "returns":
        did = "returns in time" if took >= 0.010 - 2e-6 else "returns early"
    observe(did, of=f"10 ms as {form}")
    if did != "returns in time":
        return
    attempts = [_wait(luahop, clock, timeout_in(form, 0.5))[1] for _ in range(5)]
    early = any(took < 0.0005 - 2e-6 for took in attempts)
    observe("cut off" if early else "waited for", of=f"half a millisecond as {form}")


@rule("luahop.poll.timeout-zero")
@_FORMS
def test_a_poll_timeout_of_zero_is_recorded(
    luahop: Luahop, clock: Clock, channels: Channels, trace: Trace, observe: Observation, form: Form
) -> None:
    """A timer of 60 ms ends a poll that takes zero for no timeout."""
    zero = timeout_in(form, 0)
    observe(_wait(luahop, clock, zero)[0], of=f"nothing ready, {zero}")
    hop = luahop.new()
    near, _far = channels.pair()
    hop.set_timeout({"ms": _LAST}, calling(trace, "timer"))
    hop.set_listener(near.fileno(), "w", calling(trace, "listener"))
    try:
        hop.poll(zero)
    except Exception as error:
        observe.raised(error, of=f"a ready descriptor, {zero}")
        return
    told = "serves it" if "listener" in trace else "returns without it"
    observe(told, of=f"a ready descriptor, {zero}")


@rule("luahop.poll.timeout-wrong-type")
@pytest.mark.parametrize("timeout", [5, 0.01, -1, True, "5", "", [], [5], {"foo": 1}, {}], ids=repr)
def test_a_poll_timeout_of_another_kind_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, timeout: object
) -> None:
    """A timer of 60 ms ends a poll that takes it for a longer one, or for none."""
    observe(_wait(luahop, clock, timeout)[0], of=repr(timeout))


@rule("luahop.poll.nothing-registered")
def test_a_poll_timeout_with_nothing_registered_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation
) -> None:
    """This is tried only if the loop honours a timeout, which a timer shows first: otherwise
    poll may wait for ever."""
    hop = luahop.new()
    ran: list[bool] = []
    hop.set_timeout({"ms": _LAST}, lambda: ran.append(True))
    form = poll_at_most(hop, 10)
    if form is None or ran:
        observe("no timeout is taken")
        return
    empty = luahop.new()
    stopwatch = Stopwatch(clock)
    try:
        empty.poll(timeout_in(form, 10))
    except Exception as error:
        observe.raised(error)
    else:
        waited = stopwatch.elapsed() >= 0.010 - 2e-6
        observe("waits for the timeout" if waited else "returns at once")


@rule("luahop.poll.return-value")
def test_the_value_that_poll_returns_is_recorded(luahop: Luahop, observe: Observation) -> None:
    """Of an object that is no plain value only the type is recorded."""
    hop = luahop.new()
    ran: list[bool] = []
    hop.set_timeout({"ms": 1}, lambda: ran.append(True))
    value: object = None
    for _ in range(100):
        if ran:
            break
        value = hop.poll()
    observe(_told(value), of="after a callback ran")
    for form in Form:
        hop = luahop.new()
        late: list[bool] = []
        hop.set_timeout({"ms": _LAST}, calling(late.append, True))
        try:
            value = hop.poll(timeout_in(form, 5))
        except Exception as error:
            observe.raised(error, of=f"after a timeout, as {form}")
        else:
            told = "waits for the next event" if late else _told(value)
            observe(told, of=f"after a timeout, as {form}")


@rule("luahop.poll.reentrant")
@pytest.mark.parametrize("ready", [False, True], ids=["nothing else is due", "others are due"])
def test_poll_inside_a_callback_is_recorded(
    luahop: Luahop, clock: Clock, trace: Trace, observe: Observation, ready: bool
) -> None:
    """The inner poll has a timer to wait for, so it ends."""
    hop = luahop.new()
    what = "others are due" if ready else "nothing else is due"

    def outer() -> None:
        trace("outer")
        if trace.count("outer") > 1:
            return
        try:
            hop.poll()
        except Exception as error:
            observe.raised(error, of=f"inner poll, {what}")
            return
        inner = "serves others" if len(trace) > 1 else "serves nothing"
        observe(inner, of=f"inner poll, {what}")

    hop.set_timeout({"ms": 1}, outer)
    hop.set_timeout({"ms": 1 if ready else 10}, calling(trace, "other"))
    if ready:
        clock.advance(0.002)
    try:
        poll_until(hop, "the outer callback runs", lambda: trace)
        poll_for(hop, 20)
    except Exception as error:
        observe.raised(error, of=f"afterwards, {what}")
        return
    counts = f"outer {trace.count('outer')}, other {trace.count('other')}"
    observe(counts, of=f"calls in all, {what}")


@rule("luahop.poll.from-coroutine")
@pytest.mark.parametrize("kind", ["a generator", "a coroutine"])
def test_poll_inside_a_coroutine_is_recorded(
    luahop: Luahop, observe: Observation, kind: str
) -> None:
    """The test drives the coroutine by hand, without any other loop."""
    hop = luahop.new()
    ran: list[bool] = []
    hop.set_timeout({"ms": 1}, lambda: ran.append(True))

    def polls() -> Generator[None, None, None]:
        for _ in range(100):
            if ran:
                return
            hop.poll()
            yield

    async def polls_too() -> None:
        for _ in range(100):
            if ran:
                return
            hop.poll()

    try:
        if kind == "a generator":
            for _ in polls():
                pass
        else:
            _drive(polls_too())
    except Exception as error:
        observe.raised(error, of=kind)
    else:
        observe("works" if ran else "serves nothing", of=kind)


def _drive(coroutine: Any) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()


def _told(value: object) -> str:
    plain = value is None or isinstance(value, (bool, int))
    return repr(value) if plain else type(value).__name__
