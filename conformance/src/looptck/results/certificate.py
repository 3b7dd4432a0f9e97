"""The certificate: the verdicts of one implementation on one platform, as data.

Rendered from results, and from nothing else.  Identical verdicts give identical
bytes, except in the block `run`, which holds time, place and evidence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ..rules.catalogue import Catalogue
from .causes import Causes, causes_of
from .results_file import Results
from .verdicts import Judgement, is_certified

FORMAT_VERSION = 1


def certificate_of(results: Results, catalogue: Catalogue) -> dict[str, Any]:
    """The certificate as JSON types; valid under `schema()`."""
    header = results.header
    implementation = header["implementation"]
    ordered = in_order(results.judgements, catalogue)
    causes = causes_of(ordered, catalogue)
    whole = results.is_complete and not header["arguments"]["rules"]
    return {
        "format": "looptck-certificate",
        "format_version": FORMAT_VERSION,
        "suite": header["suite"],
        "implementation": {
            key: implementation[key]
            for key in ("name", "version", "virtual_time", "unsupported", "files")
        },
        "seed": header["seed"],
        "complete": whole,
        "certified": whole and is_certified(catalogue, ordered),
        "profiles": [
            _summary(profile, variant, ordered, catalogue, whole)
            for profile in implementation["profiles"]
            for variant in implementation["variants"]
            if any((j.profile, j.variant) == (profile, variant) for j in ordered)
        ],
        "verdicts": [_verdict(judgement, catalogue, causes) for judgement in ordered],
        "run": {
            "started": header["started"],
            "python": implementation["python"],
            "system": header["system"],
            "arguments": header["arguments"],
            "evidence": [j.as_data() for j in ordered],
        },
    }


def in_order(judgements: list[Judgement], catalogue: Catalogue) -> list[Judgement]:
    """The judgements in the order of the rules, each rule's variants by name."""
    place = {rule_id: at for at, rule_id in enumerate(catalogue)}
    return sorted(judgements, key=lambda j: (place[j.rule], j.variant))


def text_of(certificate: Mapping[str, Any]) -> str:
    """The certificate as it is written to a file."""
    return json.dumps(certificate, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema that every certificate of this version meets."""
    text = (
        files("looptck").joinpath("results", "certificate.schema.json").read_text(encoding="utf-8")
    )
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _summary(
    profile: str, variant: str, judgements: list[Judgement], catalogue: Catalogue, whole: bool
) -> dict[str, Any]:
    here = [j for j in judgements if (j.profile, j.variant) == (profile, variant)]
    judged = [j for j in here if catalogue[j.rule].level.is_judged]
    return {
        "profile": profile,
        "variant": variant,
        "certified": whole and is_certified(catalogue, here),
        "judged": dict(sorted(Counter(str(j.verdict) for j in judged).items())),
        "not_judged": dict(
            sorted(Counter(str(j.verdict) for j in here if j not in judged).items())
        ),
    }


def _verdict(judgement: Judgement, catalogue: Catalogue, causes: Causes) -> dict[str, Any]:
    rule = catalogue[judgement.rule]
    row: dict[str, Any] = {
        "rule": rule.id,
        "level": str(rule.level),
        "basis": str(rule.basis),
        "variant": judgement.variant,
        "verdict": str(judgement.verdict),
    }
    if judgement.reason:
        row["reason"] = judgement.reason
    if cause := causes.get((judgement.variant, rule.id)):
        row["cause"] = cause
    if judgement.observation:
        row["observation"] = judgement.observation
    return row
