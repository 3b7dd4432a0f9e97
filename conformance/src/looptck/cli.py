"""The command line: `looptck certify`, `list`, `rules`, `explain`.

Exit status: 0 certified (or nothing to complain of), 1 not certified, 2 wrong
usage, 3 adapter or environment broken, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from . import __version__, certificate, certifying, suite_index
from .catalogue import Catalogue, Rule, read_folder, shipped
from .certifying import Request
from .errors import EnvironmentBrokenError, LooptckError, UsageError
from .implementation import installed
from .profiles import PROFILES
from .proofs import proofs_of
from .report import junit
from .report.exploration import said_of
from .report.terminal import Meter, conclusion, discard_output, show, terminal
from .results import Results, ResultsWriter
from .verdicts import Judgement, is_certified

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="looptck")
@click.option(
    "--rules-folder",
    metavar="DIR",
    default="",
    help="Read the rules from this folder in place of the shipped ones.",
)
@click.pass_context
def cli(context: click.Context, rules_folder: str) -> None:
    """Does an event loop keep the promises of its documents?"""
    context.obj = rules_folder


def _catalogue(rules_folder: str) -> Catalogue:
    return read_folder(Path(rules_folder)) if rules_folder else shipped()


@cli.command()
@click.argument("implementations", metavar="IMPL...", nargs=-1, required=True)
@click.option("--profile", "-p", "profiles", multiple=True, metavar="P", help="Only this profile.")
@click.option(
    "--rule",
    "-r",
    "rules",
    multiple=True,
    metavar="PATTERN",
    help="Only these rules (luahop.timer.*).",
)
@click.option("--variant", "-V", "variants", multiple=True, metavar="V", help="Only this variant.")
@click.option(
    "--out", "-o", default="certificates", show_default=True, metavar="DIR", help="Write here."
)
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Worker processes at a time."
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0.5),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Silence after which a test is hung.",
)
@click.option(
    "--explore",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Then play made-up scenarios against the models, for N steps.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Where exploring starts.")
@click.option("--verbose", "-v", is_flag=True, help="Print the verdict on every rule.")
@click.pass_obj
def certify(
    rules_folder: str,
    implementations: tuple[str, ...],
    profiles: tuple[str, ...],
    rules: tuple[str, ...],
    variants: tuple[str, ...],
    out: str,
    jobs: int | None,
    patience: float,
    explore: int,
    seed: int | None,
    verbose: bool,
) -> int:
    """Judge IMPL by the rules and write its certificate.

    IMPL is an installed implementation (`looptck list`), or module:attribute
    naming an Implementation or a callable that returns an asyncio loop, for
    example uvloop:new_event_loop.
    """
    catalogue = _catalogue(rules_folder)
    if seed is None:
        seed = random.randrange(1_000_000)
    requests = [
        Request(spec, profiles, rules, variants, jobs or 0, patience, rules_folder, explore, seed)
        for spec in dict.fromkeys(implementations)
    ]
    _refuse_mistakes(requests, catalogue)
    folder = _writable_folder(Path(out))
    statuses = [_Run(request, catalogue, folder, verbose).status() for request in requests]
    return max(statuses)


def _refuse_mistakes(requests: Sequence[Request], catalogue: Catalogue) -> None:
    """Find what can be found before anything runs."""
    for name in requests[0].profiles:
        if name not in PROFILES:
            raise UsageError(f"no profile is called {name!r}; there are {', '.join(PROFILES)}")
    if requests[0].rules:
        catalogue.matching(requests[0].rules)
    for request in requests:
        certifying.refuse_unknown(request.spec)


def _writable_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}; "
            "choose another folder with --out"
        ) from error
    return folder


class _Run:
    """One implementation from request to exit status."""

    def __init__(self, request: Request, catalogue: Catalogue, folder: Path, verbose: bool) -> None:
        self._request = request
        self._catalogue = catalogue
        self._folder = folder / _folder_name(request)
        self._verbose = verbose
        self._out = terminal()
        self._err = terminal(stderr=True)
        self._results: Results | None = None
        self._explored: list[dict[str, Any]] = []

    def status(self) -> int:
        try:
            self._judge()
        except LooptckError as error:
            self._show()
            return complain(self._err, error)
        except KeyboardInterrupt:
            self._show()
            told = f"looptck: stopped; what was judged so far is in {self._folder}"
            self._err.print(told, markup=False, soft_wrap=True)
            raise SystemExit(_INTERRUPTED) from None
        return self._conclude()

    def _judge(self) -> None:
        with Meter(self._err, self._request.spec) as meter, contextlib.ExitStack() as stack:
            writer: ResultsWriter | None = None
            events = certifying.events(self._request)
            stack.callback(events.close)
            for event in events:
                if event["kind"] == "implementation":
                    self._folder.mkdir(exist_ok=True)
                    digest = self._catalogue.digest()
                    header = certifying.header(self._request, event, digest)
                    self._results = Results(header)
                    writer = ResultsWriter(self._folder / "results.jsonl")
                    stack.callback(self._finish, writer)
                    writer.write(header)
                elif event["kind"] == "plan":
                    meter.expect(event["total"])
                elif event["kind"] == "judgement" and self._results and writer:
                    self._results.judgements.append(Judgement.from_data(event))
                    writer.write(event)
                    meter.advance()
                elif event["kind"] == "exploration":
                    self._explored.append(event)
            if self._results is not None:
                self._results.is_complete = True
        if writer is not None:
            writer.check()

    def _finish(self, writer: ResultsWriter) -> None:
        assert self._results is not None
        writer.write(self._results.footer())
        writer.close()

    def _write(self, results: Results) -> LooptckError | None:
        """The certificate and its like are written; or the error that prevented it."""
        try:
            made = certificate.certificate_of(results, self._catalogue)
            certificate.write(made, self._folder / "certificate.json")
            certificate.write_whole(
                self._folder / "junit.xml", junit.junit(results, self._catalogue)
            )
        except LooptckError as error:
            return error
        return None

    def _show(self) -> None:
        if self._results is not None and self._results.judgements:
            show(self._out, self._results, self._catalogue, verbose=self._verbose)

    def _conclude(self) -> int:
        results = self._results
        if results is None or not results.judgements:
            raise LooptckError(f"{self._request.spec}: no rule was judged; please report this")
        unwritten = self._write(results)
        self._show()
        if unwritten is not None:
            return complain(self._err, unwritten)
        self._out.print(conclusion(results, self._catalogue), style="bold", markup=False)
        self._out.print(f"  {self._folder / 'certificate.json'}", markup=False, soft_wrap=True)
        for event in self._explored:
            self._out.print(said_of(event), markup=False, soft_wrap=True)
        differs = any(event["difference"] for event in self._explored)
        return 0 if is_certified(self._catalogue, results.judgements) and not differs else 1


def _folder_name(request: Request) -> str:
    """A folder for each implementation; a run over some rules does not touch that of all."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.spec).strip("-.") or "implementation"
    return f"{name}-partial" if request.rules else name


