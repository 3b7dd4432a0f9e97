"""The scenarios of LuaHop: their words, and how they are made up."""

from __future__ import annotations

from ..engine.channel_runner import CHANNEL_VERBS
from ..engine.channel_state import Kind
from ..engine.choices import Feature
from ..engine.generate import Choice, WatcherGenerator
from ..engine.scenario import Actor, Grammar, Scenario, Step

_DURATION = "{after:1}[, in seconds][, loop {loop:1}]"
_ON_CHANNEL = "on channel {channel}[, loop {loop:1}][, one callback for all]"

# A listener with "one callback for all" passes the same function each time that it
# is set; another one passes a method of a new object, to which only the loop refers.
# A duration "in seconds" is told in seconds where that is a whole number.
GRAMMAR = Grammar(
    {
        "reader": f"reader {_ON_CHANNEL}",
        "writer": f"writer {_ON_CHANNEL}",
        "timeout": f"timeout {_DURATION}",
        "interval": f"interval {_DURATION}",
    },
    {
        **CHANNEL_VERBS,
        "set": "set {name}",
        "remove": "remove {name}",
        "clear": "clear {name}",
        "poll": "poll {loop:1}",
        "poll for": "poll {loop:1} for {t:1}",
        "poll often": "poll {loop:1} {n:1} times",
    },
)


class HopFeature(Feature):
    """The features of LuaHop that a loop may lack."""

    TWO_LOOPS = ("luahop.module.new",)
    HANG_UP = ("luahop.listener.eof-pipe",)
    RENEW = ("luahop.listener.fd-reuse-same-poll",)
    INTERVALS = ("luahop.timer.interval-repeat", "luahop.timer.interval-missed")
    POLL_FOR = ("luahop.poll.timeout-vs-timer", "luahop.poll.timeout-arg")
    SECONDS = ("luahop.timer.units-s",)


class LuahopGenerator(WatcherGenerator):
    """Generates listeners, timeouts, intervals, and polls."""

    profile = "luahop"
    grammar = GRAMMAR
    enters = "set"
    timers = ("timeout", "interval")

    def begin(self) -> None:
        self.renews = HopFeature.RENEW in self.features
        self.hangs_up = HopFeature.HANG_UP in self.features
        self.has_two_loops = HopFeature.TWO_LOOPS in self.features and self.number(0, 4) == 0

    def kind(self) -> str:
        kinds = ["reader", "reader", "reader", "writer", "timeout", "timeout"]
        return self.pick(kinds + ["interval"] * (HopFeature.INTERVALS in self.features))

    def generate(self) -> Scenario:
        inner = self._inner()
        actors = {name: self._actor(name, inner) for name in self.names}
        steps = [self.step("set", name) for name in self.names if self.number(0, 3)]
        for _ in range(3 * self.rounds):
            steps += [*self.some(inner, 2), *self.crowd(), self._poll()]
        return Scenario(self.profile, tuple(self.channels), actors, tuple(steps))

    def _successor(self, timers: list[str]) -> list[Step]:
        """A timer is set before or after another one is cleared, or until it is overdue."""
        fresh, old = self.step("set", self.pick(timers)), self.step("clear", self.pick(timers))
        late = self.step("let pass", self.longest)
        return self.pick([[fresh, old], [old, fresh], [fresh, late]])

    def _poll(self) -> Step:
        if HopFeature.POLL_FOR in self.features and not self.number(0, 5):
            return self.step("poll for", self.loop(), self.length())
        if not self.number(0, 5):
            return self.step("poll often", self.loop(), self.pick([2, 2, 2, 3, 3, 16]))
        return self.step("poll", self.loop())

    def _inner(self) -> list[Choice]:
        """Return the steps that callbacks may take, and that come between polls."""
        choices: list[Choice] = [(6, self.one("set", self.name))]
        listeners = list(self.homes)
        timers = [name for name in self.names if name not in self.homes]
        if listeners:
            choices.append((4, self.one("remove", lambda: self.pick(listeners))))
        if timers:
            choices.append((3, self.one("clear", lambda: self.pick(timers))))
            choices.append((2, lambda: self._successor(timers)))
        return self.crowded_swarm(choices)

    def _actor(self, name: str, inner: list[Choice]) -> Actor:
        kind, loop = self.kinds[name], self.loop()
        loop_if_other = loop if loop > 1 else None
        if kind in self.timers:
            after = self.length()
            in_seconds = HopFeature.SECONDS in self.features and not after % 2
            return self.grammar.actor(
                kind,
                self.calls(lambda: self.does(inner, 0)),
                after=after,
                in_seconds=in_seconds and bool(self.number(0, 1)),
                loop=loop_if_other,
            )
        channel = self.homes[name]
        if self.channels[channel - 1] is not Kind.PAIR:
            kind = "writer" if self.channels[channel - 1] is Kind.SINK else "reader"
        return self.grammar.actor(
            kind,
            self.calls(lambda: self.does(inner, channel)),
            channel=channel,
            loop=loop_if_other,
            one_callback_for_all=not self.number(0, 2),
        )
