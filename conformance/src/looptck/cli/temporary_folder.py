"""The temporary folder of a run: made for it, and removed however the run ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import EnvironmentBrokenError, UsageError
from ..results.output_folder import OutputFolder

_TEMPORARY = "looptck-run-"


@contextlib.contextmanager
def own_temporary_folder() -> Iterator[None]:
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


def _remove_abandoned(folder: Path) -> None:
    """The temporary folders of runs that were killed, which hold no lock any more."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError, UsageError):
            if path.stat().st_uid == os.geteuid() and not path.is_symlink():
                with contextlib.closing(OutputFolder(path)):
                    shutil.rmtree(path, ignore_errors=True)
