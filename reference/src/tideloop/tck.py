"""How the conformance suite finds this implementation.

The one module that knows looptck; only looptck imports it, through the entry
point.
"""

from __future__ import annotations

from collections.abc import Callable

import looptck
from looptck import clocks
from looptck.protocols.levent import Levent
from looptck.protocols.luaevent import Luaevent
from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.protocols.luahop import Luahop

from . import __version__, levent, luaevent, luahop
from .clock import Clock, MonotonicClock, VirtualClock
from .pollers import available


class _SuiteClock(VirtualClock):
    """The suite's virtual clock: read there and moved there."""

    def __init__(self, clock: clocks.Clock) -> None:
        super().__init__()
        self.now = clock.now  # type: ignore[method-assign]  # the same functions, without a call between
        self.advance = clock.advance  # type: ignore[method-assign]  # the same functions, without a call between


def _clock(clock: clocks.Clock) -> Clock:
    return _SuiteClock(clock) if isinstance(clock, clocks.VirtualClock) else MonotonicClock()


def _profiles(poller: str) -> dict[str, Callable[[clocks.Clock], object]]:
    # The return types are what a type checker proves: the documents offer the
    # profiles as they are, without an adapter.
    def make_luaevent(clock: clocks.Clock) -> Luaevent:
        return luaevent.entry(poller, _clock(clock))

    def make_luaevent_extended(clock: clocks.Clock) -> LuaeventExtended:
        return luaevent.entry(poller, _clock(clock))

    def make_levent(clock: clocks.Clock) -> Levent:
        return levent.entry(poller, _clock(clock))

    def make_luahop(clock: clocks.Clock) -> Luahop:
        return luahop.entry(poller, _clock(clock))

    return {
        "luaevent": make_luaevent,
        "luaevent-extended": make_luaevent_extended,
        "levent": make_levent,
        "luahop": make_luahop,
    }


implementation = looptck.Implementation(
    name="tideloop",
    version=__version__,
    variants={poller: _profiles(poller) for poller in available()},
    virtual_time=True,
)
