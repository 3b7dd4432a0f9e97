"""luaevent, core:loop: cases that the document leaves open are observed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import suppress

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import Base, Event, Luaevent
from looptck.rules.markers import rule
from looptck.subjects.call_counter import unwrap
from looptck.testing.channels import Channels
from looptck.testing.event_kinds import event_arguments
from looptck.testing.flag_names import flag_text
from looptck.testing.observation import Observation

# When a loop is ended that nothing else ends, in seconds of the loop.
_END = 0.03

# How often an event is called at the most.
_MOST = 12


class Run:
    """One base whose loop is ended by a timer; the trace has its calls."""

    def __init__(self, luaevent: Luaevent) -> None:
        self.luaevent = luaevent
        self.base: Base = luaevent.new()
        self.calls: list[str] = []
        self._kept: list[Event] = []

    def add(
        self,
        name: str,
        fd: int | None,
        event: int,
        then: Callable[[], object] = lambda: None,
        *,
        most: int = 1,
        timeout: float | None = None,
    ) -> Event:
        """Add an event that does *then* and leaves after *most* calls."""
        count = 0

        def callback(flags: int) -> int:
            nonlocal count
            count += 1
            self.calls.append(f"{name} {flag_text(self.luaevent, flags)}")
            # a call too many is no observation, but it must come to an end
            answer = self.luaevent.LEAVE if count >= most or len(self.calls) > 99 else event
            then()
            return answer

        added = self.base.addevent(fd, event, callback, timeout)
        self._kept.append(added)
        return added

    def keep(self, event: Event) -> None:
        """Close *event* at the end."""
        self._kept.append(event)

    def end(self) -> None:
        for event in self._kept:
            with suppress(Exception):
                event.close()

    def loop(self, end: float = _END) -> str:
        """Run the loop; return in words how it ended."""
        self.add("end", None, self.luaevent.EV_TIMEOUT, self.end, timeout=end)
        try:
            self.base.loop()
        except Exception as error:
            return f"loop raises {type(error).__name__}"
        finally:
            self.end()
        return "loop returns"

    def count(self, name: str) -> int:
        return sum(call.startswith(name + " ") for call in self.calls)


@rule("luaevent.loop.return-value")
@pytest.mark.parametrize("of", ["no event", "after an event left"])
def test_the_value_that_loop_returns_is_recorded(
    luaevent: Luaevent, observe: Observation, of: str
) -> None:
    """Of a value that is neither a number nor None the type is recorded."""
    run = Run(luaevent)
    if of != "no event":
        run.add("timer", None, luaevent.EV_TIMEOUT, timeout=0.001)
    value = run.base.loop()
    plain = value is None or isinstance(value, (int, float, str))
    observe(repr(value) if plain else f"a {type(value).__name__}", of=of)


@rule("luaevent.loop.once-per-turn")
def test_the_shares_of_ready_events_are_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation
) -> None:
    """Three events are always ready; the first to reach its last call ends them all."""
    run = Run(luaevent)

    def look() -> None:
        if max(run.count(name) for name in "abc") >= _MOST:
            run.end()

    for name in "abc":
        near, _ = channels.pair()
        run.add(name, near.fileno(), luaevent.EV_WRITE, look, most=_MOST)
    run.loop(1.0)
    counts = [run.count(name) for name in "abc"]
    observe("equal shares" if max(counts) - min(counts) <= 1 else "unequal shares")


@rule("luaevent.loop.timer-tie")
@pytest.mark.parametrize("number", [2, 8])
def test_the_order_of_timers_due_at_once_is_recorded(
    luaevent: Luaevent, clock: Clock, observe: Observation, number: int
) -> None:
    """On a machine's clock their deadlines differ by microseconds, so they are not really equal."""
    run = Run(luaevent)
    for each in range(number):
        run.add(f"{each}", None, luaevent.EV_TIMEOUT, timeout=0.005)
    clock.advance(0.006)
    run.loop()
    order = [int(call.partition(" ")[0]) for call in run.calls if not call.startswith("end")]
    if order == sorted(order):
        observe("in the order of addition", of=f"{number} timers")
    else:
        reverse = order == sorted(order, reverse=True)
        observe("the last first" if reverse else "in another order", of=f"{number} timers")


@rule("luaevent.loop.io-before-timer")
@pytest.mark.parametrize("added_first", ["the descriptor", "the timer"])
def test_the_order_of_a_ready_descriptor_and_a_timer_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, added_first: str
) -> None:
    """Both are due before the loop begins."""
    run = Run(luaevent)
    near, _ = channels.pair()
    if added_first == "the descriptor":
        run.add("descriptor", near.fileno(), luaevent.EV_WRITE)
    run.add("timer", None, luaevent.EV_TIMEOUT, timeout=0.001)
    if added_first == "the timer":
        run.add("descriptor", near.fileno(), luaevent.EV_WRITE)
    clock.advance(0.002)
    run.loop()
    first = run.calls[0].partition(" ")[0] if run.calls else "nothing"
    observe(f"the {first} comes first", of=f"{added_first} added first")


