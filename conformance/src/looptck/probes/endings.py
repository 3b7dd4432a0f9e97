"""Endings: plays in which levent events end each other, by `stop` or by `delete`.

Knows the profile `levent` and no rule.  What must hold of both verbs has one
play, and a test for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from looptck.profiles.levent import Event

from .rounds import Rounds
from .switches import Switch
from .wires import Wires

Verb = Literal["stop", "delete"]

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


class Rivals:
    """Events that are all ready at once; whichever is called first ends the others, and itself.

    So it holds for any order: one call, and no more.
    """

    def __init__(
        self, rounds: Rounds, wires: Wires, verb: Verb, evtypes: list[str], *, one_file: bool
    ) -> None:
        self.rounds = rounds
        self.verb = verb
        # what an event does when it is called, before it ends itself; it gets its own name
        self.others: Callable[[str], object] = self.end_others
        self.then: Callable[[str], object] = lambda _name: None
        if one_file:
            shared = Switch(wires, "".join(sorted(set("".join(evtypes)))))
            switches = [shared] * len(evtypes)
        else:
            switches = [Switch(wires, evtype) for evtype in evtypes]
        self.switches = switches
        # {name: event}
        self.events: dict[str, Event] = {}
        for at, (switch, evtype) in enumerate(zip(switches, evtypes, strict=True)):
            name = f"event {at}"
            self.events[name] = rounds.event(
                name, switch.number, evtype, lambda *_, n=name: self._called(n)
            )

    def ready(self) -> None:
        """Start all of them, and make all files ready."""
        for event in self.events.values():
            event.start()
        for switch in {id(switch): switch for switch in self.switches}.values():
            switch.on()

    def end_others(self, name: str) -> None:
        for other, event in self.events.items():
            if other != name:
                getattr(event, self.verb)()

    def _called(self, name: str) -> None:
        self.others(name)
        self.then(name)
        getattr(self.events[name], self.verb)()


def paced(rounds: Rounds, wires: Wires, script: dict[int, Callable[[], object]]) -> Event:
    """A started event that is called again and again, as often as *script* goes, and then stops.

    In its n-th call ``script[n]`` is done.  Its file is ready all the time.
    """
    switch = Switch(wires, on=True)
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

    pacer = rounds.event("pace", switch.number, "r", lambda *_: on_pace())
    pacer.start()
    return pacer
