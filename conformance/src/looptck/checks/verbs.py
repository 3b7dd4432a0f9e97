"""The verbs of the shared checks: a few words that each document says in its own way.

A check is a script: a generator that acts, yields a step, and goes on when the
loop has made it.  Where the script goes on is the document's affair: between
two turns, or inside a callback of a loop that does not return in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from ..clocks import Clock, VirtualClock
from ..testing import trace
from ..testing.guards import FEWEST_TURNS, IDLE_TURNS, TURN_PATIENCE, Guard, guard

Direction = Literal["r", "w"]

# How long `until` waits, in seconds of the machine's clock, and how many turns at least.
_PATIENCE = TURN_PATIENCE


# A timer of so many seconds ends no wait of a check.
_NEVER = 3600.0

# The guard of `InsideVerbs.run` is split into this many timers, one after the other: a machine
# that stands still for a while makes one of them late.
_ROUNDS = 3

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
    """A function that calls *callback*, since a loop may refuse what is no function."""
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


class Verbs(ABC):
    """The verbs that profiles say alike, where theirs do not say otherwise."""

    timers: tuple[str, ...] = ("timer",)
    intervals: tuple[str, ...] = ()
    unit = 1.0
    over: Any = None

    def __init__(self, entry: Any, clock: Clock) -> None:
        self.entry, self.clock = entry, clock

    def another(self) -> Self:
        return type(self)(self.entry, self.clock)

    def calls(self, name: str, then: Callable[[], object] | None = None) -> Calls:
        return Calls(self.clock, name, then)

    @abstractmethod
    def play(self, script: Script) -> None:
        """See `Loop.play`."""

    @abstractmethod
    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        """See `Loop.run`."""

    def stays(self, direction: Direction) -> Any:
        return None

    def unwatch_again(self, watch: Any) -> None:
        self.unwatch(watch)

    @abstractmethod
    def unwatch(self, watch: Any) -> None:
        """See `Watching.unwatch`."""

    def drop(self) -> None:
        self.__dict__.clear()


@dataclass
class _Progress:
    """How far a script has come, for a loop that makes one turn after the other."""

    script: Script
    step: Step | None = None

    def advance(self) -> bool:
        """Go on until a step must wait; return whether one must."""
        while True:
            if self.step is not None and not self.step.is_over():
                return True
            self.step = next(self.script, None)
            if self.step is None:
                return False
            self.step.begin()


def _not_yet() -> bool:
    return False


class TurnVerbs(Verbs):
    """The verbs of a loop that makes one turn at a time."""

    @abstractmethod
    def turn(self, seconds: float) -> None:
        """Make one turn of the loop, which wakes after *seconds* if nothing else wakes it."""

    def play(self, script: Script) -> None:
        _play_by_turns(script, self.turn)

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        quiet_until = self.clock.now() + (within or _NEVER)

        def script() -> Script:
            yield until(what, done, within=within or _PATIENCE)

        _play_by_turns(script(), lambda pace: self.turn(max(quiet_until - self.clock.now(), pace)))


class InsideVerbs(Verbs):
    """The verbs of a loop that does not return while something is left.

    Its `set_timer` and `set_interval` hand `asking(callback)` to the loop.
    """

    def __init__(self, entry: Any, clock: Clock) -> None:
        super().__init__(entry, clock)
        self._done: Callable[[], object] = _not_yet
        self._late = False

    @abstractmethod
    def spin(self) -> None:
        """Run the loop until nothing is left."""

    @abstractmethod
    def stop(self) -> None:
        """End every watch and timer, so that `spin` returns."""

    @abstractmethod
    def set_timer(self, seconds: float, callback: Callable[[], Any], kind: str = "") -> Any:
        """See `Timing.set_timer`."""

    def play(self, script: Script) -> None:
        _play_inside(script, after=self.set_timer, run=self.spin, stop=self.stop)

    def run(self, what: str, done: Callable[[], object], *, within: float | None = 0.5) -> None:
        if done():
            return
        self._done, self._late = done, False
        if within is not None:
            self._set_guard(guard(within) / _ROUNDS, _ROUNDS)
        self.spin()
        self._done = _not_yet
        self.stop()
        why = f"not within {within} s" if self._late else "the loop returned before"
        assert done(), f"{what}: {why}"

    def asking(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """A function that calls *callback* and then `ends_run`."""

        def ask(*arguments: Any) -> Any:
            result = callback(*arguments)
            self.ends_run()
            return result

        return ask

    def ends_run(self) -> bool:
        """Stop the loop if the condition of `run` holds; return whether it does."""
        if not self._done():
            return False
        self._done = _not_yet
        self.stop()
        return True

    def _set_guard(self, seconds: float, rounds: int) -> None:
        def on_guard() -> None:
            if rounds > 1:
                self._set_guard(seconds, rounds - 1)
            else:
                self._late = True
                self.stop()

        self.set_timer(seconds, on_guard)


def _play_by_turns(script: Script, turn: Callable[[float], object]) -> None:
    """Run *script* between calls of *turn*, which is told how many seconds it may sleep."""
    progress = _Progress(script)
    while progress.advance():
        assert progress.step is not None
        turn(progress.step.pace)


def _play_inside(
    script: Script,
    after: Callable[[float, Callable[[], None]], object],
    run: Callable[[], object],
    stop: Callable[[], object],
) -> None:
    """Run *script* in a loop that does not return: each part but the first in a timer of it.

    *after* sets a timer, *run* runs the loop, and *stop* makes it return.
    """
    progress = _Progress(script)
    errors: list[BaseException] = []

    def go_on() -> None:
        try:
            if progress.advance():
                assert progress.step is not None
                after(progress.step.pace, go_on)
                return
        except BaseException as error:  # whatever the loop does with it, it is the check's
            errors.append(error)
        stop()

    go_on()
    if progress.step is not None and not errors:
        run()
    if errors:
        raise errors[0]
