"""The base classes of verbs: for loops that make turns, and for those that do not return.

`verbs.py` says which verbs there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from ..clocks import Clock
from ..testing.guards import TURN_PATIENCE, guard
from .verbs import Calls, Direction, Script, Step, until

# A timer of so many seconds ends no wait of a check.
_NEVER = 3600.0

# The guard of `InsideVerbs.run` is split into this many timers, one after the other: a machine
# that stands still for a while makes one of them late.
_ROUNDS = 3


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
            yield until(what, done, within=within or TURN_PATIENCE)

        _play_by_turns(script(), lambda pace: self.turn(max(quiet_until - self.clock.now(), pace)))


class InsideVerbs(Verbs):
    """The verbs of a loop that does not return while something is left.

    Its `set_timer`, `set_interval` and, best, `watch` hand `asking(callback)` to the loop: a
    run ends with the callback that fulfils its condition, else with the next guard.
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
