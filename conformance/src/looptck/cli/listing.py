"""The commands that only tell: `looptck list`, `rules`, `checks`, `explain`."""

from __future__ import annotations

import click
from rich.console import Console
from rich.text import Text

from ..profiles import PROFILES
from ..profiles import load as profiles_named
from ..report.terminal import terminal
from ..rules.catalogue import Catalogue, Rule
from ..rules.kills import killed_by
from ..running import check_list, suite_index
from ..subjects.discovery import installed
from ..text import printable
from .options import catalogue_of, own_profile_option
from .reference import installed_reference, places_of


@click.command("list")
def list_() -> int:
    """List the installed implementations and the profiles."""
    out = terminal()
    for name, point in sorted(installed().items()):
        out.print(printable(f"{name:12} {point.value}"), soft_wrap=True)
    if not installed():
        out.print("no implementation is installed; name one as module:attribute")
    out.print(f"\nprofiles: {', '.join(PROFILES)}")
    return 0


@click.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@own_profile_option
@click.pass_obj
def rules(rules_folder: str | None, patterns: tuple[str, ...], profiles: tuple[str, ...]) -> int:
    """List the rules, or those that match PATTERN (luahop.timer.*)."""
    profiles_named(profiles)
    catalogue = catalogue_of(rules_folder)
    chosen = catalogue.matching(patterns) if patterns else list(catalogue.values())
    out = terminal()
    width = max(len(rule.id) for rule in chosen)
    for rule in chosen:
        line = Text(f"{rule.id:{width}} {rule.level:11} ")
        out.print(line + Text(rule.title, style="dim"), soft_wrap=True)
    out.print(f"\n{len(chosen)} rules")
    return 0


@click.command()
@click.argument("pattern", metavar="[PATTERN]", default="*")
def checks(pattern: str) -> int:
    """List the checks for profiles of your own, or those that match PATTERN (timers.*)."""
    out = terminal()
    found = check_list.matching(pattern)
    for check in found:
        out.print(Text(check.name, style="bold"), soft_wrap=True)
        for label, text in (
            ("says", check.says),
            ("fixtures", ", ".join(check.needs.fixtures)),
            ("verbs", ", ".join(check.needs.verbs)),
        ):
            if text:
                out.print(Text(f"    {label}: {text}", style="dim"), soft_wrap=True)
    out.print(f"\n{len(found)} checks")
    return 0


@click.command()
@click.argument("rule_id", metavar="RULE")
@own_profile_option
@click.pass_obj
def explain(rules_folder: str | None, rule_id: str, profiles: tuple[str, ...]) -> int:
    """Print a rule: statement, source, tests, where the reference keeps it, broken loops."""
    profiles_named(profiles)
    catalogue = catalogue_of(rules_folder)
    out = terminal()
    for rule in catalogue.matching([rule_id]):
        _explain(out, rule, catalogue)
    return 0


def _explain(out: Console, rule: Rule, catalogue: Catalogue) -> None:
    out.print(Text(rule.id, style="bold") + Text(f"  {rule.level} ({rule.basis})"))
    out.print(rule.title + "\n")
    if out.is_terminal:
        from rich.markdown import Markdown  # slow to import

        out.print(Markdown(rule.statement))
    else:
        # Paragraphs, which is all that a statement is made of, each in one line.
        for paragraph in rule.statement.split("\n\n"):
            out.print(" ".join(paragraph.split()))
    needed_by = [other.id for other in catalogue.values() if rule.id in other.needs]
    for label, text in (
        ("source", rule.source),
        ("look at", rule.look_at),
        ("not promised", rule.not_promised),
        ("needs", ", ".join(rule.needs)),
        ("needed by", ", ".join(needed_by)),
        ("untested", rule.untested),
    ):
        if text:
            out.print(Text(f"\n{label}: ", style="bold") + Text(text))
    for test in suite_index.judging(rule.id):
        # Not wrapped: names are there to be searched and copied.
        out.print(Text("\ntest: ", style="bold") + Text(test.name), soft_wrap=True)
        out.print(f"  ({test.where})", soft_wrap=True)
        if test.says:
            out.print(Text(f"  {test.says}", style="dim"))
    if (package := installed_reference()) is not None:
        for place in places_of(rule.id, package):
            out.print(f"\nkept in the reference at {place}", soft_wrap=True)
    for proof in killed_by(rule.id):
        out.print(Text("\nbroken loop: ", style="bold") + Text(proof.loop))
        out.print(Text(f"  {proof.bug}", style="dim"))
    out.print()
