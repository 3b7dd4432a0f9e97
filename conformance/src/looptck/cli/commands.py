"""The command line: `looptck certify`, `list`, `rules`, `checks`, `explain`.

Exit status: 0 certified (or no error), 1 not certified, 2 wrong
usage, 3 adapter or environment broken, 130 stopped by Ctrl-C (128 and the
number of the signal, if it was another).
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import resource
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from .. import __version__
from .. import import_path as import_path
from ..errors import EnvironmentBrokenError, LooptckError, UsageError, next_step
from ..profiles import PROFILES
from ..profiles import load as profiles_named
from ..profiles import pages as profile_pages
from ..report import junit
from ..report.summary import print_results, summary_line
from ..report.terminal import ProgressLine, cannot_print, discard, terminal
from ..results import certificate
from ..results.output_folder import (
    CERTIFICATE,
    JUNIT,
    RESULTS,
    OutputFolder,
    check_writable,
    folder_name,
    remove_empty,
)
from ..results.results_file import Results, ResultsWriter
from ..results.verdicts import is_certified
from ..rules.catalogue import Catalogue, Rule, read_folder, shipped, with_pages
from ..rules.kills import killed_by
from ..running import check_list, own_profiles, suite_index
from ..running import runner_process as certifying
from ..running.messages import Explored, ImplementationFound, Judged, Message, Planned
from ..running.runner_process import RunRequest
from ..subjects.discovery import installed
from ..text import did_you_mean, one_line, printable, shown
from .descendants import Descendants
from .interruption import INTERRUPTED, Interruption, Stopped
from .reference import installed_reference, places_of

# A day without a sign of life is no patience, and sleeping calls of the system
# refuse numbers that are much longer.
_LONGEST_PATIENCE = 86_400

_MOST_JOBS = 1024


class _Number(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """A number from *least* to *most*; a mistake is told with an example."""

    def __init__(self, kind: type[int | float], least: float, most: float, example: str):
        self.name = "number" if kind is float else "whole number"
        self._kind, self._least, self._most = kind, least, most
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        try:
            number = self._kind(value)
            if not math.isfinite(number) or not self._least <= number <= self._most:
                raise ValueError
        except (ValueError, OverflowError):
            self.fail(
                f"{shown(value, 30)} is no {self.name} from {self._least} to {self._most}; "
                f"give one such as {self._example}",
                param,
                ctx,
            )
        return number


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(
                f"there is no command {shown(name)}; {did_you_mean(name, self.commands)}"
                f"there are {', '.join(sorted(self.commands))}",
                ctx,
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="looptck")
@click.option(
    "--rules-folder",
    metavar="DIR",
    help="Read the rules from the pages (*.md) in DIR in place of the shipped ones.",
)
@click.pass_context
def cli(context: click.Context, rules_folder: str | None) -> None:
    """Does an event loop keep the promises of its documents?

    A rule is one promise of a document (luaevent, levent, LuaHop). `certify`
    tries every rule on a loop and writes down which ones it keeps.
    """
    context.obj = rules_folder
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _catalogue(rules_folder: str | None) -> Catalogue:
    if rules_folder == "":
        raise UsageError("--rules-folder is empty; name a folder, or leave the option out")
    catalogue = shipped() if rules_folder is None else read_folder(Path(rules_folder))
    catalogue = with_pages(catalogue, profile_pages())
    own_profiles.refuse_unknown_rules(catalogue)
    return catalogue


@cli.command()
@click.argument("implementations", metavar="IMPL...", nargs=-1, required=True)
@click.option(
    "--profile",
    "-p",
    "profiles",
    multiple=True,
    metavar="P",
    help=f"Judge only this profile, the API of one document: {', '.join(PROFILES)}, or "
    "module:attribute of one of your own. May be repeated.",
)
@click.option(
    "--rule",
    "-r",
    "rules",
    multiple=True,
    metavar="PATTERN",
    help="Judge only the rules whose id matches, for example 'luahop.timer.*' "
    "(`looptck rules` lists them). May be repeated.",
)
@click.option(
    "--variant",
    "-V",
    "variants",
    multiple=True,
    metavar="V",
    help="Judge only this variant, a form that the loop comes in, such as one for each "
    "poller: epoll, poll. May be repeated.",
)
@click.option(
    "--poller",
    "pollers",
    multiple=True,
    metavar="P",
    help="Put the implementation over this poller, module:attribute of a class or of a function "
    "that returns one: the poller contract is judged, and every document through it. May be "
    "repeated.",
)
@click.option(
    "--out",
    "-o",
    default="certificates",
    show_default=True,
    metavar="DIR",
    help="Write the certificate to a folder in DIR, which is made if need be.",
)
@click.option(
    "--jobs",
    "-j",
    type=_Number(int, 1, _MOST_JOBS, "4"),
    metavar="N",
    help="Try N rules at a time, each in a process of its own. [default: what the "
    "processors allow]",
)
@click.option(
    "--patience",
    type=_Number(float, 0.5, _LONGEST_PATIENCE, "10"),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Call a test hung after SECONDS without a sign of life; more for a slow machine.",
)
@click.option(
    "--explore",
    type=_Number(int, 0, 1_000_000_000, "10000"),
    default=0,
    metavar="N",
    help="When all rules are tried, make up N steps for each profile and compare what the loop "
    "does with what the document allows. A step is one thing that a program does with a loop: a "
    "call of its API (set a timer, add a listener), a byte that is sent, or one poll. 10000 take "
    "some seconds.",
)
@click.option(
    "--seed",
    type=_Number(int, 0, 2**32 - 1, "42"),
    metavar="S",
    help="Make up the steps of --explore from the number S, so that they are the same "
    "again. [default: another one each time, which is printed]",
)
@click.option("--verbose", "-v", is_flag=True, help="Print the verdict on every rule.")
@click.pass_obj
def certify(
    rules_folder: str | None,
    implementations: tuple[str, ...],
    profiles: tuple[str, ...],
    rules: tuple[str, ...],
    variants: tuple[str, ...],
    pollers: tuple[str, ...],
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

    Exit status: 0 certified, 1 not, 2 wrong usage, 3 the adapter or the
    machine failed, 130 stopped by Ctrl-C.
    """
    profiles_named(profiles)
    catalogue = _catalogue(rules_folder)
    if seed is None:
        seed = random.randrange(1_000_000)
    requests = [
        RunRequest(spec, profiles, rules, variants, jobs or 0, patience, explore, seed, pollers)
        for spec in dict.fromkeys(implementations)
    ]
    _refuse_mistakes(requests, catalogue)
    if not out:
        raise UsageError("--out is empty; name a folder, or leave the option out")
    _ensure_descriptors(jobs)
    if import_path.working_folder() is None:
        raise EnvironmentBrokenError(
            "the working folder was deleted; change to a folder that exists and run again"
        )
    made = check_writable(Path(out))
    with contextlib.ExitStack() as stack:
        stack.callback(remove_empty, made)
        folders: list[OutputFolder] = []
        for path in _paths(requests, Path(out)):
            folders.append(OutputFolder(path))
            stack.callback(folders[-1].close)
        interruption = stack.enter_context(Interruption())
        runs = zip(requests, folders, strict=True)
        return max(_Run(*run, catalogue, verbose, interruption).status() for run in runs)


