"""What the tests of the luaevent document share."""

from __future__ import annotations

import pytest

from looptck.probes.stage import Stage
from looptck.probes.stopwatch import Stopwatch
from looptck.probes.waits import Waits
from looptck.profiles.luaevent import Luaevent


@pytest.fixture
def stage(luaevent: Luaevent) -> Stage:
    """A fresh base, and events on it that keep no test waiting for ever."""
    return Stage(luaevent)


@pytest.fixture
def waits(stopwatch: Stopwatch) -> Waits:
    """Asserts that calls do not come early; shares the stopwatch of the test."""
    return Waits(stopwatch)
