"""Plays a scenario on a loop and on the model in lockstep.

Only the functions of the profile are used.  The callbacks do what the
scenario says and nothing else, so that a conforming loop can differ from
another only where the rules leave it free; there the model allows both.

The first thing that the model refuses ends the play.
"""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from looptck.clocks import VirtualClock
from looptck.subjects.subject import Subject
from looptck.testing import guards
from looptck.testing import trace as traces

from .parse import AnyScenario
from .scenario import Step
from .timing import Timing
from .violation import ViolationError

# A scenario lasts milliseconds, or a few units on the machine's clock.
PATIENCE = 2.0

# Nothing that a scenario asks for makes so many calls.
MOST_CALLS = 400

# Of calls that are the same so many are shown one by one.
_SHOWN = 3


def timing(profile: str, *, is_virtual: bool) -> Timing:
    """The length of a unit and what can be judged.

    LuaHop counts in whole milliseconds; luaevent in seconds, of which odd
    fractions show who rounds.
    """
    if is_virtual:
        unit = 0.5 if profile == "luahop" else 0.5003
        return Timing(unit=unit, is_virtual=True, patience=0.2, apart=0.01)
    unit = 0.015 if profile == "luahop" else 0.0153
    return Timing(unit=unit, is_virtual=False, patience=float("inf"), apart=0.01)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a loop did that the model refuses."""

    scenario: AnyScenario
    rule: str
    happened: str
    expected: tuple[str, ...]
    # (time in units, depth, what), oldest first
    timeline: tuple[tuple[float, int, str], ...]

    def text(self) -> str:
        open_channels = ["the scenario:", *indented(self.scenario.text().splitlines())]
        open_channels += ["", "what happened (time in units):"]
        open_channels += self._moments()
        open_channels += ["", "expected one of:", *indented(self.expected)]
        open_channels += ["happened:", f"    {self.happened}", f"rule: {self.rule}"]
        return "\n".join(open_channels)

    def _moments(self) -> Iterator[str]:
        """The time line, with what comes again and again told once."""
        for (depth, what), same in groupby(self.timeline, key=itemgetter(1, 2)):
            times = [time for time, _, _ in same]
            for time in times if len(times) <= _SHOWN + 1 else times[:_SHOWN]:
                yield f"  {time:7.2f}  {'  ' * depth}{what}"
            if len(times) > _SHOWN + 1:
                more = len(times) - _SHOWN
                yield f"  {times[-1]:7.2f}  {'  ' * depth}... and {more} times more"


def indented(open_channels: list[str] | tuple[str, ...]) -> list[str]:
    return [f"    {opened}" for opened in open_channels]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a play went."""

    # steps taken, calls made and returns seen
    steps: int
    difference: Difference | None
    hung: bool = False


class RunEnded(BaseException):
    """The play has ended; nothing more is to be learned."""


class HangDetected(BaseException):
    """The loop did not come back."""


class Refused(Exception):  # noqa: N818  # a finding, not an error
    """The loop refused what it need not accept."""


class Model(Protocol):
    """What is told of the end of what runs callbacks."""

    def returned(self, now: float) -> None:
        """The call came back.  Raises RefusedError."""

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""


S = TypeVar("S", bound=AnyScenario)
M = TypeVar("M", bound=Model)


