"""Plays scenarios with wires, actors and loops: what luaevent and LuaHop have in common."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from looptck.subjects.subject import Subject

from .channel_state import ChannelState
from .channels import OpenChannel
from .lockstep import RunEnded, Runner
from .luaevent import LuaeventModel
from .luahop import LuahopModel
from .scenario import Actor, Call, Scenario, Step
from .violation import ViolationError

M = TypeVar("M", LuaeventModel, LuahopModel)


class ChannelRunner(Runner[Scenario, M]):
    """A play on loops, which watch the near ends of wires."""

    rule_of_new = ""
    rule_of_data = ""
    rule_of_descriptors = ""
    # whether a rule forbids to duplicate descriptors and to change their flags
    may_not_touch = False

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self.channels: dict[int, ChannelState] = {}
        self.open_channels: dict[int, OpenChannel] = {}
        # {number: the loop}, and its model
        self.loops: dict[int, Any] = {}
        self.models: dict[int, M] = {}

    def run_steps(self) -> None:
        for number, kind in enumerate(self.scenario.channels, 1):
            self.channels[number] = ChannelState(kind)
            self.open_channels[number] = OpenChannel(kind)
        super().run_steps()
        self.check_end()

    def take(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError:
            self._check_left_alone()
            raise

    def action_for(self, each: Step, inside: Any) -> Callable[[], object] | None:
        match each.verb, each.args:
            case "pass", (int() as length,):
                return lambda: self.clock.advance(length * self.timing.unit)
            case verb, (name_or_number, *_) if verb in OF_PROFILE:
                return self.act(verb, name_or_number, each.args, inside)
            case verb, args:
                return self._act_on_channel(verb, args)

    def _act_on_channel(
        self, verb: str, args: tuple[int | str, ...]
    ) -> Callable[[], object] | None:
        *counts, number = (int(each) for each in args)
        if number not in self.channels:
            return None
        channel, opened = self.channels[number], self.open_channels[number]
        count = counts[0] if counts else 0

        def write() -> None:
            channel.write(count)
            opened.write(count)

        def read() -> None:
            taken = channel.read(count)
            if (taken or channel.ended) and (got := opened.read(taken)) != taken:
                self.differ(
                    ViolationError(
                        self.rule_of_data,
                        f"of {taken} bytes in wire {number} only {got} are left to read",
                        ["the loop reads nothing"],
                    )
                )

        def fill() -> None:
            channel.full = True
            opened.fill()

        def drain() -> None:
            channel.full = False
            opened.drain()

        def finish() -> None:
            channel.ended = True
            opened.finish()

        def hang_up() -> None:
            channel.hang_up()
            opened.hang_up()

        def renew() -> None:
            self.forget(channel)
            channel.renew()
            opened.renew()
            if not opened.was_closed and self.may_not_touch:
                what = f"somebody else still holds the near end of wire {number}"
                self.differ(ViolationError(self.rule_of_descriptors, what, ["it is closed"]))

        can, act = {
            "write": (channel.can_write(), write),
            "read": (channel.can_read(), read),
            "read all": (channel.can_read(), read),
            "fill": (channel.can_fill(), fill),
            "drain": (channel.can_drain(), drain),
            "finish": (channel.can_finish(), finish),
            "hang up": (channel.can_hang_up(), hang_up),
            "renew": (self.can_forget(channel), renew),
        }[verb]
        return act if can else None

    # ---- for the two profiles

    @abstractmethod
    def act(
        self, verb: str, subject: int | str, args: tuple[int | str, ...], inside: Any
    ) -> Callable[[], object] | None:
        """What to do for a step of the profile, or None where it makes no sense."""

    @abstractmethod
    def can_forget(self, channel: ChannelState) -> bool:
        """Whether loops can be made to watch *wire* no more, for certain."""

    @abstractmethod
    def forget(self, channel: ChannelState) -> None:
        """Have no loop watch *wire* any more."""

    @abstractmethod
    def new_model(self) -> M:
        """The model of a fresh loop."""

    @abstractmethod
    def check_end(self) -> None:
        """Differ if something is kept that should be let go of."""

    @abstractmethod
    def close_loops(self) -> None:
        """Close whatever was made; may raise."""

    # ---- parts

    def loop(self, number: int) -> Any:
        if number not in self.loops:
            self.loops[number] = self.ask("new()", self.entry.new, self.rule_of_new)
            self.models[number] = self.new_model()
        return self.loops[number]

    def close_subject(self) -> None:
        self.close_loops()
        self.loops.clear()

    def close_own(self) -> None:
        if not self.has_differed:
            with suppress(RunEnded):
                self._check_left_alone()
        for opened in self.open_channels.values():
            opened.close()

    def _check_left_alone(self) -> None:
        """Differ if the loop did something to what is not its own."""
        for number, opened in self.open_channels.items():
            what = ""
            if not opened.is_open():
                what = f"the near end of wire {number} was closed by the loop"
            elif self.may_not_touch and not opened.is_untouched():
                what = f"the flags of the near end of wire {number} were changed by the loop"
            if what:
                self.differ(ViolationError(self.rule_of_descriptors, what, ["it stays as it was"]))


@dataclass(eq=False)
class LiveActor:
    """An actor on stage: one event, listener or timer that was made."""

    name: str
    actor: Actor
    modelled: Any = None
    handle: Any = None
    calls: int = 0
    callback: weakref.ref[Any] | None = None

    @property
    def is_held(self) -> bool:
        """Whether anybody still refers to its callback."""
        return self.callback is not None and self.callback() is not None

    def next_call(self) -> Call:
        self.calls += 1
        return self.actor.call(self.calls)


OF_PROFILE = frozenset(
    {"add", "close", "drop", "loop", "loop guarded", "close base"}
    | {"set", "remove", "clear", "poll", "poll for", "poll often"}
)

# How often an actor may come on stage; some bring each other back for ever.
MOST_TIMES = 4
