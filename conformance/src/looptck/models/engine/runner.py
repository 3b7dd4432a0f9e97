"""Runs a scenario on a loop and on the model in lockstep.

Only the functions of the profile are used.  The callbacks do what the
scenario says and nothing else, so that a conforming loop can differ from
another only where the rules leave it free; there the model allows both.

The first action that the model refuses ends the run.
"""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVarTuple

from looptck.clocks import VirtualClock
from looptck.subjects.subject import Subject
from looptck.testing import guards
from looptck.testing import trace as traces

from .result import Difference, RunResult
from .scenario import Scenario, Step
from .timing import Timing
from .violation import ViolationError

Ts = TypeVarTuple("Ts")

# The action for a step, or None where the step makes no sense.
Action: TypeAlias = Callable[[], object] | None

# A scenario lasts milliseconds, or a few units on the machine's clock.
PATIENCE = 2.0

# Nothing that a scenario asks for makes so many calls.
MOST_CALLS = 400


class RunEnded(BaseException):
    """The run has ended early, because it differed or failed."""


class HangDetected(BaseException):
    """The loop did not come back."""


class Refused(Exception):  # noqa: N818  # a finding, not an error
    """The loop refused what it need not accept."""


class LoopModel(Protocol):
    """The model of a loop, which is told when a call that runs callbacks returns."""

    def returned(self, now: float) -> None:
        """The call came back.  Raises ViolationError."""

    def may_happen(self) -> list[str]:
        """The outcomes that are allowed now, for people."""


class Runner(ABC):
    """Runs a scenario; each document has a subclass."""

    # the rule that is broken by not coming back, or by raising
    rule_of_return = ""
    # the rule that is broken by calling without end, if it is another one
    rule_of_end = ""
    # the length of a unit in seconds, on a virtual clock and on the machine's
    units = (0.5, 0.015)

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        self.scenario = scenario
        self._patience = patience
        self.clock = subject.clock
        virtual, real = self.units
        if isinstance(subject.clock, VirtualClock):
            self.timing = Timing(unit=virtual, is_virtual=True, patience=0.2, apart=0.01)
        else:
            self.timing = Timing(unit=real, is_virtual=False, patience=float("inf"), apart=0.01)
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
        self._waiting_for: LoopModel | None = None

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
        """Take a step, if it makes sense where it stands.

        *inside* is the actor whose callback takes it, if there is one.
        """
        act = self.action_for(each, inside)
        if act is not None:
            self.note_step(each)
            self.take(act)
            if self._difference is not None:
                raise RunEnded

    def note_step(self, each: Step) -> None:
        self._steps += 1
        self.note(each.text())

    # ---- for the documents

    @abstractmethod
    def action_for(self, each: Step, inside: Any) -> Action:
        """Return the action for a step, or None where it makes no sense."""

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
            self.refuse(rule, raised, f"{what} does not raise")

    def ask_by(self, rule: str, what: str, call: Callable[[], Any]) -> Any:
        """Call a function of the profile, which by *rule* comes back and does not raise."""
        with self.broken_by(rule):
            return self.ask(what, call, rule)

    @contextmanager
    def broken_by(self, rule: str) -> Iterator[None]:
        """While the block runs, a call that does not return breaks *rule*."""
        former, self.rule_of_return = self.rule_of_return, rule
        yield
        self.rule_of_return = former  # only if it came back

    def tell(self, tell: Callable[[*Ts], object], *args: *Ts) -> None:
        """Tell a model; differ if it refuses."""
        try:
            tell(*args)
        except ViolationError as refused:
            self.differ(refused)

    def refuse(self, rule: str, happened: str, *expected: str) -> NoReturn:
        """End the run, since what *happened* breaks *rule*."""
        self.differ(ViolationError(rule, happened, list(expected)))

    def differ(self, refused: ViolationError) -> NoReturn:
        """End the run with this difference."""
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
            self.refuse(rule, f"more than {self.most_calls} calls", "an end")

    def enter(
        self,
        model: LoopModel,
        what: str,
        call: Callable[[], Any],
        *,
        rule: str = "",
        may_refuse: bool = False,
        is_noted: bool = True,
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
        self.tell(model.returned, self.now())
        if is_noted:
            self._steps += 1
            self.note(f"{what} returned")

    def _hung(self) -> None:
        model = self._waiting_for
        expected = model.may_happen() if model is not None else ["the call returns"]
        with suppress(RunEnded):
            self.refuse(self.rule_when_hung(), "nothing came any more: it hangs", *expected)

    def _clean_up(self) -> None:
        with suppress(Exception, RunEnded, HangDetected), alarm(guards.guard(self._patience)):
            self.close_subject()
        self.close_own()


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise HangDetected in the block when *seconds* have passed, as far as Python can."""
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