def _refuse_mistakes(requests: Sequence[RunRequest], catalogue: Catalogue) -> None:
    """Find what can be found before anything runs."""
    own_profiles.refuse_mistakes(catalogue)
    if requests[0].rules:
        catalogue.matching(requests[0].rules)
    for request in requests:
        certifying.refuse_unknown(request.spec)


# The tests open hundreds of descriptors, and ask for numbers up to 2500.
_DESCRIPTORS = 1024
_HARD_LIMIT = 4096

# The runner holds so many for each process that it watches: its channel, its
# end, its stacks, its output, its trace, and one to spare.
_DESCRIPTORS_FOR_A_JOB = 6


def _ensure_descriptors(jobs: int | None) -> None:
    """The limit on open files is high enough from now on.

    Raises EnvironmentBrokenError if it cannot be: a loop that ran out of
    descriptors would be called broken.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS + _DESCRIPTORS_FOR_A_JOB * (jobs or 2 * (os.cpu_count() or 1))
    needed = max(_HARD_LIMIT, wanted)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise EnvironmentBrokenError(
            f"a process may open {hard} files here, and the suite needs up to {needed}; "
            f"raise the limit (`ulimit -n {needed}`) and run again"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _paths(requests: Sequence[RunRequest], out: Path) -> Iterator[Path]:
    """A folder for each implementation; a run over some rules does not touch that of all."""
    taken: set[str] = set()
    for request in requests:
        name = plain = folder_name("-over-".join((request.spec, *request.pollers)))
        count = 1
        while name.lower() in taken:  # file systems may not tell A from a
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        yield out / (f"{name}-partial" if request.rules else name)


class _Run:
    """One implementation from request to exit status."""

    def __init__(
        self,
        request: RunRequest,
        folder: OutputFolder,
        catalogue: Catalogue,
        verbose: bool,
        interruption: Interruption,
    ) -> None:
        self._request = request
        self._catalogue = catalogue
        self._folder = folder
        self._verbose = verbose
        self._interruption = interruption
        self._out = terminal()
        self._err = terminal(stderr=True)
        self._results: Results | None = None
        self._explored: list[Explored] = []

    def status(self) -> int:
        try:
            return self._judge_and_conclude()
        except LooptckError as error:
            return print_error(self._err, error)
        except Stopped:
            if self._results is None:
                told = "looptck: stopped before anything was judged"
            else:
                told = f"looptck: stopped; what was judged so far is in {self._folder.path}"
            self._err.print(printable(told), soft_wrap=True)
            raise SystemExit(self._interruption.exit_status) from None

    def _judge_and_conclude(self) -> int:
        try:
            self._judge()
        except (LooptckError, Stopped):
            self._show()
            raise
        return self._conclude()

    def _judge(self) -> None:
        spec = printable(self._request.spec)
        with ProgressLine(self._err, spec) as meter, contextlib.ExitStack() as stack:
            writer: ResultsWriter | None = None
            for event in self._events(stack):
                if isinstance(event, ImplementationFound):
                    self._folder.clear()
                    digest = self._catalogue.digest()
                    header = printable(certifying.header(self._request, event, digest))
                    self._results = Results(header)
                    writer = ResultsWriter(self._folder.path / RESULTS)
                    stack.callback(self._finish, writer)
                    writer.write(header)
                elif isinstance(event, Planned):
                    meter.expect(event.total)
                elif isinstance(event, Judged) and self._results and writer:
                    self._results.judgements.append(event.judgement)
                    writer.write({"kind": "judgement", **event.judgement.as_data()})
                    meter.advance()
                elif isinstance(event, Explored):
                    self._explored.append(event)
            if self._results is not None:
                self._results.is_complete = True
        if writer is not None:
            writer.check()

    def _events(self, stack: contextlib.ExitStack) -> Iterator[Message]:
        """The messages of the runner; *stack* ends all that it started."""
        descendants = Descendants()
        stack.callback(descendants.close)
        stack.enter_context(_own_temporary_folder())
        stack.callback(descendants.kill)
        events = certifying.events(self._request, self._catalogue)
        stack.callback(events.close)
        while True:
            try:
                event = self._interruption.allowed(lambda: next(events, None))
            except OSError as error:
                raise EnvironmentBrokenError(
                    f"the process that judges cannot be started or heard: "
                    f"{error.strerror or error}; {next_step(error)}"
                ) from error
            if event is None:
                return
            yield event

    def _finish(self, writer: ResultsWriter) -> None:
        assert self._results is not None
        writer.write(self._results.footer())
        writer.close()

    def _write(self, results: Results) -> LooptckError | None:
        """The certificate and its like are written; or the error that prevented it."""
        try:
            made = certificate.certificate_of(results, self._catalogue)
            self._folder.write(CERTIFICATE, certificate.text_of(made))
            self._folder.write(JUNIT, junit.junit(results, self._catalogue))
        except LooptckError as error:
            return error
        return None

    def _show(self) -> None:
        results = self._results
        if results is not None and results.judgements:
            self._interruption.allowed(
                lambda: print_results(self._out, results, self._catalogue, verbose=self._verbose)
            )

    def _conclude(self) -> int:
        results = self._results
        if results is None or not results.judgements:
            raise LooptckError(f"{self._request.spec}: no rule was judged; please report this")
        unwritten = self._write(results)
        self._show()
        if unwritten is not None:
            raise unwritten
        self._out.print(summary_line(results, self._catalogue), style="bold")
        path = printable(str(self._folder.path / CERTIFICATE))
        self._out.print(f"  {path}", soft_wrap=True)
        for event in self._explored:
            self._out.print(event.text(), soft_wrap=True)
        differs = any(event.result.difference for event in self._explored)
        return 0 if is_certified(self._catalogue, results.judgements) and not differs else 1


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Give the runner a temporary folder of its own, which is removed afterwards.

    They may be killed at any moment, and cannot tidy up then.
    """
    former = os.environ.get("TMPDIR")
    try:
        _remove_abandoned(Path(tempfile.gettempdir()))
        made = tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"there is no room for temporary files: {error.strerror or error}; "
            "name a folder that you may write to in TMPDIR"
        ) from error
    with made as name, contextlib.closing(OutputFolder(Path(name))):
        os.environ["TMPDIR"] = name
        try:
            yield
        finally:
            del os.environ["TMPDIR"]
            if former is not None:
                os.environ["TMPDIR"] = former


