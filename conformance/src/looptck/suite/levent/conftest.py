"""What the tests of the levent document share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from looptck.probes.rounds import Rounds
from looptck.profiles.levent import Levent


@pytest.fixture
def rounds(levent: Levent) -> Iterator[Rounds]:
    """A fresh base, driven pass by pass; what was made on it is stopped after the test."""
    made = Rounds(levent)
    yield made
    made.end()
