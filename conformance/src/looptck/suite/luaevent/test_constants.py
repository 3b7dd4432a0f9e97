"""luaevent, Constants: the names exist and their values can be told apart."""

from __future__ import annotations

import operator
from itertools import combinations

import pytest

from looptck.clocks import Clock
from looptck.protocols.luaevent import CONSTANTS, Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill
from looptck.testing.luaevent_driver import LuaeventDriver

EV = ("EV_READ", "EV_WRITE", "EV_TIMEOUT", "EV_SIGNAL", "EV_PERSIST")
EVBUFFER = tuple(name for name in CONSTANTS if name.startswith("EVBUFFER_"))

# What a ticker lets pass in each turn, in seconds, and how many turns it makes.
_TICK = 0.0015
_TURNS = 16

# A timeout that passes while a ticker ticks.
_SHORT = 0.003


@rule("luaevent.constants.present")
@pytest.mark.parametrize("name", CONSTANTS)
def test_each_constant_exists_and_is_an_integer(luaevent: Luaevent, name: str) -> None:
    """Any type that serves as an integer passes; a float or a string does not."""
    assert hasattr(luaevent, name), f"the module has no {name}"
    value = getattr(luaevent, name)
    try:
        operator.index(value)
    except TypeError:
        raise AssertionError(f"{name} is {value!r}, which is no integer") from None


def own_bits(luaevent: Luaevent, names: tuple[str, ...]) -> None:
    """Raise AssertionError unless the constants are powers of two, all different."""
    values = {name: operator.index(getattr(luaevent, name)) for name in names}
    for name, value in values.items():
        assert value > 0, f"{name} is {value}, and cannot be told from its absence"
        assert value & (value - 1) == 0, f"{name} is {value}, which is more than one bit"
    for one, other in combinations(names, 2):
        assert values[one] != values[other], f"{one} and {other} are the same, {values[one]}"


@rule("luaevent.constants.ev-distinct-bits")
def test_each_ev_flag_is_one_bit_of_its_own(luaevent: Luaevent) -> None:
    """Any choice of bits passes."""
    own_bits(luaevent, EV)


@rule("luaevent.constants.evbuffer-distinct")
def test_each_evbuffer_flag_is_one_bit_of_its_own(luaevent: Luaevent) -> None:
    """Only the EVBUFFER_* flags are compared: some usually equal EV_* flags."""
    own_bits(luaevent, EVBUFFER)


def own_bit_among_the_ev_flags(luaevent: Luaevent, name: str) -> None:
    own_bits(luaevent, (name,))
    for other in EV:
        shared = operator.index(getattr(luaevent, name)) & operator.index(getattr(luaevent, other))
        assert other == name or not shared, f"{name} has a bit of {other}, {shared}"


@rule("luaevent.constants.ev-signal")
def test_ev_signal_is_one_bit_that_no_other_flag_has(luaevent: Luaevent) -> None:
    """The effect of EV_SIGNAL is not judged here."""
    own_bit_among_the_ev_flags(luaevent, "EV_SIGNAL")


@rule("luaevent.constants.ev-persist")
def test_ev_persist_is_one_bit_that_no_other_flag_has(luaevent: Luaevent) -> None:
    """The effect of EV_PERSIST is not judged here."""
    own_bit_among_the_ev_flags(luaevent, "EV_PERSIST")


@rule("luaevent.constants.leave-distinct")
def test_leave_is_no_set_of_flags(luaevent: Luaevent) -> None:
    """The test compares every OR of the flags, the empty one too."""
    leave: object = luaevent.LEAVE
    assert leave is not None, "LEAVE is None, which is what a callback without an answer returns"
    for size in range(len(EV) + 1):
        for names in combinations(EV, size):
            flags = 0
            for name in names:
                flags |= getattr(luaevent, name)
            assert leave != flags, f"LEAVE equals {' | '.join(names) or 'a set of no flags'}"


# Each condition stays true.
_KINDS = (
    "unread data",
    "unread data, with a timeout",
    "room to write",
    "room to write, with a timeout",
    "both directions",
    "the end of the stream",
    "a read timeout",
    "a write timeout",
    "a timer",
)


def _add(driver: LuaeventDriver, channels: Channels, kind: str, last: int) -> None:
    """Add an event of that *kind* that answers LEAVE in its call number *last*."""
    core = driver.luaevent
    near, far = channels.pair()
    if "data" in kind or kind == "both directions":
        far.send(b"unread")
    elif kind == "the end of the stream":
        far.close()
    elif kind == "a write timeout":
        fill(near)
    flags = core.EV_READ
    if kind == "both directions":
        flags |= core.EV_WRITE
    elif "write" in kind:
        flags = core.EV_WRITE
    elif kind == "a timer":
        flags = core.EV_TIMEOUT
    fd = None if kind == "a timer" else near.fileno()
    replies = [flags] * (last - 1) + [core.LEAVE]
    timed = "timeout" in kind or kind == "a timer"
    driver.add("event", fd, flags, *replies, timeout=_SHORT if timed else None)


@rule("luaevent.constants.leave")
@pytest.mark.parametrize("last", [1, 3])
@pytest.mark.parametrize("kind", _KINDS)
def test_an_event_that_answers_leave_is_not_called_again(
    luaevent: Luaevent, clock: Clock, channels: Channels, kind: str, last: int
) -> None:
    """An always writable socket keeps the loop turning: the event would be called again long
    before it stops, and so in the second loop.

    Another rule judges whether the event is called at all.
    """
    driver = LuaeventDriver(luaevent, most=200, within=0.1)

    def ticker(turns: int) -> None:
        left = [turns]

        def tick(_flags: int) -> int:
            clock.advance(_TICK)
            left[0] -= 1
            if left[0]:
                return luaevent.EV_WRITE
            driver.stop_expecting("ticker")
            if driver.waiting:  # it was never called, and never will be
                driver.close_all()
            return luaevent.LEAVE

        driver.add("ticker", channels.pair()[0].fileno(), luaevent.EV_WRITE, tick)

    ticker(_TURNS)
    _add(driver, channels, kind, last)
    driver.run()
    calls = [call for call in driver.trace if call.startswith("event")]
    assert len(calls) <= last, f"returned LEAVE in call {last}; the calls were {', '.join(calls)}"
    ticker(_TURNS // 2)
    driver.run()
    again = [call for call in driver.trace if call.startswith("event")][len(calls) :]
    assert not again, f"left in the first loop(), and was called in the second: {', '.join(again)}"
