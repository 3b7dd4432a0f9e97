"""The summary of a run for people: a table for each profile, what is not kept, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from looptck.results.causes import Causes, blocked_by, causes_of
from looptck.results.certificate import in_order
from looptck.results.results_file import Results
from looptck.results.verdicts import FAILURES, Case, Judgement, Verdict, is_certified
from looptck.rules.catalogue import Catalogue, Rule

from .terminal import UNLIMITED

_COLUMNS = (
    Verdict.BROKEN,
    Verdict.HUNG,
    Verdict.CRASHED,
    Verdict.BLOCKED,
    Verdict.NOT_APPLICABLE,
    Verdict.UNTESTED,
    Verdict.OBSERVED,
)
_HEADINGS = {Verdict.NOT_APPLICABLE: "n/a"}

_STYLES = {
    Verdict.KEPT: "green",
    Verdict.BROKEN: "bold red",
    Verdict.HUNG: "bold magenta",
    Verdict.CRASHED: "bold magenta",
    Verdict.BLOCKED: "yellow",
    Verdict.NOT_APPLICABLE: "yellow",
}


def print_results(
    console: Console, results: Results, catalogue: Catalogue, *, verbose: bool
) -> None:
    """Print a table for each profile, then what is not kept and why."""
    implementation = results.header["implementation"]
    time = "virtual time" if implementation["virtual_time"] else "real time"
    console.print()
    console.print(f"{implementation['name']} {implementation['version']}", style="bold", end="")
    console.print(f"  {implementation['python']}, {results.header['system']}, {time}")
    ordered = in_order(results.judgements, catalogue)
    for profile in implementation["profiles"]:
        here = [j for j in ordered if j.profile == profile]
        if here:
            _print_counts(console, profile, implementation["variants"], here, catalogue)
    if verbose:
        _show_all(console, ordered, catalogue)
    causes = causes_of(ordered, catalogue)
    _show_failures(console, ordered, catalogue, causes)
    _show_reasons(console, ordered, causes)


def _print_counts(
    console: Console,
    profile: str,
    variants: Sequence[str],
    judgements: Sequence[Judgement],
    catalogue: Catalogue,
) -> None:
    """Print how many verdicts of each kind there are: a table, or a list where none fits."""
    table = Table(
        title=profile,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("variant")
    table.add_column("kept", justify="right")
    for verdict in _COLUMNS:
        table.add_column(_HEADINGS.get(verdict, str(verdict)), justify="right")
    lists: list[Text] = []
    for variant in variants:
        here = [j for j in judgements if j.variant == variant]
        if not here:
            continue
        judged = [j for j in here if catalogue[j.rule].level.is_judged]
        counts = Counter(j.verdict for j in here)
        kept = f"{counts[Verdict.KEPT]}/{len(judged)}"
        row: list[str | Text] = [variant, kept]
        row += [_count(counts[verdict], verdict) for verdict in _COLUMNS]
        table.add_row(*row, style="" if is_certified(catalogue, here) else "bold")
        lists += [Text(variant), Text(f"  kept: {kept}")]
        for verdict in _COLUMNS:
            if counts[verdict]:
                lists.append(Text(f"  {verdict}: ").append(_count(counts[verdict], verdict)))
    unlimited = console.options.update(width=UNLIMITED)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
        return
    console.print(Text(profile, "bold"))
    for line in lists:
        console.print(line, soft_wrap=True)
    console.print()


def _count(count: int, verdict: Verdict) -> Text:
    return Text(str(count), _STYLES.get(verdict, "")) if count else Text("-")


def _show_all(console: Console, judgements: Iterable[Judgement], catalogue: Catalogue) -> None:
    for judgement in judgements:
        line = Text(f"{judgement.rule} ")
        line.append(str(judgement.verdict), style=_STYLES.get(judgement.verdict, ""))
        line.append(f" [{judgement.variant}]")
        if judgement.observation:
            line.append(f" {judgement.observation}")
        console.print(line)
    console.print()


def _show_failures(
    console: Console, judgements: Sequence[Judgement], catalogue: Catalogue, causes: Causes
) -> None:
    """Each failure once, with the variants that fail in the same way; first what blocks others."""
    grouped: dict[tuple[str, Verdict, str], list[Judgement]] = {}
    for judgement in judgements:
        if judgement.verdict in FAILURES:
            key = (judgement.rule, judgement.verdict, _way(judgement.failed_case))
            grouped.setdefault(key, []).append(judgement)
    failures = [
        (failed, blocked_by(causes, rule_id, (j.variant for j in failed)))
        for (rule_id, _, _), failed in grouped.items()
    ]
    for failed, blocked in sorted(failures, key=lambda failure: -len(failure[1])):
        first = failed[0]
        line = Text("first mend: " if blocked else "")
        line.append(str(first.verdict), style=_STYLES[first.verdict])
        line.append(f" {first.rule}", style="bold")
        line.append(f" ({', '.join(j.variant for j in failed)})")
        console.print(line)
        _explain(console, catalogue[first.rule], first.failed_case)
        if blocked:
            rules = "1 rule rests" if len(blocked) == 1 else f"{len(blocked)} rules rest"
            _sentence(console, f"blocked: {rules} on it, and no test of theirs was run")
            _sentence(console, ", ".join(blocked), "dim")
        console.print()


def _way(case: Case | None) -> str:
    """The way in which a test failed: what it says without the figures of this run."""
    if case is None:
        return ""
    message = case.message.partition("\n")[0]
    return f"{case.test.partition('[')[0]} {re.sub(r'[0-9.]+', '#', message)}"


def _explain(console: Console, rule: Rule, case: Case | None) -> None:
    """Sentences are wrapped; names of tests and files stay whole, to be searched and copied."""

    def name(text: str) -> None:
        console.print(Text(f"    {text}", style="dim"), soft_wrap=True)

    _sentence(console, f"{rule.level}: {rule.title}")
    if case is None:
        return
    name(case.test.rpartition("::")[2])
    _sentence(console, "\n".join(_in_words(case.message)))
    if case.trace:
        _sentence(console, "last: " + " | ".join(case.trace[-6:]), "dim")
    for frame in _own_frames(case.stack):
        name(frame)


def _sentence(console: Console, text: str, style: str = "") -> None:
    console.print(Padding(Text(text, style), (0, 0, 0, 4), expand=False))


def _in_words(message: str) -> list[str]:
    """The message without pytest's expansion of the assertion, where it has words of its own."""
    lines = message.splitlines()
    ends = [at for at, line in enumerate(lines) if at and line.startswith("assert ")]
    return lines[: min(ends[0] if ends else 8, 8)]


