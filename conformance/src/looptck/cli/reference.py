"""The lines of the reference loop, if it is installed, that keep a rule.

They carry the full id of the rule in a comment.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

_REFERENCE = "tideloop"


def installed_reference() -> Path | None:
    """The folder of the reference's package; None if it is not installed."""
    spec = importlib.util.find_spec(_REFERENCE)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def places_of(rule_id: str, package: Path) -> list[str]:
    """``tideloop/turn.py:88`` for each comment in *package* that names the rule."""
    comment = re.compile(rf"#.*(?<![\w.-]){re.escape(rule_id)}(?![\w-]|\.\w)")
    return [
        f"{file.relative_to(package.parent).as_posix()}:{number}"
        for file in sorted(package.rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if comment.search(line)
    ]
