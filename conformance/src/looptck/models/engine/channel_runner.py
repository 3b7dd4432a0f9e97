"""Takes the steps of a scenario that are about its channels."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from looptck.subjects.subject import Subject

from .channel_state import ChannelState, Directions
from .channels import OpenChannel
from .runner import Action, RunEnded, Runner
from .scenario import Actor, Scenario, Step

# {verb: its text}.  The far end writes, drains, finishes and hangs up; the
# near end, which loops watch, is read and filled.
CHANNEL_VERBS = {
    "write": "write {n:1} to channel {channel}",
    "write line": "write a line of {n:0} to channel {channel}",
    "read": "read {n:1} from channel {channel}",
    "read all": "read all from channel {channel}",
    "fill": "fill channel {channel}",
    "drain": "drain channel {channel}",
    "drain some": "drain {n:1} from channel {channel}",
    "finish": "finish channel {channel}",
    "hang up": "hang up channel {channel}",
    "renew": "renew channel {channel}",
    "let pass": "let {t:1} pass",
}


class ChannelRunner(Runner):
    """Runs a scenario on loops, which watch the near ends of channels."""

    rule_of_data = ""
    rule_of_descriptors = ""
    # whether a rule forbids to duplicate descriptors and to change their flags
    may_not_touch = False

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self.channels: dict[int, ChannelState] = {}
        self.open_channels: dict[int, OpenChannel] = {}

    def open(self) -> None:
        """Open the channels of the scenario."""
        for number, kind in enumerate(self.scenario.channels, 1):
            self.channels[number] = ChannelState(kind)
            self.open_channels[number] = OpenChannel(kind, number)

    def run_steps(self) -> None:
        self.open()
        super().run_steps()

    def take(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError:
            self._check_left_alone()
            raise

    def action_for(self, each: Step, inside: Any) -> Action:
        if each.verb == "let pass":
            return lambda: self.clock.advance(each["t"] * self.timing.unit)
        if each.verb in CHANNEL_VERBS:
            return self._act_on_channel(each) if each.channel in self.channels else None
        return self.act(each, inside)

    def _act_on_channel(self, each: Step) -> Action:
        number, count = each.channel, each.get("n", 0)
        state, opened = self.channels[number], self.open_channels[number]
        is_own = not self.is_buffered(number)

        def drain() -> None:
            state.full = False
            opened.drain(each.get("n"))

        def finish() -> None:
            state.ended = True
            opened.finish()

        def hang_up() -> None:
            state.hang_up()
            opened.hang_up()

        def fill() -> None:
            state.full = True
            opened.fill()

        def write(end: bytes = b"") -> None:
            state.write(opened.write(count, end))

        steps: dict[str, tuple[bool, Callable[[], object]]] = {
            "write": (state.can_write(), write),
            "write line": (state.can_write(), lambda: write(b"\n")),
            "read": (is_own and state.can_read(), lambda: self._read(number, count)),
            "read all": (is_own and state.can_read(), lambda: self._read(number, 0)),
            "fill": (is_own and state.can_fill(), fill),
            "drain": (state.can_drain(is_full=is_own), drain),
            "drain some": (not is_own and state.can_drain(is_full=False), drain),
            "finish": (state.can_finish(), finish),
            "hang up": (state.can_hang_up(), hang_up),
            "renew": (is_own and self.can_forget(number), lambda: self._renew(number)),
        }
        can, act = steps[each.verb]
        if not can:
            return None

        def act_and_tell() -> None:
            self.about_to_change(number)
            act()
            self.changed(number)

        return act if is_own else act_and_tell

    def _read(self, number: int, count: int) -> None:
        state, opened = self.channels[number], self.open_channels[number]
        taken = state.read(count)
        if (taken or state.ended) and (got := opened.read(taken)) != taken:
            self.refuse(
                self.rule_of_data,
                f"of {taken} bytes in channel {number} only {got} are left to read",
                "the loop reads nothing",
            )

    def _renew(self, number: int) -> None:
        self.forget(number)
        self.channels[number].renew()
        opened = self.open_channels[number]
        opened.renew()
        if not opened.was_closed and self.may_not_touch:
            what = f"somebody else still holds the near end of channel {number}"
            self.refuse(self.rule_of_descriptors, what, "it is closed")

    # ---- for the documents

    @abstractmethod
    def act(self, each: Step, inside: Any) -> Action:
        """Return the action for a step of the document, or None where it makes no sense."""

    def is_buffered(self, number: int) -> bool:
        """Whether a buffered event has channel *number*, so that only the loop may use its end."""
        return False

    def about_to_change(self, number: int) -> None:
        """A step is about to be taken at the far end of the channel of a buffered event."""

    def changed(self, number: int) -> None:
        """A step was taken there."""

    def can_forget(self, number: int) -> bool:
        """Whether loops can be made to watch channel *number* no more, for certain."""
        return False

    def forget(self, number: int) -> None:
        """Have no loop watch channel *number* any more."""

    # ---- parts

    def can_watch(self, actor: Actor, directions: Directions) -> bool:
        """Whether the channel of *actor* exists and has these directions."""
        state = self.channels.get(actor.channel)
        return state is not None and not directions & ~state.directions

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
                what = f"the near end of channel {number} was closed by the loop"
            elif self.may_not_touch and not opened.is_untouched():
                what = f"the flags of the near end of channel {number} were changed by the loop"
            if what:
                self.refuse(self.rule_of_descriptors, what, "it stays as it was")


@dataclass(eq=False)
class LiveActor:
    """An actor that was made: one event, listener or timer, and its model."""

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

    def next_steps(self) -> tuple[Step, ...]:
        self.calls += 1
        return self.actor.steps_of(self.calls)


class HeldByLoop:
    """Holds a callback that nobody but the loop refers to.

    Subclasses have the method `callback`, with the arguments of their document
    and no others: some loops give more to a callback that takes more.
    """

    def __init__(self, called: Callable[..., Any], live: LiveActor) -> None:
        self.called = called
        self.live = live
        live.callback = weakref.ref(self)


# An actor is made this often at most; some actors make each other for ever.
MOST_TIMES = 4