_TEMPORARY = "looptck-run-"


def _remove_abandoned(folder: Path) -> None:
    """The temporary folders of runs that were killed, which hold no lock any more."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError, UsageError):
            if path.stat().st_uid == os.geteuid() and not path.is_symlink():
                with contextlib.closing(OutputFolder(path)):
                    shutil.rmtree(path, ignore_errors=True)


@cli.command("list")
def list_() -> int:
    """List the installed implementations and the profiles."""
    out = terminal()
    for name, point in sorted(installed().items()):
        out.print(printable(f"{name:12} {point.value}"), soft_wrap=True)
    if not installed():
        out.print("no implementation is installed; name one as module:attribute")
    out.print(f"\nprofiles: {', '.join(PROFILES)}")
    return 0


_own_profiles = click.option(
    "--profile",
    "-p",
    "profiles",
    multiple=True,
    metavar="P",
    help="Read the rules of this profile too: module:attribute of one of your own.",
)


@cli.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@_own_profiles
@click.pass_obj
def rules(rules_folder: str | None, patterns: tuple[str, ...], profiles: tuple[str, ...]) -> int:
    """List the rules, or those that match PATTERN (luahop.timer.*)."""
    profiles_named(profiles)
    catalogue = _catalogue(rules_folder)
    chosen = catalogue.matching(patterns) if patterns else list(catalogue.values())
    out = terminal()
    width = max(len(rule.id) for rule in chosen)
    for rule in chosen:
        line = Text(f"{rule.id:{width}} {rule.level:11} ")
        out.print(line + Text(rule.title, style="dim"), soft_wrap=True)
    out.print(f"\n{len(chosen)} rules")
    return 0


@cli.command()
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


@cli.command()
@click.argument("rule_id", metavar="RULE")
@_own_profiles
@click.pass_obj
def explain(rules_folder: str | None, rule_id: str, profiles: tuple[str, ...]) -> int:
    """Print a rule: statement, source, tests, where the reference keeps it, broken loops."""
    profiles_named(profiles)
    catalogue = _catalogue(rules_folder)
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


def print_error(console: Console, error: LooptckError) -> int:
    """Print the error as one line; return its exit status."""
    console.print(f"looptck: {one_line(str(error))}", soft_wrap=True)
    return error.exit_status


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    err = terminal(stderr=True)
    try:
        status = cli.main(arguments, prog_name="looptck", standalone_mode=False)
    except LooptckError as error:
        return print_error(err, error)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "looptck"
        return print_error(err, UsageError(f"{error.format_message()} (see `{command} --help`)"))
    except click.ClickException as error:
        return print_error(err, UsageError(error.format_message()))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else INTERRUPTED
    except BrokenPipeError:
        discard()
        return 0
    except OSError as error:  # of click, which prints help and version by itself
        discard()
        return print_error(err, cannot_print(error))
    return status if isinstance(status, int) else 0
