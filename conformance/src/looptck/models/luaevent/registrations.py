"""The part of the model of luaevent that is told what was asked of a base."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.channel_state import ChannelState, Directions
from .entries import Event, Gone


class Registrations:
    """The events of one base, and why each may be called no more."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self.is_running = False
        self.is_closed = False
        # what is called now, and the number of the last boundary between two callbacks
        self._inside: Event | None = None
        self._number = 0

    def add(
        self,
        name: str,
        channel: ChannelState | None,
        directions: Directions,
        timeout: float | None,
        before: float,
        after: float,
    ) -> Event:
        """An event was added between the times *before* and *after*."""
        event = Event(name, channel, directions, timeout, added=self._number, armed=self._number)
        if timeout is not None:
            event.earliest, event.latest = before + timeout, after + timeout
        self._events.append(event)
        return event

    def close(self, event: Event) -> None:
        if event.gone is None:
            if event is self._inside:
                event.gone = Gone.CLOSED_ITSELF
            else:
                event.gone = Gone.CLOSED_NOW if self.is_running else Gone.CLOSED

    def drop(self, event: Event) -> None:
        """Nobody refers to the event's object any more."""
        if event.gone is None:
            if self.is_running:
                event.fading = self._number
            else:
                event.gone = Gone.DROPPED

    def collected(self, event: Event) -> None:
        """Note that a dropped event is gone for certain."""
        event.gone = event.gone or Gone.DROPPED

    def close_base(self) -> None:
        self.is_closed = True
        for event in self._events:
            event.gone = event.gone or Gone.BASE_CLOSED

    @property
    def live(self) -> list[Event]:
        """The events that may still be called."""
        return list(self._live())

    def _live(self) -> Iterator[Event]:
        return (event for event in self._events if event.gone is None)
