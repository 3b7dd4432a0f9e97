"""The scenarios of levent: their words, and how they are made up."""

from __future__ import annotations

from ..buffered.generate import BufferGenerator
from ..buffered.live import BUFFER_VERBS
from ..engine.channel_runner import CHANNEL_VERBS
from ..engine.channel_state import Kind
from ..engine.choices import Feature
from ..engine.generate import Choice
from ..engine.live import BUFFERED, TURN_VERBS
from ..engine.scenario import Actor, Call, Grammar, Scenario, Step

# A callback that is called more often than its lines say does nothing.  Events may
# share a channel, and a buffered event has one for itself.
GRAMMAR = Grammar(
    {
        BUFFERED: "buffered event on channel {channel}",
        "event": "event on channel {channel} for {way:read|write|read and write}",
    },
    {
        **CHANNEL_VERBS,
        **BUFFER_VERBS,
        **TURN_VERBS,
        "start": "start {name}",
        "stop": "stop {name}",
        "delete": "delete {name}",
        "take None": "take all from {name} by read(None)",
        "wait": "wait for an event",
        "run": "loop until none is active",
    },
    ("call", "readcb", "writecb", "errorcb"),
)


class LeventFeature(Feature):
    """The features of levent that a loop may lack."""

    STOP = ("levent.bufevent.stop",)
    DELETE = ("levent.bufevent.delete",)
    MARKS = ("levent.newevbuf.watermarks-exist",)
    HIGH_MARK = ("levent.buffer.read-highwater",)
    WRITE_MARK = ("levent.buffer.write-lowwater",)
    WRITE = ("levent.bufevent.write",)
    LINES = ("levent.bufevent.readline", "levent.bufevent.readline-none")
    END = ("levent.newevbuf.data-before-eof",)
    EVENT_WRITE = ("levent.newevent.evtype-w",)
    EVENT_BOTH = ("levent.newevent.evtype-rw",)
    EVENT_STOP = ("levent.event.stop",)
    EVENT_DELETE = ("levent.event.delete", "levent.event.delete-invalid")
    SAME_FILE = ("levent.newevent.creates",)
    WAIT = ("levent.loop.howmany-positive",)
    RUN = ("levent.loop.nil",)


