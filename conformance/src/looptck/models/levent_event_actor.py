"""An event of levent on stage, and the file that it shares with others or not."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from looptck.testing.channels import PipeEnd, fill

from .channel_state import ChannelState, Directions, Kind
from .levent_actors import Act, LiveActor
from .levent_channels import BufferedChannel, ByteSource
from .levent_events import Active, EventModel
from .levent_scenario import EVENT, LeventActor
from .scenario import Step
from .violation import ViolationError

if TYPE_CHECKING:
    from .levent_runner import LeventRunner

_EVTYPES = {Directions.READ: "r", Directions.WRITE: "w", Directions.BOTH: "rw"}

# What a callback may do before it stops its event, so that it is called for certain.
_HARMLESS = ("take", "take all", "send", "receive all")


class EventChannel:
    """A file that events are about, as it is and as the model knows it."""

    def __init__(self, name: str) -> None:
        self.channel = ChannelState(Kind.PAIR)
        self.users: list[EventModel] = []
        self._channel = BufferedChannel(is_narrow=False)
        self._sends = ByteSource(f"to {name}")

    @property
    def number(self) -> int:
        return self._channel.near.fileno()

    def action_for(self, verb: str, counts: list[int]) -> Act:
        channel = self.channel
        match verb:
            case "send" | "send line" if channel.can_write():
                return lambda: channel.write(len(self._channel.send(self._sends.take(counts[0]))))
            case "receive all" if channel.can_drain():
                return self._drain
            case "end" if channel.can_finish():
                return self._finish
            case "leave" if channel.can_hang_up():
                return self._hang_up
            case "take" | "take all":
                return lambda: self._take(counts[0] if counts else 0)
            case "stuff" if channel.can_fill():
                return self._stuff
        return None

    def _drain(self) -> None:
        self._channel.receive(None)
        self.channel.full = False

    def _finish(self) -> None:
        self._channel.end()
        self.channel.ended = True

    def _hang_up(self) -> None:
        self._channel.hang_up()
        self.channel.hang_up()

    def _take(self, count: int) -> None:
        taken = self.channel.read(count)
        with suppress(BlockingIOError, ConnectionResetError):
            self._channel.near.recv(taken or 1)

    def _stuff(self) -> None:
        fill(PipeEnd(self.number))
        self.channel.full = True

    def close(self) -> None:
        self._channel.close()


class LiveEvent(LiveActor):
    """An event."""

    def __init__(
        self, runner: LeventRunner, name: str, actor: LeventActor, channel: EventChannel
    ) -> None:
        super().__init__(runner, name)
        self._actor = actor
        self._channel = channel
        self._model = EventModel(name, actor.directions, channel.channel)
        channel.users.append(self._model)
        self._count = 0

    def make(self, base: Any) -> None:
        self.handle = self.runner.ask_by(
            "levent.newevent.creates",
            f"newevent() for {self.name}",
            lambda: base.newevent(
                self._channel.number, self._called, _EVTYPES[self._actor.directions]
            ),
        )

    # ---- steps

    def action_for(self, verb: str, counts: list[int], inside: LiveActor | None) -> Act:
        if self._model.active is Active.DELETED and verb in ("start", "stop"):
            return lambda: self._check_invalid(verb)
        match verb:
            case "start":
                return lambda: self._start(inside)
            case "stop":
                return self._stop
            case "delete" if self._model.active is not Active.DELETED:
                return self._delete
        return self._channel.action_for(verb, counts)

    def _start(self, inside: LiveActor | None) -> None:
        self._ask("levent.event.start", "start()", self.handle.start)
        self._model.start(by_other=inside is not None and inside is not self)

    def _stop(self) -> None:
        self._ask("levent.event.stop", "stop()", self.handle.stop)
        if self._model.active is not Active.NEW:
            self._model.stop()

    def _delete(self) -> None:
        self._ask("levent.event.delete", "delete()", self.handle.delete)
        self._model.delete()

    def _check_invalid(self, verb: str) -> None:
        try:
            getattr(self.handle, verb)()
        except Exception:
            return
        what = f"{self.name}.{verb}() did not raise, although it is deleted"
        self.runner.differ(ViolationError("levent.event.delete-invalid", what, ["it raises"]))

    # ---- the loop

    def look(self) -> None:
        self._model.look()

    def begin_turn(self) -> None:
        self._model.begin_turn()

    def end_turn(self, *, is_served: bool) -> None:
        same_file = any(each.calls for each in self._channel.users)
        self._model.end_turn(is_served=is_served and not same_file)

    def settled(self) -> None:
        if (missing := self._model.missing_call()) is not None:
            raise missing

    def missing_call(self) -> ViolationError | None:
        return self._model.missing_call()

    @property
    def moved(self) -> Hashable:
        return self._model.calls_due

    @property
    def rule_if_loop_waits(self) -> str:
        return self._model.rule_if_loop_waits

    @property
    def may_call(self) -> list[str]:
        return [f"{self.name} called"] if self._model.may_call else []

    @property
    def must_be_called(self) -> bool:
        return self._model.is_due

    @property
    def surely_ends(self) -> bool:
        """Whether its next call comes for certain, and is its last one for certain."""
        do = self._actor.call(EVENT, self._count + 1)
        if not self.must_be_called or not do or len(self._channel.users) > 1:
            return False
        *others, last = do
        is_own = all(each.args[-1] == self.name or self.name in each.args for each in do)
        stops = last.verb in ("stop", "delete")
        return is_own and stops and all(each.verb in _HARMLESS for each in others)

    @property
    def is_active(self) -> bool:
        return self._model.active is Active.YES

    def close_own(self) -> None:
        self.handle = None
        self._channel.close()

    def _called(self, *arguments: object) -> None:
        with self.runner.calling(f"{self.name} called"):
            self.runner.look()
            self._model.called(self.runner.rule_of_end)
            if arguments != (self._channel.number,):
                what = f"{self.name} called with {len(arguments)} arguments, or another file"
                raise ViolationError("levent.newevent.callback-arg", what, ["the file alone"])
            for each in self._next_call():
                self.runner.do(each, self)
            self.runner.look()

    def _next_call(self) -> tuple[Step, ...]:
        self._count += 1
        return self._actor.call(EVENT, self._count)

    def _ask(self, rule: str, what: str, call: Callable[[], Any]) -> Any:
        return self.runner.ask_by(rule, f"{self.name}.{what}", call)
