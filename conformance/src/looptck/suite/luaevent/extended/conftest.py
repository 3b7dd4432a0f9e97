"""What the tests of luaevent's extended part share.

The tests of the document's own part have the same fixtures; here they stand on
the entry object that has `buffer` and `bufferevent`.
"""

from __future__ import annotations

from typing import cast

import pytest

from looptck.bench import Bench
from looptck.probes.turns import Turns
from looptck.probes.wires import Wires
from looptck.profiles.luaevent_extended import LuaeventExtended


@pytest.fixture
def luaevent(bench: Bench) -> LuaeventExtended:
    """A fresh entry object of the profile `luaevent-extended`."""
    return cast("LuaeventExtended", bench.entry("luaevent-extended"))


@pytest.fixture
def turns(luaevent: LuaeventExtended, wires: Wires) -> Turns:
    """A fresh base, and a script to be gone through while its loop runs."""
    return Turns(luaevent, wires)
