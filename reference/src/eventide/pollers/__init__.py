"""The pollers of this machine.  The only place that looks at the platform.

kqueue, for macOS and the BSDs, gets its place here and its own module.
"""

from __future__ import annotations

# Under another name, since importing our own `.select` binds that one here.
import select as kernel
import sys

from .api import BOTH, NOTHING, READ, WRITE, Notice, Poller, Verbatim

__all__ = [
    "BOTH",
    "NOTHING",
    "READ",
    "WRITE",
    "Notice",
    "Poller",
    "Verbatim",
    "available",
    "default",
    "open_poller",
]


def available() -> dict[str, type[Poller]]:
    """The pollers that work here, by name, best first."""
    pollers: dict[str, type[Poller]] = {}
    if sys.platform == "linux" and hasattr(kernel, "epoll"):
        from .epoll import EpollPoller

        pollers["epoll"] = EpollPoller
    if hasattr(kernel, "poll"):
        from .poll import PollPoller

        pollers["poll"] = PollPoller
    from .select import SelectPoller

    pollers["select"] = SelectPoller
    return pollers


def default() -> str:
    """The name of the best poller of this machine."""
    return next(iter(available()))


def open_poller(name: str | None = None) -> Poller:
    """A new poller: the one of that *name*, or the best there is."""
    pollers = available()
    if name is None:
        name = default()
    if name not in pollers:
        raise ValueError(f"no poller {name!r} on this machine, it has {', '.join(pollers)}")
    return pollers[name]()
