"""The listeners and timers that the model of LuaHop knows, and moments between two callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..engine.channel_state import ChannelState, Directions, Readiness


@dataclass(eq=False, slots=True)
class Listener:
    """One registration of a descriptor in one direction."""

    name: str
    channel: ChannelState
    directions: Directions
    gone: str = ""
    rule_if_called: str = "luahop.listener.remove"
    # the poll in which it was set, or -1 if it was between two
    set_in: int = -1
    # the poll during or before which another one took its place
    replaced_in: int | None = None
    # whether another one was called for the same notice, before it took its place
    follows: bool = False
    # the last poll in which it was called, and how often
    called_in: int = -1
    called_often: int = 0
    calls: int = 0
    # the life of the channel: which of the files that had its number is listened to
    life: int = 0
    # the count of serving polls since which it is ready and not served
    ready_since: int | None = None

    def readiness(self) -> Readiness:
        now = self.channel.readiness()
        return Readiness(now.surely & self.directions, now.perhaps & self.directions)


@dataclass(eq=False, slots=True)
class Timer:
    """A timeout, or an interval if it has a period."""

    name: str
    number: int
    # seconds
    length: float
    is_interval: bool
    # the clock when it was set: before the call and after it
    set_between: tuple[float, float]
    # the poll in which it was set or armed again
    armed_in: int
    earliest: float
    latest: float
    gone: str = ""
    is_cleared: bool = False
    rule_if_called: str = "luahop.timer.clear-timeout"
    calls: int = 0
    # the call at `earliest` is the one that is tolerated after a stall; the
    # grid goes on at this time
    resumes: float | None = None
    stalled: bool = False
    due_since: int | None = None


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment between two callbacks, or at the beginning of a poll."""

    number: int
    time: float
    # {listener: its readiness then}, of those that were set then
    ready: Mapping[Listener, Readiness]
    # {open file: its readiness then}, of those that were listened to in either direction
    files: Mapping[tuple[ChannelState, int], Readiness]
