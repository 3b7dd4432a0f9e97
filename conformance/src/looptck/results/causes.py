"""Causes: the failed rule behind each rule that is blocked, directly or by way of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..rules.catalogue import Rule
from .verdicts import Judgement, Verdict

# {(variant, id of a blocked rule): id of the rule to mend first}
Causes = Mapping[tuple[str, str], str]


def causes_of(judgements: Iterable[Judgement], rules: Mapping[str, Rule]) -> Causes:
    """The cause of each blocked judgement: the first failure among what its rule needs."""
    verdicts = {(j.variant, j.rule): j.verdict for j in judgements}
    found: dict[tuple[str, str], str] = {}

    def cause(variant: str, rule_id: str) -> str | None:
        verdict = verdicts.get((variant, rule_id))
        if verdict is not None and verdict.is_failure:
            return rule_id
        if verdict is not Verdict.BLOCKED:
            return None
        behind = (cause(variant, needed) for needed in rules[rule_id].needs)
        return next(filter(None, behind), None)

    for (variant, rule_id), verdict in verdicts.items():
        if verdict is Verdict.BLOCKED and (first := cause(variant, rule_id)):
            found[variant, rule_id] = first
    return found


def blocked_by(causes: Causes, rule_id: str, variants: Iterable[str]) -> list[str]:
    """The rules that *rule_id* blocks in any of *variants*."""
    chosen = set(variants)
    return list(
        dict.fromkeys(
            blocked
            for (variant, blocked), cause in causes.items()
            if cause == rule_id and variant in chosen
        )
    )
