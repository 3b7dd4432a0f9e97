"""Rules that share a process get the verdicts that they get alone."""

from __future__ import annotations

from typing import Any, cast

import pytest

from looptck.results.verdicts import Verdict
from looptck.rules.catalogue import shipped
from looptck.running.messages import Message, TestRun
from looptck.running.rule_task import RuleTask, judgements_from
from looptck.running.worker_life import LAST_COLLECTION
from looptck.running.workers import WorkerExit

CLEAN = WorkerExit(unfinished="", hung=False, death=None)


@pytest.fixture
def batch() -> list[RuleTask]:
    """Two rules of one test each; which test it is does not matter here."""
    rules = [shipped()[f"luaevent.constants.{name}"] for name in ("leave", "ev-read")]
    return [RuleTask(rule, "default", [cast("pytest.Item", rule.id)]) for rule in rules]


def _run(task: int, **changes: Any) -> Message:
    settings: dict[str, Any] = {"failed": False, "message": "", "seconds": 0.0, "calls": {"new": 1}}
    return TestRun(task, "test_it", **{**settings, **changes})


def _verdicts(
    batch: list[RuleTask], messages: list[Message], ending: WorkerExit
) -> list[Verdict | None]:
    return [
        judgement.verdict if judgement else None
        for _, judgement in judgements_from(batch, messages, ending)
    ]


@pytest.mark.parametrize("failed", [0, 1])
def test_only_a_failure_of_the_first_rule_is_its_own(batch: list[RuleTask], failed: int) -> None:
    """Something that the first one left behind may have failed the second, which is tried again."""
    runs = [_run(at, failed=at == failed, message="seen") for at in range(2)]
    expected = [[Verdict.BROKEN, Verdict.KEPT], [Verdict.KEPT, None]][failed]
    assert _verdicts(batch, runs, CLEAN) == expected
    assert [task.is_alone for task in batch] == [False, failed == 1]


@pytest.mark.parametrize("hung", [False, True], ids=["died", "hung"])
def test_a_process_that_ends_in_the_second_rule_is_tried_again(
    batch: list[RuleTask], hung: bool
) -> None:
    ending = WorkerExit("test_it", hung=hung, death=None if hung else "was ended by SIGSEGV")
    assert _verdicts(batch, [_run(0)], ending) == [Verdict.KEPT, None]
    assert batch[1].is_alone


def test_a_process_that_ends_after_its_tests_blames_none(batch: list[RuleTask]) -> None:
    ending = WorkerExit(LAST_COLLECTION, hung=False, death="was ended by SIGSEGV")
    assert _verdicts(batch, [_run(0), _run(1)], ending) == [None, None]
    assert all(task.is_alone for task in batch)


def test_a_rule_alone_keeps_every_failure(batch: list[RuleTask]) -> None:
    ending = WorkerExit(LAST_COLLECTION, hung=False, death="was ended by SIGSEGV")
    assert _verdicts(batch[:1], [_run(0)], ending) == [Verdict.CRASHED]
