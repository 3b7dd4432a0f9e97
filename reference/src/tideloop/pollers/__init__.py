"""The pollers of this machine.  The only place that looks at the platform.

kqueue, for macOS and the BSDs, gets its place here and its own module.
"""

from __future__ import annotations

# Under another name, since importing our own `.select` binds that one here.
import select as kernel
import sys

from .. import arguments
from .api import BOTH, NOTHING, READ, WRITE, Notice, Poller

__all__ = [
    "BOTH",
    "NOTHING",
    "READ",
    "WRITE",
    "Notice",
    "Poller",
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


def open_poller(poller: str | Poller | None = None) -> Poller:
    """A new one of that name; the best there is, for None; one of your own as it is."""
    if poller is None or isinstance(poller, str):
        return available()[check_name(poller) or default()]()
    complete = all(callable(getattr(poller, verb, None)) for verb in ("change", "wait", "close"))
    named = isinstance(getattr(poller, "name", None), str)
    if isinstance(poller, type) or not complete or not named:
        raise TypeError(
            f"poller must have a name, change(), wait() and close(), not be"
            f" {arguments.shown(poller)}; pass one of {', '.join(available())}, or an instance"
        )
    return poller


def check_name(poller: str | None) -> str | None:
    """*poller*, the name of a poller of this machine or None."""
    if poller is not None and not isinstance(poller, str):
        raise TypeError(
            f"poller must be a name or None, not {arguments.shown(poller)};"
            f" pass one of {', '.join(available())}"
        )
    if poller is not None and poller not in available():
        raise ValueError(
            f"no poller {arguments.shown(poller)} on this machine; pass one of"
            f" {', '.join(available())}"
        )
    return poller