def _own_frames(stack: str) -> list[str]:
    """The innermost frames of the thread that ran the test, without pytest's own."""
    frames = [line.strip() for line in stack.splitlines() if line.strip().startswith("File ")]
    return [line for line in frames if "_pytest" not in line and "pluggy" not in line][:5]


def _show_reasons(console: Console, judgements: Sequence[Judgement], causes: Causes) -> None:
    """Why rules are not applicable, untested, or blocked by none that failed: each reason once."""
    reasons: dict[tuple[Verdict, str], dict[str, None]] = {}
    for judgement in judgements:
        if judgement.reason and (judgement.variant, judgement.rule) not in causes:
            key = (judgement.verdict, judgement.reason)
            reasons.setdefault(key, {})[judgement.rule] = None
    for (verdict, reason), rules in reasons.items():
        line = Text()
        line.append(str(verdict), style=_STYLES.get(verdict, "dim"))
        line.append(f": {reason}")
        console.print(line)
        _sentence(console, ", ".join(rules), "dim")


def summary_line(results: Results, catalogue: Catalogue) -> str:
    """One sentence: certified or not, and by how much."""
    name = results.header["implementation"]["name"]
    judged = [j for j in results.judgements if catalogue[j.rule].level.is_judged]
    counts: Counter[Any] = Counter(j.verdict for j in judged)
    if not results.is_complete:
        return f"{name}: stopped after {len(results.judgements)} verdicts; nothing is certified"
    missing = ", ".join(
        f"{counts[verdict]} {verdict}"
        for verdict in (*_COLUMNS[:4], Verdict.NOT_APPLICABLE)
        if counts[verdict]
    )
    if missing:
        first = _first_cause(results, catalogue)
        return f"{name}: not certified ({missing}; {counts[Verdict.KEPT]} kept){first}"
    if results.header["arguments"]["rules"]:
        return f"{name}: all chosen rules kept; a certificate needs a run over all rules"
    return f"{name}: certified, {counts[Verdict.KEPT]} MUST and MUST NOT verdicts kept"


def _first_cause(results: Results, catalogue: Catalogue) -> str:
    """The rule to mend first, for the end of the summary line; "" if none blocks another."""
    causes = causes_of(in_order(results.judgements, catalogue), catalogue)
    variants = {variant for variant, _ in causes}
    blocked = {cause: len(blocked_by(causes, cause, variants)) for cause in causes.values()}
    if not blocked:
        return ""
    first = max(blocked, key=blocked.__getitem__)
    return f"; first mend {first}, which blocks {blocked[first]}"
