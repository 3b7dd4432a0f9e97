"""Judging: which rule is tried when, in which process, and what came of it.

The order follows the rules' needs: a rule is tried when all that it needs is
kept, and *blocked* when something is not.  Knows pytest's items; knows neither
certificates nor terminals.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NoReturn

import pytest

from ..errors import AdapterError, LooptckError
from ..profiles import PROFILES
from ..results.verdicts import Judgement, Verdict
from ..rules.catalogue import Catalogue, Rule
from ..rules.markers import EVERY_VARIANT
from . import pytest_internals
from .event_stream import EventStream
from .messages import Judged, Message, Planned, RunEnded, RunFailed
from .pool import Pool
from .pytest_output import tell_judgement, tell_search
from .rule_task import RuleTask, RuleTests, judgements_from
from .sealing import Seal
from .selection import Selection
from .shared_memory import share_memory
from .suite_index import Binding


class _StoppedError(KeyboardInterrupt):
    """A signal asked the runner to stop."""


_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class RuleScheduler:
    """Collects the tests of the chosen rules, runs them and says the verdicts."""

    def __init__(
        self,
        selection: Selection,
        stream: EventStream,
        jobs: int,
        *,
        batch: int = 0,
        seal: Seal | None = None,
    ) -> None:
        self._under_test = selection
        self._stream = stream
        # None for a campaign, which chooses tests by itself
        self._seal = seal
        self._jobs = jobs
        # How many tasks one process is given; 0 for those of one rule, so that
        # what a loop leaves behind reaches no other rule.  A campaign over many
        # loops has not the time.
        self._batch = batch
        # the first error of collecting; "" for none
        self._collection_error = ""
        # {(variant, rule id): verdict}
        self._decided: dict[tuple[str, str], Verdict] = {}
        self._pool: Pool | None = None
        # the signal that asked the runner to stop, if one did
        self._stopped: _StoppedError | None = None
        # {(variant, profile): (type of the loop that did the work, rule it was seen at)}
        self._engines: dict[tuple[str, str], tuple[str, str]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if self._seal is not None:
            try:
                self._seal.check_chosen(self._under_test.rules, items)
            except LooptckError as error:
                self._fail(str(error), error.exit_status)
        chosen = {rule.id for rule in self._under_test.rules}
        kept: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            rule = _rule_of(item, self._under_test.catalogue)
            if rule is None:
                continue
            here = any(
                self._under_test.offers(variant, rule.profile)
                for variant in _variants_of(item, self._under_test)
            )
            fits = here and _has_direction(item)
            (kept if fits and rule.id in chosen else left_out).append(item)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
        items[:] = kept

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self._collection_error:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            last = lines[-1].removeprefix("E").strip() if lines else "no reason was given"
            self._collection_error = f"{report.nodeid}: {last}"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.config.option.collectonly:
            return True
        if session.testsfailed:
            self._fail(f"the suite cannot be collected: {self._collection_error}")
        tasks = self.tasks(session.items)
        if self._seal is not None:
            offered = {task.rule.id: task.rule for task in tasks}
            try:
                self._seal.check_shipped(offered.values(), session.items)
            except LooptckError as error:
                self._fail(str(error), error.exit_status)
        self._stream.send(Planned(len(tasks)))
        for number in _STOPPING:
            signal.signal(number, self._stop)
        share_memory()
        try:
            for judgement, task in self.judge(tasks):
                self._stream.send(Judged(judgement))
                if not self._stream.is_read:
                    tell_judgement(session, judgement, task)
            for message in self._search():
                self._stream.send(message)
                tell_search(session, message)
        except LooptckError as error:
            self._fail(str(error), error.exit_status)
        except _StoppedError as stopped:
            if not self._stream.is_read:
                raise
            try:
                self._fail(str(stopped))
            except OSError:  # the command line sent the signal, and reads no more
                raise stopped from None
        self._stream.send(RunEnded())
        return True

    def _search(self) -> Iterator[Message]:
        """The results of the search, if one was asked for."""
        selection = self._under_test
        if selection.search is None:
            return
        from ..models.documents import modelled  # the models are slow to import

        wanted = [
            (variant, profile)
            for profile in selection.profiles
            for variant in selection.variants
            if profile in modelled() and selection.offers(variant, profile)
        ]
        known = {
            variant: [
                rule
                for (each, rule), v in self._decided.items()
                if each == variant and v.is_failure
            ]
            for variant in selection.variants
        }
        yield from selection.search.events(selection.implementation, wanted, self._jobs, known)

    def _stop(self, number: int, _frame: object) -> NoReturn:
        batches: list[list[RuleTask]] = self._pool.running if self._pool else []
        rules = sorted({task.rule.id for batch in batches for task in batch})
        self._stopped = _StoppedError(
            f"the process that judges was asked to stop by {signal.Signals(number).name}, which "
            f"this command did not send; it was judging {', '.join(rules) or 'no rule'}: "
            "see whether the loop sends signals to its parent"
        )
        raise self._stopped

    def _raise_if_stopped(self) -> None:
        """Raise what a signal handler raised where Python ignores it: in a hook of fork, say."""
        if self._stopped is not None:
            raise self._stopped

    def _fail(self, message: str, status: int = 3) -> NoReturn:
        self._stream.send(RunFailed(status, message))
        pytest.exit(f"looptck: {message}", returncode=status)

    def tasks(self, items: Iterable[pytest.Item]) -> list[RuleTask]:
        """One task for each chosen rule and variant, with its tests among *items*."""
        selection = self._under_test
        tasks = {
            (variant, rule.id): RuleTask(rule, variant)
            for rule in selection.rules
            for variant in selection.variants
            if selection.offers(variant, rule.profile)
        }
        for item in items:
            rule = _rule_of(item, selection.catalogue)
            if rule is not None:
                for variant in _variants_of(item, selection):
                    if task := tasks.get((variant, rule.id)):
                        task.items.append(item)
        return list(tasks.values())

    def judge(self, tasks: Iterable[RuleTask]) -> Iterator[tuple[Judgement, RuleTask]]:
        """Run the tasks and yield each verdict as it is reached."""
        waiting = deque(tasks)
        selected = {(task.variant, task.rule.id) for task in waiting}
        pool = self._pool = Pool(self._jobs, self._under_test.patience)
        try:
            while waiting or not pool.is_idle:
                while pool.has_room:
                    batch: list[RuleTask] = []
                    for judgement, task in self._ready(waiting, selected):
                        if judgement is not None:
                            yield self._settled(judgement), task
                        elif self._fits(task, batch):
                            batch.append(task)
                        else:
                            waiting.appendleft(task)
                            break
                    if not batch:
                        break
                    pool.start(batch, RuleTests(batch))
                    self._raise_if_stopped()
                if pool.is_idle:
                    continue
                ended = pool.wait()
                self._raise_if_stopped()
                self._stream.note_progress()
                for batch, messages, ending in ended:
                    for task, judgement in judgements_from(batch, messages, ending):
                        if judgement is None:
                            waiting.appendleft(task)
                        else:
                            yield self._settled(judgement), task
        finally:
            pool.close()

    def _fits(self, task: RuleTask, batch: list[RuleTask]) -> bool:
        """Whether *task* may share a process with those of *batch*."""
        if not batch:
            return True
        if task.is_alone or batch[0].is_alone:
            return False
        return len(batch) < self._batch if self._batch else task.rule is batch[0].rule

    def _ready(
        self, waiting: deque[RuleTask], selected: set[tuple[str, str]]
    ) -> Iterator[tuple[Judgement | None, RuleTask]]:
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

    def _can_be_decided(self, task: RuleTask, selected: set[tuple[str, str]]) -> bool:
        needs = {(task.variant, needed) for needed in task.rule.needs} & selected
        return all(needed in self._decided for needed in needs)

    def _without_trying(self, task: RuleTask) -> Judgement | None:
        """The verdict on a rule that need not, or cannot, be tried."""
        verdict, reason = self._obstacle(task)
        if verdict is None:
            return None
        return Judgement(task.rule.id, task.profile, task.variant, verdict, reason=reason)

    def _obstacle(self, task: RuleTask) -> tuple[Verdict | None, str]:
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


def _has_direction(item: pytest.Item) -> bool:
    """Whether the profile of a shared check has the direction that *item* is about, if any."""
    binding = pytest_internals.parameter(item, "binding")
    direction = pytest_internals.parameter(item, "direction")
    if direction is None or not isinstance(binding, Binding):
        return True
    return direction in getattr(PROFILES[binding.profile].verbs, "directions", (direction,))


def _variants_of(item: pytest.Item, selection: Selection) -> tuple[str, ...]:
    """The variants that *item* is a test of: one, or all of them."""
    variant = pytest_internals.parameter(item, "variant")
    if not isinstance(variant, str):
        raise pytest.UsageError(f"{item.nodeid} uses no profile; ask for one as a fixture")
    return selection.variants if variant == EVERY_VARIANT else (variant,)
