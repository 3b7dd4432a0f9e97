"""The fixtures of the tests: every poller, a virtual clock, descriptors."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import tideloop
import tideloop.pollers
from tideloop.pollers import Poller

# Our kqueue poller over the models of the kernels that have a kqueue; the models stand on epoll.
SIMULATED: dict[str, type[Poller]] = {}
if sys.platform == "linux":
    sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
    from kernels.pollers import POLLERS as SIMULATED

# What this platform must have: absent is a failure, never a skip.
_REQUIRED = {
    "linux": ["epoll", "poll", "select"],
    "darwin": ["kqueue", "poll", "select"],
    "win32": ["select"],
}
_HAS_KQUEUE = ("freebsd", "openbsd", "netbsd", "dragonfly")
REQUIRED = next(
    (names for system, names in _REQUIRED.items() if sys.platform == system),
    ["kqueue", "poll", "select"] if sys.platform.startswith(_HAS_KQUEUE) else ["select"],
)
NAMES = [*REQUIRED, *(name for name in tideloop.available() if name not in REQUIRED)]

# TESTED_POLLERS names the pollers to test, such as "kqueue-sim:netbsd"; by default those of this
# machine and one of the models.
TESTED = os.environ.get("TESTED_POLLERS", "").split() or [*NAMES, *list(SIMULATED)[:1]]

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=TESTED)
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of each poller that is tested."""
    name: str = request.param
    if name in SIMULATED:
        known = {**tideloop.available(), name: SIMULATED[name]}
        monkeypatch.setattr(tideloop.pollers, "available", lambda: known)
    return name


@pytest.fixture(params=[name.partition(":")[2] for name in SIMULATED])
def probe(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A kqueue of each modelled system."""
    from .kqueue_probe import Probe  # stands on Linux

    made = Probe(request.param)
    yield made
    made.queue.close()


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
    gc.collect()  # what earlier tests left in cycles
    before = len(open_descriptors())
    yield
    assert len(open_descriptors()) == before
