"""The fixture that the tests of levent's adapters share: a pair of sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from .levent_objects import Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield near, far
