"""Judging: which rule is tried when, in which process, and what came of it.

The order follows the rules' needs: a rule is tried when all that it needs is
kept, and *blocked* when something is not.  Knows pytest's items; knows neither
certificates nor terminals.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import signal
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from . import adapter_check
from .bench import Bench
from .catalogue import Catalogue, Rule
from .errors import AdapterError, EnvironmentBrokenError, LooptckError, UsageError
from .implementation import Implementation, file_hashes, find
from .plugin import EVERY_VARIANT
from .profiles import PROFILES
from .report.exploration import said_of
from .searching import Search
from .verdicts import Case, Judgement, Verdict, fold
from .workers import Ending, Pool, Report

# Where the fixtures leave the bench of a test for the worker to read.
BENCH = pytest.StashKey[Bench]()

# The most that a message may bring along, in characters.
_MESSAGE_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class UnderTest:
    """The implementation and what the user asked to judge of it."""

    KEY: ClassVar[pytest.StashKey[UnderTest]] = pytest.StashKey()

    implementation: Implementation
    variants: tuple[str, ...]
    profiles: tuple[str, ...]
    rules: tuple[Rule, ...]
    catalogue: Catalogue
    patience: float
    # to be made after the tests; None for none
    search: Search | None = None

    @classmethod
    def from_options(
        cls,
        *,
        spec: str,
        variants: Sequence[str],
        profiles: Sequence[str],
        patterns: Sequence[str],
        patience: float,
        catalogue: Catalogue,
        search: Search | None = None,
    ) -> UnderTest:
        """Raises UsageError for a name that does not exist, AdapterError for a broken adapter."""
        for name in profiles:
            if name not in PROFILES:
                raise UsageError(f"no profile is called {name!r}; there are {', '.join(PROFILES)}")
        chosen = tuple(catalogue.matching(patterns)) if patterns else tuple(catalogue.values())
        implementation = find(spec)
        for name in variants:
            if name not in implementation.by_variant:
                raise UsageError(
                    f"{implementation.name} has no variant {name!r}; "
                    f"it has {', '.join(implementation.by_variant)}"
                )
        offered = {name for each in implementation.by_variant.values() for name in each}
        for name in profiles:
            if name not in offered:
                raise UsageError(
                    f"{implementation.name} does not offer the profile {name!r}; "
                    f"it offers {', '.join(sorted(offered))}"
                )
        wanted = tuple(name for name in PROFILES if name in (profiles or offered))
        under_test = cls(
            implementation=implementation,
            variants=tuple(variants or implementation.by_variant),
            profiles=wanted,
            rules=tuple(rule for rule in chosen if rule.document in wanted),
            catalogue=catalogue,
            patience=patience,
            search=search,
        )
        if not under_test.rules:
            raise UsageError(
                f"no rule is left to judge: {', '.join(patterns)} is not among the rules of "
                f"{', '.join(wanted)}"
            )
        adapter_check.check(
            implementation, under_test.variants, under_test.profiles, catalogue, patience
        )
        return under_test

    def offers(self, variant: str, profile: str) -> bool:
        return profile in self.implementation.by_variant[variant]

    def described(self) -> dict[str, Any]:
        """What the header of a certificate says about it."""
        implementation = self.implementation
        modules: set[str] = set()
        for variant in self.variants:
            for profile in self.profiles:
                if self.offers(variant, profile):
                    modules |= _modules_of(implementation, variant, profile)
        return {
            "name": implementation.name,
            "version": implementation.version,
            "variants": list(self.variants),
            "profiles": list(self.profiles),
            "virtual_time": implementation.virtual_time,
            "unsupported": dict(sorted(implementation.unsupported.items())),
            "files": file_hashes(iter(modules)),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
        }


def _modules_of(implementation: Implementation, variant: str, profile: str) -> set[str]:
    bench = Bench(implementation, variant)
    loop = bench.entry(profile).new()
    factory = implementation.by_variant[variant][profile]
    close = getattr(loop, "close", None)
    if callable(close):
        close()
    found = {getattr(factory, "__module__", None) or ""}
    found |= {engine.rpartition(".")[0] for engine in bench.witness.engines}
    return found - {""}


class Stream:
    """Reports to the process that started us, one JSON object for each line."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def is_read(self) -> bool:
        """Whether such a process exists; without, it is pytest's output that people read."""
        return self._fd >= 0

    def say(self, message: dict[str, Any]) -> None:
        if self._fd < 0:
            return
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]


def stream_for(fd: int) -> Stream:
    return Stream(fd)


@dataclass(eq=False, slots=True)
class Task:
    """One rule for one variant: the unit that a worker is given."""

    rule: Rule
    variant: str
    items: list[pytest.Item] = field(default_factory=list)

    @property
    def profile(self) -> str:
        return self.rule.document


