"""The mistakes of a profile that looptck does not ship, found before a run.

A mistake of the profile would otherwise be told as a fault of the loop.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from ..checks.needs import LOOPS, needs_of
from ..errors import UsageError
from ..profiles import PROFILES, Profile
from ..rules.catalogue import Catalogue, Rule
from ..text import did_you_mean, shown
from . import suite_index

# The fixtures for every test; `binding` and `variant` are parameters, `request` is pytest's.
_FIXTURES = Path(__file__).parents[1] / "suite" / "conftest.py"
_GIVEN = ("binding", "variant", "request")

# A line names so many of the checks that lack something; the next run names the others.
_SHOWN = 3


def refuse_unknown_rules(catalogue: Catalogue) -> None:
    """Raises UsageError if a profile has no rules, or binds checks to one that no page states."""
    for profile in PROFILES.foreign.values():
        own = _rules_of(profile, catalogue)
        if not own and profile.page is None:
            raise UsageError(
                f"profile {profile.name}: it has no page of rules; state them on a page and give "
                f'page=Path(__file__).with_name("{profile.name}.md")'
            )
        if not own:
            raise UsageError(
                f"profile {profile.name}: its page {profile.page} states no rule of it; write "
                f"`### {profile.name}.section.rule MUST (stated): ...` on a page that is called "
                f"{profile.name}.md"
            )
        for rule_id in (*profile.checks, *profile.verbs_for):
            if rule_id not in catalogue:
                raise UsageError(
                    f"profile {profile.name}: no page states the rule {shown(rule_id)}, to which "
                    f"it binds checks; {did_you_mean(rule_id, own)}"
                    f"its rules are {', '.join(own)}"
                )


def refuse_mistakes(catalogue: Catalogue) -> None:
    """Raises UsageError if a profile lacks a check for a rule, or a verb for a check."""
    for profile in PROFILES.foreign.values():
        tested = suite_index.rules_with_a_test()
        for rule_id, rule in _rules_of(profile, catalogue).items():
            if rule_id not in tested and not rule.untested:
                raise UsageError(
                    f"profile {profile.name}: the rule {rule_id} has no check; bind one to it in "
                    "`checks` of the profile, or state `- **Untested:** why` on its page"
                )
        if lacks := list(dict.fromkeys(_lacks(profile))):
            more = f"; and {len(lacks) - _SHOWN} more" if len(lacks) > _SHOWN else ""
            raise UsageError(
                f"profile {profile.name}: {'; '.join(lacks[:_SHOWN])}{more}; give it that, "
                "or bind other checks (`looptck checks` says what each needs)"
            )


def _rules_of(profile: Profile, catalogue: Catalogue) -> dict[str, Rule]:
    return {rule.id: rule for rule in catalogue.values() if rule.profile == profile.name}


def _lacks(profile: Profile) -> Iterator[str]:
    """A sentence for each need of a bound check that the profile does not meet."""
    for rule_id, checks in profile.checks.items():
        verbs = profile.verbs_for.get(rule_id, profile.verbs)
        for check in checks:
            needs = needs_of(check)
            where = f"{check.__name__}, bound to {rule_id}, needs"
            for name in needs.fixtures:
                if name in LOOPS and verbs is None:
                    yield f"{where} verbs, and the profile has no `verbs=`"
                elif name == "streams" and profile.streams is None:
                    yield f"{where} buffered events, and the profile has no `streams=`"
                elif name not in (known := fixtures()):
                    yield f"{where} the fixture {name}; {did_you_mean(name, known)}there is none"
            if set(LOOPS) & set(needs.fixtures) and isinstance(verbs, type):
                required = {*needs.verbs, *getattr(verbs, "__abstractmethods__", ())}
                missing = sorted(name for name in required if not _has(verbs, name))
                if missing:
                    yield f"{where} {', '.join(map(_called, missing))}"


def _called(need: str) -> str:
    if need == "w":
        return "the direction w"
    if need in ("directions", "timers", "intervals", "unit", "over"):
        return f"the value {need}"
    return f"the verb {need}"


def _has(verbs: type, need: str) -> bool:
    """Whether a loop in these *verbs* has what a check needs."""
    if need == "w":
        return need in getattr(verbs, "directions", need)
    if need in getattr(verbs, "__abstractmethods__", ()):
        return False
    if need == "intervals" and isinstance(getattr(verbs, need, None), tuple):
        return bool(getattr(verbs, need))
    code = getattr(inspect.getattr_static(verbs, "__init__"), "__code__", None)
    return hasattr(verbs, need) or need in getattr(code, "co_names", ())


def fixtures() -> list[str]:
    """The names of the fixtures that a check may ask for, in the order of the file."""
    tree = ast.parse(_FIXTURES.read_text(encoding="utf-8"))
    return [each.name for each in tree.body if isinstance(each, ast.FunctionDef)] + [*_GIVEN]
