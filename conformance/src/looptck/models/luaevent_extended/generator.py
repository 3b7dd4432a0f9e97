"""The scenarios of luaevent's bufferevents: their words, and how they are made up."""

from __future__ import annotations

from ..buffered.generate import BufferGenerator
from ..buffered.live import BUFFER_VERBS
from ..engine.channel_runner import CHANNEL_VERBS
from ..engine.choices import Feature
from ..engine.generate import Choice
from ..engine.live import BUFFERED, TURN_VERBS
from ..engine.scenario import Grammar, Scenario, Step

_WAYS = "{way:read|write|read and write}"

# A callback that is called more often than its lines say does nothing.  A timeout of 0
# stands for none.
GRAMMAR = Grammar(
    {BUFFERED: "bufferevent on channel {channel}"},
    {
        **CHANNEL_VERBS,
        **BUFFER_VERBS,
        **TURN_VERBS,
        "enable": f"enable {{name}} to {_WAYS}",
        "disable": f"disable {{name}} to {_WAYS}",
        "limit": "timeouts of {name}: read {read:0}, write {write:0}",
        "wait": "wait for {t:1}",
    },
    ("read", "write", "error"),
)


class BufferEventFeature(Feature):
    """The features of bufferevents that a loop may lack."""

    MARKS = ("luaevent.bufferevent.read-low",)
    HIGH_MARK = ("luaevent.bufferevent.read-high",)
    WRITE_MARK = ("luaevent.bufferevent.write-low",)
    WRITE = ("luaevent.bufferevent.get_write",)
    LINES = ("luaevent.buffer.readline", "luaevent.buffer.readline-none")
    END = ("luaevent.bufferevent.eof-once",)
    TIMEOUTS = ("luaevent.bufferevent.set_timeouts",)
    SWITCH = ("luaevent.bufferevent.enable",)


class BufferEventGenerator(BufferGenerator):
    """Generates bufferevents, and the steps between turns of the loop."""

    profile = "luaevent-extended"
    grammar = GRAMMAR
    callbacks = ("read", "write", "error")

    def begin(self) -> None:
        has = self.features.__contains__
        self.marks, self.has_high = has(BufferEventFeature.MARKS), has(BufferEventFeature.HIGH_MARK)
        self.has_low_output = has(BufferEventFeature.WRITE_MARK)
        self.writes, self.has_lines = has(BufferEventFeature.WRITE), has(BufferEventFeature.LINES)
        self.ends = has(BufferEventFeature.END)
        self._has_limits = has(BufferEventFeature.TIMEOUTS) and self.number(0, 1) == 0
        self._switches = has(BufferEventFeature.SWITCH)
        self.buffered = ["A", "B", "C"][: self.pick([1, 1, 2])]

    def generate(self) -> Scenario:
        inner = self.swarm(self._inner())
        outer = self.swarm([*self._inner(), *self._outer()])
        actors = {
            name: self.grammar.actor(BUFFERED, self.calls(name, inner), channel=self.homes[name])
            for name in self.buffered
        }
        steps: list[Step] = []
        for name in actors:
            steps += self.first_marks(name)
            if self._has_limits and self.number(0, 2):
                steps += self._limit()
            if self.number(0, 7):
                steps.append(self.step("enable", name, self.pick(["read", "read and write"])))
        for _ in range(self.rounds):
            steps += [*self.some(outer, 4), *self.crowd(), self._turn(), *self.flow()]
            steps += self._sequence(self.pick(self.buffered))
        for name in self.buffered:
            steps += self.end(name)
            steps += [self.step("take all", name), self.step("drain", self.homes[name])]
        return Scenario(self.profile, tuple(self.channels), actors, tuple(steps))

    def _turn(self) -> Step:
        if self._has_limits and not self.number(0, 2):
            return self.step("wait", self.number(1, 6))
        return self.step(self.pick(["turn", "settle", "settle", "settle"]))

    def _sequence(self, name: str) -> list[Step]:
        """Return a sequence of steps that shows little unless it comes in a row."""
        settle, home = self.step("settle"), self.homes[name]
        match self.number(0, 9):
            case 0 | 1 if self.has_high:  # full, and then there is room again
                low = self.number(0, 3)
                room = [
                    self.step("take", 1, name),
                    self.step("take line", name),
                    self.step("mark input", name, low, low + 9),
                ]
                full = self.step("mark input", name, low, low + self.number(1, 3))
                more = self.step("write", 9, home)
                return [full, more, settle, self.pick(room), settle, settle]
            case 2 if self._has_limits:
                much = self.step("write to buffer", 20_000, name)
                wait = self.step("wait", 9)
                return [much, settle, *self._limit(), self.step("turn"), wait, settle]
            case 3 if self.ends and self.writes:  # writing fails with data left
                last = [self.step("drain", home), *self.send(name), self.step("hang up", home)]
                enable = self.step("enable", name, "read")
                return [*last, *self.write(name), settle, enable, settle]
        return []

    def _limit(self) -> list[Step]:
        """Set two timeouts, which are often the same, and none now and then."""
        read = self.number(0, 4)
        return [self.step("limit", self.name(), read, self.pick([0, read, read, 1, 3]))]

    def _inner(self) -> list[Choice]:
        """Return the steps that callbacks may take."""
        choices: list[Choice] = [
            (6, self.one("take", self.size, self.name)),
            (6, self.named("take all")),
            (2, lambda: self.send(self.name())),
            *self.buffer_choices(),
        ]
        if self._switches:
            choices += [(3, lambda: self._switch("enable")), (3, lambda: self._switch("disable"))]
        if self._has_limits:
            choices += [(2, self._limit), (2, self.one("let pass", lambda: self.number(1, 3)))]
        if self.ends and not self.number(0, 2):
            choices += [(1, self.at_home("finish")), (1, self.at_home("hang up"))]
        return choices

    def _outer(self) -> list[Choice]:
        """Return more steps between turns; more bytes come here than in callbacks."""
        more: list[Choice] = [(8, lambda: self.send(self.name()))]
        if self.has_lines:
            more.append((3, lambda: self.line(self.name())))
        if self.writes:
            more.append((4, self.at_home("drain")))
        return more

    def _switch(self, verb: str) -> list[Step]:
        return [self.step(verb, self.name(), self.pick(["read", "write", "read and write"]))]
