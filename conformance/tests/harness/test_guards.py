"""Progress of any kind puts off the end of patience; guards follow the machine."""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Iterator

import pytest

from looptck.running.channel import GarbledError, Receiver, Sender, new_secret
from looptck.running.messages import CallbackRan, Planned
from looptck.running.pool import run_one
from looptck.running.worker_life import Reporter
from looptck.testing import guards, trace

_PATIENCE = 0.3


@pytest.fixture(autouse=True)
def usual_patience() -> Iterator[None]:
    yield
    guards.set_patience(guards.USUAL_PATIENCE)


def _go_on(times: Iterator[int]) -> None:
    """Does something every third of a patience, as a slow loop does."""
    read, _write = os.pipe()
    for _ in times:
        select.select([read], [], [], _PATIENCE / 3)
        trace.beat()


def test_what_goes_on_slowly_is_not_hung() -> None:
    def work(reporter: Reporter) -> None:
        reporter.begin("a slow test")
        _go_on(iter(range(9)))
        reporter.send(CallbackRan())

    messages, ending = run_one(work, _PATIENCE)
    assert ending.is_clean
    assert messages == [CallbackRan()]


def test_what_goes_on_for_ever_is_hung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "burden", lambda: 1.0)

    def work(reporter: Reporter) -> None:
        reporter.begin("an endless test")
        _go_on(itertools.count())

    _, ending = run_one(work, _PATIENCE)
    assert ending.hung
    assert ending.unfinished == "an endless test"


def test_a_guard_grows_with_the_patience_and_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guards, "slowness", lambda: 1.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert guards.guard(1.5) == 1.5
    guards.set_patience(2 * guards.USUAL_PATIENCE)
    assert guards.guard(1.5) == 3.0
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0 * (os.cpu_count() or 1), 0.0, 0.0))
    assert guards.guard(1.5) == 6.0


def test_time_in_which_the_process_stood_still_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    guard = guards.Guard(1.0)
    now[0] += 1000.0
    assert not guard.is_over
    looks = 0
    while not guard.is_over:
        now[0] += 1000.0
        looks += 1
    assert looks > 10


@pytest.mark.parametrize(
    "forge",
    [
        lambda line: b'{"done": true}\n',
        lambda line: line[:-2] + b"\n",
        lambda line: b"stray" + line,
        lambda line: line + line,
    ],
    ids=["a line of its own", "a part", "a join", "a repetition"],
)
def test_a_line_that_was_not_sent_is_noticed(forge: object) -> None:
    secret = new_secret()
    reading, writing = os.pipe()
    Sender(writing, secret).send(Planned(3))
    line = os.read(reading, 1000)
    for fd in (reading, writing):
        os.close(fd)
    assert list(Receiver(secret).feed(line)) == [Planned(3)]
    assert callable(forge)
    with pytest.raises(GarbledError):
        list(Receiver(secret).feed(forge(line)))
