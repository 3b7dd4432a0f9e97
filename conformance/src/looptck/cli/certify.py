"""`looptck certify`: what is asked for, and what must hold before it begins."""

from __future__ import annotations

import contextlib
import os
import random
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from .. import import_path
from ..errors import EnvironmentBrokenError, UsageError
from ..profiles import PROFILES
from ..profiles import load as profiles_named
from ..results.output_folder import OutputFolder, check_writable, folder_name, remove_empty
from ..rules.catalogue import Catalogue
from ..running import own_profiles
from ..running import runner_process as certifying
from ..running.runner_process import RunRequest
from .certification import Certification
from .interruption import Interruption
from .options import Number, catalogue_of

# A day without a sign of life is no patience, and sleeping calls of the system
# refuse numbers that are much longer.
_LONGEST_PATIENCE = 86_400

_MOST_JOBS = 1024


@click.command()
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
    type=Number(int, 1, _MOST_JOBS, "4"),
    metavar="N",
    help="Try N rules at a time, each in a process of its own. [default: what the "
    "processors allow]",
)
@click.option(
    "--patience",
    type=Number(float, 0.5, _LONGEST_PATIENCE, "10"),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Call a test hung after SECONDS without a sign of life; more for a slow machine.",
)
@click.option(
    "--explore",
    type=Number(int, 0, 1_000_000_000, "10000"),
    default=0,
    metavar="N",
    help="When all rules are tried, make up N steps for each profile and compare what the loop "
    "does with what the document allows. A step is one thing that a program does with a loop: a "
    "call of its API (set a timer, add a listener), a byte that is sent, or one poll. 10000 take "
    "some seconds.",
)
@click.option(
    "--seed",
    type=Number(int, 0, 2**32 - 1, "42"),
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
    catalogue = catalogue_of(rules_folder)
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
        return max(Certification(*run, catalogue, verbose, interruption).status() for run in runs)


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
