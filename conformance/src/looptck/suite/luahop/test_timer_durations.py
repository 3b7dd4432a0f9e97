"""LuaHop, timer: the accepted durations and their lengths."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pytest

from looptck.clocks import Clock
from looptck.protocols.luahop import Duration, Hop, Luahop
from looptck.rules.markers import rule
from looptck.testing.calling import calling
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import error_of, poll_for, poll_until
from looptck.testing.hop_timers import TimerLog
from looptck.testing.observation import Observation
from looptck.testing.stopwatch import COARSE, Stopwatch, assert_not_early
from looptck.testing.trace import Trace

both_setters = pytest.mark.parametrize("setter", ["set_timeout", "set_interval"])


@rule("luahop.timer.units-s")
def test_one_s_is_a_thousand_ms(luahop: Luahop, trace: Trace) -> None:
    """The test sets all timers within a moment, the shortest first, so that a slow machine
    cannot change their order."""
    hop = luahop.new()
    hop.set_timeout({"ms": 970}, calling(trace, "970 ms"))
    hop.set_timeout({"s": 1}, calling(trace, "a timeout of 1 s"))
    hop.set_interval({"s": 1}, calling(trace, "an interval of 1 s"))
    hop.set_timeout({"ms": 1030}, calling(trace, "1030 ms"))
    while "1030 ms" not in trace:
        hop.poll()
    order = ", ".join(trace)
    assert len(trace) == 4, f"expected 970 ms, the two of 1 s, 1030 ms; ran {order}"
    assert trace[0] == "970 ms", f"a timer of 1 s ran before one of 970 ms: {order}"


class _Own(Mapping[str, float]):
    """A mapping that a program has made itself."""

    def __init__(self, units: dict[str, float]) -> None:
        self._units = units

    def __getitem__(self, unit: str) -> float:
        return self._units[unit]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)


_MAPPINGS: dict[str, Callable[[dict[str, float]], Duration]] = {
    "dict": lambda units: units,
    "MappingProxyType": MappingProxyType,
    "ChainMap": lambda units: ChainMap({}, units),
    "a class of the program's": _Own,
}


@rule("luahop.timer.duration-mapping")
@both_setters
@pytest.mark.parametrize("kind", _MAPPINGS)
def test_any_mapping_is_a_duration_and_is_read_once(
    luahop: Luahop, clock: Clock, setter: str, kind: str
) -> None:
    """The mapping is changed after the call: an interval goes on as it was set."""
    hop = luahop.new()
    units: dict[str, float] = {"ms": 10}
    since = Stopwatch(clock)
    ran: list[float] = []
    timer = getattr(hop, setter)(_MAPPINGS[kind](units), lambda: ran.append(since.elapsed()))
    units["ms"] = 1
    units["s"] = 3600
    calls = 1 if setter == "set_timeout" else 3
    poll_until(hop, f"a timer of 10 ms runs {calls} times", lambda: len(ran) >= calls)
    luahop.clear_timer(timer)
    for number, elapsed in enumerate(ran, 1):
        assert_not_early(elapsed, number * 0.010, slack=COARSE)


@rule("luahop.timer.timeout-not-early")
@both_setters
@pytest.mark.parametrize("seconds", [2200, 2_200_000, 4_300_000, 10**9, 2**31])
def test_a_far_number_of_seconds_is_not_over_at_once(
    luahop: Luahop, clock: Clock, trace: Trace, setter: str, seconds: int
) -> None:
    """A loop may refuse it."""
    hop = luahop.new()
    if error_of(getattr(hop, setter), {"s": seconds}, lambda: trace("far")) is not None:
        return
    hop.set_timeout({"ms": 5}, lambda: trace("near"))
    poll_until(hop, "a timer of 5 ms runs", lambda: "near" in trace)
    poll_for(hop, 3)
    assert trace == ["near"], f"{setter} of {seconds} s, and a timer of 5 ms: there ran {trace}"


# What no reading takes for a length of time.  A number, or its digits as a text, may be
# meant as seconds or milliseconds, and None as no time; a loop may take or refuse them.
_NO_DURATIONS = ["soon", "", b"soon", [], [100], ["ms", 100], object()]
_NO_CALLBACKS = [1, "callback", {"ms": 1}]


@rule("luahop.timer.spec-not-table")
@both_setters
@pytest.mark.parametrize("duration", _NO_DURATIONS, ids=lambda value: f"{value!r:.12}")
def test_a_duration_that_is_no_length_of_time_is_refused(
    luahop: Luahop, clock: Clock, trace: Trace, setter: str, duration: object
) -> None:
    """The test polls up to a later timer: a refused timer must not run."""
    hop = luahop.new()
    refused = error_of(getattr(hop, setter), duration, lambda: trace("refused"))
    assert refused is not None, f"{setter}({duration!r}, callback) was accepted"
    clock.advance(0.002)
    poll_for(hop, 3)
    assert trace == [], f"{setter}({duration!r}, callback) raised, but the timer ran"


@rule("luahop.timer.spec-not-table")
@both_setters
@pytest.mark.parametrize("callback", _NO_CALLBACKS, ids=repr)
def test_a_callback_that_cannot_be_called_is_refused(
    luahop: Luahop, setter: str, callback: object
) -> None:
    """A loop that checks too late raises in poll, when the timer is due."""
    hop = luahop.new()
    refused = error_of(getattr(hop, setter), {"ms": 1}, callback)
    assert refused is not None, f"{setter}({{'ms': 1}}, {callback!r}) was accepted"
    poll_for(hop, 5)


def _length(luahop: Luahop, clock: Clock, duration: Any) -> str:
    """Return how long *duration* is, beside 15 and 45 ms.

    The order of three timers tells it. They are set within a moment, the shortest first, so no slow
    machine can change their order.
    """
    hop = luahop.new()
    table = TimerLog(hop, clock)
    table.timeout("15", 15)
    refused = error_of(hop.set_timeout, duration, lambda: table.ran.append("asked"))
    if refused is not None:
        return f"raises {type(refused).__name__}"
    table.timeout("45", 45)
    try:
        poll_until(hop, "the longer timer runs", lambda: "45" in table.ran)
    except Exception as error:
        return f"makes poll raise {type(error).__name__}"
    order = " ".join(table.ran)
    return {
        "15 asked 45": "about 30 ms",
        "asked 15 45": "shorter than 15 ms",
        "15 45 asked": "longer than 45 ms, or for ever",
        "15 45": "longer than 45 ms, or for ever",
    }.get(order, f"ran as {order}")


@rule("luahop.timer.units-sum")
@pytest.mark.parametrize(
    "duration",
    [
        {"s": 0, "ms": 30},
        {"ms": 10, "us": 20_000},
        {"s": 1, "ms": -970},
        {"ms": 30, "s": 0, "m": 0},
    ],
    ids=str,
)
def test_the_sum_of_several_units_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, duration: Duration
) -> None:
    observe(_length(luahop, clock, duration), of=str(duration))


@rule("luahop.timer.units-other")
@pytest.mark.parametrize(
    "duration", [{"us": 30_000}, {"m": 0.0005}, {"h": 0.00001}, {"h": 0, "ms": 30}], ids=str
)
def test_the_units_us_m_and_h_are_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, duration: Duration
) -> None:
    observe(_length(luahop, clock, duration), of=str(duration))


@rule("luahop.timer.units-fraction")
@pytest.mark.parametrize("duration", [{"s": 0.03}, {"ms": 30.5}, {"s": 0.0285, "ms": 1.5}], ids=str)
def test_fractions_of_a_unit_are_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, duration: Duration
) -> None:
    observe(_length(luahop, clock, duration), of=str(duration))


@rule("luahop.timer.units-fraction")
def test_half_a_millisecond_is_recorded(luahop: Luahop, clock: Clock, observe: Observation) -> None:
    """The neighbours are set longest first: a fraction that is cut off or rounded up then meets
    a neighbour that was set on the other side. An attempt counts only if all three were set
    within a fraction of a millisecond."""
    for _ in range(20):
        hop = luahop.new()
        table = TimerLog(hop, clock)
        stopwatch = Stopwatch(clock)
        table.timeout("6", 6)
        if error_of(hop.set_timeout, {"ms": 5.5}, lambda: table.ran.append("5.5")):  # noqa: B023  # called in this turn
            observe("refused", of="{'ms': 5.5}")
            return
        table.timeout("5", 5)
        if stopwatch.elapsed() < 0.0003:
            break
    else:
        observe("the machine is too slow to tell", of="{'ms': 5.5}")
        return
    with suppress(Exception):
        poll_for(hop, 8)
    order = " ".join(table.ran)
    told = {"5 5.5 6": "kept", "5.5 5 6": "cut off", "5 6 5.5": "rounded up"}
    observe(told.get(order, f"ran as {order}"), of="{'ms': 5.5}")


@rule("luahop.timer.units-string")
def test_a_duration_in_a_numeric_string_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation
) -> None:
    for text in ("30", "30.0", "0x1e"):
        observe(_length(luahop, clock, {"ms": text}), of=f"{{'ms': {text!r}}}")


@rule("luahop.timer.unknown-unit")
@pytest.mark.parametrize(
    "duration", [{"foo": 3}, {}, {"ms": 30, "foo": 3}, {"MS": 30}, {0: 30}], ids=str
)
def test_a_duration_without_a_known_unit_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, duration: Any
) -> None:
    observe(_length(luahop, clock, duration), of=str(duration))


@rule("luahop.timer.zero")
@pytest.mark.parametrize("duration", [{"ms": 0}, {"s": 0}, {"ms": 0.0}, {"us": 0.4}], ids=str)
def test_a_timeout_of_zero_is_recorded(
    luahop: Luahop, observe: Observation, duration: Duration
) -> None:
    """A timer of 20 ms ends the polling if the timeout never runs."""
    hop = luahop.new()
    ran: list[bool] = []
    over: list[bool] = []
    refused = error_of(hop.set_timeout, duration, lambda: ran.append(True))
    if refused is not None:
        observe.raised(refused, of=str(duration))
        return
    told = "runs inside set_timeout" if ran else ""
    hop.set_timeout({"ms": 20}, lambda: over.append(True))
    polls = 0
    while not (ran or over):
        hop.poll()
        polls += 1
    if not ran:
        told = "never runs"
    elif not told:
        told = "runs in the next poll" if polls == 1 else "runs in a later poll"
    observe(told, of=str(duration))


@rule("luahop.timer.zero")
def test_an_interval_of_zero_is_recorded(luahop: Luahop, observe: Observation) -> None:
    """The interval is cleared after a few calls, so that it cannot go on for ever."""
    hop = luahop.new()
    ticks: list[bool] = []
    handles: list[object] = []
    over: list[bool] = []

    def tick() -> None:
        ticks.append(True)
        if len(ticks) >= 5 and handles:
            luahop.clear_timer(handles[0])
        if len(ticks) > 1000:
            raise KeyboardInterrupt("an interval of 0 goes on for ever, although it is cleared")

    hop.set_timeout({"ms": 20}, lambda: over.append(True))
    try:
        handles.append(hop.set_interval({"ms": 0}, tick))
    except Exception as error:
        observe.raised(error, of="an interval of 0")
        return
    if ticks:
        observe("runs inside set_interval", of="an interval of 0")
        return
    hop.poll()
    in_one_poll = len(ticks)
    while not over:
        hop.poll()
    if not ticks:
        told = "never runs"
    elif len(ticks) == 1:
        told = "runs once"
    else:
        told = "ticks, once in a poll" if in_one_poll <= 1 else "ticks several times in a poll"
    observe(told, of="an interval of 0")


@rule("luahop.timer.negative")
@pytest.mark.parametrize("duration", [{"ms": -5}, {"s": -5}, {"s": 1, "ms": -1005}], ids=str)
def test_a_negative_duration_is_recorded(
    luahop: Luahop, clock: Clock, observe: Observation, duration: Duration
) -> None:
    observe(_length(luahop, clock, duration), of=str(duration))


@rule("luahop.timer.large")
@both_setters
@pytest.mark.parametrize(
    "duration",
    [
        {"s": 2147},
        {"s": 2148},
        {"h": 1},
        {"s": 2_592_000},
        {"ms": 2**31},
        {"s": 2**40},
        {"s": 1e30},
    ],
    ids=str,
)
def test_a_long_duration_is_recorded(
    luahop: Luahop,
    clock: Clock,
    channels: Channels,
    observe: Observation,
    setter: str,
    duration: Duration,
) -> None:
    """The loop waits twice while the long timer is pending: for a short timer beside it,
    and with nothing beside it but a descriptor that is ready."""
    observe(
        _life_of_long_timer(luahop, clock, channels, setter, duration), of=f"{setter} {duration}"
    )


def _life_of_long_timer(
    luahop: Luahop, clock: Clock, channels: Channels, setter: str, duration: Duration
) -> str:
    hop = luahop.new()
    table = TimerLog(hop, clock)
    ran: list[bool] = []
    try:
        timer = getattr(hop, setter)(duration, lambda: ran.append(True))
    except Exception as error:
        return f"raises {type(error).__name__}"
    table.timeout("of 5 ms", 5)
    try:
        for _ in range(100):
            hop.poll()
            if table.ran:
                break
        else:
            return "accepted, but poll returns again and again"
        if ran:
            return "accepted, but runs at once"
        _see_readiness(hop, channels)
    except Exception as error:
        return f"accepted, but poll raises {type(error).__name__}"
    try:
        luahop.clear_timer(timer)
    except Exception as error:
        return f"accepted, but clear_timer raises {type(error).__name__}"
    return "accepted"


def _see_readiness(hop: Hop, channels: Channels) -> None:
    near, _far = channels.pair()
    called: list[bool] = []
    hop.set_listener(near.fileno(), "w", lambda: called.append(True))
    for _ in range(100):
        hop.poll()
        if called:
            break
    hop.remove_listener(near.fileno(), "w")
