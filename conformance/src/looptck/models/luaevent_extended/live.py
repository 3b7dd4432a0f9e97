"""Acts on a bufferevent of luaevent, and tells its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from looptck.subjects.call_counter import unwrap

from ..buffered.live import LiveBufferedEvent
from ..buffered.model import Seen
from ..buffered.rules import BufferedRules, Callback
from ..buffered.side import Side, Switch
from ..engine.channel_state import Directions
from ..engine.live import LiveObject, TurnRunner
from ..engine.runner import Action
from ..engine.scenario import Actor, Step
from ..engine.violation import ViolationError
from .limit import RULE as LIMITS
from .limit import Limit

ENABLE = "luaevent.bufferevent.enable"
_WHAT = "luaevent.bufferevent.what-error"

RULES = BufferedRules(
    names=("read", "write", "error"),
    marks="luaevent.bufferevent.read-low",
    read_low="luaevent.bufferevent.read-low",
    read_high="luaevent.bufferevent.read-high",
    write_low="luaevent.bufferevent.write-low",
    data="luaevent.bufferevent.get_read",
    read_size="luaevent.bufferevent.get_read",
    read_all="luaevent.bufferevent.get_read",
    readline="luaevent.buffer.readline",
    readline_none="luaevent.buffer.readline-none",
    write="luaevent.bufferevent.get_write",
    write_in_callback="luaevent.bufferevent.write-low",
    end="luaevent.bufferevent.eof-once",
    is_due_at_low=False,
    may_tell_rest=False,
    resumes_at_once=True,
    is_two_way=True,
)

# "From the next turn on" nothing moves: the turn that runs may have begun before
# or after the last one that was seen.
_TURNS = 2


class LiveBufferEvent(LiveBufferedEvent):
    """A bufferevent; its two directions are enabled and disabled apart from each other."""

    def __init__(self, runner: TurnRunner, name: str, actor: Actor) -> None:
        super().__init__(runner, name, actor, RULES)
        model, entry = self.model, runner.entry
        model.input.switch_off("reading was never enabled", ENABLE)
        model.output.switch_on()
        self._directions: dict[Directions, tuple[Side, Limit, int]] = {
            way: (side, Limit(f"timeout of {name} to {way.words()}", side, runner.timing), flag)
            for way, side, flag in (
                (Directions.READ, model.input, entry.EVBUFFER_READ),
                (Directions.WRITE, model.output, entry.EVBUFFER_WRITE),
            )
        }
        # the error callback is called for this
        self._what = 0

    def make(self, base: Any) -> None:
        callbacks = [self.callback(each) for each in Callback]
        for _, limit, _ in self._directions.values():
            limit.begin(self.runner.now())
        self.handle = self.ask(
            "luaevent.bufferevent.new",
            "new()",
            lambda: self.runner.entry.bufferevent.new(base, self.opened.near, *callbacks),
        )

    # ---- steps

    def action_for(self, each: Step, inside: LiveObject | None) -> Action:
        match each.verb:
            case "enable":
                return lambda: self._enable(Directions.of(each["way"]))
            case "disable":
                return lambda: self._disable(Directions.of(each["way"]))
            case "limit":
                return lambda: self._limit(each["read"], each["write"])
        return super().action_for(each, inside)

    @property
    def may_write(self) -> bool:
        return True

    def _enable(self, ways: Directions) -> None:
        for way in ways:
            side, limit, _ = self._directions[way]
            if side.switch is not Switch.ON:
                limit.begin(self.runner.now())
            self.tell(self.model.switch_on, side, self.seen())
        self.ask(ENABLE, "enable()", lambda: self.handle.enable(self._flags(ways)))

    def _disable(self, ways: Directions) -> None:
        self.ask(ENABLE, "disable()", lambda: self.handle.disable(self._flags(ways)))
        for way in ways:
            side, why = self._directions[way][0], f"it is disabled to {way.words()}"
            if side.switch is not Switch.OFF:
                self.tell(self.model.switch_off, side, why, ENABLE, self.seen(), _TURNS)

    def _limit(self, read: int, write: int) -> None:
        unit = self.runner.timing.unit
        lengths = read * unit, write * unit
        for (_, limit, _), length in zip(self._directions.values(), lengths, strict=True):
            limit.set(length)
        self.ask(LIMITS, "set_timeouts()", lambda: self.handle.set_timeouts(*lengths))

    def _flags(self, ways: Directions) -> int:
        entry = self.runner.entry
        read = entry.EV_READ if Directions.READ in ways else 0
        flags: int = read | (entry.EV_WRITE if Directions.WRITE in ways else 0)
        return flags

    def read_data(self, rule: str, *size: int | None) -> Any:
        return self.ask(rule, "get_data()", lambda: self.handle.get_read().get_data(*size))

    def after_read(self, count: int) -> None:
        rule = "luaevent.buffer.drain"
        self.ask(rule, f"drain({count})", lambda: self.handle.get_read().drain(count))

    def read_line(self, rule: str) -> Any:
        return self.ask(rule, "readline()", lambda: self.handle.get_read().readline())

    def write_data(self, data: bytes) -> None:
        if not self.model.output.level:
            self._directions[Directions.WRITE][1].begin(self.runner.now())
        self.ask(self.rules.write, "add()", lambda: self.handle.get_write().add(data))

    # ---- the loop

    def seen(self) -> Seen:
        seen = super().seen()
        if self.handle is None:
            return seen
        held, kept = self.handle.get_read().length(), self.handle.get_write().length()
        return Seen(seen.moved, seen.left, seen.takes, held, kept)

    def look(self) -> None:
        super().look()
        now, model = self.runner.now(), self.model
        for way, moved in (
            (Directions.READ, model.input.moved),
            (Directions.WRITE, model.output.left),
        ):
            self._directions[way][1].look(moved, now)

    def begin_turn(self) -> None:
        super().begin_turn()
        for _, limit, _ in self._directions.values():
            limit.begin_turn(self.runner.now())

    def missing_call(self) -> ViolationError | None:
        return super().missing_call() or self._missing_limit()

    def settled(self) -> None:
        super().settled()
        if missing := self._missing_limit():
            raise missing

    def _missing_limit(self) -> ViolationError | None:
        now, model = self.runner.now(), self.model
        (_, read, _), (_, write, _) = self._directions.values()
        missing = None if model.input.is_full or model.ended else read.missing_call(now)
        if missing is None and model.output.level and not model.gone:
            missing = write.missing_call(now)
        return missing

    def callback(self, callback: Callback) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            if not self.runner.is_over:
                self._called(callback, arguments)

        return called

    def _called(self, callback: Callback, arguments: tuple[Any, ...]) -> None:
        """A callback is called: tell the flags apart, and look at them by their rules."""
        entry, what = self.runner.entry, arguments[1] if len(arguments) == 2 else 0
        if callback is not Callback.ERROR:
            flags = (entry.EVBUFFER_READ, entry.EVBUFFER_WRITE)[callback.value]
            is_right, rule = what == flags, f"luaevent.bufferevent.what-{self.rules.name(callback)}"
            self.call(callback, "", check=lambda: self._check(is_right, rule, arguments))
            return
        kinds = [
            name
            for name in ("EOF", "ERROR", "TIMEOUT")
            if what & getattr(entry, f"EVBUFFER_{name}")
        ]
        ways = [way for way, (_, _, flag) in self._directions.items() if what & flag]
        is_right = len(kinds) == len(ways) == 1
        if not is_right:
            self.call(callback, "", check=lambda: self._check(False, _WHAT, arguments))
            return
        side = self._directions[ways[0]][0]
        said = f" with {kinds[0]} to {ways[0].words()}"
        self.call(
            callback, said, side, check=lambda: self._check_error(kinds[0], ways[0], arguments)
        )

    def _check(self, is_right: bool, rule: str, arguments: tuple[Any, ...]) -> None:
        if len(arguments) != 2 or arguments[0] is not unwrap(self.handle):
            rule, is_right = "luaevent.bufferevent.callback-input", False
        if not is_right:
            what = f"a callback of {self.name} got {arguments[1:]!r}"
            raise ViolationError(rule, what, ["the bufferevent and the flags of what happened"])

    def _check_error(self, kind: str, way: Directions, arguments: tuple[Any, ...]) -> None:
        self._check(True, _WHAT, arguments)
        side, limit, _ = self._directions[way]
        if kind == "TIMEOUT":
            if side is self.model.output and not self.model.output.level:
                what = f"{self.name} told a timeout to write with nothing to send"
                raise ViolationError(LIMITS, what, ["no such call"])
            limit.told(self.runner.now())
        elif kind == "EOF" and side is self.model.input and not self.model.was_reset:
            self.model.told_end()
            side.switch_off("its end was told", self.rules.end, _TURNS)
        elif not self.model.gone:
            what = f"{self.name} told {kind} to {way.words()}, and its peer is there"
            raise ViolationError(_WHAT, what, ["no such call"])
        else:
            side.loosen()