@rule("luaevent.loop.timer-no-catch-up")
def test_calls_for_missed_periods_are_recorded(
    luaevent: Luaevent, clock: Clock, observe: Observation
) -> None:
    """A callback blocks for five periods; the calls before a later timer are counted."""
    run = Run(luaevent)
    run.add("timer", None, luaevent.EV_TIMEOUT, most=_MOST, timeout=0.02)
    run.add("blocker", None, luaevent.EV_TIMEOUT, lambda: clock.advance(0.1), timeout=0.01)
    after: list[int] = []

    def look() -> None:
        after.append(run.count("timer"))
        run.end()

    def mark() -> None:
        run.add("marker", None, luaevent.EV_TIMEOUT, look, timeout=0.008)

    run.add("opener", None, luaevent.EV_TIMEOUT, mark, timeout=0.0101)
    run.loop(1.0)
    calls = after[0] if after else 0
    observe("one call" if calls == 1 else "no call" if not calls else "a call for each period")


@rule("luaevent.loop.nested-same")
def test_loop_within_the_loop_of_the_same_base_is_recorded(
    luaevent: Luaevent, observe: Observation
) -> None:
    """A later timer tells whether it was served inside, and whether the outer loop went on."""
    run = Run(luaevent)
    inside: list[str] = []

    def nest() -> None:
        try:
            run.base.loop()
        except Exception as error:
            inside.append(f"raises {type(error).__name__}")
        else:
            served = "serves events" if run.count("later") else "returns at once"
            inside.append(served)

    run.add("nesting", None, luaevent.EV_TIMEOUT, nest, timeout=0.001)
    run.add("later", None, luaevent.EV_TIMEOUT, timeout=0.005)
    ending = run.loop()
    goes_on = "goes on" if run.count("later") and run.count("end") else "is harmed"
    observe(f"the inner {inside[0] if inside else 'is not reached'}; the outer {goes_on}; {ending}")


class _OwnError(Exception):
    """An exception that no loop raises by itself."""


@rule("luaevent.loop.error-propagates")
@pytest.mark.parametrize("of", ["timer", "descriptor", "the second call", "KeyboardInterrupt"])
def test_an_exception_in_a_callback_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation, of: str
) -> None:
    """Another event, due later, tells whether the loop stopped."""
    run = Run(luaevent)
    near, _ = channels.pair()
    error = (
        KeyboardInterrupt("on purpose") if of == "KeyboardInterrupt" else _OwnError("on purpose")
    )
    at = 2 if of == "the second call" else 1

    def fail() -> None:
        if run.count("failing") == at:
            raise error

    if of == "descriptor":
        run.add("failing", near.fileno(), luaevent.EV_WRITE, fail, most=3)
    else:
        run.add("failing", None, luaevent.EV_TIMEOUT, fail, most=3, timeout=0.001)
    run.add("later", None, luaevent.EV_TIMEOUT, timeout=0.015)
    try:
        run.base.loop()
    except BaseException as raised:
        same = "as it is" if raised is error else f"as {type(raised).__name__}"
        stopped = "went on first" if run.count("later") else "stopped there"
        observe(f"comes out of loop {same}; the loop {stopped}", of=of)
    else:
        observe("is swallowed", of=of)
    run.end()


@rule("luaevent.loop.error-keeps-events")
@pytest.mark.parametrize("of", ["timers", "descriptors"])
def test_the_base_after_an_exception_is_recorded(
    luaevent: Luaevent, clock: Clock, channels: Channels, observe: Observation, of: str
) -> None:
    """One of three events that are due in one turn raises; the loop is called again."""
    run = Run(luaevent)
    raised: list[str] = []

    def fail() -> None:
        if not raised:
            raised.append("raised")
            raise _OwnError("on purpose")

    for name in ("a", "failing", "b"):
        fd, event = event_arguments(
            luaevent, channels, "timer" if of == "timers" else "ready writer"
        )
        timeout = 0.001 if of == "timers" else None
        then = fail if name == "failing" else (lambda: None)
        run.add(name, fd, event, then, most=2 if name == "failing" else 1, timeout=timeout)
    clock.advance(0.002)
    with suppress(_OwnError):
        run.base.loop()
    ending = run.loop()
    others = "are served" if run.count("a") == run.count("b") == 1 else "are lost"
    again = "is served again" if run.count("failing") > 1 else "is gone"
    observe(f"the failing event {again}; the others {others}; {ending}", of=of)