class Judging:
    """Collects the tests of the chosen rules, runs them and says the verdicts."""

    def __init__(self, under_test: UnderTest, stream: Stream, jobs: int, *, batch: int = 1) -> None:
        self._under_test = under_test
        self._stream = stream
        self._jobs = jobs
        # How many tasks one process is given.  A verdict that counts comes from
        # a process of its own; a campaign over many loops has not the time.
        self._batch = batch
        # {(variant, rule id): verdict}
        self._decided: dict[tuple[str, str], Verdict] = {}
        # {(variant, profile): (type of the loop that did the work, rule it was seen at)}
        self._engines: dict[tuple[str, str], tuple[str, str]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        chosen = {rule.id for rule in self._under_test.rules}
        kept: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            rule = _rule_of(item, self._under_test.catalogue)
            if rule is None:
                continue
            here = any(
                self._under_test.offers(variant, rule.document)
                for variant in _variants_of(item, self._under_test)
            )
            (kept if here and rule.id in chosen else left_out).append(item)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
        items[:] = kept

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.config.option.collectonly:
            return True
        if session.testsfailed:
            self._fail("the suite cannot be collected; run it with pytest to see why")
        tasks = self.tasks(session.items)
        self._stream.say({"kind": "plan", "total": len(tasks)})
        signal.signal(signal.SIGTERM, _stop)
        share_memory()
        try:
            for judgement, task in self.judge(session.config, tasks):
                self._stream.say({"kind": "judgement", **judgement.as_data()})
                if not self._stream.is_read:
                    _tell_pytest(session, judgement, task)
            for event in self._search():
                self._stream.say(event)
                _tell_pytest_of_search(session, event)
        except LooptckError as error:
            self._fail(str(error), error.exit_status)
        self._stream.say({"kind": "end"})
        return True

    def _search(self) -> Iterator[dict[str, Any]]:
        """What the search finds, if one was asked for."""
        under_test = self._under_test
        if under_test.search is None:
            return
        wanted = [
            (variant, profile)
            for profile in under_test.profiles
            for variant in under_test.variants
            if under_test.offers(variant, profile)
        ]
        known = {
            variant: [
                rule
                for (each, rule), v in self._decided.items()
                if each == variant and v.is_failure
            ]
            for variant in under_test.variants
        }
        yield from under_test.search.events(under_test.implementation, wanted, self._jobs, known)

    def _fail(self, message: str, status: int = 3) -> NoReturn:
        self._stream.say({"kind": "error", "status": status, "message": message})
        pytest.exit(f"looptck: {message}", returncode=status)

    def tasks(self, items: Iterable[pytest.Item]) -> list[Task]:
        """One task for each chosen rule and variant, with its tests among *items*."""
        under_test = self._under_test
        tasks = {
            (variant, rule.id): Task(rule, variant)
            for rule in under_test.rules
            for variant in under_test.variants
            if under_test.offers(variant, rule.document)
        }
        for item in items:
            rule = _rule_of(item, under_test.catalogue)
            if rule is not None:
                for variant in _variants_of(item, under_test):
                    if task := tasks.get((variant, rule.id)):
                        task.items.append(item)
        return list(tasks.values())

    def judge(
        self, config: pytest.Config, tasks: Iterable[Task]
    ) -> Iterator[tuple[Judgement, Task]]:
        """Run the tasks and yield each verdict as it is reached."""
        waiting = deque(tasks)
        selected = {(task.variant, task.rule.id) for task in waiting}
        pool = Pool(self._jobs, self._under_test.patience)
        try:
            while waiting or not pool.is_idle:
                while pool.has_room:
                    batch: list[Task] = []
                    for judgement, task in self._ready(waiting, selected):
                        if judgement is not None:
                            yield self._settled(judgement), task
                        else:
                            batch.append(task)
                        if len(batch) == self._batch:
                            break
                    if not batch:
                        break
                    pool.start(batch, _Work(config, batch))
                if pool.is_idle:
                    continue
                for batch, messages, ending in pool.wait():
                    for task, judgement in _judgements(batch, messages, ending):
                        if judgement is None:
                            waiting.appendleft(task)
                        else:
                            yield self._settled(judgement), task
        finally:
            pool.close()

    def _ready(
        self, waiting: deque[Task], selected: set[tuple[str, str]]
    ) -> Iterator[tuple[Judgement | None, Task]]:
        """Take each task off whose needs are decided; with its verdict if it is not to be tried."""
        for _ in range(len(waiting)):
            task = waiting.popleft()
            if not self._can_be_decided(task, selected):
                waiting.append(task)
                continue
            yield self._without_trying(task), task

    def _settled(self, judgement: Judgement) -> Judgement:
        """Remember the verdict; refuse one that another loop than before has earned."""
        for engine in judgement.engines:
            first, rule_id = self._engines.setdefault(
                (judgement.variant, judgement.profile), (engine, judgement.rule)
            )
            if engine != first:
                raise AdapterError(
                    f"the adapter used {first} for {rule_id} and {engine} for {judgement.rule}; "
                    "a certificate is about one loop: mend its factory"
                )
        self._decided[judgement.variant, judgement.rule] = judgement.verdict
        return judgement

    def _can_be_decided(self, task: Task, selected: set[tuple[str, str]]) -> bool:
        needs = {(task.variant, needed) for needed in task.rule.needs} & selected
        return all(needed in self._decided for needed in needs)

    def _without_trying(self, task: Task) -> Judgement | None:
        """The verdict on a rule that need not, or cannot, be tried."""
        verdict, reason = self._obstacle(task)
        if verdict is None:
            return None
        return Judgement(task.rule.id, task.profile, task.variant, verdict, reason=reason)

    def _obstacle(self, task: Task) -> tuple[Verdict | None, str]:
        declared = self._under_test.implementation.why_unsupported(task.rule.id)
        if declared is not None:
            return Verdict.NOT_APPLICABLE, declared
        for needed in task.rule.needs:
            verdict = self._decided.get((task.variant, needed))
            if verdict is Verdict.NOT_APPLICABLE:
                return verdict, f"it needs {needed}, which is not applicable"
            if verdict is not None and (verdict.is_failure or verdict is Verdict.BLOCKED):
                return Verdict.BLOCKED, f"it needs {needed}, which is {verdict}"
        if task.rule.untested:
            return Verdict.UNTESTED, task.rule.untested
        if not task.items:
            return Verdict.UNTESTED, "the suite has no test for it on this platform"
        return None, ""


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


class _Work:
    """What a worker does with its tasks: run their tests, tell of each."""

    def __init__(self, config: pytest.Config, batch: Sequence[Task]) -> None:
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
        skipped = next((r for r in reports if r.skipped), None)
        if skipped is not None:
            said["failed"], said["message"] = True, f"skipped itself: {skipped.longrepr}"
        bench = item.stash.get(BENCH, None)
        if bench is not None:
            said["calls"] = dict(bench.witness.calls)
            said["engines"] = sorted(bench.witness.engines)
            said["observed"] = bench.observation.values
        return said


_CLEAN = Ending(unfinished="", hung=False, death=None)


def _judgements(
    batch: Sequence[Task], messages: Sequence[dict[str, Any]], ending: Ending
) -> Iterator[tuple[Task, Judgement | None]]:
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


def _judgement(task: Task, messages: Sequence[dict[str, Any]], ending: Ending) -> Judgement:
    """What the messages of one worker, and its ending, say about the rule."""
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


def _cut_off(ending: Ending) -> Case:
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


def _tell_pytest(session: pytest.Session, judgement: Judgement, task: Task) -> None:
    """Report each test of the task to pytest, so that its output tells the same."""
    hook = session.config.hook
    went = {case.test: case for case in judgement.cases}
    for item in task.items:
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        case = went.get(item.nodeid)
        hook.pytest_runtest_logreport(report=_report(item, task, judgement, case))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _tell_pytest_of_search(session: pytest.Session, event: dict[str, Any]) -> None:
    if event["kind"] == "exploration":
        session.testsfailed += bool(event["difference"])
        session.config.get_terminal_writer().line("\n" + said_of(event))


def _report(
    item: pytest.Item, task: Task, judgement: Judgement, case: Case | None
) -> pytest.TestReport:
    outcome: Any = "passed"
    longrepr: Any = None
    if case is None:
        outcome = "skipped"
        why = f"{judgement.verdict}: {judgement.reason or 'an earlier test of the rule ended it'}"
        longrepr = (str(item.path), (item.location[1] or 0) + 1, why)
    elif case.verdict.is_failure and task.rule.level.is_judged:
        outcome = "failed"
        parts = (f"{task.rule.id} {case.verdict}: {task.rule.title}", case.message, case.stack)
        longrepr = "\n\n".join(part for part in parts if part)
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=longrepr,
        when="call",
        duration=judgement.seconds / max(len(task.items), 1),
    )


def _rule_of(item: pytest.Item, catalogue: Catalogue) -> Rule | None:
    markers = list(item.iter_markers("rule"))
    if not markers:
        return None
    if len(markers) > 1 or len(markers[0].args) != 1:
        raise pytest.UsageError(f"{item.nodeid} must name exactly one rule: @rule('...')")
    rule_id = markers[0].args[0]
    if rule_id not in catalogue:
        raise pytest.UsageError(f"{item.nodeid} judges {rule_id!r}, which no page of rules states")
    return catalogue[rule_id]


def _variants_of(item: pytest.Item, under_test: UnderTest) -> tuple[str, ...]:
    """The variants that *item* is a test of: one, or all of them."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or "variant" not in callspec.params:
        raise pytest.UsageError(f"{item.nodeid} uses no profile; ask for one as a fixture")
    variant = callspec.params["variant"]
    return under_test.variants if variant == EVERY_VARIANT else (variant,)


def share_memory() -> None:
    """What exists now is shared with every worker to come, and need not be copied."""
    gc.collect()
    gc.freeze()


def _stop(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


__all__ = ["BENCH", "AdapterError", "Judging", "UnderTest", "stream_for"]
