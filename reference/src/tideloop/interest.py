"""Which events wait for which descriptor, and telling the kernel.

Knows no turn and no time.  The event keeps the directions that it wants; here
are the events of each number, and which file the number stood for.

A program should close an event before it closes the descriptor.  When it does
not, the number may be given to another file, and then the old event must not
be served for it: that is what the identity of the file is remembered for.  The
poller knows it too, and better, where the system has epoll (see `epollset`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress

from .events import Event
from .pollers import BOTH, NOTHING, READ, Poller
from .pollers.api import identify
from .waker import Waker


class NobodyCalled(Exception):  # noqa: N818  (a message between two modules, no error)
    """`Shared.ready` found that none of its events wants what is ready."""


class Shared:
    """The events of one descriptor that has several, in the place of an event.

    When an event comes or goes, another `Shared` takes its place.  So a batch
    serves the events that were there when it was made, but for those that were
    paused meanwhile (`Interest.pass_over`).

    An event costs 0.8 to 0.95 of one with a descriptor of its own
    (benchmarks/duplex.py); entries for each event cost 1.2 to 1.7.
    """

    __slots__ = ("current", "events", "want")

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.events = [*events]
        # the event that is served, or was served last: an exception may be its own
        self.current = events[0]
        # As a property it would be exact, and cost 40 ns an event; so `ready` finds out.
        self.want = BOTH

    def ready(self, ready: int) -> None:
        called = False
        for event in self.events:
            if hit := ready & event.want:  # luahop.listener.remove-write-from-read
                self.current = event
                event.ready(hit)
                called = True
        if not called:
            raise NobodyCalled


def events_of(entry: Event | Shared) -> tuple[Event, ...]:
    """The events of one descriptor, readers first."""
    return (*entry.events,) if isinstance(entry, Shared) else (entry,)


class Interest:
    """*waker* ends the sleep of a turn that began before a change."""

    def __init__(self, poller: Poller, waker: Waker) -> None:
        self._poller = poller
        self._waker = waker
        # {fd: its event}, or its events where there are several.  The wanted
        # directions are in the events; the kernel knows the union.
        self.table: dict[int, Event | Shared] = {}
        # {fd: file} -- what the number stood for when it was first watched
        self.files: dict[int, tuple[int, int]] = {}
        # what the turn is about to call, and {event: place in it}, made when needed
        self.batch: list[tuple[Event | Shared, int]] = []
        self.places: dict[Event, int] = {}

    def of(self, fd: int) -> tuple[Event, ...]:
        """The events that wait for *fd*, readers first."""
        entry = self.table.get(fd)
        return () if entry is None else events_of(entry)

    def watch(self, event: Event, want: int) -> None:
        """Watch for *event*, which is not watched for yet, in *want*.

        Raises OSError, and has changed nothing, if its descriptor cannot be
        watched.
        """
        fd = event.fd
        file = identify(fd)
        others = self.of(fd)
        if others and self.files[fd] != file:
            others = _retire(others)
        try:
            # luaevent.addevent.failed-no-trace
            # luahop.listener.bad-fd
            self._poller.change(fd, _union(others), _union(others) | want)
        except FileNotFoundError:
            if not others:
                raise
            others = _retire(others)
            self._poller.change(fd, NOTHING, want)
        event.want = want
        # luaevent.addevent.same-fd
        # luahop.listener.rw-independent
        self._put(fd, _in_order((*others, event)))
        # luaevent.addevent.from-callback
        # luahop.listener.set-inside-callback
        self.files[fd] = file  # levent.loop.add-in-callback
        if self._waker.asleep:
            self._waker.nudge()

    def rewatch(self, event: Event, want: int) -> None:
        """From now on watch for *event* in *want*.

        Raises OSError, and has changed nothing, if a direction is new and the
        descriptor was closed meanwhile, even if the number stands for another
        file now.
        """
        if not want:
            self.unwatch(event)
        elif not event.want:
            if self.batch:
                self.pass_over(event)
            self.watch(event, want)
        else:
            fd, gains = event.fd, want & ~event.want
            if gains and identify(fd) != self.files[fd]:
                raise _closed(fd)
            others = _union(self._others(event))
            if gains or others | event.want != others | want:
                try:
                    self._poller.change(fd, others | event.want, others | want)
                except OSError as error:
                    if not gains:  # closed while it was watched: it is not told of again
                        self._poller.change(fd, others | event.want, NOTHING)
                    elif isinstance(error, FileNotFoundError):
                        raise _closed(fd) from None
                    else:
                        raise
            event.want = want
            if others:
                self._put(fd, _in_order(self.of(fd)))
            if self._waker.asleep:
                self._waker.nudge()

    def unwatch(self, event: Event) -> None:
        """After this returns, *event* is not ready any more, not even this turn."""
        want, event.want = event.want, NOTHING
        if not want:  # luaevent.addevent.close-idempotent
            return
        fd = event.fd
        others = self._others(event)
        left = _union(others)
        self._put(fd, others)
        if not others:
            del self.files[fd]  # luaevent.callback.leave-then-add
        if left != left | want:
            with suppress(OSError):  # closed first: the kernel has taken it back
                self._poller.change(fd, left | want, left)  # luahop.listener.remove-mask
        if self._waker.asleep:
            self._waker.nudge()

    def pass_over(self, event: Event) -> None:
        """*event* was paused in this turn, and is not called in it: the number that was
        found ready may stand for another file now."""
        batch = self.batch
        if not self.places:
            for place, (entry, _) in enumerate(batch):
                self.places.update(dict.fromkeys(events_of(entry), place))
        if event not in self.places:
            return
        place = self.places.pop(event)
        entry, ready = batch[place]
        if isinstance(entry, Shared):
            entry.events[entry.events.index(event)] = _PASSED_OVER
        else:
            batch[place] = (_PASSED_OVER, ready)

    def drop_unwatched(self, fd: int) -> None:
        """Tell the poller not to speak of *fd* again, which nobody watches."""
        self._poller.change(fd, NOTHING, NOTHING)

    def abandon(self) -> None:
        """In a forked child: nobody is ready any more, and the kernel is told nothing."""
        for fd in self.files:
            for event in self.of(fd):
                event.want = NOTHING

    def clear(self) -> None:
        """Close every event, and watch for nobody."""
        for fd in list(self.files):
            _retire(self.of(fd))
        self.table.clear()
        self.files.clear()

    def _others(self, event: Event) -> tuple[Event, ...]:
        return tuple(other for other in self.of(event.fd) if other is not event)

    def _put(self, fd: int, events: tuple[Event, ...]) -> None:
        if not events:
            self.table.pop(fd, None)
        else:
            self.table[fd] = events[0] if len(events) == 1 else Shared(events)


def _union(events: Iterable[Event]) -> int:
    want = NOTHING
    for event in events:
        want |= event.want
    return want


def _in_order(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Readers first: what comes in may decide what goes out."""
    return tuple(sorted(events, key=lambda event: not event.want & READ))


def _closed(fd: int) -> OSError:
    return OSError(errno.EBADF, f"descriptor {fd} was closed while it was watched")


def _retire(events: tuple[Event, ...]) -> tuple[()]:
    for event in events:
        event.close()
    return ()


# stands in a batch where a paused event was
_PASSED_OVER = Event()
