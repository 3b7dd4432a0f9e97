"""Which events wait for which descriptor, and telling the kernel.

Knows no turn and no time.  The event keeps the directions that it wants; here
are the events of each number, and which file the number stood for.

A program should close an event before it closes the descriptor.  When it does
not, the number may be given to another file, and then the old event must not
be served for it: that is what the identity of the file is remembered for.  The
poller knows it too, and better, where the system has epoll (see `epollset`).

One change at a time
--------------------

1. The tables here and those of the poller change together, in several steps.
   A lock keeps the changes of two threads apart.  A signal handler that comes
   in the middle of a change of its own thread cannot wait for that change: its
   own is noted in `deferred`, and made when the other is complete.

2. A note is taken back only when it is done, and `_changing` ends before the
   last look for notes.  So there is no moment at which a note is forgotten.

3. An event has the directions it wants (`want`: the turn goes by it) and those
   that the tables and the poller know of (`told`).  A deferred change sets
   `want` at once: an event that a handler closed is not called again.

4. A handler may raise in the middle of a change.  Then nobody knows how far the
   poller got: the descriptor is doubtful, and told anew from nothing.  An event
   that was about to be watched for the first time is not watched then.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeGuard

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
        self._identify: Callable[[int], object] = getattr(poller, "identify", identify)
        self.files: dict[int, object] = {}
        # whether a change is in the middle (1), and what is to be done after it:
        # {event: directions}, and the descriptors of which the poller is told anew (4)
        self._changing = False
        self.deferred: dict[Event, int] = {}
        self.doubtful: set[int] = set()
        # what the turn is about to call, and {event: place in it}, made when needed
        self.batch: list[tuple[Event | Shared, int]] = []
        self.places: dict[Event, int] = {}
        if (serialize := getattr(poller, "serialize", None)) is not None:
            serialize(self.exclusively)

    def of(self, fd: int) -> tuple[Event, ...]:
        """The events that wait for *fd*, readers first."""
        entry = self.table.get(fd)
        return () if entry is None else events_of(entry)

    def watch(self, event: Event, want: int) -> None:
        """Watch for *event*, which is not watched for yet, in *want*.

        Raises OSError, and has changed nothing, if its descriptor cannot be
        watched.  In a signal handler the error may come out of the call that
        the handler interrupted.
        """
        try:
            self._change(event, want)
        except BaseException:
            self.unwatch(event)  # a deferred change was refused, or a handler raised
            raise

    def rewatch(self, event: Event, want: int) -> None:
        """From now on watch for *event* in *want*.

        Raises OSError, and has changed nothing, if a direction is new and the
        descriptor was closed meanwhile, even if the number stands for another
        file now.
        """
        if not event.want and self.batch:
            self._pass_over(event)
        self._change(event, want)

    def unwatch(self, event: Event) -> None:
        """After this returns, *event* is not ready any more, not even this turn."""
        if event.want or event.told:  # luaevent.addevent.close-idempotent
            self._change(event, NOTHING)

    def exclusively(self, act: Callable[..., object], *args: Any) -> None:
        """*act(*args)*, which changes the tables or the poller, while nobody else does (1)."""
        with self._waker.lock:
            try:
                self._changing = True
                act(*args)
            finally:
                self._changing = False
                if self.deferred or self.doubtful:
                    self.catch_up()

    def catch_up(self) -> None:
        """Make the changes that were deferred, and tell the poller of what is doubtful."""
        with self._waker.lock:
            refused: OSError | None = None
            while (self.deferred or self.doubtful) and not self._changing:
                try:
                    self._changing = True
                    for fd in [*self.doubtful]:
                        self._tell_anew(fd)
                        self.doubtful.discard(fd)
                    for event in [*self.deferred]:
                        want = self.deferred[event]
                        try:
                            self._set(event, want)
                        except BaseException as error:
                            if not _is_a_refusal(error):
                                self.doubtful.add(event.fd)
                                if event not in self.of(event.fd):
                                    event.told = NOTHING
                                raise
                            refused = error
                            event.want = event.told
                        if self.deferred[event] == want:  # else it was changed again: 2
                            del self.deferred[event]
                finally:
                    self._changing = False
            if self._waker.asleep:
                self._waker.nudge()
        if refused is not None:
            raise refused

    def _change(self, event: Event, want: int) -> None:
        waker = self._waker
        with waker.lock:
            if self._changing or self.deferred:  # this is a signal handler: 1
                self.deferred[event] = event.want = want
                self.catch_up()
                return
            try:
                self._changing = True
                self._set(event, want)
            except BaseException as error:
                if not _is_a_refusal(error):
                    self.doubtful.add(event.fd)
                    if event not in self.of(event.fd):
                        event.told = event.want = NOTHING
                elif event not in self.deferred:
                    event.want = event.told
                raise
            finally:
                self._changing = False
                if self.deferred or self.doubtful:  # 2
                    self.catch_up()
                if waker.asleep:
                    waker.nudge()

    def _set(self, event: Event, want: int) -> None:
        event.want = want
        if not want:
            self._unwatch(event)
        elif event.told:
            self._rewatch(event, want)
        else:
            self._watch(event, want)

    def _watch(self, event: Event, want: int) -> None:
        fd = event.fd
        file = self._identify(fd)
        others = self.of(fd)
        if others and self.files[fd] != file:
            others = self._retire(fd, others)
        try:
            # luaevent.addevent.failed-no-trace
            # luahop.listener.bad-fd
            self._poller.change(fd, _union(others), _union(others) | want)
        except FileNotFoundError:
            if not others:
                raise
            others = self._retire(fd, others)
            self._poller.change(fd, NOTHING, want)
        # luaevent.addevent.from-callback
        # luahop.listener.set-inside-callback
        self.files[fd] = file  # levent.loop.add-in-callback
        if others:
            event.told = want
            # luaevent.addevent.same-fd
            # luahop.listener.rw-independent
            self._put(fd, _in_order((*others, event)))
        else:
            self.table[fd] = event
            event.told = want

    def _rewatch(self, event: Event, want: int) -> None:
        fd, told = event.fd, event.told
        gains = want & ~told
        if gains and self._identify(fd) != self.files[fd]:
            raise _closed(fd)
        others = self._others(event)
        rest = _union(others)
        if gains or rest | told != rest | want:
            try:
                self._poller.change(fd, rest | told, rest | want)
            except OSError as error:
                if not gains:  # closed while it was watched: it is not told of again
                    self._poller.change(fd, rest | told, NOTHING)
                elif isinstance(error, FileNotFoundError):
                    raise _closed(fd) from None
                else:
                    raise
        event.told = want
        if others:
            self._put(fd, _in_order(self.of(fd)))

    def _unwatch(self, event: Event) -> None:
        told = event.told
        if not told:
            return
        fd = event.fd
        others = self._others(event)
        left = _union(others)
        event.told = NOTHING
        self._put(fd, others)
        if not others:
            self.files.pop(fd, None)  # luaevent.callback.leave-then-add
        if left != left | told:
            try:
                self._poller.change(fd, left | told, left)  # luahop.listener.remove-mask
            except OSError as error:
                if not _is_a_refusal(error):
                    raise
                # closed first: the kernel has taken it back

    def _retire(self, fd: int, events: tuple[Event, ...]) -> tuple[()]:
        """Close *events*, whose file *fd* does not stand for any more."""
        self._put(fd, ())
        self.files.pop(fd, None)
        self._poller.change(fd, READ, NOTHING)
        for event in events:
            event.told = event.want = NOTHING
        for event in events:
            event.close()
        return ()

    def _tell_anew(self, fd: int) -> None:
        """The tables and the poller agree with what the events of *fd* want (4)."""
        self._poller.change(fd, BOTH, NOTHING)
        events = self.of(fd)
        for event in events:
            event.told = event.want
        events = tuple(event for event in events if event.want)
        self._put(fd, _in_order(events))
        if not events:
            self.files.pop(fd, None)
            return
        with suppress(OSError):
            if self._identify(fd) == self.files.get(fd):
                self._poller.change(fd, NOTHING, _union(events))

    def _pass_over(self, event: Event) -> None:
        """*event* was paused in this turn, and is not called in it: the number that was
        found ready may stand for another file now."""
        batch = self.batch
        if not self.places:
            self.places = {
                event: place for place, (entry, _) in enumerate(batch) for event in events_of(entry)
            }
        place = self.places.get(event, len(batch))
        # Looked at again: a signal handler in another thread may be late for its batch.
        if place < len(batch) and event in events_of(entry := batch[place][0]):
            if isinstance(entry, Shared):
                entry.events[entry.events.index(event)] = _PASSED_OVER
            else:
                batch[place] = (_PASSED_OVER, BOTH)

    def drop_unwatched(self, fd: int) -> None:
        """Tell the poller not to speak of *fd* again, if nobody watches it."""
        self.exclusively(self._drop_unwatched, fd)

    def _drop_unwatched(self, fd: int) -> None:
        if fd not in self.table:
            self._poller.change(fd, NOTHING, NOTHING)

    def abandon(self) -> None:
        """In a forked child: nobody is ready any more, and the kernel is told nothing."""
        for fd in self.files:
            for event in self.of(fd):
                event.told = event.want = NOTHING
        self.deferred.clear()
        self.doubtful.clear()

    def clear(self) -> None:
        """Close every event, and watch for nobody."""
        for fd in list(self.files):
            for event in self.of(fd):
                event.close()
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
        want |= event.told
    return want


def _in_order(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Readers first: what comes in may decide what goes out."""
    return tuple(sorted(events, key=lambda event: not event.told & READ))


def _closed(fd: int) -> OSError:
    return OSError(errno.EBADF, f"descriptor {fd} was closed while it was watched")


def _is_a_refusal(error: BaseException) -> TypeGuard[OSError]:
    """Whether the system refused, and no signal handler raised: a TimeoutError, for one."""
    return isinstance(error, OSError) and error.errno is not None


# stands in a batch where a paused event was
_PASSED_OVER = Event()
