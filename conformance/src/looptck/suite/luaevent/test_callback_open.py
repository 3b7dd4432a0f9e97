"""luaevent, event_callback: answers about which the document is silent are observed.

Each test gives one odd answer and records the outcome in the same words: the exception of `loop()`
or the calls that followed, and whether the base can be used again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.flag_names import flag_text
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.observation import Observation

# The timeout of an event that has one, in seconds.
_PERIOD = 0.02

# The end comes when so many looks, one after the other, find no new call.  A
# machine that stands still may make both a call and a look late, but not two
# looks before the call.
_LOOK = 0.04
_LOOKS = 3

# Calls after which nothing new is learnt.
_ENOUGH = 3

# Makes the odd answer.
Odd = Callable[[Luaevent], Any]


class _Outcome:
    """Runs an event whose callback gives an odd answer once, and describes the outcome."""

    def __init__(self, luaevent: Luaevent, channels: Channels) -> None:
        self._luaevent = luaevent
        self._channels = channels

    def of(self, kind: str, odd: Odd, usual: int | None = None) -> str:
        """Describe the outcome in words. *kind* tells how the event is registered and which
        flags its first call has.

        Calls after the first return *usual*, or the odd answer again.
        """
        driver = LuaeventDriver(self._luaevent, most=200)
        calls: list[str] = []

        def look(seen: int, times: int) -> None:
            times = times - 1 if len(calls) == seen else _LOOKS
            if times == 0:
                driver.close_all()
            else:
                now = len(calls)
                driver.after("look", _LOOK, lambda: look(now, times))

        def called(flags: int) -> Any:
            calls.append(flag_text(self._luaevent, flags) if isinstance(flags, int) else "no flags")
            if len(calls) > _ENOUGH:
                driver.close_all()
                return self._luaevent.LEAVE
            if len(calls) == 1:
                look(0, _LOOKS)
            return odd(self._luaevent) if len(calls) == 1 or usual is None else usual

        driver.expect("event")
        self._register(driver, kind, called)
        raised = self._run(driver)
        driver.close_all()
        after = calls[1:]
        if raised:
            return f"raises {raised}{self._afterwards(driver)}"
        if not calls:
            return "no call at all"
        if not after:
            return "no more calls"
        if len(calls) > _ENOUGH and len(set(after)) == 1:
            return f"goes on with {after[0]}"
        return "then " + ", ".join(after)

    def _register(self, driver: LuaeventDriver, kind: str, callback: Callable[[int], Any]) -> None:
        near, far = self._channels.pair()
        core, base = self._luaevent, driver.base
        if kind == "timer":
            driver.keep(base.addevent(None, core.EV_TIMEOUT, callback, _PERIOD))
        elif kind == "read":  # data that stays unread
            far.send(b"unread")
            driver.keep(base.addevent(near.fileno(), core.EV_READ, callback))
        elif kind == "read, with a timeout":  # data that is read, and then nothing
            far.send(b"data")
            driver.keep(
                base.addevent(near.fileno(), core.EV_READ, self._reading(near, callback), _PERIOD)
            )
        elif kind == "read timeout":  # nothing, and data after the first call
            driver.keep(
                base.addevent(near.fileno(), core.EV_READ, self._sending(far, callback), _PERIOD)
            )
        elif kind == "both, written":  # room at first, and data as well after the first call
            both = core.EV_READ | core.EV_WRITE
            driver.keep(base.addevent(near.fileno(), both, self._sending(far, callback)))
        else:  # "read, no timeout": data that is read, and then nothing
            far.send(b"data")
            driver.keep(base.addevent(near.fileno(), core.EV_READ, self._reading(near, callback)))

    def _reading(self, near: Any, callback: Callable[[int], Any]) -> Callable[[int], Any]:
        def read(flags: int) -> Any:
            drain(near)
            return callback(flags)

        return read

    def _sending(self, far: Any, callback: Callable[[int], Any]) -> Callable[[int], Any]:
        sent: list[int] = []

        def send(flags: int) -> Any:
            if not sent:
                sent.append(far.send(b"unread"))
            return callback(flags)

        return send

    def _run(self, driver: LuaeventDriver) -> str:
        try:
            driver.run()
        except Exception as error:
            return type(error).__name__
        return ""

    def _afterwards(self, driver: LuaeventDriver) -> str:
        """Describe a base whose loop raised, if it cannot be used again."""
        again = LuaeventDriver(self._luaevent, driver.base)
        near, _ = self._channels.pair()
        try:
            again.add("again", near.fileno(), self._luaevent.EV_WRITE, self._luaevent.LEAVE)
            again.run()
        except Exception as error:
            return f", and afterwards {type(error).__name__}"
        return "" if again.trace == ["again write"] else ", and the base is dead"


@pytest.fixture
def outcome(luaevent: Luaevent, channels: Channels) -> _Outcome:
    return _Outcome(luaevent, channels)


_ON = "timer", "read", "read, with a timeout"
on_each = pytest.mark.parametrize("kind", _ON)


def _same(luaevent: Luaevent, kind: str) -> int:
    """Return the flags that an event of that kind is registered for."""
    return luaevent.EV_TIMEOUT if kind == "timer" else luaevent.EV_READ


@rule("luaevent.callback.newtimeout-zero")
@on_each
def test_a_new_timeout_of_zero_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str
) -> None:
    """The first call returns it; later calls return the flags alone."""
    same = _same(luaevent, kind)
    observe(outcome.of(kind, lambda _: (same, 0), same), of=kind)


@rule("luaevent.callback.newtimeout-negative")
@on_each
def test_a_negative_new_timeout_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str
) -> None:
    """The first call returns it; later calls return the flags alone."""
    same = _same(luaevent, kind)
    observe(outcome.of(kind, lambda _: (same, -1), same), of=kind)


@rule("luaevent.callback.newtimeout-nonnumber")
@pytest.mark.parametrize(
    "value", ["0.02", True, [], object], ids=["digits", "True", "[]", "a type"]
)
@pytest.mark.parametrize("kind", ["timer", "read, no timeout"])
def test_a_new_timeout_that_is_no_number_is_recorded(
    luaevent: Luaevent,
    outcome: _Outcome,
    observe: Observation,
    request: pytest.FixtureRequest,
    kind: str,
    value: object,
) -> None:
    """The first call returns it; later calls return the flags alone."""
    same = _same(luaevent, kind)
    name = {"0.02": "digits", True: "True"}.get(value) if isinstance(value, str | bool) else None
    observe(
        outcome.of(kind, lambda _: (same, value), same),
        of=f"{name or ('[]' if value == [] else 'a type')} on {kind}",
    )


@rule("luaevent.callback.newtimeout-only")
@pytest.mark.parametrize("kind", ["timer", "read, no timeout", "read timeout", "both, written"])
def test_returning_none_with_a_new_timeout_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str
) -> None:
    """Every call returns it, so that the changed event shows."""
    observe(outcome.of(kind, lambda _: (None, _PERIOD)), of=kind)


@rule("luaevent.callback.return-nothing")
@pytest.mark.parametrize("value", [None, (None, None)], ids=["None", "None and None"])
@pytest.mark.parametrize("kind", ["timer", "read", "read, with a timeout", "read timeout"])
def test_returning_nothing_is_recorded(
    outcome: _Outcome, observe: Observation, kind: str, value: object
) -> None:
    """Every call returns it, so that the changed event shows."""
    situation = kind if value is None else f"{kind}, as a pair"
    observe(outcome.of(kind, lambda _: value), of=situation)


@rule("luaevent.callback.return-zero")
@on_each
@pytest.mark.parametrize("timeout", [None, _PERIOD], ids=["alone", "with a new timeout"])
def test_returning_no_flags_is_recorded(
    outcome: _Outcome, observe: Observation, kind: str, timeout: float | None
) -> None:
    """Every call returns it, so that the changed event shows."""
    situation = kind if timeout is None else f"{kind}, with a new timeout"
    observe(outcome.of(kind, lambda _: 0 if timeout is None else (0, timeout)), of=situation)


@rule("luaevent.callback.return-timeout-flag")
@pytest.mark.parametrize("kind", [*_ON, "read, no timeout"])
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "with EV_READ"])
def test_returning_ev_timeout_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str, joined: bool
) -> None:
    """Every call returns it, so that the changed event shows."""
    answer = luaevent.EV_TIMEOUT | (luaevent.EV_READ if joined else 0)
    observe(outcome.of(kind, lambda _: answer), of=f"{kind}, with EV_READ" if joined else kind)


@rule("luaevent.callback.timer-return-fd-flag")
@pytest.mark.parametrize("name", ["EV_READ", "EV_WRITE", "0"])
def test_a_timer_that_returns_a_direction_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, name: str
) -> None:
    """Every call returns it, so that the changed event shows."""
    answer = 0 if name == "0" else getattr(luaevent, name)
    observe(outcome.of("timer", lambda _: answer), of=name)


@rule("luaevent.callback.return-persist-bit")
@on_each
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "with the flags"])
def test_returning_ev_persist_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str, joined: bool
) -> None:
    """Every call returns it, so that the changed event shows."""
    answer = luaevent.EV_PERSIST | (_same(luaevent, kind) if joined else 0)
    observe(outcome.of(kind, lambda _: answer), of=f"{kind}, with its flags" if joined else kind)


@rule("luaevent.callback.return-signal-bit")
@pytest.mark.parametrize("kind", ["read", "read, with a timeout"])
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "with EV_READ"])
def test_returning_ev_signal_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str, joined: bool
) -> None:
    """Every call returns it, so that the changed event shows."""
    answer = luaevent.EV_SIGNAL | (luaevent.EV_READ if joined else 0)
    observe(outcome.of(kind, lambda _: answer), of=f"{kind}, with EV_READ" if joined else kind)


_THINGS: dict[str, Odd] = {
    "True": lambda _: True,
    "False": lambda _: False,
    "a list": lambda _: [],
    "a word": lambda _: "foo",
    "an object": lambda _: object(),
    "an empty tuple": lambda _: (),
}


@rule("luaevent.callback.return-not-number")
@pytest.mark.parametrize("thing", _THINGS)
def test_returning_an_object_that_is_no_number_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, thing: str
) -> None:
    """The first call returns it; later calls return the flags."""
    observe(outcome.of("read", _THINGS[thing], luaevent.EV_READ), of=thing)


_DISGUISES: dict[str, Odd] = {
    "digits": lambda luaevent: str(luaevent.EV_READ),
    "the digits of LEAVE": lambda luaevent: str(luaevent.LEAVE),
    "a float": lambda luaevent: float(luaevent.EV_READ),
    "a fraction": lambda luaevent: luaevent.EV_READ + 0.9,
    "a fraction of LEAVE": lambda luaevent: luaevent.LEAVE - 0.5,
}


@rule("luaevent.callback.return-coerced")
@pytest.mark.parametrize("disguise", _DISGUISES)
def test_returning_a_number_of_another_type_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, disguise: str
) -> None:
    """The first call returns it; later calls return the flags."""
    observe(outcome.of("read", _DISGUISES[disguise], luaevent.EV_READ), of=disguise)


@rule("luaevent.callback.return-other-negative")
@on_each
def test_returning_another_negative_number_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str
) -> None:
    """The numbers are the nearest to -2 that are not LEAVE."""
    answer = -2 if luaevent.LEAVE != -2 else -3
    observe(outcome.of(kind, lambda _: answer, _same(luaevent, kind)), of=kind)


@rule("luaevent.callback.return-extra")
@on_each
def test_returning_a_third_value_is_recorded(
    luaevent: Luaevent, outcome: _Outcome, observe: Observation, kind: str
) -> None:
    """The first call returns it; later calls return the flags alone."""
    same = _same(luaevent, kind)
    observe(outcome.of(kind, lambda _: (same, None, "more"), same), of=kind)
