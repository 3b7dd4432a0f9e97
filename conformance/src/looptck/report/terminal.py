"""Output on a terminal: progress while a run lasts, tables and reasons afterwards."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, Self, TextIO, cast

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from looptck.errors import EnvironmentBrokenError
from looptck.results.certificate import in_order
from looptck.results.results_file import Results
from looptck.results.verdicts import FAILURES, Case, Judgement, Verdict, is_certified
from looptck.rules.catalogue import Catalogue, Rule

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


# Wide enough that nothing is wrapped for a reader that is no person.
_UNLIMITED = 100_000


class _Outlet(io.TextIOBase):
    """A standard stream that outlives its reader.

    Once nobody reads, nothing more is said.  Any other error of writing is
    raised, as `EnvironmentBrokenError`, unless *is_dispensable*.
    """

    def __init__(self, stream: TextIO, *, is_dispensable: bool) -> None:
        self._stream = stream
        self._is_dispensable = is_dispensable

    def write(self, text: str) -> int:
        self._guarded(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (OSError, ValueError) as error:  # ValueError: somebody has closed the stream
            discard(self._stream)
            if not self._is_dispensable and not isinstance(error, BrokenPipeError):
                raise cannot_print(error) from error

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        return self._stream.encoding


def discard(stream: TextIO | None = None) -> None:
    """Discard all further and all buffered output to *stream* (standard output)."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = (stream or sys.stdout).fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def cannot_print(error: OSError | ValueError) -> EnvironmentBrokenError:
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return EnvironmentBrokenError(
        f"cannot print: {said}; make room where the output goes, or send it elsewhere, "
        "and run again"
    )


def terminal(*, stderr: bool = False) -> Console:
    """The console of this process, for its output or for its progress and complaints.

    A terminal has lines, and so has whoever says so in COLUMNS; a file or a
    pipe has not, and is written to without wrapping.
    """
    stream = sys.stderr if stderr else sys.stdout
    if stream is None:  # started with the descriptor closed
        return Console(file=open(os.devnull, "w"), highlight=False, markup=False)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        # A terminal without UTF-8 must not end the run.
        reconfigure(errors="backslashreplace")
    columns = os.environ.get("COLUMNS", "")
    width = None
    if columns.isdigit() and int(columns) > 0:
        width = max(int(columns), _NARROWEST)
    elif not stream.isatty():
        width = _UNLIMITED
    sender = _Outlet(stream, is_dispensable=stderr)
    # Names are text: neither `[red]` nor `:sleeping:` in one means anything.
    return Console(
        file=cast("IO[str]", sender), width=width, highlight=False, markup=False, emoji=False
    )


# The tables need some room to be drawn at all.
_NARROWEST = 20


class ProgressLine:
    """Shows how far a run is: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._total = 0
        self._done = 0
        self._quarters_printed = 0
        self._progress: Progress | None = None
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def expect(self, total: int) -> None:
        self._total = total
        if self._progress is not None:
            self._progress.update(self._task, total=total)

    def advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress.advance(self._task)
        elif self._total and self._done * 4 // self._total > self._quarters_printed:
            self._quarters_printed = self._done * 4 // self._total
            self._console.print(f"{self._name}: {self._done} of {self._total} rules judged")


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
    _show_failures(console, ordered, catalogue)
    _show_reasons(console, ordered)


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
    unlimited = console.options.update(width=_UNLIMITED)
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


def _show_failures(console: Console, judgements: Sequence[Judgement], catalogue: Catalogue) -> None:
    """Each failure once, with the variants that fail in the same way."""
    grouped: dict[tuple[str, Verdict, str], list[Judgement]] = {}
    for judgement in judgements:
        if judgement.verdict in FAILURES:
            key = (judgement.rule, judgement.verdict, _way(judgement.failed_case))
            grouped.setdefault(key, []).append(judgement)
    for (rule_id, verdict, _), failed in grouped.items():
        rule = catalogue[rule_id]
        line = Text()
        line.append(str(verdict), style=_STYLES[verdict])
        line.append(f" {rule_id}", style="bold")
        line.append(f" ({', '.join(j.variant for j in failed)})")
        console.print(line)
        _explain(console, rule, failed[0].failed_case)
        console.print()


def _way(case: Case | None) -> str:
    """The way in which a test failed: what it says without the figures of this run."""
    if case is None:
        return ""
    message = case.message.partition("\n")[0]
    return f"{case.test.partition('[')[0]} {re.sub(r'[0-9.]+', '#', message)}"


def _explain(console: Console, rule: Rule, case: Case | None) -> None:
    """Sentences are wrapped; names of tests and files stay whole, to be searched and copied."""

    def sentence(text: str, style: str = "") -> None:
        console.print(Padding(Text(text, style), (0, 0, 0, 4), expand=False))

    def name(text: str) -> None:
        console.print(Text(f"    {text}", style="dim"), soft_wrap=True)

    sentence(f"{rule.level}: {rule.title}")
    if case is None:
        return
    name(case.test.rpartition("::")[2])
    sentence("\n".join(_in_words(case.message)))
    if case.trace:
        sentence("last: " + " | ".join(case.trace[-6:]), "dim")
    for frame in _own_frames(case.stack):
        name(frame)


def _in_words(message: str) -> list[str]:
    """The message without pytest's expansion of the assertion, where it has words of its own."""
    lines = message.splitlines()
    ends = [at for at, line in enumerate(lines) if at and line.startswith("assert ")]
    return lines[: min(ends[0] if ends else 8, 8)]


def _own_frames(stack: str) -> list[str]:
    """The innermost frames of the thread that ran the test, without pytest's own."""
    frames = [line.strip() for line in stack.splitlines() if line.strip().startswith("File ")]
    return [line for line in frames if "_pytest" not in line and "pluggy" not in line][:5]


def _show_reasons(console: Console, judgements: Sequence[Judgement]) -> None:
    """Why rules are blocked, not applicable or untested: each reason once."""
    reasons: dict[tuple[Verdict, str], dict[str, None]] = {}
    for judgement in judgements:
        if judgement.reason:
            key = (judgement.verdict, judgement.reason)
            reasons.setdefault(key, {})[judgement.rule] = None
    for (verdict, reason), rules in reasons.items():
        line = Text()
        line.append(str(verdict), style=_STYLES.get(verdict, "dim"))
        line.append(f": {reason}")
        console.print(line)
        console.print(Padding(Text(", ".join(rules), style="dim"), (0, 0, 0, 4), expand=False))


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
        return f"{name}: not certified ({missing}; {counts[Verdict.KEPT]} kept)"
    if results.header["arguments"]["rules"]:
        return f"{name}: all chosen rules kept; a certificate needs a run over all rules"
    return f"{name}: certified, {counts[Verdict.KEPT]} MUST and MUST NOT verdicts kept"
