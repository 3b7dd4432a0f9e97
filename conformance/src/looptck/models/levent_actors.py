"""Who is on stage in a scenario of levent: what is done to each, and told to its model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .buffered import BufferedModel, Callback, Seen, State
from .buffered_rules import LEVENT
from .levent_channels import BufferedChannel, ByteSource
from .levent_scenario import LeventActor
from .scenario import Step
from .violation import ViolationError

if TYPE_CHECKING:
    from .levent_runner import LeventRunner

Act = Callable[[], object] | None


# Hidden in the text of a scenario: other ways to say the same, by name.
_SAY_NONE = ("B",)
_HIGH_OF_OUTPUT = {"B": 1}


class LiveActor(ABC):
    """One event, buffered or not."""

    def __init__(self, runner: LeventRunner, name: str) -> None:
        self.runner = runner
        self.name = name
        self.handle: Any = None

    @abstractmethod
    def make(self, base: Any) -> None:
        """Make it, on *base*."""

    @abstractmethod
    def action_for(self, verb: str, counts: list[int], inside: LiveActor | None) -> Act:
        """What to do for a step about it, *inside* a callback; None where it makes no sense."""

    @abstractmethod
    def look(self) -> None:
        """Tell its model how things look.  This and what follows raises RefusedError."""

    @abstractmethod
    def begin_turn(self) -> None:
        """A call of `loop` begins."""

    @abstractmethod
    def end_turn(self, *, is_served: bool) -> None:
        """It has returned, and was to serve all that was ready; somebody was called, or not."""

    @abstractmethod
    def settled(self) -> None:
        """Nothing came for so long that nothing will."""

    @abstractmethod
    def missing_call(self) -> ViolationError | None:
        """What would be wrong if nothing came any more."""

    @property
    @abstractmethod
    def moved(self) -> Hashable:
        """Differs from what it was as long as something goes on."""

    @property
    @abstractmethod
    def rule_if_loop_waits(self) -> str:
        """The rule by which `loop` does not wait for it; empty if it may or must."""

    @property
    @abstractmethod
    def may_call(self) -> list[str]:
        """The calls that are allowed now, for people."""

    @property
    @abstractmethod
    def must_be_called(self) -> bool:
        """Whether a call is to come for certain."""

    @property
    def surely_ends(self) -> bool:
        """Whether its next call comes for certain, and is its last one for certain."""
        return False

    @property
    def is_active(self) -> bool:
        """Whether `loop` must wait for it; for certain."""
        return False

    @property
    def size(self) -> int:
        """How many bytes went either way, or are to."""
        return 0

    def close_subject(self) -> None:
        """Stop it; may raise, and hang."""
        with suppress(Exception):
            self.handle.stop()

    @abstractmethod
    def close_own(self) -> None:
        """Close what is ours."""


class LiveBufferedEvent(LiveActor):
    """A buffered event, on a line of its own."""

    rules = LEVENT

    def __init__(self, runner: LeventRunner, name: str, actor: LeventActor) -> None:
        super().__init__(runner, name)
        self._actor = actor
        self._channel = BufferedChannel(is_narrow=actor.is_narrow)
        self._model = BufferedModel(name, self.rules)
        self._sends = ByteSource(f"to {name}")
        self._writes = ByteSource(f"from {name}")
        # {callback: how often it was called}
        self._counts = dict.fromkeys(Callback, 0)
        # the callback that runs, the innermost if there are several
        self._inside: Callback | None = None

    def make(self, base: Any) -> None:
        callbacks = [self._callback(each) for each in Callback]
        number = self._channel.near.fileno()
        self.handle = self.runner.ask_by(
            "levent.newevbuf.creates",
            f"newevbuf() for {self.name}",
            lambda: base.newevbuf(number, *callbacks),
        )

    # ---- steps

    def action_for(self, verb: str, counts: list[int], _inside: LiveActor | None) -> Act:
        if verb in ("send", "send line", "receive", "receive all", "end", "leave"):
            return self._action_for_peer(verb, counts)
        model, handle = self._model, self.handle
        if model.state is State.DELETED:
            return None
        match verb:
            case "start":
                return self._start
            case "stop":
                return self._stop if model.state is State.STARTED else self._stop_again
            case "delete" if hasattr(handle, "delete"):
                return self._delete
            case "take" | "take all":
                return lambda: self._read(counts[0] if counts else None)
            case "take line":
                return self._readline
            case "put" if model.state is not State.NEW and not model.gone:
                return lambda: self._write(counts[0])
            case "mark input" if hasattr(handle, "set_read_watermarks"):
                return lambda: self._mark_input(*counts)
            case "mark output" if hasattr(handle, "set_write_watermarks"):
                return lambda: self._mark_output(*counts)
        return None

    def _action_for_peer(self, verb: str, counts: list[int]) -> Act:
        model = self._model
        match verb:
            case "send" if not model.ended:
                return lambda: self._send(self._sends.take(counts[0]))
            case "send line" if not model.ended:
                return lambda: self._send(self._sends.take(counts[0]) + b"\n")
            case "receive" | "receive all" if not model.gone:
                count = counts[0] if counts else None
                return lambda: self._tell(model.peer_received, self._channel.receive(count))
            case "end" if not model.ended:
                return self._end
            case "leave" if not model.gone:
                return self._hang_up
        return None

    def _send(self, data: bytes) -> None:
        self._model.peer_sent(self._channel.send(data))

    def _end(self) -> None:
        self._channel.end()
        self._model.peer_ended()

    def _hang_up(self) -> None:
        self._tell(self._model.look, self._seen())
        self._channel.hang_up()
        self._model.peer_closed()

    def _start(self) -> None:
        self._tell(self._model.start, self._seen())
        self._ask(self.rules.start, "start()", self.handle.start)

    def _stop(self) -> None:
        self._ask(self.rules.stop, "stop()", self.handle.stop)
        self._tell(self._model.stop, self._seen())

    def _stop_again(self) -> None:
        """It is not active: that this is no error is not promised."""
        with suppress(Exception):
            self.handle.stop()
        self.runner.tell(self.look)

    def _delete(self) -> None:
        self._ask(self.rules.delete, "delete()", self.handle.delete)
        self._model.delete()

    def _read(self, size: int | None) -> None:
        rule = self.rules.read_all if size is None else self.rules.read_size
        arguments = () if size is None and self.name not in _SAY_NONE else (size,)
        before = self._seen()
        what = f"read({'' if size is None else size})"
        data = self._ask(rule, what, lambda: self.handle.read(*arguments))
        data = self._bytes(rule, what, b"" if data is None else data)
        self._tell(self._model.read, size, data, before, self._seen())

    def _readline(self) -> None:
        before = self._seen()
        rule = self.rules.readline
        channel = self._ask(rule, "readline()", self.handle.readline)
        if channel is not None:
            channel = self._bytes(rule, "readline()", channel)
        self._tell(self._model.readline, channel, before, self._seen())

    def _write(self, count: int) -> None:
        data = self._writes.take(count)
        if data:
            self._model.write(data, self._inside)
            self._ask(self.rules.write, "write()", lambda: self.handle.write(data))

    def _mark_input(self, low: int, high: int) -> None:
        self._tell(self._model.mark_input, low, high, self._seen())
        self._ask(
            self.rules.marks,
            f"set_read_watermarks({low}, {high})",
            lambda: self.handle.set_read_watermarks(low, high),
        )

    def _mark_output(self, low: int) -> None:
        self._tell(self._model.mark_output, low, self._seen())
        high = _HIGH_OF_OUTPUT.get(self.name, 0)
        self._ask(
            self.rules.marks,
            f"set_write_watermarks({low}, {high})",
            lambda: self.handle.set_write_watermarks(low, high),
        )

    # ---- the loop

    def look(self) -> None:
        self._model.look(self._seen())

    def begin_turn(self) -> None:
        self._model.begin_turn(self._seen())

    def end_turn(self, *, is_served: bool) -> None:
        self.look()

    def settled(self) -> None:
        self._model.settled(self._seen())

    def missing_call(self) -> ViolationError | None:
        return self._model.missing_call(self._seen())

    @property
    def moved(self) -> Hashable:
        return self._seen()

    @property
    def rule_if_loop_waits(self) -> str:
        return {State.NEW: self.rules.start, State.STOPPED: self.rules.stop}.get(
            self._model.state, ""
        )

    @property
    def may_call(self) -> list[str]:
        return self._model.may_happen()

    @property
    def must_be_called(self) -> bool:
        return self._model.must_be_called

    @property
    def size(self) -> int:
        return self._model.size

    def close_own(self) -> None:
        self.handle = None
        self._channel.close()

    def _callback(self, callback: Callback) -> Callable[..., None]:
        def called(*_arguments: object) -> None:
            with self.runner.calling(f"{callback.value} of {self.name}"):
                former, self._inside = self._inside, callback
                self.runner.look()
                self._model.called(callback, self._seen())
                for each in self._next_call(callback):
                    self.runner.do(each, self)
                self._model.finished(callback, self._seen())
                self._inside = former

        return called

    def _next_call(self, callback: Callback) -> tuple[Step, ...]:
        self._counts[callback] += 1
        return self._actor.call(callback.value, self._counts[callback])

    # ---- inside

    def _seen(self) -> Seen:
        return self._channel.seen()

    def _ask(self, rule: str, what: str, call: Callable[[], Any]) -> Any:
        return self.runner.ask_by(rule, f"{self.name}.{what}", call)

    def _tell(self, tell: Callable[..., object], *args: Any) -> None:
        self.runner.tell(tell, *args)

    def _bytes(self, rule: str, what: str, data: object) -> bytes:
        if not isinstance(data, bytes | bytearray | memoryview):
            happened = f"{self.name}.{what} returned {data!r}"
            self.runner.differ(ViolationError(rule, happened, ["bytes"]))
        return bytes(data)
