"""The fixtures that the tests of the poller contract share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import cast

import pytest

from looptck.protocols.poller import PollerModule
from looptck.subjects.subject import Subject
from looptck.testing.poller_driver import PollerDriver


@pytest.fixture
def module(subject: Subject) -> PollerModule:
    """The entry object of the implementation under test."""
    return cast(PollerModule, subject.entry("poller"))


@pytest.fixture
def driver(module: PollerModule) -> Iterator[PollerDriver]:
    """A fresh poller, closed after the test."""
    made = PollerDriver(module.new())
    yield made
    with suppress(Exception):  # whether it closes is the business of other tests
        made.poller.close()
