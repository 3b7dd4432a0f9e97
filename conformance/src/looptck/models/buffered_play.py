"""Plays scenarios about buffered events."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVarTuple

from looptck.bench import Bench
from looptck.probes.flows import unread
from looptck.probes.wires import drain

from .buffered import BufferedEvents, BufferedModel, Callback, Seen, State
from .buffered_rules import LEVENT
from .buffered_scenario import BufferedActor, BufferedScenario
from .lockstep import MOST_CALLS, Play
from .refused import RefusedError
from .scenario import Step

Ts = TypeVarTuple("Ts")

# So many passes in which nothing moves show that nothing will, and in real
# time they last so long in seconds.
_STILL = 40
_STILL_FOR = 0.4

# So many more are made when nothing is expected, to see what should not come.
_MORE = 3

# What the kernel is asked to hold on a narrow line; it takes a little more.
_NARROW = 2048

# Carriage returns break lines in some loops, line feeds are written on purpose.
_NO_BREAKS = bytes.maketrans(b"\r\n", b"\xfe\xff")


class _Source:
    """Bytes that do not repeat, without line breaks; the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def take(self, count: int) -> bytes:
        return self._random.randbytes(count).translate(_NO_BREAKS)


class _Line:
    """A connected pair of sockets: the file of a buffered event, and its peer."""

    def __init__(self, *, is_narrow: bool) -> None:
        self.near, self.far = socket.socketpair()
        for end in (self.near, self.far):
            end.setblocking(False)
            if is_narrow:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
        self._is_gone = False
        self._sent = self._received = self._left = 0

    def seen(self) -> Seen:
        takes = bool(select.select([], [self.near], [], 0)[1])
        moved = self._sent - unread(self.near)
        if not self._is_gone:
            self._left = self._received + unread(self.far)
        return Seen(moved, self._left, takes)

    def send(self, data: bytes) -> bytes:
        """Send *data*, or what the line takes of it; what that is."""
        sent = 0
        with suppress(BlockingIOError):
            while sent < len(data):
                sent += self.far.send(data[sent:])
        self._sent += sent
        return data[:sent]

    def receive(self, count: int | None) -> bytes:
        """Take up to *count* bytes that are there, or all."""
        if count is None:
            data = drain(self.far)
        else:
            data = b""
            with suppress(BlockingIOError, ConnectionResetError):
                data = self.far.recv(count)
        self._received += len(data)
        return data

    def end(self) -> None:
        self.far.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        self.seen()
        self._is_gone = True
        self.far.close()

    def close(self) -> None:
        self.near.close()
        self.far.close()


@dataclass(eq=False)
class _Part:
    """A buffered event on stage."""

    name: str
    actor: BufferedActor
    line: _Line
    model: BufferedModel
    handle: Any = None
    counts: dict[Callback, int] = field(default_factory=dict)
    # the callback that runs, the innermost if there are several
    inside: Callback | None = None

    def __post_init__(self) -> None:
        self.sends = _Source(f"to {self.name}")
        self.writes = _Source(f"from {self.name}")

    def seen(self) -> Seen:
        return self.line.seen()

    def next_call(self, callback: Callback) -> tuple[Step, ...]:
        count = self.counts[callback] = self.counts.get(callback, 0) + 1
        return self.actor.call(callback, count)


