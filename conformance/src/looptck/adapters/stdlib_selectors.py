"""The selectors of Python's standard library as pollers: a control for the poller contract.

The adapter is thin on purpose, so that the verdicts are those of `selectors`:

    looptck certify looptck.adapters.stdlib_selectors:implementation
    looptck certify tideloop --poller looptck.adapters.stdlib_selectors:default
"""

from __future__ import annotations

import platform
import selectors
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from ..clocks import Clock
from ..protocols.poller import BOTH, NOTHING, READ, WRITE, PollerModule
from ..subjects.implementation import Implementation

_EVENTS = {
    READ: selectors.EVENT_READ,
    WRITE: selectors.EVENT_WRITE,
    BOTH: selectors.EVENT_READ | selectors.EVENT_WRITE,
}


class SelectorPoller:
    """One selector with the verbs of a poller."""

    # by EVENT_READ and EVENT_WRITE, which are 1 and 2
    meanings = (NOTHING, READ, WRITE, BOTH)

    def __init__(self, make: Callable[[], selectors.BaseSelector]) -> None:
        self._selector = make()

    def change(self, fd: int, old: int, new: int) -> None:
        if not new:
            with suppress(KeyError):  # it was never registered
                self._selector.unregister(fd)
        elif old:
            self._selector.modify(fd, _EVENTS[new])
        else:
            self._selector.register(fd, _EVENTS[new])

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(timeout)]

    def close(self) -> None:
        self._selector.close()


def default() -> SelectorPoller:
    """The best selector of this machine."""
    return SelectorPoller(selectors.DefaultSelector)


class _Selectors:
    """The entry object."""

    def __init__(self, make: Callable[[], selectors.BaseSelector]) -> None:
        self._make = make

    def new(self) -> SelectorPoller:
        return SelectorPoller(self._make)


def _entry(make: Callable[[], selectors.BaseSelector], _clock: Clock) -> PollerModule:
    return _Selectors(make)


_KINDS = {
    name: getattr(selectors, f"{name.capitalize()}Selector", None)
    for name in ("epoll", "kqueue", "devpoll", "poll", "select")
}

implementation = Implementation(
    name="selectors",
    version=platform.python_version(),
    variants={name: {"poller": partial(_entry, made)} for name, made in _KINDS.items() if made},
)
