"""luaevent, event_callback: answers about which the document is silent are observed.

Each test gives one odd answer and records the outcome in the same words: the exception of `loop()`
or the calls that followed, and whether the base can be used again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rows_by_rule
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


# Makes the odd answer from the entry object and the flags of the registration.
Odd = Callable[[Luaevent, int], Any]


# The kinds of events, by what makes them call: a timer; data that stays unread; data that is read,
# and then nothing (with a timeout, and without); nothing, and data after the first call; room at
# first, and data as well after the first call.
_TIMER, _UNREAD = "timer", "read"


_READ, _READ_ONLY = "read, with a timeout", "read, no timeout"


_LATE, _BOTH = "read timeout", "both, written"


def _outcome(
    luaevent: Luaevent, channels: Channels, kind: str, odd: Odd, *, every_time: bool
) -> str:
    """Describe what follows when an event of this *kind* gives the odd answer.

    It gives it *every_time*, so that the changed event shows, or in its first call only.
    """
    driver = LuaeventDriver(luaevent, most=200)
    calls: list[str] = []
    registered = luaevent.EV_TIMEOUT if kind == _TIMER else luaevent.EV_READ

    def look(seen: int, times: int) -> None:
        times = times - 1 if len(calls) == seen else _LOOKS
        if times == 0:
            driver.close_all()
        else:
            now = len(calls)
            driver.after("look", _LOOK, lambda: look(now, times))

    def called(flags: int) -> Any:
        calls.append(flag_text(luaevent, flags) if isinstance(flags, int) else "no flags")
        if len(calls) > _ENOUGH:
            driver.close_all()
            return luaevent.LEAVE
        if len(calls) == 1:
            look(0, _LOOKS)
        return odd(luaevent, registered) if len(calls) == 1 or every_time else registered

    driver.expect("event")
    _register(driver, channels, kind, called)
    raised = _error_of(driver)
    driver.close_all()
    after = calls[1:]
    if raised:
        return f"raises {raised}{_afterwards(driver, channels)}"
    if not calls:
        return "no call at all"
    if not after:
        return "no more calls"
    if len(calls) > _ENOUGH and len(set(after)) == 1:
        return f"goes on with {after[0]}"
    return "then " + ", ".join(after)


def _register(
    driver: LuaeventDriver, channels: Channels, kind: str, callback: Callable[[int], Any]
) -> None:
    core, base = driver.luaevent, driver.base
    if kind == _TIMER:
        driver.keep(base.addevent(None, core.EV_TIMEOUT, callback, _PERIOD))
        return
    near, far = channels.pair()
    comes_late = kind in (_LATE, _BOTH)
    if not comes_late:
        far.send(b"data")
    sent: list[int] = []

    def called(flags: int) -> Any:
        if kind in (_READ, _READ_ONLY):
            drain(near)
        elif comes_late and not sent:
            sent.append(far.send(b"unread"))
        return callback(flags)

    event = core.EV_READ | (core.EV_WRITE if kind == _BOTH else 0)
    timeout = (_PERIOD,) if kind in (_READ, _LATE) else ()
    driver.keep(base.addevent(near.fileno(), event, called, *timeout))


def _error_of(driver: LuaeventDriver) -> str:
    try:
        driver.run()
    except Exception as error:
        return type(error).__name__
    return ""


def _afterwards(driver: LuaeventDriver, channels: Channels) -> str:
    """Describe a base whose loop raised, if it cannot be used again."""
    again = LuaeventDriver(driver.luaevent, driver.base)
    near, _ = channels.pair()
    try:
        again.add("again", near.fileno(), driver.luaevent.EV_WRITE, driver.luaevent.LEAVE)
        again.run()
    except Exception as error:
        return f", and afterwards {type(error).__name__}"
    return "" if again.trace == ["again write"] else ", and the base is dead"


# {rule: [(kinds of events, the situation, where {} stands for the kind, the odd answer)]}
_Table = dict[str, list[tuple[tuple[str, ...], str, Odd]]]


_EACH = _TIMER, _UNREAD, _READ


# Answers to the first call; later calls return the flags of the registration.
ONCE: _Table = {
    "luaevent.callback.newtimeout-zero": [(_EACH, "{}", lambda _, flags: (flags, 0))],
    "luaevent.callback.newtimeout-negative": [(_EACH, "{}", lambda _, flags: (flags, -1))],
    "luaevent.callback.newtimeout-nonnumber": [
        ((_TIMER, _READ_ONLY), "digits on {}", lambda _, flags: (flags, "0.02")),
        ((_TIMER, _READ_ONLY), "True on {}", lambda _, flags: (flags, True)),
        ((_TIMER, _READ_ONLY), "[] on {}", lambda _, flags: (flags, [])),
        ((_TIMER, _READ_ONLY), "a type on {}", lambda _, flags: (flags, object)),
    ],
    "luaevent.callback.return-not-number": [
        ((_UNREAD,), "True", lambda *_: True),
        ((_UNREAD,), "False", lambda *_: False),
        ((_UNREAD,), "a list", lambda *_: []),
        ((_UNREAD,), "a word", lambda *_: "foo"),
        ((_UNREAD,), "an object", lambda *_: object()),
        ((_UNREAD,), "an empty tuple", lambda *_: ()),
    ],
    "luaevent.callback.return-coerced": [
        ((_UNREAD,), "digits", lambda core, _: str(core.EV_READ)),
        ((_UNREAD,), "the digits of LEAVE", lambda core, _: str(core.LEAVE)),
        ((_UNREAD,), "a float", lambda core, _: float(core.EV_READ)),
        ((_UNREAD,), "a fraction", lambda core, _: core.EV_READ + 0.9),
        ((_UNREAD,), "a fraction of LEAVE", lambda core, _: core.LEAVE - 0.5),
    ],
    "luaevent.callback.return-other-negative": [
        (_EACH, "{}", lambda core, _: -2 if core.LEAVE != -2 else -3),
    ],
    "luaevent.callback.return-extra": [(_EACH, "{}", lambda _, flags: (flags, None, "more"))],
}


# Answers to every call, so that the changed event shows.
EVERY_TIME: _Table = {
    "luaevent.callback.newtimeout-only": [
        ((_TIMER, _READ_ONLY, _LATE, _BOTH), "{}", lambda *_: (None, _PERIOD)),
    ],
    "luaevent.callback.return-nothing": [
        ((*_EACH, _LATE), "{}", lambda *_: None),
        ((*_EACH, _LATE), "{}, as a pair", lambda *_: (None, None)),
    ],
    "luaevent.callback.return-zero": [
        (_EACH, "{}", lambda *_: 0),
        (_EACH, "{}, with a new timeout", lambda *_: (0, _PERIOD)),
    ],
    "luaevent.callback.return-timeout-flag": [
        ((*_EACH, _READ_ONLY), "{}", lambda core, _: core.EV_TIMEOUT),
        ((*_EACH, _READ_ONLY), "{}, with EV_READ", lambda core, _: core.EV_TIMEOUT | core.EV_READ),
    ],
    "luaevent.callback.timer-return-fd-flag": [
        ((_TIMER,), "EV_READ", lambda core, _: core.EV_READ),
        ((_TIMER,), "EV_WRITE", lambda core, _: core.EV_WRITE),
        ((_TIMER,), "0", lambda *_: 0),
    ],
    "luaevent.callback.return-persist-bit": [
        (_EACH, "{}", lambda core, _: core.EV_PERSIST),
        (_EACH, "{}, with its flags", lambda core, flags: core.EV_PERSIST | flags),
    ],
    "luaevent.callback.return-signal-bit": [
        ((_UNREAD, _READ), "{}", lambda core, _: core.EV_SIGNAL),
        ((_UNREAD, _READ), "{}, with EV_READ", lambda core, _: core.EV_SIGNAL | core.EV_READ),
    ],
}


@pytest.mark.parametrize("kinds, situation, odd", rows_by_rule(ONCE))
def test_an_odd_answer_to_the_first_call_is_recorded(
    luaevent: Luaevent,
    channels: Channels,
    observe: Observation,
    kinds: tuple[str, ...],
    situation: str,
    odd: Odd,
) -> None:
    for kind in kinds:
        outcome = _outcome(luaevent, channels, kind, odd, every_time=False)
        observe(outcome, of=situation.format(kind))


@pytest.mark.parametrize("kinds, situation, odd", rows_by_rule(EVERY_TIME))
def test_an_odd_answer_to_every_call_is_recorded(
    luaevent: Luaevent,
    channels: Channels,
    observe: Observation,
    kinds: tuple[str, ...],
    situation: str,
    odd: Odd,
) -> None:
    for kind in kinds:
        outcome = _outcome(luaevent, channels, kind, odd, every_time=True)
        observe(outcome, of=situation.format(kind))
