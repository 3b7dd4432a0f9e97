"""`--poller` puts an implementation over a poller, and says so where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run, assert_one_line

SELECTORS = "looptck.adapters.stdlib_selectors"
RULES = ("--rule=poller.close.twice", "--rule=luahop.poll.returns", "--rule=poller.budget.huge")


def test_the_contract_and_the_documents_are_judged(looptck: Run, tmp_path: Path) -> None:
    """The standard library's selector closes twice, and refuses a budget of 50 days."""
    done = looptck("certify", "tideloop", f"--poller={SELECTORS}:default", *RULES)
    assert done.returncode == 1, done.stdout + done.stderr
    (file,) = tmp_path.rglob("certificate.json")
    assert "over" in file.parent.name, "the folder does not say that a poller was named"
    certificate = json.loads(file.read_text())
    verdicts = {each["rule"]: each["verdict"] for each in certificate["verdicts"]}
    assert verdicts == {
        "poller.close.twice": "kept",
        "poller.budget.huge": "broken",
        "luahop.poll.returns": "kept",
    }
    assert {each["variant"] for each in certificate["verdicts"]} == {"default"}
    assert certificate["run"]["arguments"]["pollers"] == [f"{SELECTORS}:default"]
    assert done.stdout.index("\npoller") < done.stdout.index("\nluahop"), "the contract comes first"


@pytest.mark.parametrize(
    "implementation, poller, words",
    [
        ("hostile:kept", f"{SELECTORS}:default", "with_pollers"),
        ("tideloop", "epoll", "module:attribute"),
        ("tideloop", f"{SELECTORS}:nothing", "no 'nothing'"),
        ("tideloop", "no_such_module:poller", "no_such_module"),
        ("tideloop", "looptck:__version__", "name a class"),
        ("tideloop", "json:loads", "without an argument"),
        ("tideloop", "builtins:object", "no change() and no wait()"),
    ],
)
def test_a_poller_that_cannot_be_used_is_said(
    looptck: Run, implementation: str, poller: str, words: str
) -> None:
    done = looptck("certify", implementation, "--poller", poller)
    assert_one_line(done, 2)
    assert words in done.stderr, done.stderr
