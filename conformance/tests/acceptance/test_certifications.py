"""Loops that keep every rule are certified, each time, and say the same each time."""

from __future__ import annotations

import json

import pytest

from looptck.rules.catalogue import shipped

from .conftest import Certify, not_kept, verdicts

pytestmark = pytest.mark.slow


def test_the_reference_is_certified_twice_with_equal_results(certify: Certify) -> None:
    """With two workers and all pollers, and with one worker, one poller and one profile."""
    first_status, first = certify("tideloop")
    assert not_kept(first) == {}
    assert first_status == 0
    assert first["certified"]
    assert first["complete"]
    second_status, second = certify("tideloop", "-j", "1", "-V", "poll", "--profile", "luahop")
    assert second_status == 0
    poll = [row for row in first["verdicts"] if row["variant"] == "poll" and is_of_luahop(row)]
    assert json.dumps(poll) == json.dumps(second["verdicts"])


def is_of_luahop(row: dict[str, str]) -> bool:
    return row["rule"].startswith("luahop.")


def test_the_example_loop_over_selectors_is_certified(certify: Certify) -> None:
    """In real time, sharing no line with the reference."""
    status, certificate = certify("selectors_hop:implementation")
    assert not_kept(certificate) == {}
    assert status == 0


def test_a_loop_that_takes_every_liberty_is_certified(certify: Certify) -> None:
    """One seed for each test; `nox -s liberal` takes two hundred."""
    status, certificate = certify("liberal_loop:implementation")
    assert not_kept(certificate) == {}
    assert status == 0


@pytest.mark.parametrize(
    "spec, variant",
    [
        ("liberal_loop:implementation", "default"),
        ("kernels.tck:implementation", "kqueue-sim:freebsd"),
    ],
)
def test_a_search_refuses_no_legal_poller(certify: Certify, spec: str, variant: str) -> None:
    """The exit status says whether the search found a difference."""
    chosen = ("--profile", "poller", "--rule", "poller.change.reuse", "--variant", variant)
    status, certificate = certify(spec, *chosen, "--explore", "5000", "--seed", "5")
    assert not_kept(certificate) == {}
    assert status == 0, "the search found a difference between the poller and the model"


# Rules that others need, and rules at the end of a chain.
ABLATED = [
    "luaevent.addevent.fd-nil-timer",
    "luaevent.constants.ev-read",
    "luaevent.close.gc",
    "luahop.listener.read",
    "luahop.timer.interval-repeat",
]


@pytest.mark.parametrize("rule", ABLATED)
def test_an_unsupported_rule_makes_verdicts_not_applicable_only(
    certify: Certify, rule: str
) -> None:
    profile = shipped()[rule].profile
    status, certificate = certify("subjects:ablated", "--profile", profile, ABLATED_RULES=rule)
    assert status == 1
    found = verdicts(certificate)
    assert found[rule, "poll"] == "not applicable"
    for (rule_id, _), verdict in found.items():
        level = shipped()[rule_id].level
        usual = {"kept", "untested"} if level.is_judged else {"observed", "untested"}
        assert verdict in usual | {"not applicable"}, rule_id
