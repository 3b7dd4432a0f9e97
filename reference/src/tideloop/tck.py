"""How the conformance suite finds this implementation.

The one module that knows looptck; only looptck imports it, through the entry
point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import looptck
from looptck import clocks
from looptck.protocols.levent import Levent
from looptck.protocols.luaevent import Luaevent
from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.protocols.luahop import Luahop
from looptck.protocols.poller import PollerModule

from . import __version__, levent, luaevent, luahop
from .clock import Clock, MonotonicClock, VirtualClock
from .pollers import Poller, PollerFactory, available, open_poller


class _SuiteClock(VirtualClock):
    """The suite's virtual clock: read there and moved there."""

    def __init__(self, clock: clocks.Clock) -> None:
        super().__init__()
        self.now = clock.now  # type: ignore[method-assign]  # the same functions, without a call between
        self.advance = clock.advance  # type: ignore[method-assign]  # the same functions, without a call between


def _clock(clock: clocks.Clock) -> Clock:
    return _SuiteClock(clock) if isinstance(clock, clocks.VirtualClock) else MonotonicClock()


class _Pollers:
    """The pollers of one kind, as the profile `poller` asks for them."""

    def __init__(self, poller: str | PollerFactory) -> None:
        self._poller = poller

    def new(self) -> Poller:
        return open_poller(self._poller)


def _profiles(poller: str | PollerFactory) -> dict[str, Callable[[clocks.Clock], object]]:
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

    def make_poller(_clock: clocks.Clock) -> PollerModule:
        return _Pollers(poller)

    return {
        "luaevent": make_luaevent,
        "luaevent-extended": make_luaevent_extended,
        "levent": make_levent,
        "luahop": make_luahop,
        "poller": make_poller,
    }


def over(pollers: Mapping[str, str | PollerFactory]) -> looptck.Implementation:
    """tideloop over *pollers*: {variant: name or factory}."""
    return looptck.Implementation(
        name="tideloop",
        version=__version__,
        variants={variant: _profiles(poller) for variant, poller in pollers.items()},
        virtual_time=True,
        with_pollers=over,
    )


implementation = over({name: name for name in available()})
