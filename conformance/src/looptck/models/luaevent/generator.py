"""The scenarios of luaevent: their words, and how they are made up."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.channel_runner import CHANNEL_VERBS
from ..engine.channel_state import Kind
from ..engine.choices import Feature
from ..engine.generate import Choice, WatcherGenerator
from ..engine.scenario import Actor, Grammar, Scenario, Step

# With "callback a method" the callback is a bound method of an object to which only
# the loop refers, else it is a function.  With "all arguments given" None is passed for
# a timeout that the event does not have, to `addevent` and in answers, else it is left out.
_FORM = "[, loop {loop:1}][, callback a method][, all arguments given]"

_WAYS = "read|write|read and write"

# A callback without an answer answers leave.
GRAMMAR = Grammar(
    {
        "event": f"event on channel {{channel}} for {{way:{_WAYS}}}[, timeout {{after:1}}]{_FORM}",
        "timer": f"timer {{after:1}}{_FORM}",
    },
    {
        **CHANNEL_VERBS,
        "add": "add {name}",
        "close": "close {name}",
        "drop": "drop {name}",
        "loop": "loop {loop:1}",
        "loop guarded": "loop {loop:1} under a guard",
        "close base": "close base {loop:1}",
        "answer": f"answer {{flags:same|leave|{_WAYS}}}[, timeout {{t:1}}]",
    },
)


class LuaeventFeature(Feature):
    """The features of luaevent that a loop may lack."""

    TWO_LOOPS = ("luaevent.new.independent",)
    NESTED = ("luaevent.loop.nested-other",)
    CLOSE_BASE = ("luaevent.close.exists", "luaevent.close.not-in-loop")
    DROP = ("luaevent.addevent.gc-erases",)
    SAME_CHANNEL = ("luaevent.addevent.same-fd",)
    BOTH_DIRECTIONS = ("luaevent.constants.ev-or-capture",)
    CHANGE = ("luaevent.callback.output-change",)
    NEW_TIMEOUT = ("luaevent.callback.newtimeout-value",)
    HANG_UP = ("luaevent.constants.ev-read-disconnect",)


class LuaeventGenerator(WatcherGenerator):
    """Generates events, timers, and the steps between runs of loops."""

    profile = "luaevent"
    grammar = GRAMMAR
    enters = "add"
    timers = ("timer",)
    renews = True

    def begin(self) -> None:
        self.hangs_up = LuaeventFeature.HANG_UP in self.features
        two_loops = LuaeventFeature.TWO_LOOPS in self.features
        self.has_two_loops = two_loops and self.number(0, 4) == 0

    def kind(self) -> str:
        return self.pick(["event", "event", "event", "timer"])

    def generate(self) -> Scenario:
        if LuaeventFeature.SAME_CHANNEL not in self.features:  # each event has its own
            self.homes = {name: at for at, name in enumerate(self.homes, 1)}
            self.channels += [Kind.PAIR] * (len(self.homes) - len(self.channels))
        inner = self._inner()
        actors = {name: self._actor(name, inner) for name in self.names}
        outer = [*inner, (5, self.one("add", self.name))]
        steps = [self.step("add", name) for name in self.names if self.number(0, 3)]
        for _ in range(self.rounds):
            steps += [*self.some(outer, 3), *self.crowd()]
            steps.append(self.step(self.pick(["loop guarded", "loop guarded", "loop"]), 1))
        if any("loop" in actor for actor in actors.values()):
            steps.append(self.step("loop guarded", 2))
        return Scenario(self.profile, tuple(self.channels), actors, tuple(steps))

    def _inner(self) -> list[Choice]:
        """Return the steps that callbacks may take."""
        choices: list[Choice] = [
            (3, self.one("add", self.name)),
            (5, self.one("close", self.name)),
        ]
        if LuaeventFeature.DROP in self.features:
            choices += [(1, self.one("drop", self.name))]
        if LuaeventFeature.CLOSE_BASE in self.features:
            choices += [(1, self.one("close base", lambda: 1))]
        if {LuaeventFeature.NESTED, LuaeventFeature.TWO_LOOPS} <= self.features:
            choices += [(1, self.one("loop guarded", lambda: self.number(1, 2)))]
        return self.crowded_swarm(choices)

    def _actor(self, name: str, inner: list[Choice]) -> Actor:
        loop, after, channel = self.loop(), self.length(), self.homes.get(name, 0)
        form = {
            "loop": loop if loop > 1 else None,
            "callback_a_method": not self.number(0, 2),
            "all_arguments_given": not self.number(0, 2),
        }
        if not channel:
            calls = self.calls(lambda: self._does(inner, ["same", "same", "leave"], 0))
            return self.grammar.actor("timer", calls, after=after, **form)
        both = ["read and write"] * 2 * (LuaeventFeature.BOTH_DIRECTIONS in self.features)
        kind = self.channels[channel - 1]
        flags = ["same", "same", "same", "leave"]
        if LuaeventFeature.CHANGE in self.features and kind is Kind.PAIR:
            flags += ["read", "write", "read", "write", *both]
        ways = ["write"] if kind is Kind.SINK else ["read"]
        if kind is Kind.PAIR:
            ways = ["read", "read", "write", *both]
        return self.grammar.actor(
            "event",
            self.calls(lambda: self._does(inner, flags, channel)),
            channel=channel,
            way=self.pick(ways),
            after=after if self.number(0, 1) else None,
            **form,
        )

    def _does(self, inner: list[Choice], flags: Sequence[str], channel: int) -> list[Step]:
        """Return the steps of a callback, with its answer."""
        answer = [self.pick(flags)]
        if LuaeventFeature.NEW_TIMEOUT in self.features and not self.number(0, 3):
            return [*self.does(inner, channel), self.step("answer", *answer, self.length())]
        return [*self.does(inner, channel), self.step("answer", *answer)]