class LeventGenerator(BufferGenerator):
    """Generates buffered events, events, and the steps between runs of the loop."""

    profile = "levent"
    grammar = GRAMMAR
    callbacks = ("readcb", "writecb", "errorcb")

    def begin(self) -> None:
        has = self.features.__contains__
        self.marks, self.has_high = has(LeventFeature.MARKS), has(LeventFeature.HIGH_MARK)
        self.has_low_output, self.writes = has(LeventFeature.WRITE_MARK), has(LeventFeature.WRITE)
        self.has_lines, self.ends = has(LeventFeature.LINES), has(LeventFeature.END)
        buffered, events = self.pick(
            [(1, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (0, 3), (1, 2)]
        )
        self.buffered = ["A", "B", "C"][:buffered]
        self._events = ["D", "E", "F"][:events]

    def names(self) -> list[str]:
        return [*self.buffered, *self._events]

    def generate(self) -> Scenario:
        for name in self._events:
            self._place(name)
        inner = self.swarm(self._inner())
        outer = self.swarm([*self._inner(), *self._outer()])
        actors = {
            name: self.grammar.actor(BUFFERED, self.calls(name, inner), channel=self.homes[name])
            for name in self.buffered
        }
        for name in self._events:
            actors[name] = self._event(name, inner)
        steps: list[Step] = []
        for name in actors:
            steps += self.first_marks(name)
            if self.number(0, 7):
                steps.append(self.step("start", name))
        for _ in range(self.rounds):
            steps += [*self.some(outer, 4), *self.crowd(), self._turn()]
            steps += [*self.flow(), *self._sequences()]
        for name in self.buffered:
            steps += self.end(name)
            steps += [self.step("take all", name), self.step("drain", self.homes[name])]
        return Scenario(self.profile, tuple(self.channels), actors, tuple(steps))

    # ---- actors

    def _place(self, name: str) -> None:
        """Give an event a channel of its own, or that of another one."""
        others = [self.homes[each] for each in self._events if each in self.homes]
        if others and LeventFeature.SAME_FILE in self.features and not self.number(0, 3):
            self.homes[name] = self.pick(others)
        else:
            self.channels.append(Kind.PAIR)
            self.homes[name] = len(self.channels)

    def _event(self, name: str, inner: list[Choice]) -> Actor:
        ways = ["read", "read"]
        ways += ["write"] * (LeventFeature.EVENT_WRITE in self.features)
        ways += ["read and write"] * (LeventFeature.EVENT_BOTH in self.features)
        calls = tuple(self._event_call(name, inner) for _ in range(self.number(0, 4)))
        home = self.homes[name]
        return self.grammar.actor("event", calls, channel=home, way=self.pick(ways))

    def _event_call(self, name: str, inner: list[Choice]) -> Call:
        """More often than not it takes what came, and says whether it goes on."""
        do = self.some(inner, self.pick([0, 0, 1, 2]))
        if self.number(0, 2):
            one = self.step("read", 1, self.homes[name])
            do.insert(0, self.pick([self.step("read all", self.homes[name]), one]))
        ends = ["start", "start", "start", ""]
        ends += ["stop", "stop"] * (LeventFeature.EVENT_STOP in self.features)
        ends += ["delete"] * (LeventFeature.EVENT_DELETE in self.features)
        if end := self.pick(ends):
            do.append(self.step(end, name))
        return Call(tuple(do or [self.step("start", name)]), self.times())

    # ---- choices

    def _sequences(self) -> list[Step]:
        """Return a sequence of steps that shows little unless it comes in a row."""
        if not self.buffered:
            return []
        name, settle = self.pick(self.buffered), self.step("settle")
        sequence = self.number(0, 7)
        if sequence == 0 and LeventFeature.STOP in self.features:
            between = self.write(name) if self.writes else []
            stops = [self.step("stop", name)] * self.pick([1, 1, 2])
            starts = [self.step("start", name), *self.send(name), settle]
            return [*stops, *self.pick([between, [settle]]), *starts]
        if sequence == 1 and self.has_lines:
            takes = [self.step("take line", name), self.step("take", self.few_or_none(), name)]
            asks = [self.pick(takes) for _ in range(self.number(1, 3))]
            lines = [each for _ in range(self.number(1, 3)) for each in self.line(name)]
            more = [self.step("take line", name)] * 3
            return [*self.send(name), settle, *asks, *lines, settle, *more]
        return []

    def _turn(self) -> Step:
        turns = ["turn", "settle", "settle", "settle"]
        turns += ["wait"] * (LeventFeature.WAIT in self.features)
        turns += ["run"] * ({LeventFeature.RUN, LeventFeature.STOP} <= self.features)
        return self.step(self.pick(turns))

    def _inner(self) -> list[Choice]:
        """Return the steps that callbacks may take."""
        sizes = (0, *self.sizes)
        choices: list[Choice] = [
            (6, self.one("take", lambda: self.pick(sizes), self.name)),
            (6, lambda: self.take_all(self.name())),
            (2, lambda: self.send(self.name())),
            (2, self.named("start")),
        ]
        if self.buffered:
            choices += self.buffer_choices()
        if self._events:
            choices += [(4, self.at_home("read all")), (2, self.at_home("fill"))]
            choices += [(2, self.at_home("drain"))]
        if {LeventFeature.STOP, LeventFeature.EVENT_STOP} <= self.features:
            choices += [(3, self.named("stop"))]
        deletes = {LeventFeature.DELETE, LeventFeature.EVENT_DELETE}
        if deletes <= self.features and not self.number(0, 4):
            choices += [(1, self.named("delete"))]
        if self.ends and not self.number(0, 2):
            choices += [(1, self.at_home("finish")), (1, self.at_home("hang up"))]
        return choices

    def _outer(self) -> list[Choice]:
        """Return more steps between turns; more bytes come here than in callbacks."""
        more: list[Choice] = [(8, lambda: self.send(self.name())), (2, self.named("start"))]
        if self.has_lines:
            more.append((3, lambda: self.line(self.name())))
        if self.writes:
            more.append((4, self.at_home("drain")))
        return more

    def take_all(self, name: str) -> list[Step]:
        return [self.step(self.pick(["take all", "take all", "take None"]), name)]
