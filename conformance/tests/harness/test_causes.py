"""The report names the cause of blocked rules first: the failed rule that they rest on."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from looptck.report.junit import junit
from looptck.report.summary import print_results, summary_line
from looptck.results import certificate
from looptck.results.causes import blocked_by, causes_of
from looptck.results.results_file import Results
from looptck.results.verdicts import Case, Judgement, Verdict
from looptck.rules.catalogue import Catalogue, read_page

from .conftest import assert_fits_schema

# {rule: what it needs}
NEEDS = {
    "luaevent.a.alone": "",
    "luaevent.a.ground": "",
    "luaevent.a.middle": "- **Needs:** luaevent.a.alone, luaevent.a.ground\n",
    "luaevent.a.top": "- **Needs:** luaevent.a.middle\n",
}
VERDICTS = [Verdict.KEPT, Verdict.BROKEN, Verdict.BLOCKED, Verdict.BLOCKED]
HEADER = {
    "suite": {"name": "looptck", "version": "0", "rules": "0" * 64},
    "implementation": {
        "name": "x",
        "version": "1",
        "virtual_time": True,
        "unsupported": {},
        "files": {},
        "profiles": ["luaevent"],
        "variants": ["default"],
        "python": "CPython 3",
    },
    "seed": 0,
    "started": "now",
    "system": "Linux",
    "arguments": {"rules": []},
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    page = "## a\n" + "".join(
        f"\n### {rule} MUST (stated): {rule}\nGiven.\n\n- **Source:** s\n- **Look at:** l\n{needs}"
        for rule, needs in NEEDS.items()
    )
    (tmp_path / "luaevent.md").write_text(page)
    return Catalogue(read_page(tmp_path / "luaevent.md"))


def _results(verdicts: list[Verdict], variant: str = "default") -> Results:
    judgements = [
        Judgement(
            rule,
            "luaevent",
            variant,
            verdict,
            reason="it needs another" if verdict is Verdict.BLOCKED else "",
            cases=(Case("test_it", verdict, "seen"),) if verdict.is_failure else (),
        )
        for rule, verdict in zip(NEEDS, verdicts, strict=True)
    ]
    return Results(HEADER, judgements, is_complete=True)


def _printed(results: Results, catalogue: Catalogue) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_results(console, results, catalogue, verbose=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_blocked_rule_has_its_cause_through_others(catalogue: Catalogue) -> None:
    causes = causes_of(_results(VERDICTS).judgements, catalogue)
    assert causes == {
        ("default", "luaevent.a.middle"): "luaevent.a.ground",
        ("default", "luaevent.a.top"): "luaevent.a.ground",
    }


def test_a_cause_counts_in_its_own_variant_only(catalogue: Catalogue) -> None:
    right = [Verdict.KEPT] * 4
    both = _results(VERDICTS, "a").judgements + _results(right, "b").judgements
    causes = causes_of(both, catalogue)
    assert blocked_by(causes, "luaevent.a.ground", ["b"]) == []
    assert len(blocked_by(causes, "luaevent.a.ground", ["a", "b"])) == 2


def test_the_rule_that_blocks_others_is_printed_first(catalogue: Catalogue) -> None:
    verdicts = [Verdict.BROKEN, Verdict.KEPT, Verdict.BROKEN, Verdict.BLOCKED]
    said = _printed(_results(verdicts), catalogue)
    assert said.index("broken luaevent.a.middle") < said.index("broken luaevent.a.alone")
    assert said.count("first mend") == 1


def test_blocked_rules_stand_under_their_cause(catalogue: Catalogue) -> None:
    said = _printed(_results(VERDICTS), catalogue)
    _, _, after = said.partition("first mend: broken luaevent.a.ground (default)")
    assert "blocked: 2 rules rest on it" in after
    assert "luaevent.a.middle, luaevent.a.top" in after
    assert said.count("luaevent.a.top") == 1, "a blocked rule is named once"


def test_the_last_line_names_the_rule_to_mend_first(catalogue: Catalogue) -> None:
    assert summary_line(_results(VERDICTS), catalogue) == (
        "x: not certified (1 broken, 2 blocked; 1 kept); "
        "first mend luaevent.a.ground, which blocks 2"
    )


def test_a_certificate_names_the_cause_of_a_blocked_rule(catalogue: Catalogue) -> None:
    made = certificate.certificate_of(_results(VERDICTS), catalogue)
    assert [row.get("cause") for row in made["verdicts"]] == [
        None,
        None,
        *["luaevent.a.ground"] * 2,
    ]
    assert_fits_schema(made)


def test_junit_names_the_cause_at_both_ends(catalogue: Catalogue) -> None:
    root = ElementTree.fromstring(junit(_results(VERDICTS), catalogue))
    [failure] = root.iter("failure")
    assert "it blocks luaevent.a.middle, luaevent.a.top" in (failure.text or "")
    for skipped in root.iter("skipped"):
        assert "first mend luaevent.a.ground" in skipped.get("message", "")
