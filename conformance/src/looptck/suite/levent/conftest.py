"""The fixtures that the tests of the levent document share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from looptck.protocols.levent import Levent
from looptck.testing.levent_driver import LeventDriver


@pytest.fixture
def driver(levent: Levent) -> Iterator[LeventDriver]:
    """A fresh base that the test runs pass by pass; its events are stopped after the test."""
    made = LeventDriver(levent)
    yield made
    made.stop_all()
