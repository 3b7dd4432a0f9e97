"""The verbs of the shared checks: a few words that each document says in its own way.

A check is a script: a generator that acts, yields a step, and goes on when the
loop has made it.  Where the script goes on is the document's affair: between
two turns, or inside a callback of a loop that does not return in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from types import FunctionType
from typing import Any, Literal, Protocol

from ..clocks import Clock, VirtualClock
from ..testing import trace
from ..testing.guards import FEWEST_TURNS, IDLE_TURNS, TURN_PATIENCE, Guard

Direction = Literal["r", "w"]

# How long `until` waits, in seconds of the machine's clock, and how many turns at least.
_PATIENCE = TURN_PATIENCE


# How long a call of `Calls` lasts in virtual time, in seconds.
_CALL = 0.001


class Step(ABC):
    """A step that a script waits for; each turn of the loop asks whether it is over."""

    # seconds that the next turn may take, if nothing else wakes the loop
    pace = 0.001

    @abstractmethod
    def begin(self) -> None:
        """The step starts now."""

    @abstractmethod
    def is_over(self) -> bool:
        """Whether the script goes on; raises AssertionError if it waits for too long."""


class _Until(Step):
    def __init__(
        self, what: str, condition: Callable[[], object], seconds: float, pace: float
    ) -> None:
        self._what, self._condition, self._seconds = what, condition, seconds
        self.pace = pace

    def begin(self) -> None:
        self._guard = Guard(self._seconds)
        self._asked = 0

    def is_over(self) -> bool:
        if self._condition():
            return True
        self._asked += 1
        assert not self._guard.is_over or self._asked < FEWEST_TURNS, (
            f"{self._what}: not in {self._asked} turns of the loop"
        )
        return False


class _Turns(Step):
    def __init__(self, number: int) -> None:
        self._number = number

    def begin(self) -> None:
        self._left = self._number + 1

    def is_over(self) -> bool:
        self._left -= 1
        return self._left <= 0


class _Pause(Step):
    def __init__(self, seconds: float) -> None:
        self.pace = seconds

    def begin(self) -> None:
        self._asked = False

    def is_over(self) -> bool:
        asked, self._asked = self._asked, True
        return asked


def until(
    what: str,
    condition: Callable[[], object],
    *,
    within: float = _PATIENCE,
    pace: float = Step.pace,
) -> Step:
    """Go on when *condition* holds; the check fails, naming *what*, if it does not in time.

    *within* is a guard, in seconds.  Nothing of the script wakes the loop for *pace* seconds.
    """
    return _Until(what, condition, within, pace)


def turns(number: int = IDLE_TURNS) -> Step:
    """Go on after that *number* of turns, in which a loop may do what it must not."""
    return _Turns(number)


def pause(seconds: float) -> Step:
    """Go on after *seconds* on the loop's clock, in which the script does not wake the loop."""
    return _Pause(seconds)


Script = Generator[Step, None, None]


class Calls:
    """A callback that notes its calls: `seen` has the arguments of each.

    In virtual time a call lasts a millisecond, so that time passes for a loop
    in which a descriptor is always ready.  `watch` sets `answer`, by which the
    document's callbacks say that they go on.
    """

    answer: Callable[[], object] | None = None

    def __init__(
        self, clock: Clock, name: str = "callback", then: Callable[[], object] | None = None
    ) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.name = name
        self._clock, self._then = clock, then

    def __call__(self, *arguments: Any) -> object:
        self.seen.append(arguments)
        if trace.recorder is not None:
            trace.recorder.note(self.name)
        if isinstance(self._clock, VirtualClock):
            self._clock.advance(_CALL)
        if self._then is not None:
            self._then()
        return None if self.answer is None else self.answer()

    @property
    def count(self) -> int:
        """How often it was called since it was made or cleared."""
        return len(self.seen)

    def clear(self) -> None:
        """Forget the calls so far."""
        self.seen.clear()


def as_function(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls *callback*, since a loop may refuse what is no function.

    A function stays itself: a loop must tell apart what shares one callback.
    """
    if isinstance(callback, FunctionType):
        return callback
    return lambda *arguments: callback(*arguments)


class Loop(Protocol):
    """A loop of any profile."""

    def play(self, script: Script) -> None:
        """Run *script* to its end with the loop; raises what it raises."""

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        """Run the loop until *done*, which ends every watch and timer; raises if it does not come.

        Nothing wakes the loop but what the check has arranged.  *what* names it
        in a message; *within* is a guard, in seconds.  A loop that only returns
        when nothing is left asks *done* after each timer; without a guard the
        check ends its watches itself.
        """

    def another(self) -> Any:
        """The verbs of a second loop, made by the same entry object."""

    def drop(self) -> None:
        """Close the loop, if it can be closed, and let go of it and of all that it made."""

    def calls(self, name: str, then: Callable[[], object] | None = None) -> Calls:
        """A callback, called *name* in reports, that notes its calls and then calls *then*."""


class Watching(Loop, Protocol):
    """A loop that watches descriptors."""

    # the directions that can be watched
    directions: tuple[Direction, ...]

    def watch(self, fd: Any, direction: Direction, callback: Callable[..., Any]) -> Any:
        """*callback* is called whenever *fd* is ready; the result ends it.

        The loop gets it as it is, but for `Calls`, which are no function.  To go on after its
        first call, a callback that is no `Calls` returns `stays`.
        """

    def stays(self, direction: Direction) -> Any:
        """The value that a callback returns to go on being called."""

    def unwatch(self, watch: Any) -> None:
        """End a watch."""

    def unwatch_again(self, watch: Any) -> None:
        """End a watch that has ended; a document may leave open whether this raises."""


class Timing(Watching, Protocol):
    """A loop with timers."""

    # the ways to set a timer, and a timer that repeats; the first is the usual one
    timers: tuple[str, ...]
    intervals: tuple[str, ...]
    # seconds in one of the numbers that a program hands in
    unit: float
    # a callback that is called as it is returns this when it is not to be called again
    over: Any

    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Any:
        """*callback* is called once, after *seconds*; the result clears it."""

    def set_interval(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Any:
        """*callback* is called every *seconds*; the result clears it."""

    def set_number(self, number: Any, callback: Callable[..., Any]) -> Any:
        """A timer of *number* units, which calls *callback*, both as they are."""

    def clear(self, timer: Any) -> None:
        """The timer or interval is called no more."""
