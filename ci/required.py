"""Checks that this machine has what ci/platforms.toml says its platform must have.

`python ci/required.py PACKAGE...` runs in the environment of a nox session: it
checks that the reference has its pollers there, and names the packages that are
missing.  With `--certificate FILE` it checks instead that the reference is
certified, and on every poller that the platform must have.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("platforms.toml")


@dataclass(frozen=True, slots=True)
class Requirements:
    """The row of one platform in ci/platforms.toml."""

    platform: str
    pollers: tuple[str, ...]
    packages: tuple[str, ...]
    libraries: tuple[str, ...]


def platform_name(system: str = sys.platform, libc: str = platform.libc_ver()[0]) -> str:
    """The name in ci/platforms.toml of a *system* as `sys.platform` has it, and its *libc*."""
    if system == "linux":
        return "linux-glibc" if libc == "glibc" else "linux-musl"
    return re.sub(r"\d+$", "", system)  # Python before 3.14 says freebsd15


def requirements(name: str, table: Path = TABLE) -> Requirements:
    """The requirements of the platform *name*; exits with a message if the table has no such."""
    rows = tomllib.loads(table.read_text())
    if name not in rows:
        sys.exit(f"{table.name} has no platform {name!r}; it has {', '.join(rows)}")
    return Requirements(name, **{key: tuple(names) for key, names in rows[name].items()})


def missing_pollers(required: Requirements, present: Iterable[str]) -> list[str]:
    """An error for each poller that *required* names and that is not *present*."""
    found = [*present]
    return [
        f"{required.platform} must have the poller {name}; here are {', '.join(found) or 'none'}"
        for name in required.pollers
        if name not in found
    ]


def missing_packages(required: Requirements, missing: Iterable[str]) -> list[str]:
    """An error for each of the *missing* packages that *required* names."""
    return [
        f"{required.platform} must have the package {name}; pip has found no wheel of it"
        for name in missing
        if name in required.packages
    ]


def certificate_errors(required: Requirements, certificate: dict[str, Any]) -> list[str]:
    """An error if *certificate* is not that of a certified loop on all required pollers."""
    judged = {row["variant"]: None for row in certificate["verdicts"]}
    errors = missing_pollers(required, judged)
    if not certificate["certified"]:
        errors.append("the reference is not certified; the table above says why")
    return errors


def _missing(packages: Iterable[str]) -> list[str]:
    """Those of *packages* that are not installed; they are named on standard output."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        print(f"missing here, so that what needs it is left out: {', '.join(missing)}")
    return missing


def _judged(path: Path, required: Requirements) -> list[str]:
    """The errors of the certificate in the file *path*, which may be missing."""
    if not path.exists():
        return [f"there is no certificate {path}: the run above has not finished"]
    return certificate_errors(required, json.loads(path.read_text()))


def _available(required: Requirements) -> list[str]:
    """The errors of the reference that is installed here."""
    import tideloop

    return missing_pollers(required, tideloop.available())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", help="the compiled packages that the session uses")
    parser.add_argument("--certificate", type=Path, help="of the reference")
    given = parser.parse_args()
    required = requirements(platform_name())
    missing = _missing(given.packages)
    errors = _judged(given.certificate, required) if given.certificate else _available(required)
    if "CI" in os.environ:
        errors += missing_packages(required, missing)
    sys.exit("\n".join(errors) or None)


if __name__ == "__main__":
    main()
