"""The fixtures that every test of the suite may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from looptck.checks.streams import Streams
from looptck.clocks import Clock, MonotonicClock
from looptck.profiles import PROFILES
from looptck.running.plugin import under_test_of
from looptck.running.rule_task import BENCH
from looptck.running.suite_index import Binding
from looptck.subjects.subject import Subject
from looptck.testing.channels import Channels
from looptck.testing.observation import Observation
from looptck.testing.stopwatch import Stopwatch
from looptck.testing.trace import Trace


@pytest.fixture
def subject(request: pytest.FixtureRequest, variant: str) -> Subject:
    made = Subject(under_test_of(request.config).implementation, variant)
    request.node.stash[BENCH] = made
    return made


@pytest.fixture
def entry(subject: Subject, binding: Binding) -> Any:
    """A fresh entry object of the profile that a shared check is bound to."""
    return subject.entry(binding.profile)


@pytest.fixture
def loop(entry: Any, subject: Subject, binding: Binding) -> Any:
    """A fresh loop in the verbs of the shared checks."""
    profile = PROFILES[binding.profile]
    verbs = profile.verbs_for.get(binding.rule_id, profile.verbs)
    assert verbs is not None, f"the profile {binding.profile} has no verbs"
    return verbs(entry, subject.clock)


@pytest.fixture
def real_loop(subject: Subject, binding: Binding) -> Any:
    """A fresh loop in the verbs of the shared checks, on the machine's clock."""
    verbs = PROFILES[binding.profile].verbs
    assert verbs is not None, f"the profile {binding.profile} has no verbs"
    clock = MonotonicClock()
    return verbs(subject.entry(binding.profile, clock), clock)


@pytest.fixture
def streams(entry: Any, channels: Channels, binding: Binding) -> Iterator[Streams]:
    """Buffered events of the entry object in the verbs of the shared checks."""
    make = PROFILES[binding.profile].streams
    assert make is not None, f"the profile {binding.profile} has no buffered events"
    made = make(entry, channels)
    yield made
    made.close()


@pytest.fixture
def clock(subject: Subject) -> Clock:
    """The clock that the loop follows; ``clock.advance(s)`` lets s seconds pass."""
    return subject.clock


@pytest.fixture
def stopwatch(clock: Clock) -> Stopwatch:
    """Runs from the start of the test, on the loop's clock."""
    return Stopwatch(clock)


@pytest.fixture
def observe(subject: Subject) -> Observation:
    """Records what a rule leaves open."""
    return subject.observation


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def channels() -> Iterator[Channels]:
    """Connected descriptors, closed after the test."""
    made = Channels()
    yield made
    made.close()