@cli.command("list")
def list_() -> int:
    """List the installed implementations and the profiles."""
    out = terminal()
    for name, point in sorted(installed().items()):
        out.print(f"{name:12} {point.value}", markup=False, soft_wrap=True)
    if not installed():
        out.print("no implementation is installed; name one as module:attribute")
    out.print(f"\nprofiles: {', '.join(PROFILES)}", markup=False)
    return 0


@cli.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.pass_obj
def rules(rules_folder: str, patterns: tuple[str, ...]) -> int:
    """List the rules, or those that match PATTERN (luahop.timer.*)."""
    catalogue = _catalogue(rules_folder)
    chosen = catalogue.matching(patterns) if patterns else list(catalogue.values())
    out = terminal()
    width = max(len(rule.id) for rule in chosen)
    for rule in chosen:
        line = Text(f"{rule.id:{width}} {rule.level:11} ")
        out.print(line + Text(rule.title, style="dim"), soft_wrap=True)
    out.print(f"\n{len(chosen)} rules", markup=False)
    return 0


@cli.command()
@click.argument("rule_id", metavar="RULE")
@click.pass_obj
def explain(rules_folder: str, rule_id: str) -> int:
    """Print a rule: its statement, its source, its tests, the loops that prove it."""
    catalogue = _catalogue(rules_folder)
    out = terminal()
    for rule in catalogue.matching([rule_id]):
        _explain(out, rule, catalogue)
    return 0


def _explain(out: Console, rule: Rule, catalogue: Catalogue) -> None:
    out.print(Text(rule.id, style="bold") + Text(f"  {rule.level} ({rule.basis})"))
    out.print(rule.title + "\n", markup=False)
    out.print(Markdown(rule.statement))
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
        out.print(f"  ({test.where})", markup=False, soft_wrap=True)
        if test.says:
            out.print(Text(f"  {test.says}", style="dim"))
    for proof in proofs_of(rule.id):
        out.print(Text("\nbroken loop: ", style="bold") + Text(proof.loop))
        out.print(Text(f"  {proof.bug}", style="dim"))
    out.print()


def complain(console: Console, error: LooptckError) -> int:
    """Print the error as one line; return its exit status."""
    line = " ".join(str(error).split())
    console.print(f"looptck: {line}", markup=False, soft_wrap=True)
    return error.exit_status


def cannot_print(error: OSError) -> LooptckError:
    return EnvironmentBrokenError(
        f"cannot print: {error.strerror or error}; "
        "make room where the output goes, or send it elsewhere, and run again"
    )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    try:
        status = cli.main(arguments, prog_name="looptck", standalone_mode=False)
    except LooptckError as error:
        status = complain(terminal(stderr=True), error)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "looptck"
        status = complain(
            terminal(stderr=True), UsageError(f"{error.format_message()} (see `{command} --help`)")
        )
    except (click.Abort, KeyboardInterrupt):
        status = _INTERRUPTED
    except click.ClickException as error:
        status = complain(terminal(stderr=True), UsageError(error.format_message()))
    except BrokenPipeError:
        terminal().quiet = True
        status = 0
    except OSError as error:
        discard_output()
        status = complain(terminal(stderr=True), cannot_print(error))
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
