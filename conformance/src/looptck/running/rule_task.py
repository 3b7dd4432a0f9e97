"""A task: one rule for one variant, how a worker tries it, and what that adds up to.

Knows pytest's items and the channel of a worker; knows neither the order of
the tasks nor who reads the verdicts.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ..errors import EnvironmentBrokenError
from ..results.verdicts import Case, Judgement, Verdict, fold
from ..rules.catalogue import Rule
from ..subjects.subject import Subject
from . import pytest_internals
from .messages import Message, TestRun
from .workers import Reporter, WorkerExit

# Where the fixtures leave the bench of a test for the worker to read.
BENCH = pytest.StashKey[Subject]()

_PACKAGE = Path(__file__).parents[1]

# The most that a message may bring along, in characters.
_MESSAGE_LENGTH = 4000


@dataclass(eq=False, slots=True)
class RuleTask:
    """One rule for one variant: the unit that a worker is given."""

    rule: Rule
    variant: str
    items: list[pytest.Item] = field(default_factory=list)

    @property
    def profile(self) -> str:
        return self.rule.profile


# Plugins that would touch the worker's streams or watch over what the worker
# itself watches over.
_NOT_IN_A_WORKER = (
    "capturemanager",
    "faulthandler",
    "logging-plugin",
    "setuponly",
    "threadexception",
    "unraisableexception",
)


# After so many failed tests of a rule the others would tell nothing new, and in
# real time each may take as long as its guard.
_ENOUGH_FAILURES = 5


class RuleTests:
    """Runs the tests of some tasks in a worker, and reports each."""

    def __init__(self, config: pytest.Config, batch: Sequence[RuleTask]) -> None:
        self._config = config
        self._batch = batch
        self._outcomes = _OutcomeWatch()

    def __call__(self, reporter: Reporter) -> None:
        manager = self._config.pluginmanager
        for name in _NOT_IN_A_WORKER:
            if plugin := manager.get_plugin(name):
                manager.unregister(plugin)
        manager.register(self._outcomes, "looptck-outcomes")
        if "hypothesis" in sys.modules:  # otherwise no test uses it, and it is slow to import
            from hypothesis import settings

            settings.register_profile("looptck", derandomize=True, database=None, deadline=None)
            settings.load_profile("looptck")
        result: TestRun | None = None
        failures = Counter[int]()
        tried = [(at, item) for at, task in enumerate(self._batch) for item in task.items]
        following = [item for _, item in tried[1:]] + [None]
        for (at, item), after in zip(tried, following, strict=True):
            if failures[at] >= _ENOUGH_FAILURES:
                continue
            reporter.begin(item.nodeid, after=result)
            if isinstance(item, pytest.Function):
                pytest_internals.set_parameter(item, "variant", self._batch[at].variant)
                pytest_internals.renew_fixtures(item)  # a campaign may run an item again
            # what is to run again must be torn down in between
            result = self._run(at, item, None if after is item else after)
            failures[at] += result.failed and self._batch[at].rule.level.is_judged
            if failures[at] >= _ENOUGH_FAILURES:
                pytest_internals.tear_down_all(item.session)  # the next one may be any
        if result is not None:
            reporter.send(result)

    def _run(self, task: int, item: pytest.Item, following: pytest.Item | None) -> TestRun:
        self._outcomes.raised_by_loop = ""
        reports: list[pytest.TestReport] = []
        failure: pytest.TestReport | None = None
        started = time.monotonic()
        try:
            reports = pytest_internals.run_test(item, following)
            failure = next((report for report in reports if report.failed), None)
            message = _message(failure) if failure else self._outcomes.raised_by_loop
        except BaseException as error:  # a loop may raise KeyboardInterrupt or pytest's Exit
            message = _came_out_of_the_loop(error)
        seconds = time.monotonic() - started
        is_failed = failure is not None or bool(message)
        not_run = ""
        if not is_failed and not any(r.when == "call" and r.passed for r in reports):
            not_run = str(next((r.longrepr for r in reports if r.skipped), "no call"))
        result = TestRun(task, item.nodeid, is_failed, message[:_MESSAGE_LENGTH], seconds, not_run)
        subject = item.stash.get(BENCH, None)
        if subject is None:
            return result
        return replace(
            result,
            calls=dict(subject.call_counter.calls),
            engines=tuple(sorted(subject.call_counter.engines)),
            observed=tuple(subject.observation.values),
        )


class _OutcomeWatch:
    """Notices when the loop, and not the suite, tells pytest to skip a test."""

    def __init__(self) -> None:
        # how that is described; "" if it did not happen
        self.raised_by_loop = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, pytest_internals.OUTCOMES) and pytest_internals.is_raised_outside(
            error.__traceback__, _PACKAGE
        ):
            self.raised_by_loop = _came_out_of_the_loop(error)
        return (yield)


def _came_out_of_the_loop(error: BaseException) -> str:
    name = f"{type(error).__name__} came out of the loop"
    try:
        text = str(error).strip()
    except Exception:  # a `__str__` of the loop's own
        text = ""
    return f"{name}: {text}" if text else name


_CLEAN = WorkerExit(unfinished="", hung=False, death=None)


def judgements_from(
    batch: Sequence[RuleTask], messages: Iterable[Message], ending: WorkerExit
) -> Iterator[tuple[RuleTask, Judgement | None]]:
    """The judgements that one worker's messages give; None for a task that it did not reach."""
    runs = [message for message in messages if isinstance(message, TestRun)]
    if len(batch) > 1 and not ending.is_clean and not ending.unfinished_test:
        # Something that one of them left behind ended it: have each tried alone.
        for task in batch:
            yield task, None
        return
    ended = False
    for at, task in enumerate(batch):
        own = [run for run in runs if run.task == at]
        failed = sum(run.failed for run in own)
        enough = task.rule.level.is_judged and failed >= _ENOUGH_FAILURES
        through = enough or len(own) == len(task.items)
        if ended:
            yield task, None
        elif through and (ending.is_clean or len(batch) > 1):
            yield task, _judgement(task, own, _CLEAN)
        else:
            ended = True
            yield task, _judgement(task, own, ending)


def _judgement(task: RuleTask, runs: Sequence[TestRun], ending: WorkerExit) -> Judgement:
    """The verdict that the runs in one worker, and how it ended, add up to."""
    for run in runs:
        if run.not_run:
            raise EnvironmentBrokenError(
                f"{run.test}, a test of {task.rule.id}, was not run ({run.not_run}); "
                "leave out what skips it"
            )
    cases = [
        Case(run.test, Verdict.BROKEN if run.failed else Verdict.KEPT, run.message) for run in runs
    ]
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
        observation="" if task.rule.level.is_judged else _observed(runs, cases),
        cases=tuple(cases),
        calls=dict(calls),
        engines=tuple(sorted(engines)),
        seconds=sum(run.seconds for run in runs),
    )


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


def _message(report: pytest.TestReport) -> str:
    """The message of the failed assertion, without the source around it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    where = "" if report.when == "call" else f"in {report.when}: "
    # what pytest adds to a message of our own is full of addresses
    words, _, _ = str(text).removeprefix("AssertionError: ").partition("\nassert ")
    return where + words
