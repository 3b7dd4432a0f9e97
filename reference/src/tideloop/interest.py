"""Who waits for which descriptor, and telling the kernel.

Knows no turn and no time.  What an event wants is kept in the event; here is
who there is for each number, and which file the number stood for.

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
from .pollers import NOTHING, Poller
from .pollers.api import identify
from .waker import Waker


class Interest:
    """*waker* ends the sleep of a turn that began before a change."""

    def __init__(self, poller: Poller, waker: Waker) -> None:
        self._poller = poller
        self._waker = waker
        # {fd: event}, and {fd: events} where there are several: no number is in
        # both.  What is wanted is in the events; the kernel knows the union.
        self.sole: dict[int, Event] = {}
        self.shared: dict[int, tuple[Event, ...]] = {}
        # {fd: file} -- what the number stood for when it was first watched
        self.files: dict[int, tuple[int, int]] = {}

    def of(self, fd: int) -> tuple[Event, ...]:
        """Who waits for *fd*, readers first."""
        if (event := self.sole.get(fd)) is not None:
            return (event,)
        return self.shared.get(fd, ())

    def link(self, event: Event, want: int) -> None:
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
            self._poller.change(fd, _union(others), _union(others) | want)
        except FileNotFoundError:
            if not others:
                raise
            others = _retire(others)
            self._poller.change(fd, NOTHING, want)
        event.want = want
        # readers first: what comes in may decide what goes out
        self._put(fd, tuple(sorted((*others, event), key=lambda event: event.want)))
        self.files[fd] = file
        if self._waker.asleep:
            self._waker.nudge()

    def rewatch(self, event: Event, want: int) -> None:
        """From now on watch for *event* in *want*.

        Raises OSError, and has changed nothing, if a direction is new and the
        descriptor was closed meanwhile, even if the number stands for another
        file now.
        """
        if not want:
            self.unlink(event)
        elif not event.want:
            self.link(event, want)
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
            if self._waker.asleep:
                self._waker.nudge()

    def unlink(self, event: Event) -> None:
        """After this returns, *event* is not ready any more, not even this turn."""
        want, event.want = event.want, NOTHING
        if not want:
            return
        fd = event.fd
        others = self._others(event)
        left = _union(others)
        self._put(fd, others)
        if not others:
            del self.files[fd]
        if left != left | want:
            with suppress(OSError):  # closed first: the kernel has taken it back
                self._poller.change(fd, left | want, left)
        if self._waker.asleep:
            self._waker.nudge()

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
        self.sole.clear()
        self.shared.clear()
        self.files.clear()

    def _others(self, event: Event) -> tuple[Event, ...]:
        return tuple(other for other in self.shared.get(event.fd, ()) if other is not event)

    def _put(self, fd: int, events: tuple[Event, ...]) -> None:
        if len(events) == 1:
            self.sole[fd] = events[0]
            self.shared.pop(fd, None)
            return
        self.sole.pop(fd, None)
        if events:
            self.shared[fd] = events


def _union(events: Iterable[Event]) -> int:
    want = NOTHING
    for event in events:
        want |= event.want
    return want


def _closed(fd: int) -> OSError:
    return OSError(errno.EBADF, f"descriptor {fd} was closed while it was watched")


def _retire(events: tuple[Event, ...]) -> tuple[()]:
    for event in events:
        event.close()
    return ()
