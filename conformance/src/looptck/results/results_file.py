"""Results as they come: JSON Lines with a header and a footer.

Every other format is rendered from this one.  A file without a footer belongs
to a run that was cut off; what it holds was judged all the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import EnvironmentBrokenError
from .output_folder import cannot_write
from .verdicts import Judgement

FORMAT_VERSION = 1


@dataclass(slots=True)
class Results:
    """One run over one implementation."""

    header: Mapping[str, Any]
    judgements: list[Judgement] = field(default_factory=list)
    # True once every chosen rule has its verdict
    is_complete: bool = False

    def footer(self) -> dict[str, Any]:
        counts = Counter(str(judgement.verdict) for judgement in self.judgements)
        return {
            "kind": "footer",
            "complete": self.is_complete,
            "judgements": len(self.judgements),
            "verdicts": dict(sorted(counts.items())),
        }


class ResultsWriter:
    """Writes a results file line by line; each line is on its way when a call returns.

    An error of the file system is kept, not raised: the run goes on, and
    `check` raises it at the end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: OSError | None = None
        self._file: IO[str] | None = None
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            self._error = error

    def write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            self._error = error
            self._give_up()

    def close(self) -> None:
        if self._file is not None:
            self._give_up()

    def check(self) -> None:
        """Raises EnvironmentBrokenError if something could not be written."""
        if self._error is not None:
            raise cannot_write(self._path, self._error)

    def _give_up(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:  # closing flushes, and may meet the same full disk again
            self._error = self._error or error


def read(path: Path) -> Results:
    """The results in *path*; raises EnvironmentBrokenError if it is no results file."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise EnvironmentBrokenError(f"{path} cannot be read as results: {error}") from error
    return from_lines(lines)


def from_lines(lines: Iterable[Mapping[str, Any]]) -> Results:
    header: Mapping[str, Any] = {}
    judgements: list[Judgement] = []
    complete = False
    for line in lines:
        if line["kind"] == "header":
            header = line
        elif line["kind"] == "judgement":
            judgements.append(Judgement.from_data(line))
        elif line["kind"] == "footer":
            complete = bool(line["complete"]) and line["judgements"] == len(judgements)
    return Results(header, judgements, complete)
