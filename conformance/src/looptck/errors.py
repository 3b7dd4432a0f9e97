"""The errors that can come before a rule is judged, by their cause.

Each carries one line for the reader: the value, the rule it met, the next step.
"""

from __future__ import annotations

import errno


class LooptckError(Exception):
    """Something the command line reports in one line."""

    exit_status = 3


class UsageError(LooptckError):
    """*Your* arguments name something that does not exist.  A broken adapter is `AdapterError`."""

    exit_status = 2


class CatalogueError(LooptckError):
    """A rules file cannot be read as rules; the message starts with file and line."""

    exit_status = 2


class AdapterError(LooptckError):
    """The adapter, or the module it lives in, failed before any rule was judged."""


class EnvironmentBrokenError(LooptckError):
    """The machine did not let us work: no space, no process, no descriptor."""


def next_step(error: OSError) -> str:
    """The advice that fits *error*, which a call of the system raised."""
    return _NEXT_STEPS.get(error.errno or 0, "mend that, or choose another folder with --out")


_MAKE_ROOM = "make room, or choose another folder with --out"
_ANOTHER_FOLDER = "choose a folder that you may write to with --out"
_RAISE_LIMIT = "raise the limit on open files (`ulimit -n 1024`)"

_NEXT_STEPS = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit on the size of a file (`ulimit -f unlimited`)",
    errno.EACCES: _ANOTHER_FOLDER,
    errno.EPERM: _ANOTHER_FOLDER,
    errno.EROFS: _ANOTHER_FOLDER,
    errno.ENOENT: "choose a folder with --out that can be made, and that nothing deletes meanwhile",
    errno.EEXIST: "a file or a link to nowhere has that name: choose another with --out",
    errno.ENOTDIR: "a part of that path is a file: choose another with --out",
    errno.EISDIR: "a folder has that name: move it away, or choose another with --out",
    errno.ENAMETOOLONG: "choose a shorter name with --out",
    errno.ELOOP: "a symbolic link there leads back to itself: choose another with --out",
    errno.EIO: "the device fails: choose a folder on another one with --out",
    errno.EMFILE: _RAISE_LIMIT,
    errno.ENFILE: "the whole system has too many files open: end some programs",
    errno.EAGAIN: "raise the limit on processes (`ulimit -u`), or end some",
    errno.ENOMEM: "end some programs, or give fewer --jobs",
}
