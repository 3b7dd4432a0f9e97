"""The events that the model of luaevent knows, and the moments between two callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from ..engine.channel_state import NOT_READY, ChannelState, Directions, Kind, Readiness


class Gone(Enum):
    """Why an event is over, and the rule that a later call breaks."""

    LEFT = ("it answered leave", "luaevent.constants.leave")
    CLOSED = ("it is closed", "luaevent.addevent.close-erases")
    CLOSED_NOW = ("it was closed while the loop ran", "luaevent.addevent.close-other-same-turn")
    CLOSED_ITSELF = ("it closed itself", "luaevent.addevent.close-own-callback")
    DROPPED = ("its object is collected", "luaevent.addevent.gc-erases")
    BASE_CLOSED = ("its base is closed", "luaevent.close.exists")

    @property
    def says(self) -> str:
        return self.value[0]

    @property
    def rule(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags that a callback was given: directions, EV_TIMEOUT, and unknown ones."""

    directions: Directions = Directions.NEITHER
    timeout: bool = False
    strange: bool = False

    def words(self) -> str:
        said = [self.directions.words()] if self.directions else []
        said += ["TIMEOUT"] if self.timeout else []
        said += ["flags that it cannot get"] if self.strange else []
        return " and ".join(said) or "no flags"


@dataclass(frozen=True, slots=True)
class Answer:
    """The return value of an event's callback.

    *flags* is "same", "leave", "read", "write" or "read and write"; *timeout*
    is given with it unless None, in units.
    """

    flags: str = "leave"
    timeout: int | None = None

    @property
    def directions(self) -> Directions:
        """The directions that are asked for; none for same and leave."""
        return Directions.of(self.flags)


@dataclass(eq=False, slots=True)
class Event:
    """One event that was added to the base."""

    name: str
    channel: ChannelState | None
    directions: Directions
    timeout: float | None
    # when its timeout may, and must, be due; inf if never
    earliest: float = inf
    latest: float = inf
    # what a timeout before the earliest time would break
    rule_if_early: str = "luaevent.addevent.timeout-not-early"
    gone: Gone | None = None
    # the boundary after which it was dropped inside a callback: it may be
    # called in the turn that runs, and need not be
    fading: int | None = None
    added: int = 0
    # its timeout was armed after this boundary
    armed: int = 0
    # {direction: the boundary after its last call for it}, and for timeouts
    served: dict[Directions, int] = field(default_factory=dict)
    timed: int = 0
    # {direction: the turn since which it is ready and not served}
    ready_since: dict[Directions, int] = field(default_factory=dict)
    due_since: int | None = None
    # {direction that an answer gave up: the rule by which it stays away}
    given_up: dict[Directions, str] = field(default_factory=dict)
    has_changed: bool = False
    calls: int = 0

    @property
    def is_needed(self) -> bool:
        """Whether the loop must go on for it."""
        return self.gone is None and self.fading is None

    def readiness(self) -> Readiness:
        """The readiness of the directions that the event is registered for."""
        if self.channel is None:
            return NOT_READY
        now = self.channel.readiness()
        surely = now.surely
        if self.channel.kind is Kind.SINK and self.channel.gone:
            surely |= Directions.WRITE  # a pipe whose reader is gone: the rule names it
        return Readiness(surely & self.directions, now.perhaps & self.directions)


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment between two callbacks."""

    number: int
    time: float
    # {event: its readiness then}, of the events that were there
    ready: Mapping[Event, Readiness]
