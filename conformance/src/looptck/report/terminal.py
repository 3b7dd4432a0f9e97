"""Output on a terminal: its width, its end before ours, and the progress while a run lasts."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import IO, Self, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from looptck.errors import EnvironmentBrokenError, LooptckError
from looptck.text import one_line

# Wide enough that nothing is wrapped for a reader that is no person.
UNLIMITED = 100_000


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
        width = UNLIMITED
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


def print_error(console: Console, error: LooptckError) -> int:
    """Print the error as one line; return its exit status."""
    console.print(f"looptck: {one_line(str(error))}", soft_wrap=True)
    return error.exit_status
