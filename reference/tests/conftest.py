"""The fixtures of the tests: every poller, a virtual clock, descriptors."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

import tideloop

# What this platform must have: absent is a failure, never a skip.
REQUIRED = ["epoll", "poll", "select"] if sys.platform == "linux" else ["poll", "select"]
NAMES = [*REQUIRED, *(name for name in tideloop.available() if name not in REQUIRED)]

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=NAMES)
def poller(request: pytest.FixtureRequest) -> str:
    """The name of each poller of this machine."""
    name: str = request.param
    return name


@pytest.fixture
def clock() -> tideloop.VirtualClock:
    return tideloop.VirtualClock(5_000_003.0)


@pytest.fixture
def loop(poller: str, clock: tideloop.VirtualClock) -> Iterator[tideloop.Loop]:
    with tideloop.Loop(poller, clock) as loop:
        yield loop


@pytest.fixture
def pair() -> Iterator[Callable[[], Pair]]:
    """Makes connected sockets; data sent into the second is readable at the first."""
    made: list[socket.socket] = []

    def make() -> Pair:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        made.extend((near, far))
        return near, far

    yield make
    for end in made:
        end.close()


@pytest.fixture
def pipe() -> Iterator[Callable[[], tuple[int, int]]]:
    """Makes pipes: (reading end, writing end).  Tests may close them."""
    made: list[int] = []

    def make() -> tuple[int, int]:
        ends = os.pipe()
        made.extend(ends)
        return ends

    yield make
    for fd in made:
        with suppress(OSError):  # closed by the test
            os.close(fd)


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


@pytest.fixture
def no_leak() -> Iterator[None]:
    """Fails when the test leaves a descriptor open."""
    before = len(open_descriptors())
    yield
    assert len(open_descriptors()) == before
