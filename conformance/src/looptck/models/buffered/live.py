"""Acts on a buffered event of a scenario, and tells its model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

from ..engine.channels import ByteSource
from ..engine.live import LiveObject, TurnRunner
from ..engine.runner import Action
from ..engine.scenario import Actor, Step
from ..engine.violation import ViolationError
from .model import BufferedModel, Seen
from .rules import BufferedRules, Callback
from .side import Side

# The verbs that every document with buffered events has.
BUFFER_VERBS = {
    "take": "take {n:0} from {name}",
    "take all": "take all from {name}",
    "take line": "take a line from {name}",
    "write to buffer": "write {n:1} to {name}",
    "mark input": "input of {name}: low {low:0}, high {high:0}",
    "mark output": "output of {name}: low {low:0}, high {high:0}",
}


class LiveBufferedEvent(LiveObject):
    """A buffered event, alone on its channel; each document has a subclass."""

    def __init__(self, runner: TurnRunner, name: str, actor: Actor, rules: BufferedRules) -> None:
        super().__init__(runner, name, actor)
        self.rules = rules
        self.model = BufferedModel(name, rules)
        self._writes = ByteSource(f"from {actor.channel}")
        # {callback: how often it was called}
        self._counts = dict.fromkeys(Callback, 0)
        # the callback that runs, the innermost if there are several
        self.inside: Callback | None = None

    # ---- steps

    def action_for(self, each: Step, inside: LiveObject | None) -> Action:
        match each.verb:
            case "take":
                return lambda: self.read(each["n"])
            case "take all":
                return lambda: self.read()
            case "take line":
                return self._readline
            case "write to buffer" if self.may_write:
                return lambda: self._write(each["n"])
            case "mark input" | "mark output" if not each["high"] or each["low"] <= each["high"]:
                return lambda: self._mark(each)
        return None

    @property
    def may_write(self) -> bool:
        """Whether the scenario may write to it."""
        return not self.model.gone

    def read(self, *arguments: int | None) -> None:
        """Read the given number of bytes, or all."""
        size = arguments[0] if arguments else None
        rule = self.rules.read_all if size is None else self.rules.read_size
        before = self.seen()
        what = f"reading {'all' if size is None else size}"
        data = self.read_data(rule, *arguments)
        data = self._bytes(rule, what, b"" if data is None else data)
        self.tell(self.model.read, size, data, before, self.seen())
        self.after_read(len(data))
        self.tell(self.look)

    def _readline(self) -> None:
        before, rule = self.seen(), self.rules.readline
        line = self.read_line(rule)
        if line is not None:
            line = self._bytes(rule, "readline()", line)
        self.tell(self.model.readline, line, before, self.seen())
        self.tell(self.look)

    def _write(self, count: int) -> None:
        data = self._writes.take(count)
        self.model.write(data, self.inside)
        self.write_data(data)
        self.tell(self.look)

    def _mark(self, each: Step) -> None:
        low, high = each["low"], each["high"]
        setter = "set_read_watermarks" if each.verb == "mark input" else "set_write_watermarks"
        if each.verb == "mark input":
            self.tell(self.model.mark_input, low, high, self.seen())
        else:
            self.tell(self.model.mark_output, low, self.seen())
        self.ask(
            self.rules.marks,
            f"{setter}({low}, {high})",
            lambda: getattr(self.handle, setter)(low, high),
        )

    # ---- what the documents say in their own ways

    @abstractmethod
    def read_data(self, rule: str, *size: int | None) -> Any:
        """Return up to *size* bytes of the input, or all for None or no size."""

    def after_read(self, count: int) -> None:
        """Remove the *count* bytes that `read_data` returned and left there."""

    @abstractmethod
    def read_line(self, rule: str) -> Any:
        """Return the next line of the input, or None."""

    @abstractmethod
    def write_data(self, data: bytes) -> None:
        """Write *data* to the output."""

    # ---- the peer

    def changed(self) -> None:
        channel, state, model = self.opened, self.state, self.model
        model.peer_sent(bytes(channel.sent[len(model.input.stream) :]))
        model.peer_received(bytes(channel.received[model.output.received :]))
        if state.gone and not model.gone:
            model.peer_closed()
        elif state.ended and not model.ended:
            model.peer_ended()

    # ---- the loop

    def look(self) -> None:
        self.model.look(self.seen())

    def begin_turn(self) -> None:
        self.model.begin_turn(self.seen())

    def settled(self) -> None:
        self.model.settled(self.seen())

    def missing_call(self) -> ViolationError | None:
        return self.model.missing_call(self.seen())

    @property
    def moved(self) -> Hashable:
        return self.seen()

    @property
    def may_call(self) -> list[str]:
        return self.model.may_happen()

    @property
    def must_be_called(self) -> bool:
        return self.model.must_be_called

    @property
    def size(self) -> int:
        return self.model.size

    def seen(self) -> Seen:
        return Seen(self.opened.moved(), self.opened.left(), self.opened.takes())

    def call(
        self,
        callback: Callback,
        said: str = "",
        side: Side | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """A callback is called by the loop: *check* it, and take the steps of its call."""
        name = self.rules.name(callback)
        with self.runner.calling(f"{name} of {self.name}{said}"):
            former, self.inside = self.inside, callback
            self.runner.look()
            self.model.called(callback, self.seen(), side)
            check()
            self._counts[callback] += 1
            for each in self.actor.steps_of(self._counts[callback], name):
                self.runner.do(each, self)
            self.model.finished(callback, self.seen())
            self.inside = former

    # ---- parts

    def _bytes(self, rule: str, what: str, data: object) -> bytes:
        if not isinstance(data, bytes | bytearray | memoryview):
            self.runner.refuse(rule, f"{what} from {self.name} returned {data!r}", "bytes")
        return bytes(data)

    def callback(self, callback: Callback) -> Callable[..., None]:
        """Return a function for the loop to call."""

        def called(*_arguments: object) -> None:
            self.call(callback)

        return called
