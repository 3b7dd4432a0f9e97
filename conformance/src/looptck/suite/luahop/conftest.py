"""The fixtures that the tests of the LuaHop document share."""

from __future__ import annotations

from typing import cast

import pytest

from looptck.protocols.luahop import Luahop
from looptck.subjects.subject import Subject


@pytest.fixture
def luahop(subject: Subject) -> Luahop:
    """A fresh `luahop` of the implementation under test."""
    return cast(Luahop, subject.entry("luahop"))
