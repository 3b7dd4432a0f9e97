"""What the tests of the luaevent document share."""

from __future__ import annotations

import pytest

from looptck.probes.stage import Stage
from looptck.profiles.luaevent import Luaevent


@pytest.fixture
def stage(luaevent: Luaevent) -> Stage:
    """A fresh base, and events on it that keep no test waiting for ever."""
    return Stage(luaevent)
