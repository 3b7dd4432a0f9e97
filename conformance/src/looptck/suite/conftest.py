"""What every test of the suite may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from looptck.bench import Bench
from looptck.clocks import Clock
from looptck.plugin import under_test_of
from looptck.probes.observation import Observation
from looptck.probes.stopwatch import Stopwatch
from looptck.probes.trace import Trace
from looptck.probes.wires import Wires
from looptck.tasks import BENCH

if TYPE_CHECKING:
    from looptck.profiles.levent import Levent
    from looptck.profiles.luaevent import Luaevent
    from looptck.profiles.luahop import Luahop


@pytest.fixture
def bench(request: pytest.FixtureRequest, variant: str) -> Bench:
    made = Bench(under_test_of(request.config).implementation, variant)
    request.node.stash[BENCH] = made
    return made


@pytest.fixture
def luaevent(bench: Bench) -> Luaevent:
    """A fresh `luaevent.core` of the implementation under test."""
    return cast("Luaevent", bench.entry("luaevent"))


@pytest.fixture
def levent(bench: Bench) -> Levent:
    """A fresh `levent` of the implementation under test."""
    return cast("Levent", bench.entry("levent"))


@pytest.fixture
def luahop(bench: Bench) -> Luahop:
    """A fresh `luahop` of the implementation under test."""
    return cast("Luahop", bench.entry("luahop"))


@pytest.fixture
def clock(bench: Bench) -> Clock:
    """The clock that the loop follows; ``clock.advance(s)`` lets s seconds pass."""
    return bench.clock


@pytest.fixture
def stopwatch(clock: Clock) -> Stopwatch:
    """Runs from the start of the test, on the loop's clock."""
    return Stopwatch(clock)


@pytest.fixture
def observe(bench: Bench) -> Observation:
    """Records what a rule leaves open."""
    return bench.observation


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Connected descriptors, closed after the test."""
    made = Wires()
    yield made
    made.close()
