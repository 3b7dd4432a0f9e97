"""Sets up levent events that stop or delete each other.

This module knows the profile `levent` and no rule.  Whatever must hold for both
`stop` and `delete` is set up once here, and has a test for each verb.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from looptck.protocols.levent import Event

from .channels import Channels
from .levent_driver import LeventDriver
from .readiness import ReadinessToggle, run

Verb = Literal["stop", "delete"]

_PARTICIPLES: dict[Verb, str] = {"stop": "stopped", "delete": "deleted"}

# Events that are ready at the same time, on one file or on several.
crowds = pytest.mark.parametrize(
    "evtypes, one_file",
    [
        (["r", "r"], False),
        (["w", "w"], False),
        (["rw", "rw"], False),
        (["r", "w", "rw"], False),
        (["r"] * 8, False),
        (["r", "r"], True),
        (["w", "w"], True),
        (["r", "w"], True),
        (["w", "r"], True),
        (["rw", "r", "w"], True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "same" if value else "own",
)


class MutualCancel:
    """Events that are all ready at once; whichever is called first ends the others, and itself.

    So it holds for any order: one call, and no more.
    """

    def __init__(
        self,
        driver: LeventDriver,
        channels: Channels,
        verb: Verb,
        evtypes: list[str],
        *,
        one_file: bool,
    ) -> None:
        self.driver = driver
        self.verb = verb
        # what an event does when it is called, before it ends itself; it gets its own name
        self.others: Callable[[str], object] = self.end_others
        self.then: Callable[[str], object] = lambda _name: None
        if one_file:
            shared = ReadinessToggle(channels, "".join(sorted(set("".join(evtypes)))))
            switches = [shared] * len(evtypes)
        else:
            switches = [ReadinessToggle(channels, evtype) for evtype in evtypes]
        self.switches = switches
        # {name: event}
        self.events: dict[str, Event] = {}
        for at, (switch, evtype) in enumerate(zip(switches, evtypes, strict=True)):
            name = f"event {at}"
            self.events[name] = driver.event(
                name, switch.number, evtype, lambda *_, n=name: self._called(n)
            )

    def ready(self) -> None:
        """Start all of them, and make all files ready."""
        for event in self.events.values():
            event.start()
        for switch in {id(switch): switch for switch in self.switches}.values():
            switch.on()

    def expect_one_call(self, howmany: int | None, pause: int) -> None:
        """They wait for *pause* passes, then all are ready; the first to be called is the last."""
        trace = self.driver.trace
        for event in self.events.values():
            event.start()
        self.driver.run_idle(pause)
        self.ready()
        run(self.driver, howmany)
        self.driver.run_idle()
        assert len(trace) == 1, (
            f"of {len(self.events)} events that were ready at once the first one "
            f"{_PARTICIPLES[self.verb]} the others; called were {', '.join(trace) or 'none'}"
        )

    def end_others(self, name: str) -> None:
        for other, event in self.events.items():
            if other != name:
                getattr(event, self.verb)()

    def _called(self, name: str) -> None:
        self.others(name)
        self.then(name)
        getattr(self.events[name], self.verb)()


# The evtypes of the two events, and whether they share a file.
neighbourhoods = pytest.mark.parametrize(
    "evtypes", ["r r", "w w", "r w", "w r", "rw r", "rw w", "r rw", "w rw"]
)
on_one_file_or_two = pytest.mark.parametrize("files", ["one file", "two files"])


class IndependentCancel:
    """Two events: `ended`, which is to be ended, and `other`, which must not notice.

    Both have been there for some passes when they are made.  *past* says what
    `ended` has gone through: it is active, was stopped, or is new.
    """

    def __init__(
        self, driver: LeventDriver, channels: Channels, evtypes: str, *, past: str, files: str
    ) -> None:
        first, second = evtypes.split()
        self.driver = driver
        self.past = past
        self.files = files
        self.switch = ReadinessToggle(channels, second)
        file = self.switch if files == "one file" else ReadinessToggle(channels, first)
        self.ended = driver.event("ended", file.number, first, lambda *_: self.ended.stop())
        self.other = driver.event("other", self.switch.number, second, lambda *_: self.other.stop())
        self.other.start()
        if past != "new":
            self.ended.start()
        if past == "stopped":
            self.ended.stop()
        driver.run_idle(3)

    def expect_only_other(self, done: str) -> None:
        """The file of `other` becomes ready some passes after `ended` was *done*."""
        self.driver.run_idle(3)
        self.switch.on()
        assert self.driver.until_count("other"), (
            f"an active event was silent after another one of {self.files}, which was "
            f"{self.past}, was {done}"
        )
        assert self.driver.trace == ["other"], f"an event that was {done} was called"


def paced(
    driver: LeventDriver, channels: Channels, script: dict[int, Callable[[], object]]
) -> Event:
    """A started event that is called again and again, as often as *script* goes, and then stops.

    In its n-th call ``script[n]`` is done.  Its file is ready all the time.
    """
    switch = ReadinessToggle(channels, on=True)
    calls = 0

    def on_pace() -> None:
        nonlocal calls
        calls += 1
        if calls in script:
            script[calls]()
        if calls < max(script):
            pacer.start()
        else:
            pacer.stop()

    pacer = driver.event("pace", switch.number, "r", lambda *_: on_pace())
    pacer.start()
    return pacer