class Runner(ABC, Generic[S, M]):
    """What the plays of all profiles have in common."""

    # the rule that is broken by not coming back, or by raising
    rule_of_return = ""
    # the rule that is broken by calling without end, if it is another one
    rule_of_end = ""

    def __init__(self, scenario: S, subject: Subject, patience: float) -> None:
        self.scenario = scenario
        self._patience = patience
        self.clock = subject.clock
        is_virtual = isinstance(subject.clock, VirtualClock)
        self.timing = timing(scenario.profile, is_virtual=is_virtual)
        self.entry = subject.entry(scenario.profile)
        self._started = self.clock.now()
        self._timeline: list[tuple[float, int, str]] = []
        self._depth = 0
        self._steps = 0
        self.calls = 0
        self.most_calls = MOST_CALLS
        self._difference: Difference | None = None
        self._fault: BaseException | None = None
        # the model whose outcomes are asked for when nothing comes
        self._waiting_for: M | None = None

    def run(self) -> RunResult:
        hung = False
        try:
            with alarm(guards.guard(self._patience)):
                self.run_steps()
        except RunEnded:
            pass
        except HangDetected:
            if self._difference is None:
                hung = True
                self._hung()
        finally:
            self._clean_up()
        if self._fault is not None:
            raise self._fault
        return RunResult(self._steps, self._difference, hung)

    def run_steps(self) -> None:
        for each in self.scenario.steps:
            self.do(each)

    def do(self, each: Step, inside: Any = None) -> None:
        """Take a step, if it makes sense where it stands."""
        act = self.action_for(each, inside)
        if act is not None:
            self._steps += 1
            self.note(each.text())
            self.take(act)
            if self._difference is not None:
                raise RunEnded

    # ---- for the profiles

    @abstractmethod
    def action_for(self, each: Step, inside: Any) -> Callable[[], object] | None:
        """What to do for a step, inside the callback of somebody; None where it makes no sense."""

    def rule_when_hung(self) -> str:
        """The rule that is broken by not coming back from where it is."""
        return self.rule_of_return

    def take(self, act: Callable[[], object]) -> None:
        """Take a step."""
        act()

    @abstractmethod
    def close_subject(self) -> None:
        """Close whatever was made; may raise, and hang."""

    @abstractmethod
    def close_own(self) -> None:
        """Close what is ours, after a last look at it."""

    # ---- parts

    @property
    def has_differed(self) -> bool:
        return self._difference is not None

    @property
    def has_failed(self) -> bool:
        """Whether there is nothing more to learn: it has differed, or a fault of ours came up."""
        return self._difference is not None or self._fault is not None

    @property
    def is_inside(self) -> bool:
        """Whether a callback is running."""
        return self._depth > 0

    def now(self) -> float:
        return self.clock.now()

    def note(self, what: str) -> None:
        self._timeline.append(((self.now() - self._started) / self.timing.unit, self._depth, what))
        if traces.recorder is not None:
            traces.recorder.note(what)

    def ask(
        self, what: str, call: Callable[[], Any], rule: str, *, may_refuse: bool = False
    ) -> Any:
        """Call a function of the profile, which by *rule* does not raise."""
        try:
            return call()
        except Exception as error:
            if self.has_failed:
                raise RunEnded from None
            if may_refuse:  # the class of the error is open
                raise Refused from error
            raised = f"{what} raised {type(error).__name__}: {error}"
            self.differ(ViolationError(rule, raised, [f"{what} does not raise"]))

    def differ(self, refused: ViolationError) -> NoReturn:
        """The play ends with this."""
        if self._difference is None:
            self.note(f"-> {refused.happened}")
            self._difference = Difference(
                self.scenario,
                refused.rule,
                refused.happened,
                tuple(refused.expected),
                tuple(self._timeline),
            )
        raise RunEnded

    @contextmanager
    def calling(self, what: str) -> Iterator[None]:
        """Inside a callback, which the loop called."""
        if self.has_failed:
            raise RunEnded
        self._steps += 1
        self.calls += 1
        self.note(what)
        self._depth += 1
        try:
            yield
        except ViolationError as refused:
            self.differ(refused)
        except (RunEnded, HangDetected):
            raise
        except BaseException as error:
            self._fault = error  # ours, whatever the loop makes of it
            raise
        finally:
            self._depth -= 1
        if self.calls > self.most_calls:
            rule = self.rule_of_end or self.rule_of_return
            self.differ(ViolationError(rule, f"more than {self.most_calls} calls", ["an end"]))

    def enter(
        self,
        model: M,
        what: str,
        call: Callable[[], Any],
        *,
        rule: str = "",
        may_refuse: bool = False,
    ) -> None:
        """Call what runs callbacks, and tell the model of its return."""
        former, self._waiting_for = self._waiting_for, model
        self._depth += 1
        depth = self._depth
        try:
            self.ask(what, call, rule or self.rule_of_return, may_refuse=may_refuse)
        finally:
            self._depth = depth - 1
        self._waiting_for = former
        if self.has_failed:
            raise RunEnded
        self._steps += 1
        try:
            model.returned(self.now())
        except ViolationError as refused:
            self.differ(refused)
        self.note(f"{what} returned")

    def _hung(self) -> None:
        model = self._waiting_for
        expected = model.may_happen() if model is not None else ["the call returns"]
        what = "nothing came any more: it hangs"
        with suppress(RunEnded):
            self.differ(ViolationError(self.rule_when_hung(), what, expected))

    def _clean_up(self) -> None:
        with suppress(Exception, RunEnded, HangDetected), alarm(guards.guard(self._patience)):
            self.close_subject()
        self.close_own()


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raises TooLong inside when *seconds* have passed, as far as Python can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise HangDetected

    former = signal.signal(signal.SIGALRM, ring)
    # again and again: a loop that catches everything is interrupted anew
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
