"""The wall clock that a test may step."""

from __future__ import annotations

import asyncio
import datetime
import pickle
import subprocess
import sys
import time
from typing import Any

import pytest

from looptck.testing import wall_clock

HOUR = 3600.0


class Holder:
    clock: Any = time.time


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("time", "time_ns", "clock_gettime", "clock_gettime_ns"):
        monkeypatch.setattr(time, name, getattr(time, name))  # to be put back
    wall_clock.install()
    monkeypatch.setattr(Holder, "clock", time.time)


def readings() -> list[float]:
    return [
        time.time(),
        time.time_ns() / 1e9,
        time.clock_gettime(time.CLOCK_REALTIME),
        time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
        Holder().clock(),
    ]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("step_by", [HOUR, -HOUR])
def test_every_function_of_the_time_of_day_follows_a_step(step_by: float) -> None:
    before = readings()
    with wall_clock.stepped() as step:
        step(step_by)
        during = readings()
    after = readings()
    for was, stepped, is_again in zip(before, during, after, strict=True):
        assert abs(stepped - was - step_by) < 60
        assert abs(is_again - was) < 60


async def _timer_fires() -> None:
    fired = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, fired.set)
    await asyncio.wait_for(fired.wait(), timeout=5)


@pytest.mark.usefixtures("installed")
def test_monotonic_time_dates_and_asyncio_are_left_alone() -> None:
    monotonic, date = time.clock_gettime(time.CLOCK_MONOTONIC), datetime.datetime.now()
    with wall_clock.stepped() as step:
        step(HOUR)
        assert time.clock_gettime(time.CLOCK_MONOTONIC) - monotonic < 60
        assert (datetime.datetime.now() - date).total_seconds() < 60
        asyncio.run(_timer_fires())


@pytest.mark.usefixtures("installed")
def test_a_replaced_function_can_still_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(time.time)) is time.time


def test_importing_the_function_itself_gets_the_replaced_one() -> None:
    """In a process of its own, for the plugin replaces the functions for ever."""
    code = """if True:
        from looptck.testing import wall_clock
        import sys
        wall_clock.install(); wall_clock.install()
        from time import time
        before = time()
        with wall_clock.stepped() as step:
            step(3600)
            sys.exit(0 if 3590 < time() - before < 3660 else 1)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
