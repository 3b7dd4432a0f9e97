"""Output of pytest about a run: the outcome of each test, and the results of a search.

Used where pytest itself is run by hand; the command line reads messages.
"""

from __future__ import annotations

from typing import Any

import pytest

from ..results.verdicts import Case, Judgement, Verdict
from .messages import Explored, Message
from .rule_task import RuleTask


def tell_judgement(session: pytest.Session, judgement: Judgement, task: RuleTask) -> None:
    """Report each test of the task to pytest, so that its output tells the same."""
    hook = session.config.hook
    went = {case.test: case for case in judgement.cases}
    for item in task.items:
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        case = went.get(item.nodeid)
        hook.pytest_runtest_logreport(report=_report(item, task, judgement, case))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def tell_search(session: pytest.Session, message: Message) -> None:
    """Print the result of a search, and count a difference that it found as a failure."""
    if isinstance(message, Explored):
        session.testsfailed += bool(message.result.difference)
        session.config.get_terminal_writer().line("\n" + message.text())


def _report(
    item: pytest.Item, task: RuleTask, judgement: Judgement, case: Case | None
) -> pytest.TestReport:
    outcome: Any = "passed"
    longrepr: Any = None
    if case is None:
        outcome = "skipped"
        why = f"{judgement.verdict}: {judgement.reason or 'an earlier test of the rule ended it'}"
        longrepr = (str(item.path), (item.location[1] or 0) + 1, why)
    elif case.verdict is Verdict.NOT_APPLICABLE:
        outcome = "skipped"
        longrepr = (str(item.path), (item.location[1] or 0) + 1, f"{case.verdict}: {case.message}")
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