class BufferedPlay(Play[BufferedScenario, BufferedEvents]):
    rule_of_return = "levent.loop.howmany-zero"
    rule_of_end = "levent.loop.howmany-zero-bounded"
    rules = LEVENT

    def __init__(self, scenario: BufferedScenario, bench: Bench, patience: float) -> None:
        super().__init__(scenario, bench, patience)
        self._model = BufferedEvents()
        self._parts: dict[str, _Part] = {}
        self._base: Any = None
        self._still_for = 0.0 if self.timing.is_virtual else _STILL_FOR

    def play(self) -> None:
        self._base = self.ask("newbase()", self.entry.newbase, "levent.newbase")
        for name, actor in self.scenario.actors.items():
            line = _Line(is_narrow=actor.is_narrow)
            part = _Part(name, actor, line, BufferedModel(name, self.rules))
            self._parts[name] = part
            self._model.all.append(part.model)
            make = partial(self._make, part)
            part.handle = self.ask(f"newevbuf() for {name}", make, "levent.newevbuf.creates")
        super().play()

    def _make(self, part: _Part) -> Any:
        callbacks = [self._callback(part, each) for each in Callback]
        return self._base.newevbuf(part.line.near.fileno(), *callbacks)

    # ---- steps

    def meaning(self, each: Step, inside: Any) -> Callable[[], object] | None:
        if not each.args:
            return None if inside is not None else self._meaning_for_loop(each.verb)
        part = next((self._parts.get(arg) for arg in each.args if isinstance(arg, str)), None)
        if part is None:
            return None
        counts = [arg for arg in each.args if isinstance(arg, int)]
        if each.verb in ("send", "send line", "receive", "receive all", "end", "leave"):
            return self._meaning_for_peer(each.verb, part, counts)
        if part.model.state is State.DELETED:
            return None
        return self._meaning_for_buffer(each.verb, part, counts)

    def _meaning_for_loop(self, verb: str) -> Callable[[], object] | None:
        states = {part.model.state for part in self._parts.values()}
        match verb:
            case "turn":
                return lambda: self._enter("pass", self._turn)
            case "settle":
                return self._settle
            case "wait" if any(part.model.must_be_called for part in self._parts.values()):
                return lambda: self._enter("loop(1)", self._wait, "levent.loop.howmany-positive")
            case "run" if not states & {State.STARTED, State.DELETED}:
                rule = self.rules.stop if State.STOPPED in states else self.rules.start
                return lambda: self._enter("loop()", lambda: self._base.loop(), rule)
        return None

    def _meaning_for_peer(
        self, verb: str, part: _Part, counts: list[int]
    ) -> Callable[[], object] | None:
        model, line = part.model, part.line
        match verb:
            case "send" if not model.ended:
                return lambda: model.peer_sent(line.send(part.sends.take(counts[0])))
            case "send line" if not model.ended:
                return lambda: model.peer_sent(line.send(part.sends.take(counts[0]) + b"\n"))
            case "receive" | "receive all" if not model.gone:
                count = counts[0] if counts else None
                return lambda: self._checked(model.peer_received, line.receive(count))
            case "end" if not model.ended:
                return lambda: self._end(part)
            case "leave" if not model.gone:
                return lambda: self._hang_up(part)
        return None

    def _meaning_for_buffer(
        self, verb: str, part: _Part, counts: list[int]
    ) -> Callable[[], object] | None:
        model, handle = part.model, part.handle
        match verb:
            case "start":
                return lambda: self._start(part)
            case "stop" if model.state is State.STARTED:
                return lambda: self._stop(part)
            case "delete" if hasattr(handle, "delete"):
                return lambda: self._delete(part)
            case "take" | "take all":
                return lambda: self._read(part, counts[0] if counts else None)
            case "take line":
                return lambda: self._readline(part)
            case "put" if model.state is not State.NEW and not model.gone:
                return lambda: self._write(part, counts[0])
            case "mark input" if hasattr(handle, "set_read_watermarks"):
                return lambda: self._mark_input(part, *counts)
            case "mark output" if hasattr(handle, "set_write_watermarks"):
                return lambda: self._mark_output(part, *counts)
        return None

    def _end(self, part: _Part) -> None:
        part.line.end()
        part.model.peer_ended()

    def _hang_up(self, part: _Part) -> None:
        self._checked(part.model.look, part.seen())
        part.line.hang_up()
        part.model.peer_closed()

    def _start(self, part: _Part) -> None:
        self._checked(part.model.start, part.seen())
        self._ask(f"{part.name}.start()", part.handle.start, self.rules.start)

    def _stop(self, part: _Part) -> None:
        self._ask(f"{part.name}.stop()", part.handle.stop, self.rules.stop)
        self._checked(part.model.stop, part.seen())

    def _delete(self, part: _Part) -> None:
        self._ask(f"{part.name}.delete()", part.handle.delete, self.rules.delete)
        part.model.delete()

    def _read(self, part: _Part, size: int | None) -> None:
        rule = self.rules.read_all if size is None else self.rules.read_size
        arguments = () if size is None else (size,)
        before = part.seen()
        what = f"{part.name}.read({'' if size is None else size})"
        data = self._ask(what, lambda: part.handle.read(*arguments), rule)
        data = self._bytes(what, b"" if data is None else data, rule)
        self._checked(part.model.read, size, data, before, part.seen())

    def _readline(self, part: _Part) -> None:
        before = part.seen()
        what = f"{part.name}.readline()"
        line = self._ask(what, part.handle.readline, self.rules.readline)
        if line is not None:
            line = self._bytes(what, line, self.rules.readline)
        self._checked(part.model.readline, line, before, part.seen())

    def _write(self, part: _Part, count: int) -> None:
        data = part.writes.take(count)
        if data:
            part.model.write(data, part.inside)
            self._ask(f"{part.name}.write()", lambda: part.handle.write(data), self.rules.write)

    def _mark_input(self, part: _Part, low: int, high: int) -> None:
        self._checked(part.model.mark_input, low, high, part.seen())
        self._ask(
            f"{part.name}.set_read_watermarks()",
            lambda: part.handle.set_read_watermarks(low, high),
            "levent.newevbuf.watermarks-exist",
        )

    def _mark_output(self, part: _Part, low: int) -> None:
        self._checked(part.model.mark_output, low, part.seen())
        self._ask(
            f"{part.name}.set_write_watermarks()",
            lambda: part.handle.set_write_watermarks(low, 0),
            "levent.newevbuf.watermarks-exist",
        )

    # ---- the loop

    def _settle(self) -> None:
        self._enter("passes", self._pass_until_still)
        for part in self._parts.values():
            self._checked(part.model.settled, part.seen())

    def _pass_until_still(self) -> None:
        """Pass after pass until nothing moves and nothing is to come, or has come for too long."""
        last: list[Seen] = []
        still, since = 0, time.monotonic()
        while not self.has_failed:
            self._turn()
            seen = [part.seen() for part in self._parts.values()]
            if seen != last:
                last, still, since = seen, 0, time.monotonic()
                continue
            still += 1
            if still >= _MORE and not self._owes(seen):
                return
            if still >= _STILL and time.monotonic() - since >= self._still_for:
                return

    def _owes(self, seen: list[Seen]) -> bool:
        pairs = zip(self._parts.values(), seen, strict=True)
        return any(part.model.owes(each) is not None for part, each in pairs)

    def _turn(self) -> None:
        self._begin_turn()
        self._base.loop(0)

    def _wait(self) -> None:
        self._begin_turn()
        self._base.loop(1)

    def _begin_turn(self) -> None:
        # one for each byte, at most, and what is repeated
        self.calls = 0
        self.most_calls = MOST_CALLS + sum(part.model.size for part in self._parts.values())
        for part in self._parts.values():
            self._checked(part.model.begin_turn, part.seen())

    def _callback(self, part: _Part, callback: Callback) -> Callable[..., None]:
        def called(*_arguments: object) -> None:
            with self.calling(f"{callback.value} of {part.name}"), _inside(part, callback):
                for each in self._parts.values():
                    each.model.look(each.seen())
                part.model.called(callback, part.seen())
                for step in part.next_call(callback):
                    self.do(step, part)
                part.model.finished(callback, part.seen())

        return called

    # ---- parts

    def _enter(self, what: str, call: Callable[[], Any], rule: str = "") -> None:
        with self._broken_by(rule or self.rule_of_return):
            self.enter(self._model, what, call)
        for part in self._parts.values():
            self._checked(part.model.look, part.seen())

    def _ask(self, what: str, call: Callable[[], Any], rule: str) -> Any:
        with self._broken_by(rule):
            return self.ask(what, call, rule)

    @contextmanager
    def _broken_by(self, rule: str) -> Iterator[None]:
        """What does not come back inside breaks *rule*."""
        former, self.rule_of_return = self.rule_of_return, rule
        yield
        self.rule_of_return = former  # only if it came back

    def _checked(self, tell: Callable[[*Ts], object], *args: *Ts) -> None:
        """Tell the model; differ if it refuses."""
        try:
            tell(*args)
        except RefusedError as refused:
            self.differ(refused)

    def _bytes(self, what: str, data: object, rule: str) -> bytes:
        if not isinstance(data, bytes | bytearray | memoryview):
            self.differ(RefusedError(rule, f"{what} returned {data!r}", ["bytes"]))
        return bytes(data)

    def clean_up(self) -> None:
        for part in self._parts.values():
            with suppress(Exception):
                part.handle.stop()
        self._base = None

    def put_away(self) -> None:
        for part in self._parts.values():
            part.handle = None
            part.line.close()


@contextmanager
def _inside(part: _Part, callback: Callback) -> Iterator[None]:
    former, part.inside = part.inside, callback
    try:
        yield
    finally:
        part.inside = former
