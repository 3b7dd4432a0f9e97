"""luaevent, event_callback: its argument."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, fill
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.situations import Situation, everywhere

_SHORT = 0.01


@dataclass(frozen=True)
class DueEvent:
    """An event that is due one call, with the flags that the call must and must not have."""

    asked: tuple[str, ...]
    occurs: str
    does_not: tuple[str, ...]
    readable: bool = False
    full: bool = False
    # None for a pure timer
    descriptor: bool = True


_OCCASIONS = {
    "data": DueEvent(("EV_READ",), "EV_READ", ("EV_WRITE", "EV_TIMEOUT"), readable=True),
    "room": DueEvent(("EV_WRITE",), "EV_WRITE", ("EV_READ", "EV_TIMEOUT")),
    "room, both asked": DueEvent(("EV_READ", "EV_WRITE"), "EV_WRITE", ("EV_READ", "EV_TIMEOUT")),
    "data, both asked": DueEvent(
        ("EV_READ", "EV_WRITE"), "EV_READ", ("EV_WRITE", "EV_TIMEOUT"), readable=True, full=True
    ),
    "a read timeout": DueEvent(("EV_READ",), "EV_TIMEOUT", ("EV_WRITE",)),
    "a write timeout": DueEvent(("EV_WRITE",), "EV_TIMEOUT", ("EV_READ",), full=True),
    "a timer": DueEvent(("EV_TIMEOUT",), "EV_TIMEOUT", ("EV_READ", "EV_WRITE"), descriptor=False),
}


@rule("luaevent.callback.input")
@everywhere
@pytest.mark.parametrize("occasion", _OCCASIONS.values(), ids=_OCCASIONS)
def test_a_callback_gets_the_flags_that_occurred_alone(
    luaevent: Luaevent,
    driver: LuaeventDriver,
    channels: Channels,
    situation: Situation,
    occasion: DueEvent,
) -> None:
    """The callback takes any number of arguments, so that an additional one shows."""
    near, far = channels.pair()
    if occasion.readable:
        far.send(b"unread")
    if occasion.full:
        fill(near)
    asked = 0
    for name in occasion.asked:
        asked |= getattr(luaevent, name)
    given: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def callback(*args: object, **keywords: object) -> int:
        given.append((args, keywords))
        driver.stop_expecting("event")
        return luaevent.LEAVE

    def register() -> None:
        driver.expect("event")
        fd = near.fileno() if occasion.descriptor else None
        if occasion.occurs == "EV_TIMEOUT":
            driver.keep(driver.base.addevent(fd, asked, callback, _SHORT))
        else:
            driver.keep(driver.base.addevent(fd, asked, callback))

    driver.run(register, situation)
    assert given, f"the callback was not called{driver.timeout_note}"
    args, keywords = given[0]
    assert len(args) == 1, f"the callback was called with {len(args)} arguments, not one"
    assert not keywords, f"the callback was called with keywords: {', '.join(keywords)}"
    try:
        flags = operator.index(args[0])  # type: ignore[arg-type]  # what came is what is asked
    except TypeError:
        raise AssertionError(
            f"the callback was called with a {type(args[0]).__name__}, not with an integer"
        ) from None
    assert flags & getattr(luaevent, occasion.occurs), (
        f"what occurred was {occasion.occurs}, and the flags do not have it"
    )
    for name in (*occasion.does_not, "EV_SIGNAL"):
        assert not flags & getattr(luaevent, name), (
            f"what occurred was {occasion.occurs}, and the flags have {name} too"
        )
