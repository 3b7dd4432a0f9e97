"""JUnit XML, for the CI systems that draw it: one suite for each profile and variant."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from looptck.results.causes import Causes, blocked_by, causes_of
from looptck.results.results_file import Results
from looptck.results.verdicts import FAILURES, Judgement, Verdict
from looptck.rules.catalogue import Catalogue
from looptck.text import printable


def junit(results: Results, catalogue: Catalogue) -> str:
    """The results as an XML document."""
    root = ElementTree.Element("testsuites", name="looptck")
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in results.judgements:
        groups.setdefault((judgement.profile, judgement.variant), []).append(judgement)
    name = results.header["implementation"]["name"]
    causes = causes_of(results.judgements, catalogue)
    for (profile, variant), judgements in groups.items():
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(f"{name} {profile} {variant}"),
            tests=str(len(judgements)),
            failures=str(_count(judgements, {Verdict.BROKEN})),
            errors=str(_count(judgements, FAILURES - {Verdict.BROKEN})),
            skipped=str(_count(judgements, _SKIPPED)),
        )
        for judgement in judgements:
            _case(suite, judgement, catalogue, causes)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


_SKIPPED = frozenset({Verdict.BLOCKED, Verdict.NOT_APPLICABLE, Verdict.UNTESTED})


def _count(judgements: Iterable[Judgement], verdicts: Iterable[Verdict]) -> int:
    return sum(judgement.verdict in verdicts for judgement in judgements)


def _case(
    suite: ElementTree.Element, judgement: Judgement, catalogue: Catalogue, causes: Causes
) -> None:
    rule = catalogue[judgement.rule]
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=printable(f"{judgement.profile}.{judgement.variant}"),
        name=judgement.rule,
        time=f"{judgement.seconds:.3f}",
    )
    if judgement.verdict in FAILURES:
        failed = judgement.failed_case
        tag = "failure" if judgement.verdict is Verdict.BROKEN else "error"
        message = f"{judgement.verdict}: {rule.title}"
        element = ElementTree.SubElement(case, tag, message=printable(message))
        parts: list[str] = []
        if failed is not None:
            parts += (failed.test, failed.message, "\n".join(failed.trace), failed.stack)
        if blocked := blocked_by(causes, rule.id, [judgement.variant]):
            parts.append(f"first mend this rule: it blocks {', '.join(blocked)}")
        element.text = printable("\n\n".join(part for part in parts if part))
    elif judgement.verdict in _SKIPPED:
        reason = f"{judgement.verdict}: {judgement.reason}"
        if cause := causes.get((judgement.variant, rule.id)):
            reason += f"; first mend {cause}"
        ElementTree.SubElement(case, "skipped", message=printable(reason))
    elif judgement.observation:
        ElementTree.SubElement(case, "system-out").text = printable(judgement.observation)
