"""The poller contract: what a poller gives back, and what it shares."""

from __future__ import annotations

import os

import pytest

from looptck.protocols.poller import NOTHING, READ, PollerModule
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.child_process import run_program
from looptck.testing.poller_driver import PollerDriver
from looptck.testing.resources import ResourceSnapshot, left_since


@rule("poller.close.gives-back")
@pytest.mark.parametrize("end", ["closed", "collected"])
def test_a_poller_leaves_nothing(module: PollerModule, channels: Channels, end: str) -> None:
    near, far = channels.pair()
    far.send(b"x")

    def use() -> None:
        driver = PollerDriver(module.new())
        driver.watch(near.fileno(), READ)
        driver.until_told(near.fileno(), READ)
        if end == "closed":
            driver.poller.close()

    use()
    before = ResourceSnapshot.take()
    for _ in range(3):
        use()
    left = left_since(before)
    assert not left, f"three pollers that were {end} left behind: {', '.join(left)}"
    assert near.recv(8) == b"x", "the watched socket was closed"


@rule("poller.close.twice")
def test_closing_again_closes_nothing(module: PollerModule, channels: Channels) -> None:
    """After the first close new descriptors take the numbers that it gave back."""
    near, _far = channels.pair()
    poller = module.new()
    poller.change(near.fileno(), NOTHING, READ)
    poller.wait(0)
    poller.close()
    made = [channels.pair() for _ in range(4)]
    poller.close()
    for pair in made:
        for end in pair:
            os.fstat(end.fileno())


@rule("poller.close.child")
@pytest.mark.parametrize("act", ["closes", "ends"])
def test_a_child_disturbs_nobody(driver: PollerDriver, channels: Channels, act: str) -> None:
    """The child opens descriptors, which may get a number that the poller has in the parent."""
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    driver.answer()

    def child() -> None:
        made = [channels.pair() for _ in range(4)]
        if act == "closes":
            driver.poller.close()
        for pair in made:
            for end in pair:
                os.fstat(end.fileno())

    complaint = run_program(child).complaint
    assert not complaint, f"a forked child that {act} failed: {complaint}"
    far.send(b"x")
    for _ in range(3):
        driver.until_told(near.fileno(), READ)


@rule("poller.close.apart")
@pytest.mark.parametrize("end", ["removed", "closed"])
def test_two_pollers_share_nothing(module: PollerModule, channels: Channels, end: str) -> None:
    near, far = channels.pair()
    far.send(b"x")
    first, second = PollerDriver(module.new()), PollerDriver(module.new())
    first.watch(near.fileno(), READ)
    assert second.answer() == {}, "a fresh poller told what another one watches"
    second.watch(near.fileno(), READ)
    if end == "removed":
        first.forget(near.fileno())
    else:
        first.poller.close()
    for _ in range(3):
        second.until_told(near.fileno(), READ)
    second.poller.close()
    if end == "removed":
        first.poller.close()
