"""The poller contract: how long `wait` sleeps."""

from __future__ import annotations

import math
import os
import threading
import time

import pytest

from looptck.protocols.poller import READ
from looptck.rules.markers import rule
from looptck.testing.alarms import another_process, signals_before
from looptck.testing.channels import Channels, drain
from looptck.testing.cpu_share import cpu_share
from looptck.testing.poller_driver import PollerDriver, best_of, seconds_of

# How late `wait` may return, in seconds.
_LATENESS = 0.050

# A wait may return for nothing now and then, but not so many times in a row.
_TRIES = 8

# A share of the processor that a sleeping call stays below.
_IDLE = 0.5

_HUGE = [50 * 86400.0, 2.0**31, 2.0**40, math.inf]


@rule("poller.budget.not-early")
@pytest.mark.parametrize("milliseconds", [0.1, 0.9, 1, 1.5, 2.9, 10.1, 15.75])
@pytest.mark.parametrize("watching", [False, True], ids=["nothing watched", "one watched"])
def test_wait_is_not_too_short(
    driver: PollerDriver, channels: Channels, milliseconds: float, watching: bool
) -> None:
    near, _far = channels.pair()
    if watching:
        driver.watch(near.fileno(), READ)
    slept = [seconds_of(lambda: driver.poller.wait(milliseconds / 1000)) for _ in range(_TRIES)]
    assert max(slept) * 1000 >= milliseconds - 0.01, (
        f"with nothing ready and a budget of {milliseconds} ms, wait returned after "
        f"{max(slept) * 1000:.3f} ms at most in {_TRIES} calls"
    )


@rule("poller.budget.late")
@pytest.mark.parametrize("milliseconds", [1, 20, 120])
def test_wait_returns_in_time(driver: PollerDriver, milliseconds: int) -> None:
    best = best_of(4, lambda: seconds_of(lambda: driver.poller.wait(milliseconds / 1000)))
    late = best - milliseconds / 1000
    assert late <= _LATENESS, (
        f"wait({milliseconds / 1000}) was {late * 1000:.0f} ms late at best; "
        f"{_LATENESS * 1000:.0f} ms are allowed"
    )


@rule("poller.budget.zero")
def test_a_budget_of_zero_does_not_sleep(driver: PollerDriver, channels: Channels) -> None:
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    best = best_of(4, lambda: seconds_of(lambda: driver.poller.wait(0)))
    assert best <= _LATENESS, f"wait(0) took {best * 1000:.0f} ms at best, with nothing ready"
    far.send(b"x")
    answers = [driver.told(0) for _ in range(_TRIES)]
    assert {near.fileno(): READ} in answers, f"wait(0) did not tell a ready descriptor: {answers}"


@rule("poller.budget.none")
def test_wait_without_a_budget_sleeps(driver: PollerDriver, channels: Channels) -> None:
    """Another process writes after a while; the processor is idle until then."""
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    _assert_idle_until_told(driver, near.fileno(), far.fileno(), None)


@rule("poller.budget.huge")
@pytest.mark.parametrize("seconds", _HUGE, ids=["50 days", "2**31 s", "2**40 s", "infinity"])
def test_a_huge_budget_sleeps(driver: PollerDriver, channels: Channels, seconds: float) -> None:
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    _assert_idle_until_told(driver, near.fileno(), far.fileno(), seconds)


def _assert_idle_until_told(
    driver: PollerDriver, near: int, far: int, budget: float | None
) -> None:
    """Another process writes into *far* after a tenth of a second."""

    def wait() -> None:
        for _ in range(1_000):
            if near in driver.told(budget):
                return
        raise AssertionError(f"wait({budget}) returned a thousand times and told nothing")

    with another_process(lambda: os.write(far, b"x"), after=0.1):
        share = cpu_share(wait, 0.1)
    assert share < _IDLE, (
        f"wait({budget}) used {share:.0%} of the processor while nothing was ready"
    )


@rule("poller.budget.spin")
@pytest.mark.parametrize("milliseconds", [0.9, 2.5, 7.3])
def test_a_short_budget_is_slept(
    driver: PollerDriver, channels: Channels, milliseconds: float
) -> None:
    """Until the budget is over `wait` is called again, as a loop does that has a timer."""
    near, _far = channels.pair()
    driver.watch(near.fileno(), READ)

    def calls() -> float:
        count, end = 0, time.monotonic() + milliseconds / 1000
        while (left := end - time.monotonic()) > 0:
            driver.poller.wait(left)
            count += 1
        return count

    fewest = best_of(4, calls)
    assert fewest <= 5, (
        f"wait returned {fewest:.0f} times before {milliseconds} ms were over, with nothing ready"
    )
    share = best_of(4, lambda: cpu_share(lambda: [calls() for _ in range(8)], milliseconds / 125))
    assert share < _IDLE, f"waits of {milliseconds} ms used {share:.0%} of the processor"


@rule("poller.budget.signal")
def test_signals_lose_nothing(driver: PollerDriver, channels: Channels) -> None:
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    with signals_before(lambda: far.send(b"x"), lambda: far.send(b"y")):
        for _ in range(2):
            driver.until_told(near.fileno(), READ)
            drain(near)


@rule("poller.budget.signal")
def test_an_exception_of_a_handler_comes_out(driver: PollerDriver, channels: Channels) -> None:
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)

    def refuse() -> None:
        raise LookupError("from the handler")

    def wait() -> None:
        for _ in range(20):
            driver.poller.wait(0.1)

    with signals_before(lambda: None, handler=refuse), pytest.raises(LookupError):
        wait()
    far.send(b"x")
    driver.until_told(near.fileno(), READ)


@rule("poller.budget.thread")
@pytest.mark.parametrize("budget", [None, 5.0])
def test_another_thread_ends_the_sleep(
    driver: PollerDriver, channels: Channels, budget: float | None
) -> None:
    near, far = channels.pipe()
    driver.watch(near.fileno(), READ)
    asleep = threading.Event()

    def write() -> None:
        asleep.wait()
        far.send(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    asleep.set()
    try:
        answers = (driver.told(budget) for _ in range(1_000))
        assert any(near.fileno() in told for told in answers), (
            f"another thread wrote, and wait({budget}) returned a thousand times and told nothing"
        )
    finally:
        writer.join()
