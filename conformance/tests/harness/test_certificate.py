"""Certificates: the same verdicts give the same bytes, and a cut-off run is seen."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from looptck.errors import LooptckError
from looptck.report.junit import junit
from looptck.results import certificate
from looptck.results import results_file as results
from looptck.results.output_folder import OutputFolder
from looptck.results.verdicts import Case, Judgement, Verdict, is_certified
from looptck.rules.catalogue import Catalogue, read_page

from .conftest import RULE, assert_fits_schema, spawn

PAGE = """\
## a

### luaevent.a.first MUST (stated): first
Given.

- **Source:** here
- **Look at:** there

### luaevent.a.second UNSPECIFIED (stated): second
Given.

- **Source:** here
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "luaevent.md").write_text(PAGE)
    return Catalogue(read_page(tmp_path / "luaevent.md"))


def _header(started: str = "2026-01-01T00:00:00Z") -> dict[str, object]:
    implementation = {
        "name": "x",
        "version": "1",
        "virtual_time": True,
        "unsupported": {},
        "files": {},
        "profiles": ["luaevent"],
        "variants": ["default"],
        "python": "CPython 3",
    }
    return {
        "kind": "header",
        "suite": {"name": "looptck", "version": "0", "rules": "0" * 64},
        "implementation": implementation,
        "seed": 0,
        "started": started,
        "system": "Linux",
        "arguments": {"rules": []},
    }


def _results(*verdicts: Verdict, started: str = "now", seconds: float = 0.0) -> results.Results:
    judgements = [
        Judgement(rule, "luaevent", "default", verdict, seconds=seconds)
        for rule, verdict in zip(("luaevent.a.first", "luaevent.a.second"), verdicts, strict=True)
    ]
    return results.Results(_header(started), judgements, is_complete=True)


def test_equal_verdicts_give_equal_bytes_outside_the_run_block(
    catalogue: Catalogue,
) -> None:
    one = certificate.certificate_of(
        _results(Verdict.KEPT, Verdict.OBSERVED, started="a", seconds=1.0), catalogue
    )
    two = certificate.certificate_of(
        _results(Verdict.KEPT, Verdict.OBSERVED, started="b", seconds=2.0), catalogue
    )
    assert one.pop("run") != two.pop("run")
    assert json.dumps(one) == json.dumps(two)


@pytest.mark.parametrize(
    "verdict, certified",
    [(verdict, verdict in (Verdict.KEPT,)) for verdict in Verdict if verdict != Verdict.OBSERVED],
)
def test_only_a_run_in_which_every_judged_rule_is_kept_certifies(
    catalogue: Catalogue, verdict: Verdict, certified: bool
) -> None:
    made = certificate.certificate_of(_results(verdict, Verdict.OBSERVED), catalogue)
    assert made["certified"] is certified
    assert_fits_schema(made)


def test_nothing_judged_certifies_nothing(catalogue: Catalogue) -> None:
    assert not is_certified(catalogue, [])


def test_an_incomplete_run_certifies_nothing(catalogue: Catalogue) -> None:
    cut_off = _results(Verdict.KEPT, Verdict.OBSERVED)
    cut_off.is_complete = False
    assert not certificate.certificate_of(cut_off, catalogue)["certified"]


def test_results_survive_the_way_through_their_file(tmp_path: Path) -> None:
    case = Case("t", Verdict.HUNG, "m", ("a", "b"), "stack")
    judgement = Judgement("r", "luaevent", "v", Verdict.HUNG, cases=(case,), calls={"new": 2})
    writer = results.ResultsWriter(tmp_path / "r.jsonl")
    run = results.Results(_header(), [judgement], is_complete=True)
    writer.write(run.header)
    writer.write({"kind": "judgement", **judgement.as_data()})
    writer.write(run.footer())
    writer.close()
    assert results.read(tmp_path / "r.jsonl") == run


def test_a_results_file_without_its_footer_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(_header()) + "\n")
    assert not results.read(path).is_complete


def test_an_unwritable_file_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "x")
    with contextlib.closing(folder):
        folder.write("certificate.json", "former")
        (tmp_path / "x" / "junit.xml").mkdir()
        with pytest.raises(LooptckError, match=r"cannot write .*junit.xml"):
            folder.write("junit.xml", "new")
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["certificate.json", "junit.xml"]


def test_junit_counts_failures_and_holds_what_xml_cannot(catalogue: Catalogue) -> None:
    case = Case("t", Verdict.BROKEN, "a \x00 byte and <tags>")
    run = results.Results(
        _header(),
        [
            Judgement("luaevent.a.first", "luaevent", "default", Verdict.BROKEN, cases=(case,)),
            Judgement("luaevent.a.second", "luaevent", "default", Verdict.OBSERVED, "", "o\x1b"),
        ],
    )
    suite = ElementTree.fromstring(junit(run, catalogue)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "broken: first"
    assert "a \\x00 byte and <tags>" in (failure.text or "")


def test_pytest_runs_the_same_suite(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs"]
    command += ["looptck.suite", "--implementation", "hostile:kept", *RULE]
    done = spawn(command, tmp_path, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_pytest_without_an_implementation_says_what_is_missing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "looptck.suite.luahop.test_module",
    ]
    done = spawn(command, tmp_path, environment)
    assert done.returncode != 0
    assert "--implementation asyncio" in done.stdout + done.stderr
