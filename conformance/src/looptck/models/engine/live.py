"""Events that are acted on in turns, and the runner that runs the turns."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVarTuple

from looptck.subjects.subject import Subject

from .channel_runner import ChannelRunner
from .runner import MOST_CALLS, Action
from .scenario import Actor, Scenario, Step
from .violation import ViolationError

Ts = TypeVarTuple("Ts")

# This many turns in which nothing moves show that nothing will move; in real time
# they last this long, in seconds.
_STILL = 40
_STILL_FOR = 0.4

# This many more turns are made when nothing is expected, to see calls that must not come.
_MORE = 3

# The kind of an actor that has its channel for itself.
BUFFERED = "buffered"

TURN_VERBS = {"turn": "pass", "settle": "pass until nothing moves"}


class LiveObject(ABC):
    """One event that was made, and its model.

    Its `look`, `begin_turn`, `end_turn` and `settled` raise ViolationError.
    """

    def __init__(self, runner: TurnRunner, name: str, actor: Actor) -> None:
        self.runner = runner
        self.name = name
        self.actor = actor
        self.handle: Any = None
        self.state = runner.channels[actor.channel]
        self.opened = runner.open_channels[actor.channel]

    @abstractmethod
    def make(self, base: Any) -> None:
        """Make the event on *base*."""

    @abstractmethod
    def action_for(self, each: Step, inside: LiveObject | None) -> Action:
        """Return the action for a step about this event, or None where it makes no sense.

        *inside* is the event whose callback takes the step, if there is one.
        """

    @abstractmethod
    def look(self) -> None:
        """Tell the model the state of the file."""

    @abstractmethod
    def begin_turn(self) -> None:
        """A turn of the loop begins."""

    def changed(self) -> None:
        """A step was taken at the far end of its channel, which it has for itself."""
        self.look()

    def end_turn(self, *, is_served: bool) -> None:
        """A turn is over; if *is_served*, some event was called in it."""
        self.look()

    @abstractmethod
    def settled(self) -> None:
        """Tell the model that nothing came for so long that nothing will come."""

    @abstractmethod
    def missing_call(self) -> ViolationError | None:
        """Return the violation that there is if nothing comes any more, or None."""

    @property
    @abstractmethod
    def moved(self) -> Hashable:
        """A value that changes as long as something goes on."""

    @property
    @abstractmethod
    def may_call(self) -> list[str]:
        """The calls that are allowed now, for people."""

    @property
    def rule_if_loop_waits(self) -> str:
        """The rule that forbids the loop to wait for it, or "" if it may wait."""
        return ""

    @property
    def surely_ends(self) -> bool:
        """Whether its next call comes for certain, and is its last one for certain."""
        return False

    @property
    def is_active(self) -> bool:
        """Whether the loop must wait for it; for certain."""
        return False

    @property
    @abstractmethod
    def must_be_called(self) -> bool:
        """Whether a call is to come for certain."""

    @property
    def size(self) -> int:
        """The number of bytes that were sent or written, in both directions."""
        return 0

    def ask(self, rule: str, what: str, call: Callable[[], Any]) -> Any:
        """Call a function of the event, which by *rule* comes back and does not raise."""
        return self.runner.ask_by(rule, f"{self.name}.{what}", call)

    def tell(self, tell: Callable[[*Ts], object], *args: *Ts) -> None:
        self.runner.tell(tell, *args)


class LoopState:
    """The model of one loop: it knows all objects that are on it."""

    def __init__(self) -> None:
        self.objects: dict[str, LiveObject] = {}

    def returned(self, now: float) -> None:
        """Accept the return; the rules of a return depend on the call."""

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""
        return [*(call for each in self.objects.values() for call in each.may_call), "loop returns"]


class TurnRunner(ChannelRunner):
    """Runs a scenario turn by turn; each document says how it makes a turn."""

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        self.loop_state = LoopState()
        # the scenario is over: calls that still come are of no interest
        self.is_over = False
        self._still_for = 0.0 if self.timing.is_virtual else _STILL_FOR

    @property
    def objects(self) -> list[LiveObject]:
        return list(self.loop_state.objects.values())

    def make_objects(self, base: Any) -> None:
        """Make the actors of the scenario on *base*; a buffered one is alone on its channel."""
        for name, actor in self.scenario.actors.items():
            is_alone = not self.on_channel(actor.channel)
            may_share = actor.kind != BUFFERED and not self.is_buffered(actor.channel)
            if actor.channel in self.channels and (is_alone or may_share):
                made = self.loop_state.objects[name] = self.new_object(name, actor)
                made.make(base)

    @abstractmethod
    def new_object(self, name: str, actor: Actor) -> LiveObject:
        """Return the object for *actor*, which is not made yet."""

    def script(self) -> Iterator[Step | None]:
        """Take the steps; yield None where one turn is to be run, and steps of the document's."""
        for each in self.scenario.steps:
            if each.verb not in TURN_VERBS and not self.waits(each):
                self.do(each)
                continue
            self.note_step(each)
            if each.verb == "settle":
                yield from self._until_still()
                for live in self.objects:
                    self.tell(live.settled)
            else:
                yield None if each.verb == "turn" else each

    def waits(self, each: Step) -> bool:
        """Whether the loop is to run while this step is taken."""
        return False

    def _until_still(self) -> Iterator[None]:
        """Yield turns until nothing moves and nothing is to come, or has come for too long."""
        last: list[object] = []
        still, since = 0, time.monotonic()
        while not self.has_failed:
            yield None
            moved: list[object] = [live.moved for live in self.objects]
            if moved != last:
                last, still, since = moved, 0, time.monotonic()
                continue
            still += 1
            if still >= _MORE and not any(live.missing_call() for live in self.objects):
                return
            if still >= _STILL and time.monotonic() - since >= self._still_for:
                return

    def act(self, each: Step, inside: Any) -> Action:
        live = self.loop_state.objects.get(each.get("name"))
        return None if live is None else live.action_for(each, inside)

    def begin_turn(self) -> None:
        # one call for each byte, at most, and what is repeated
        self.calls = 0
        self.most_calls = MOST_CALLS + sum(live.size for live in self.objects)
        for live in self.objects:
            self.tell(live.begin_turn)

    def end_turn(self) -> None:
        is_served = self.calls > 0
        for live in self.objects:
            self.tell(lambda live: live.end_turn(is_served=is_served), live)

    def look(self) -> None:
        """Tell every model the state of its file; raise ViolationError."""
        for live in self.objects:
            live.look()

    def on_channel(self, number: int) -> list[LiveObject]:
        return [live for live in self.objects if live.actor.channel == number]

    def is_buffered(self, number: int) -> bool:
        return any(live.actor.kind == BUFFERED for live in self.on_channel(number))

    def about_to_change(self, number: int) -> None:
        for live in self.on_channel(number):
            self.tell(live.look)

    def changed(self, number: int) -> None:
        for live in self.on_channel(number):
            self.tell(live.changed)
