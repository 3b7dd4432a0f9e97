"""Verdicts: what is said of one rule for one variant, and how it is folded.

Pure data.  Knows neither pytest nor processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..rules.catalogue import Rule


class Verdict(StrEnum):
    KEPT = "kept"
    BROKEN = "broken"
    HUNG = "hung"
    CRASHED = "crashed"
    # a rule that it depends on is not kept
    BLOCKED = "blocked"
    NOT_APPLICABLE = "not applicable"
    UNTESTED = "untested"
    OBSERVED = "observed"

    @property
    def is_failure(self) -> bool:
        return self in FAILURES


# The faults of the implementation itself; a blocked rule was not tried.
FAILURES = frozenset({Verdict.BROKEN, Verdict.HUNG, Verdict.CRASHED})


class Activity(StrEnum):
    """The activity of a process that sent nothing."""

    SLEPT = "slept for ever"
    SPUN = "spun"
    WAITED = "waited for a thread"


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a rule, with one set of parameters, as it went."""

    test: str
    verdict: Verdict
    message: str = ""
    # the last events of the trace, oldest first
    trace: tuple[str, ...] = ()
    stack: str = ""
    activity: Activity | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one rule for one variant, with all that explains it."""

    rule: str
    profile: str
    variant: str
    verdict: Verdict
    # why it is blocked, not applicable or untested, or some of its tests do not apply
    reason: str = ""
    observation: str = ""
    cases: tuple[Case, ...] = ()
    # {function of the profile: how often the suite called it}
    calls: Mapping[str, int] = field(default_factory=dict)
    engines: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def failed_case(self) -> Case | None:
        """The first case that shows what is wrong."""
        return next((case for case in self.cases if case.verdict.is_failure), None)

    def as_data(self) -> dict[str, Any]:
        """The judgement as JSON types; what is empty is left out."""
        data: dict[str, Any] = {
            "rule": self.rule,
            "profile": self.profile,
            "variant": self.variant,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "observation": self.observation,
            "cases": [_case_as_data(case) for case in self.cases],
            "calls": dict(sorted(self.calls.items())),
            "engines": list(self.engines),
            "seconds": round(self.seconds, 4),
        }
        return {key: value for key, value in data.items() if value not in ("", [], {})}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Judgement:
        return cls(
            rule=data["rule"],
            profile=data["profile"],
            variant=data["variant"],
            verdict=Verdict(data["verdict"]),
            reason=data.get("reason", ""),
            observation=data.get("observation", ""),
            cases=tuple(_case_from_data(case) for case in data.get("cases", ())),
            calls=data.get("calls", {}),
            engines=tuple(data.get("engines", ())),
            seconds=data.get("seconds", 0.0),
        )


def fold(rule: Rule, cases: Iterable[Case]) -> Verdict:
    """The verdict that the cases of one rule add up to: the worst of them.

    A rule that is not judged is *observed*, whatever its tests met.
    """
    if not rule.level.is_judged:
        return Verdict.OBSERVED
    met = {case.verdict for case in cases}
    for verdict in (Verdict.CRASHED, Verdict.HUNG, Verdict.BROKEN):
        if verdict in met:
            return verdict
    return Verdict.NOT_APPLICABLE if met == {Verdict.NOT_APPLICABLE} else Verdict.KEPT


def is_certified(rules: Mapping[str, Rule], judgements: Iterable[Judgement]) -> bool:
    """No MUST or MUST NOT broken, hung, crashed or blocked, and none not applicable.

    None is untested either, unless its page says that no test can judge it.
    """
    spoilers = FAILURES | {Verdict.BLOCKED, Verdict.NOT_APPLICABLE}
    judged = [j for j in judgements if rules[j.rule].level.is_judged]
    return any(j.verdict is Verdict.KEPT for j in judged) and not any(
        j.verdict in spoilers or (j.verdict is Verdict.UNTESTED and not rules[j.rule].untested)
        for j in judged
    )


def _case_as_data(case: Case) -> dict[str, Any]:
    data: dict[str, Any] = {"test": case.test, "verdict": str(case.verdict)}
    if case.message:
        data["message"] = case.message
    if case.trace:
        data["trace"] = list(case.trace)
    if case.stack:
        data["stack"] = case.stack
    if case.activity:
        data["activity"] = str(case.activity)
    return data


def _case_from_data(data: Mapping[str, Any]) -> Case:
    return Case(
        test=data["test"],
        verdict=Verdict(data["verdict"]),
        message=data.get("message", ""),
        trace=tuple(data.get("trace", ())),
        stack=data.get("stack", ""),
        activity=Activity(data["activity"]) if "activity" in data else None,
    )
