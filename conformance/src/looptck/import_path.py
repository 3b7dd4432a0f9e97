"""Where the modules of an implementation are found: after Python's own.

A `queue.py` beside a loop must not stand in for the standard library's.  The
packages that looptck is made of are safe as well, since they are imported
before any folder is added here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_STANDARD_LIBRARY = os.path.dirname(os.__file__)


def working_folder() -> str | None:
    """The working folder; None if it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def of_the_user() -> list[str]:
    """The folders of PYTHONPATH, which the user has set for the implementation."""
    given = os.environ.get("PYTHONPATH", "")
    here = working_folder()
    return [
        folder if here is None else os.path.join(here, folder)
        for folder in (given.split(os.pathsep) if given else [])
        if here is not None or os.path.isabs(folder)
    ]


def add(folders: Iterable[str]) -> None:
    """Modules are found in *folders* too, before installed ones, after the standard library."""
    at = end_of_the_standard_library()
    new = [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
    sys.path[at:at] = new


def add_folder_of(module: str) -> None:
    """Find modules beside the file of *module* too, after all others."""
    *packages, name = module.split(".")
    for start in list(sys.path):
        folder = os.path.join(start, *packages)
        if os.path.isfile(os.path.join(folder, f"{name}.py")):
            if folder not in sys.path:
                sys.path.append(folder)
            return


def put_users_last() -> None:
    """For the command line, which imports nothing of the user's: their folders come last."""
    theirs = {"", working_folder(), *of_the_user()}
    sys.path.sort(key=lambda folder: folder in theirs)


def end_of_the_standard_library() -> int:
    """The place in `sys.path` behind the last folder of the standard library."""
    places = [at for at, folder in enumerate(sys.path) if _is_standard(folder)]
    return places[-1] + 1 if places else 0


def _is_standard(folder: str) -> bool:
    return folder in (_STANDARD_LIBRARY, os.path.join(_STANDARD_LIBRARY, "lib-dynload"))
