"""The folder that one run writes to: held against other runs, and never half written.

The lock is the kernel's (`flock`) on the folder itself: it needs no file and
ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import EnvironmentBrokenError, UsageError, next_step
from ..text import printable

# The names of what a run writes.  The certificate is the first to go.
CERTIFICATE = "certificate.json"
JUNIT = "junit.xml"
RESULTS = "results.jsonl"

# The most that file systems allow for a name is 255 bytes.
_LONGEST_NAME = 100


def folder_name(spec: str) -> str:
    """The name of the folder for the implementation that the user called *spec*."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", spec).strip("-.") or "implementation"
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def check_writable(folder: Path) -> list[Path]:
    """Make *folder* and a file in it; return the folders that did not exist before.

    Raises UsageError if that fails.
    """
    made = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remove_empty(made)
        raise _unusable(folder, error) from error
    return made


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove each of *folders*, the innermost first, as long as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


class OutputFolder:
    """A folder that no other run writes to until it is closed."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError if it cannot be made, or another run holds it."""
        self.path = path
        try:
            self._descriptor = self._lock()
        except OSError as error:
            raise _unusable(path, error) from error

    def _lock(self) -> int:
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise UsageError(
                    f"another run writes to {str(self.path)!r}; "
                    "wait for its end, or choose another folder with --out"
                ) from None
            except OSError:
                return descriptor  # a file system without locks, as some of networks are
            if self._is(descriptor):
                return descriptor
            os.close(descriptor)  # the run before us has just removed it

    def clear(self) -> None:
        """Nothing is left that an earlier run wrote, nor what one that was killed began to.

        Raises EnvironmentBrokenError if something stays.
        """
        try:
            for name in (CERTIFICATE, JUNIT):
                (self.path / name).unlink(missing_ok=True)
                self._temporary(name).unlink(missing_ok=True)
            # Truncated, not removed: it may be a link to where the results are wanted.
            with contextlib.suppress(FileNotFoundError):
                os.close(os.open(self.path / RESULTS, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK))
        except OSError as error:
            raise EnvironmentBrokenError(
                f"the results of an earlier run in {str(self.path)!r} cannot be removed: "
                f"{error.strerror or error}; remove the folder, or choose another with --out"
            ) from error

    def write(self, name: str, text: str) -> None:
        """Replace the file *name* in one step; raises EnvironmentBrokenError if that fails."""
        path, temporary = self.path / name, self._temporary(name)
        try:
            if not self._is(self._descriptor):
                raise EnvironmentBrokenError(
                    f"{str(self.path)!r} was deleted or replaced while the run went; what was "
                    "judged is printed above, and nothing of it is kept: run again"
                )
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise cannot_write(path, error) from error

    def close(self) -> None:
        """Others may write to it; it is gone if it is empty."""
        with contextlib.suppress(OSError):
            if self._is(self._descriptor):
                self.path.rmdir()
        os.close(self._descriptor)

    def _is(self, descriptor: int) -> bool:
        """Whether the path still leads to the folder that *descriptor* holds."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _temporary(self, name: str) -> Path:
        return self.path / f".{name}.part"


def cannot_write(path: Path, error: OSError) -> EnvironmentBrokenError:
    return EnvironmentBrokenError(
        f"cannot write {path}: {error.strerror or error}; what was judged is printed above; "
        f"{next_step(error)}, and run again"
    )


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write to {printable(str(folder))!r}: {error.strerror or error}; {next_step(error)}"
    )
