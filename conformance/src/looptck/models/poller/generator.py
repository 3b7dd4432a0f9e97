"""The scenarios of the poller contract: their words, and how they are made up."""

from __future__ import annotations

from ..engine.channel_runner import CHANNEL_VERBS
from ..engine.choices import Feature
from ..engine.generate import WatcherGenerator
from ..engine.scenario import Grammar, Scenario, Step

# A duplicate is opened when it is watched, and again after it was closed.  Without a
# direction a descriptor is watched for all that its file has.
GRAMMAR = Grammar(
    {
        "descriptor": "descriptor of channel {channel}",
        "duplicate": "duplicate of channel {channel}",
    },
    {
        **CHANNEL_VERBS,
        "lose": "renew channel {channel} under its watch",
        "watch": "watch {name}[ for {way:read|write|read and write}]",
        "remove": "remove {name}",
        "close": "close {name}[, then remove it]",
        "answer": "take one answer",
        "wait": "wait until all are told",
    },
)


class PollerFeature(Feature):
    """The features of the contract that a poller may lack."""

    HANG_UP = ("poller.wait.end", "poller.wait.error-wakes-both")
    RENEW = ("poller.change.reuse",)
    LOSE = ("poller.change.closed",)
    DUPLICATES = ("poller.change.duplicate",)


class PollerGenerator(WatcherGenerator):
    """Generates descriptors and duplicates, changes of what is watched, and waits."""

    profile = "poller"
    grammar = GRAMMAR
    enters = "watch"
    timers = ()

    def begin(self) -> None:
        self.renews = PollerFeature.RENEW in self.features
        self.hangs_up = PollerFeature.HANG_UP in self.features

    def kind(self) -> str:
        duplicates = PollerFeature.DUPLICATES in self.features
        return self.pick(["descriptor"] * 3 + ["duplicate"] * duplicates)

    def generate(self) -> Scenario:
        loses = (2 if PollerFeature.LOSE in self.features else 0, self._lose)
        removes, closes = (3, self.one("remove", self.name)), (2, self._close)
        changes = self.crowded_swarm([(6, self._watch), removes, closes, loses])
        make, homes = self.grammar.actor, self.homes
        actors = {name: make(kind, channel=homes[name]) for name, kind in self.kinds.items()}
        steps = [self.step("watch", name) for name in self.names if self.number(0, 3)]
        for _ in range(3 * self.rounds):
            ends = self.step(self.pick(["wait", "wait", "answer"]))
            steps += [*self.some(changes, 3), *self.crowd(), ends]
        return Scenario(self.profile, tuple(self.channels), actors, tuple(steps))

    def _watch(self) -> list[Step]:
        return [self.step("watch", self.name(), self.pick(["read", "write", "read and write"]))]

    def _close(self) -> list[Step]:
        return [self.step("close", self.name(), *self.pick([(), (True,)]))]

    def _lose(self) -> list[Step]:
        return [self.step("lose", self.channel()), self.step("watch", self.name())]
