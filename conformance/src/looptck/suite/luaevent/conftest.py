"""The fixtures that the tests of the luaevent document share."""

from __future__ import annotations

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.testing.luaevent_driver import LuaeventDriver
from looptck.testing.stopwatch import Stopwatch, TimeoutSequence


@pytest.fixture
def driver(luaevent: Luaevent) -> LuaeventDriver:
    """A fresh base with events whose number of calls is bounded, so that no test runs for ever."""
    return LuaeventDriver(luaevent)


@pytest.fixture
def waits(stopwatch: Stopwatch) -> TimeoutSequence:
    """Asserts that calls do not come early; uses the stopwatch of the test."""
    return TimeoutSequence(stopwatch)