@rule("luaevent.loop.fd-closed")
@pytest.mark.parametrize("timeout", [None, 0.01])
@pytest.mark.parametrize("closed_by", ["another callback", "its own callback", "a ready one"])
def test_a_descriptor_closed_under_its_event_is_recorded(
    luaevent: Luaevent,
    channels: Channels,
    observe: Observation,
    closed_by: str,
    timeout: float | None,
) -> None:
    """The test counts up to two calls after the close, and closes the event at the end."""
    run = Run(luaevent)
    near, far = channels.pair()
    twin = os.dup(near.fileno())
    os.set_blocking(twin, False)
    before: list[int] = []

    def close() -> None:
        if not before:
            os.close(twin)
            before.append(run.count("victim"))

    if closed_by != "another callback":
        far.send(b"x")
    own = close if closed_by == "its own callback" else (lambda: None)
    victim = run.add("victim", twin, luaevent.EV_READ, own, most=3, timeout=timeout)
    if closed_by == "another callback":
        run.add("closer", None, luaevent.EV_TIMEOUT, close, timeout=0.002)
    elif closed_by == "a ready one":
        other, _ = channels.pair()
        run.add("closer", other.fileno(), luaevent.EV_WRITE, close)
    ending = run.loop()
    calls = run.count("victim") - (before[0] if before else 0)
    told_ = "is called no more" if not calls else "is called again"
    try:
        victim.close()
    except Exception as error:
        ending += f"; close raises {type(error).__name__}"
    of = f"{closed_by}, {'with' if timeout else 'no'} timeout"
    observe(f"the event {told_}; {ending}", of=of)


@rule("luaevent.loop.fd-reused")
@pytest.mark.parametrize(
    "old", ["left as it is", "closed after the descriptor", "closed after the reuse"]
)
def test_a_number_reused_under_its_event_is_recorded(
    luaevent: Luaevent, channels: Channels, observe: Observation, old: str
) -> None:
    """The new file is readable; a new event is added for it when the old one was dealt with."""
    run = Run(luaevent)
    near, _ = channels.pair()
    fresh, sender = channels.pair()
    sender.send(b"x")
    number = os.dup(near.fileno())
    problems: list[str] = []

    def attempt(what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            problems.append(f"{what} raises {type(error).__name__}")

    def reuse() -> None:
        if old == "closed after the descriptor":
            os.close(number)
            attempt("close", victim.close)
        os.dup2(fresh.fileno(), number)
        if old == "closed after the reuse":
            attempt("close", victim.close)
        attempt("addevent", lambda: run.add("new", number, luaevent.EV_READ))

    victim = run.add("old", number, luaevent.EV_READ)
    run.add("reuser", None, luaevent.EV_TIMEOUT, reuse, timeout=0.002)
    problems.append(run.loop())
    with suppress(OSError):
        os.close(number)
    new = "works" if run.count("new") else "is never called"
    stale = "is called for the new file" if run.count("old") else "stays silent"
    observe(f"a new event {new}; the old one {stale}; {'; '.join(problems)}", of=old)


@rule("luaevent.loop.coroutine")
def test_loop_inside_a_generator_is_recorded(luaevent: Luaevent, observe: Observation) -> None:
    """A generator that has ended adds the event, and the loop runs in another one."""
    run = Run(luaevent)

    def adding() -> Generator[None]:
        run.add("timer", None, luaevent.EV_TIMEOUT, timeout=0.002)
        yield

    def looping() -> Generator[str]:
        yield run.loop()

    for _ in adding():
        pass
    ending = next(looping())
    observe(f"{'works' if run.count('timer') else 'is never called'}; {ending}", of="generators")


@rule("luaevent.loop.coroutine")
def test_loop_inside_a_coroutine_is_recorded(luaevent: Luaevent, observe: Observation) -> None:
    """The test drives the coroutine by hand: no other loop runs around it."""
    run = Run(luaevent)

    async def looping() -> str:
        run.add("timer", None, luaevent.EV_TIMEOUT, timeout=0.002)
        return run.loop()

    coroutine = looping()
    ending = "the coroutine did not end"
    try:
        coroutine.send(None)
    except StopIteration as end:
        ending = end.value
    observe(f"{'works' if run.count('timer') else 'is never called'}; {ending}", of="coroutine")


@rule("luaevent.loop.coroutine")
def test_a_generator_function_as_callback_is_recorded(
    luaevent: Luaevent, observe: Observation
) -> None:
    """A call of it runs none of its body; the loop may do anything with the generator."""
    run = Run(luaevent)
    ran: list[str] = []

    def callback(_flags: int) -> Generator[int]:
        ran.append("body")
        yield luaevent.LEAVE

    run.keep(run.base.addevent(None, luaevent.EV_TIMEOUT, callback, 0.002))  # type: ignore[arg-type]  # generators are callables here
    ending = run.loop()
    observe(f"its body {'runs' if ran else 'does not run'}; {ending}", of="generator function")


@rule("luaevent.loop.wrong-self")
@pytest.mark.parametrize("of", ["nothing", "a dict", "the entry object"])
def test_loop_called_on_another_object_is_recorded(
    luaevent: Luaevent, observe: Observation, of: str
) -> None:
    """The test takes the function from the base's type, where there is one."""
    base = luaevent.new()
    loop = getattr(type(unwrap(base)), "loop", None)
    if loop is None:
        observe("the type of bases has no loop", of=of)
        return
    arguments: tuple[object, ...] = {
        "nothing": (),
        "a dict": ({},),
        "the entry object": (unwrap(luaevent),),
    }[of]
    try:
        loop(*arguments)
    except Exception as error:
        observe.raised(error, of=of)
    else:
        observe("goes through", of=of)
