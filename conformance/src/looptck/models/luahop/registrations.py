"""The part of the model of LuaHop that is told what was asked of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.channel_state import ChannelState, Directions
from .entries import Listener, Timer


class Registrations:
    """The listeners and timers of one loop, and the rule by which each may be called no more."""

    def __init__(self) -> None:
        # {(channel, direction): the listener}
        self._listeners: dict[tuple[ChannelState, Directions], Listener] = {}
        self._timers: list[Timer] = []
        self.is_polling = False
        # the number of the poll that runs, or ran last, and what is called by it now
        self._poll = 0
        self._inside: Listener | Timer | None = None

    def set_listener(self, name: str, channel: ChannelState, directions: Directions) -> Listener:
        listener = Listener(
            name,
            channel,
            directions,
            set_in=self._poll if self.is_polling else -1,
            life=channel.life,
        )
        former = self._listeners.get((channel, directions))
        if former is not None:
            former.gone = f"{name} was set in its place"
            former.rule_if_called = "luahop.listener.replace"
            former.replaced_in = self._poll
            if former.called_in == self._poll and self.is_polling:
                listener.follows = True
                former.rule_if_called = "luahop.listener.replace-inside"
        self._listeners[channel, directions] = listener
        return listener

    def listens(self, channel: ChannelState, directions: Directions) -> bool:
        """Whether there is a listener to remove."""
        return (channel, directions) in self._listeners

    def remove_listener(self, channel: ChannelState, directions: Directions) -> None:
        listener = self._listeners.pop((channel, directions), None)
        if listener is None:
            return
        listener.gone = "it is removed"
        if listener is self._inside:
            listener.rule_if_called = "luahop.listener.remove-inside-self"
        elif self.is_polling:
            listener.rule_if_called = "luahop.listener.remove-other-ready"
            if isinstance(self._inside, Listener) and self._inside.channel is channel:
                listener.rule_if_called = "luahop.listener.remove-write-from-read"

    def set_timer(
        self, name: str, length: float, before: float, after: float, *, is_interval: bool
    ) -> Timer:
        timer = Timer(
            name,
            len(self._timers),
            length,
            is_interval,
            (before, after),
            self._poll if self.is_polling else -1,
            before + length,
            after + length,
        )
        self._timers.append(timer)
        return timer

    def clear_timer(self, timer: Timer) -> None:
        if timer.gone:
            return
        timer.is_cleared = True
        timer.gone = "it is cleared"
        if timer.is_interval:
            timer.rule_if_called = "luahop.timer.clear-interval"
        if timer is self._inside:
            timer.rule_if_called = "luahop.timer.clear-inside-own-interval"
        elif self.is_polling:
            timer.rule_if_called = "luahop.timer.clear-other-ready"

    def must_be_released(self, listener: Listener) -> bool:
        """Whether the callback of *listener* is to be let go of by now."""
        return listener.replaced_in is not None and listener.replaced_in < self._poll

    def _live(self) -> Iterator[Timer]:
        return (timer for timer in self._timers if not timer.gone)
