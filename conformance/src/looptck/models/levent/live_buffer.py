"""Acts on a buffered event of levent."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..buffered.live import LiveBufferedEvent
from ..buffered.rules import BufferedRules, Callback
from ..buffered.side import Switch
from ..engine.live import LiveObject, TurnRunner
from ..engine.runner import Action
from ..engine.scenario import Actor, Step

RULES = BufferedRules(
    names=("readcb", "writecb", "errorcb"),
    marks="levent.newevbuf.watermarks-exist",
    read_low="levent.buffer.read-lowwater",
    read_high="levent.buffer.read-highwater",
    write_low="levent.buffer.write-lowwater",
    data="levent.newevbuf.data-before-eof",
    read_size="levent.bufevent.read-size",
    read_all="levent.bufevent.read-all",
    buffer_only="levent.bufevent.read-buffer-only",
    readline="levent.bufevent.readline",
    readline_none="levent.bufevent.readline-none",
    write="levent.bufevent.write",
    write_in_callback="levent.buffer.write-more-in-cb",
)

# {state of a buffered event that moves nothing: the rule by which it does not}
_START, _STOP, _DELETE = "levent.bufevent.start", "levent.bufevent.stop", "levent.bufevent.delete"


class LiveEvBuf(LiveBufferedEvent):
    """A buffered event; it is started and stopped in both directions at once."""

    def __init__(self, runner: TurnRunner, name: str, actor: Actor) -> None:
        super().__init__(runner, name, actor, RULES)
        for side in self._sides:
            side.switch_off("it was never started", _START)

    def make(self, base: Any) -> None:
        callbacks = [self.callback(each) for each in Callback]
        self.handle = self.ask(
            "levent.newevbuf.creates",
            "newevbuf()",
            lambda: base.newevbuf(self.opened.near, *callbacks),
        )

    @property
    def _sides(self) -> tuple[Any, Any]:
        return self.model.input, self.model.output

    @property
    def _rule_if_off(self) -> str:
        """The rule by which it is at rest, or ""."""
        return self.model.input.rule_if_off if self.model.input.switch is Switch.OFF else ""

    @property
    def may_write(self) -> bool:
        return self._rule_if_off != _START and super().may_write

    def action_for(self, each: Step, inside: LiveObject | None) -> Action:
        if self._rule_if_off == _DELETE:
            return None
        match each.verb:
            case "start":
                return self._start
            case "stop":
                return self._stop_again if self._rule_if_off else self._stop
            case "delete" if hasattr(self.handle, "delete"):
                return self._delete
            case "take None":
                return lambda: self.read(None)
            case "mark input" if not hasattr(self.handle, "set_read_watermarks"):
                return None
            case "mark output" if not hasattr(self.handle, "set_write_watermarks"):
                return None
        return super().action_for(each, inside)

    def _start(self) -> None:
        for side in self._sides:
            self.tell(self.model.switch_on, side, self.seen())
        self.ask(_START, "start()", self.handle.start)

    def _stop(self) -> None:
        self.ask(_STOP, "stop()", self.handle.stop)
        for side in self._sides:
            self.tell(self.model.switch_off, side, "it is stopped", _STOP, self.seen())

    def _stop_again(self) -> None:
        """Stop an event that is not active, which may raise."""
        with suppress(Exception):
            self.handle.stop()
        self.tell(self.look)

    def _delete(self) -> None:
        self.ask(_DELETE, "delete()", self.handle.delete)
        for side in self._sides:
            side.switch_off("it is deleted", _DELETE)

    def read_data(self, rule: str, *size: int | None) -> Any:
        said = ", ".join(map(str, size))
        return self.ask(rule, f"read({said})", lambda: self.handle.read(*size))

    def read_line(self, rule: str) -> Any:
        return self.ask(rule, "readline()", self.handle.readline)

    def write_data(self, data: bytes) -> None:
        self.ask(self.rules.write, "write()", lambda: self.handle.write(data))

    @property
    def rule_if_loop_waits(self) -> str:
        rule = self._rule_if_off
        return rule if rule in (_START, _STOP) else ""
