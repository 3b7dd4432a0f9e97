"""The door to the command line: `looptck`, `python -m looptck`.

It takes care of Ctrl-C before it imports anything that takes time; `commands`
does the work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import interruption


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    if arguments is not None:
        with interruption.ending_at_once():
            status = _run(arguments)
        sys.exit(status)
    interruption.end_at_once()
    _occupy_standard_descriptors()
    status = _run(None)
    interruption.ignore()
    sys.exit(status)


def _run(arguments: Sequence[str] | None) -> int:
    from .commands import run

    return run(arguments)


def _occupy_standard_descriptors() -> None:
    """A file that is opened later must not get the number of a stream that was closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    main()
