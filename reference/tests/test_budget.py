"""The hot path has a budget: one Python call of our own for each ready descriptor."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import tideloop
from tideloop import luaevent, luahop

Pair = tuple[socket.socket, socket.socket]


def python_calls(act: Callable[[], object]) -> int:
    """How many Python functions *act* calls; C functions are not counted."""
    calls = 0

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    gc.collect()  # what other tests left must not be finalized while we count
    sys.setprofile(profile)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def watch(ends: list[socket.socket]) -> Callable[[], object]:
    loop = tideloop.Loop()
    for near in ends:
        loop.watch(near, tideloop.READ, lambda ready: None)
    return loop.turn


def addevent(timeout: float | None, ends: list[socket.socket]) -> Callable[[], object]:
    base = luaevent.new()
    kept = [
        base.addevent(near, luaevent.EV_READ, lambda flags: luaevent.EV_READ, timeout)
        for near in ends
    ]

    def turn(kept: object = kept) -> None:
        base._loop.turn()

    return turn


def listen(ends: list[socket.socket]) -> Callable[[], object]:
    hop = luahop.new()
    for near in ends:
        hop.set_listener(near, "r", lambda: None)
    return hop.poll


@pytest.mark.parametrize(
    "prepare, ours",
    [
        pytest.param(watch, 1, id="watch"),
        pytest.param(lambda ends: addevent(None, ends), 1, id="luaevent"),
        # one more, to restart the timeout
        pytest.param(lambda ends: addevent(60, ends), 2, id="luaevent with timeout"),
        pytest.param(listen, 1, id="luahop"),
    ],
)
def test_one_call_of_our_own_for_each_ready_descriptor(
    prepare: Callable[[list[socket.socket]], Callable[[], object]],
    ours: int,
    pair: Callable[[], Pair],
) -> None:
    """Ten more descriptors cost ten calls of the user's and ten of ours."""
    counts = []
    for ready in (10, 20):
        ends = []
        for _ in range(ready):
            near, far = pair()
            far.send(b"x")
            ends.append(near)
        turn = prepare(ends)
        for _ in range(2):  # deadlines that are new to the heap cost once
            turn()
        counts.append(python_calls(turn))
    assert counts[1] - counts[0] == 10 * (1 + ours)
