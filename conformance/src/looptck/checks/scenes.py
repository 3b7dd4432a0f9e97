"""Parts of a script that several checks share: where an act is done, and ends that toggle."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from ..testing.channels import Channels, End
from ..testing.readiness import ReadinessToggle
from ..testing.situations import Situation
from .verbs import Calls, Direction, Script, Watching, until

# {kind: makes the end to read from and the end to write to}
CHANNELS: dict[str, Callable[[Channels], tuple[End, End]]] = {
    "pair": Channels.pair,
    "pipe": Channels.pipe,
    "tcp": Channels.tcp_pair,
}

any_channel = pytest.mark.parametrize("kind", CHANNELS)
early_or_late = pytest.mark.parametrize(
    "early", [True, False], ids=["ready-first", "watched-first"]
)
either_direction = pytest.mark.parametrize("direction", ["r", "w"])


def act_in(
    situation: Situation, loop: Watching, channels: Channels, act: Callable[[], object]
) -> Script:
    """Do *act* in that situation of *loop*."""
    if situation is Situation.FRESH:
        act()
        return
    inside = situation is Situation.INSIDE
    opener = Watched(loop, channels, then=act if inside else None)
    yield from opener.serve()
    opener.unwatch()
    if not inside:
        act()


class Watched:
    """An end that is watched in one direction, and the calls of its watch.

    Each call ends the readiness, as a program does, and then calls *then*.  *at* is
    the number of a descriptor that was closed, for the end to have.
    """

    def __init__(
        self,
        loop: Watching,
        channels: Channels,
        direction: Direction = "r",
        then: Callable[[], object] | None = None,
        *,
        at: int | None = None,
    ) -> None:
        self.loop, self.direction = loop, direction
        self.end = ReadinessToggle(channels, direction, at=at)
        self._then = then
        self.calls = loop.calls(f"{direction} watch of {self.end.number}", self._called)
        self.watch = loop.watch(self.end.number, direction, self.calls)

    def _called(self) -> None:
        if self.end.near.fileno() >= 0:
            self.end.off()
        if self._then is not None:
            self._then()

    @property
    def count(self) -> int:
        return self.calls.count

    def serve(self) -> Script:
        """Make the end ready, and wait for a call."""
        self.calls.clear()
        self.end.on()
        yield until(f"the {self.calls.name} is called", lambda: self.count)

    def unwatch(self) -> None:
        self.loop.unwatch(self.watch)


def serve_all(watched: Iterable[Watched]) -> Script:
    """Make each end ready in turn, and wait for its call."""
    for each in watched:
        yield from each.serve()


def grows_to(number: int, count: Callable[[], int], what: str) -> Script:
    """Wait until *count* is *number*; a loop may make it grow by one in a turn."""
    while (before := count()) < number:

        def has_grown(before: int = before) -> bool:
            return count() > before

        yield until(f"{what} ({before} of {number} were)", has_grown)


def reached(calls: Calls, number: int) -> bool:
    """Whether that *number* of calls came."""
    return calls.count >= number


def total(calls: Iterable[Calls | Watched]) -> int:
    """How many calls came together."""
    return sum(each.count for each in calls)
