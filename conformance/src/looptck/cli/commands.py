"""The command line as a whole: its commands, its errors and its exit statuses.

Exit status: 0 certified (or no error), 1 not certified, 2 wrong
usage, 3 adapter or environment broken, 130 stopped by Ctrl-C (128 and the
number of the signal, if it was another).
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from .. import __version__
from ..errors import LooptckError, UsageError
from ..report.terminal import cannot_print, discard, print_error, terminal
from ..text import did_you_mean, shown
from .certify import certify
from .interruption import INTERRUPTED
from .listing import checks, explain, list_, rules


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


for command in (certify, list_, rules, checks, explain):
    cli.add_command(command)


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
