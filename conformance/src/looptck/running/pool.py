"""Workers side by side.  Knows no rule, no test and no pytest: a task is a function."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from typing import Any

from . import own_descriptors as descriptors
from .messages import Message
from .worker_life import Work
from .workers import Worker, WorkerExit, start


class Pool:
    """Runs workers side by side and tells as each one ends."""

    def __init__(self, jobs: int, hang_timeout: float) -> None:
        self._jobs = jobs
        self._hang_timeout = hang_timeout
        self._selector = selectors.DefaultSelector()
        if hasattr(self._selector, "fileno"):
            descriptors.own(self._selector.fileno())
        # {worker: the caller's name for its task}
        self._running: dict[Worker, Any] = {}

    @property
    def has_room(self) -> bool:
        return len(self._running) < self._jobs

    @property
    def is_idle(self) -> bool:
        return not self._running

    @property
    def running(self) -> list[Any]:
        """The callers' names of the tasks that run now."""
        return list(self._running.values())

    def start(self, name: Any, work: Work) -> None:
        worker = start(work, self._hang_timeout)
        self._selector.register(worker.ended, selectors.EVENT_READ, worker)
        self._running[worker] = name

    def wait(self) -> Iterator[tuple[Any, list[Message], WorkerExit]]:
        """Sleep until something happens; yield (name, messages, ending) of what ended."""
        soonest = min(worker.deadline for worker in self._running)
        for key, _ in self._selector.select(max(soonest - time.monotonic(), 0)):
            key.data.check_end()
            yield self._end(key.data, hung=False)
        now = time.monotonic()
        for worker in [w for w in self._running if w.deadline <= now]:
            worker.read()
            if worker.deadline <= now:
                yield self._end(worker, hung=True)

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in list(self._running):
            worker.kill()
            self._end(worker, hung=False)
        if hasattr(self._selector, "fileno"):
            descriptors.forget(self._selector.fileno())
        self._selector.close()

    def _end(self, worker: Worker, *, hung: bool) -> tuple[Any, list[Message], WorkerExit]:
        self._selector.unregister(worker.ended)
        name = self._running.pop(worker)
        return name, worker.messages, worker.end(hung=hung)


def run_one(work: Work, hang_timeout: float) -> tuple[list[Message], WorkerExit]:
    """Run one task to its end, in a process of its own."""
    pool = Pool(1, hang_timeout)
    try:
        pool.start(None, work)
        while True:
            for _, messages, ending in pool.wait():
                return messages, ending
    finally:
        pool.close()
