"""A task: one rule for one variant, how a worker tries it, and what that adds up to.

Knows pytest's items and the channel of a worker; knows neither the order of
the tasks nor who reads the verdicts.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from ..errors import EnvironmentBrokenError
from ..results.verdicts import Case, Judgement, Verdict, fold
from ..rules.catalogue import Rule
from ..subjects.subject import Subject
from .messages import Message, TestRun
from .trial import try_test
from .worker_life import Reporter
from .workers import WorkerExit

# Where the fixtures leave the bench of a test for the worker to read.
BENCH = pytest.StashKey[Subject]()

# The most that a message may bring along, in characters.
_MESSAGE_LENGTH = 4000


@dataclass(eq=False, slots=True)
class RuleTask:
    """One rule for one variant: the unit that a worker is given."""

    rule: Rule
    variant: str
    items: list[pytest.Item] = field(default_factory=list)
    # it shares its process with no other task
    is_alone: bool = False
    # After so many failed tests of a judged rule the others would tell nothing
    # new, and in real time each may take as long as its guard.
    enough_failures: int = 5

    @property
    def profile(self) -> str:
        return self.rule.profile

    def is_decided_by(self, failures: int) -> bool:
        """Whether no other test needs to run after so many have failed."""
        return self.rule.level.is_judged and failures >= self.enough_failures


class RuleTests:
    """Runs the tests of some tasks in a worker, and reports each."""

    def __init__(self, batch: Sequence[RuleTask]) -> None:
        self._batch = batch

    def __call__(self, reporter: Reporter) -> None:
        # pytest's own keep what they are told for a report that no worker makes
        sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
        result: TestRun | None = None
        for at, task in enumerate(self._batch):
            failures = 0
            for item in task.items:
                reporter.begin(item.nodeid, after=result)
                result = _run(at, item, task.variant)
                failures += result.failed
                if task.is_decided_by(failures):
                    break
        if result is not None:
            reporter.send(result)


def _run(at: int, item: pytest.Item, variant: str) -> TestRun:
    """Run the test *item* of the task that is number *at* of its batch."""
    assert isinstance(item, pytest.Function)
    started = time.monotonic()
    trial = try_test(item, variant)
    seconds = time.monotonic() - started
    message = trial.message[:_MESSAGE_LENGTH]
    result = TestRun(
        at, item.nodeid, bool(message), message, seconds, trial.not_run, trial.not_applicable
    )
    subject = item.stash.get(BENCH, None)
    if subject is None:
        return result
    return replace(
        result,
        calls=dict(subject.call_counter.calls),
        engines=tuple(sorted(subject.call_counter.engines)),
        observed=tuple(subject.observation.values),
    )


_CLEAN = WorkerExit(unfinished="", hung=False, death=None)


def judgements_from(
    batch: Sequence[RuleTask], messages: Iterable[Message], ending: WorkerExit
) -> Iterator[tuple[RuleTask, Judgement | None]]:
    """The judgements that one worker's messages give; None for a task that is to be tried alone.

    A failure counts only where nothing ran before it in the process, and where
    the process ended well: so no rule is blamed for what another left behind.
    """
    runs = [message for message in messages if isinstance(message, TestRun)]
    if len(batch) == 1:
        yield batch[0], _judgement(batch[0], runs, ending)
        return
    for at, task in enumerate(batch):
        own = [run for run in runs if run.task == at]
        is_decided = task.is_decided_by(sum(run.failed for run in own))
        through = is_decided or len(own) == len(task.items)
        judgement: Judgement | None = None
        if through and (ending.is_clean or ending.unfinished_test):
            judgement = _judgement(task, own, _CLEAN)
            if at > 0 and judgement.verdict.is_failure:
                judgement = None
        elif at == 0 and ending.unfinished_test:
            judgement = _judgement(task, own, ending)
        task.is_alone = judgement is None
        yield task, judgement


def _judgement(task: RuleTask, runs: Sequence[TestRun], ending: WorkerExit) -> Judgement:
    """The verdict that the runs in one worker, and how it ended, add up to."""
    for run in runs:
        if run.not_run:
            raise EnvironmentBrokenError(
                f"{run.test}, a test of {task.rule.id}, was not run ({run.not_run}); "
                "leave out what skips it"
            )
    cases = [_finished_case(run) for run in runs]
    if not ending.is_clean:
        cases.append(_unfinished_case(ending))
    calls = Counter[str]()
    engines: set[str] = set()
    for run in runs:
        engines.update(run.engines)
        calls.update(run.calls)
    verdict = fold(task.rule, cases)
    if verdict is Verdict.KEPT and not calls:
        raise EnvironmentBrokenError(
            f"{task.rule.id} was judged without one call of the implementation; "
            "its test is wrong, please report it"
        )
    return Judgement(
        rule=task.rule.id,
        profile=task.profile,
        variant=task.variant,
        verdict=verdict,
        reason=_not_applicable(runs),
        observation="" if task.rule.level.is_judged else _observed(runs, cases),
        cases=tuple(cases),
        calls=dict(calls),
        engines=tuple(sorted(engines)),
        seconds=sum(run.seconds for run in runs),
    )


def _finished_case(run: TestRun) -> Case:
    if run.not_applicable:
        return Case(run.test, Verdict.NOT_APPLICABLE, run.not_applicable)
    return Case(run.test, Verdict.BROKEN if run.failed else Verdict.KEPT, run.message)


def _not_applicable(runs: Sequence[TestRun]) -> str:
    """Say how many of the tests do not apply on this platform, and why; "" if all do."""
    reasons = [run.not_applicable for run in runs if run.not_applicable]
    if not reasons:
        return ""
    return f"{len(reasons)} of {len(runs)} tests do not apply: {'; '.join(dict.fromkeys(reasons))}"


def _unfinished_case(ending: WorkerExit) -> Case:
    """The case in which a worker hung or died."""
    if ending.hung and ending.activity is not None:
        verdict, message = Verdict.HUNG, f"nothing came back: it {ending.activity}"
    else:
        verdict, message = Verdict.CRASHED, f"the process {ending.death}"
        if ending.output:
            message += f"; it said: {ending.output.splitlines()[-1][:200]}"
    return Case(
        test=ending.unfinished or "the end of the process",
        verdict=verdict,
        message=message,
        trace=ending.trace,
        stack=ending.stack,
        activity=ending.activity,
    )


def _observed(runs: Iterable[TestRun], cases: Iterable[Case]) -> str:
    """The recorded observations, each situation once, in the order of the tests."""
    values: dict[str, None] = {}
    for run in runs:
        for situation, value in run.observed:
            values[f"{situation}: {value}" if situation else value] = None
        if run.failed:
            values[run.message.splitlines()[0][:120]] = None
    for case in cases:
        if case.verdict in (Verdict.HUNG, Verdict.CRASHED):
            values[case.message.partition(";")[0]] = None
    return "; ".join(values)
