"""A task: one rule for one variant, how a worker tries it, and what that adds up to.

Knows pytest's items and the channel of a worker; knows neither the order of
the tasks nor who reads the verdicts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from ..errors import EnvironmentBrokenError
from ..results.verdicts import Case, Judgement, Verdict, fold
from ..rules.catalogue import Rule
from ..subjects.subject import Subject
from .workers import Report, WorkerExit

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
    """What a worker does with its tasks: run their tests, tell of each."""

    def __init__(self, config: pytest.Config, batch: Sequence[RuleTask]) -> None:
        self._config = config
        self._batch = batch

    def __call__(self, report: Report) -> None:
        manager = self._config.pluginmanager
        for name in _NOT_IN_A_WORKER:
            if plugin := manager.get_plugin(name):
                manager.unregister(plugin)
        settings.register_profile("looptck", derandomize=True, database=None, deadline=None)
        settings.load_profile("looptck")
        result: dict[str, Any] | None = None
        failures = Counter[int]()
        tried = [(at, item) for at, task in enumerate(self._batch) for item in task.items]
        following = [item for _, item in tried[1:]] + [None]
        for (at, item), after in zip(tried, following, strict=True):
            if failures[at] >= _ENOUGH_FAILURES:
                continue
            report.begin(item.nodeid, after=result)
            if isinstance(item, pytest.Function):
                item.callspec.params["variant"] = self._batch[at].variant
                item._initrequest()  # a campaign may have an item run more than once
            # what is to run again must be torn down in between
            result = {"task": at, **self._run(item, None if after is item else after)}
            failures[at] += result["failed"] and self._batch[at].rule.level.is_judged
            if failures[at] >= _ENOUGH_FAILURES:
                item.session._setupstate.teardown_exact(None)  # the next one may be any
        if result is not None:
            report.say(result)

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> dict[str, Any]:
        started = time.monotonic()
        try:
            reports = runtestprotocol(item, log=False, nextitem=following)
            failure = next((r for r in reports if r.failed), None)
            message = _message(failure) if failure else ""
        except BaseException as error:  # a loop may raise KeyboardInterrupt or pytest's Exit
            reports, failure = [], None
            message = f"{type(error).__name__} came out of the test: {error}"
        said: dict[str, Any] = {"test": item.nodeid, "failed": bool(message or failure)}
        said["message"] = message[:_MESSAGE_LENGTH]
        said["seconds"] = time.monotonic() - started
        if failure is not None and failure.longrepr is not None:
            said["text"] = str(failure.longrepr)[-4 * _MESSAGE_LENGTH :]
        if not said["failed"] and not any(r.when == "call" and r.passed for r in reports):
            said["not_run"] = str(next((r.longrepr for r in reports if r.skipped), "no call"))
        subject = item.stash.get(BENCH, None)
        if subject is not None:
            said["calls"] = dict(subject.call_counter.calls)
            said["engines"] = sorted(subject.call_counter.engines)
            said["observed"] = subject.observation.values
        return said


_CLEAN = WorkerExit(unfinished="", hung=False, death=None)


def judgements_from(
    batch: Sequence[RuleTask], messages: Sequence[dict[str, Any]], ending: WorkerExit
) -> Iterator[tuple[RuleTask, Judgement | None]]:
    """What one worker says about its tasks; None for one that it did not get to."""
    if len(batch) > 1 and not ending.is_clean and not ending.unfinished_test:
        # Something that one of them left behind ended it: have each tried alone.
        for task in batch:
            yield task, None
        return
    ended = False
    for at, task in enumerate(batch):
        own = [message for message in messages if message["task"] == at]
        failed = sum(message["failed"] for message in own)
        enough = task.rule.level.is_judged and failed >= _ENOUGH_FAILURES
        through = enough or len(own) == len(task.items)
        if ended:
            yield task, None
        elif through and (ending.is_clean or len(batch) > 1):
            yield task, _judgement(task, own, _CLEAN)
        else:
            ended = True
            yield task, _judgement(task, own, ending)


def _judgement(task: RuleTask, messages: Sequence[dict[str, Any]], ending: WorkerExit) -> Judgement:
    """What the messages of one worker, and its ending, say about the rule."""
    for message in messages:
        if "not_run" in message:
            raise EnvironmentBrokenError(
                f"{message['test']}, a test of {task.rule.id}, was not run "
                f"({message['not_run']}); leave out what skips it"
            )
    cases = [
        Case(
            test=message["test"],
            verdict=Verdict.BROKEN if message["failed"] else Verdict.KEPT,
            message=message["message"],
        )
        for message in messages
    ]
    if not ending.is_clean:
        cases.append(_cut_off(ending))
    calls: dict[str, int] = {}
    engines: set[str] = set()
    for message in messages:
        engines |= set(message.get("engines", ()))
        for name, count in message.get("calls", {}).items():
            calls[name] = calls.get(name, 0) + count
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
        observation="" if task.rule.level.is_judged else _observed(messages, cases),
        cases=tuple(cases),
        calls=calls,
        engines=tuple(sorted(engines)),
        seconds=sum(message["seconds"] for message in messages),
    )


def _cut_off(ending: WorkerExit) -> Case:
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


def _observed(messages: Sequence[dict[str, Any]], cases: Sequence[Case]) -> str:
    """What was recorded, each situation once, in the order of the tests."""
    values: dict[str, None] = {}
    for message in messages:
        for situation, value in message.get("observed", ()):
            values[f"{situation}: {value}" if situation else value] = None
        if message["failed"]:
            values[message["message"].splitlines()[0][:120]] = None
    for case in cases:
        if case.verdict in (Verdict.HUNG, Verdict.CRASHED):
            values[case.message.partition(";")[0]] = None
    return "; ".join(values)


def _message(report: pytest.TestReport) -> str:
    """What the failed assertion said, without the source around it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = crash.message if crash is not None else str(report.longrepr)
    where = "" if report.when == "call" else f"in {report.when}: "
    # what pytest adds to a message of our own is full of addresses
    words, _, _ = str(said).removeprefix("AssertionError: ").partition("\nassert ")
    return where + words
