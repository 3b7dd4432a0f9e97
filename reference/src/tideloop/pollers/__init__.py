"""The pollers of this machine.  The only place that looks at the platform."""

from __future__ import annotations

import os

# Under another name, since importing our own `.select` binds that one here.
import select as kernel
import sys
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from .. import arguments
from .api import BOTH, NOTHING, READ, WRITE, Notice, Poller

# Makes a poller for each loop: a class of yours, or a function without arguments.
PollerFactory: TypeAlias = Callable[[], Poller]

# A program that names no poller gets the one that is named here, if any.
VARIABLE = "TIDELOOP_POLLER"

__all__ = [
    "BOTH",
    "NOTHING",
    "READ",
    "WRITE",
    "Notice",
    "Poller",
    "PollerFactory",
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
    if hasattr(kernel, "kqueue"):
        from .kqueue import KqueuePoller

        pollers["kqueue"] = KqueuePoller
    if hasattr(kernel, "poll"):
        from .poll import PollPoller

        pollers["poll"] = PollPoller
    from .select import SelectPoller

    pollers["select"] = SelectPoller
    return pollers


def default() -> str:
    """The name of the poller that TIDELOOP_POLLER names, else of the best of this machine."""
    named = os.environ.get(VARIABLE)
    if named and named not in available():
        raise ValueError(
            f"{VARIABLE} is {arguments.shown(named)}, and no poller of this machine is called so;"
            f" set it to one of {', '.join(available())}"
        )
    return named or next(iter(available()))


def open_poller(poller: str | Poller | PollerFactory | None = None) -> Poller:
    """A new one of that name; the default, for None; one of your own as it is, or made."""
    if poller is None or isinstance(poller, str):
        return available()[_check_name(poller) or default()]()
    made: Any = poller
    if isinstance(poller, type) or (callable(poller) and not hasattr(poller, "wait")):
        made = made()
    complete = all(callable(getattr(made, verb, None)) for verb in ("change", "wait", "close"))
    named = isinstance(getattr(made, "name", ""), str)
    if not complete or not named:
        raise TypeError(
            f"poller must have change(), wait() and close(), and a name that is a str, not be"
            f" {arguments.shown(made)}; pass one of {', '.join(available())}, or an instance"
        )
    return cast(Poller, made)


def check_choice(poller: str | PollerFactory | None) -> str | PollerFactory | None:
    """*poller*, of which several loops will be made: no single poller will do."""
    if callable(poller):
        return poller
    return _check_name(poller)


def _check_name(poller: str | None) -> str | None:
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
