"""What a loop serves: interest in one descriptor, a deadline, or both.

Knows the loop only by the few verbs of `Keeper`, and no document: the one
rule of a document that lives here is how a persistent event takes its
callback's return value, since more than one document needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf, nextafter
from typing import Any, Protocol, TypeAlias

from . import arguments
from .arguments import Descriptor
from .errors import ClosedError
from .flags import EV_TIMEOUT, LEAVE
from .guarding import Guard, Guarded
from .pollers.api import BOTH, NOTHING, identify
from .timers import Timed

NO_FD = -1

# What the callback of a persistent event may return: nothing, the flags to
# register from now on (or LEAVE), or both flags and a timeout in seconds.
Answer: TypeAlias = int | tuple[int | None, float | None] | None


class Event(Timed):
    """One entry of a loop.  What to do is in its four callbacks-to-be."""

    __slots__ = ("fd", "want")

    def __init__(self, fd: int = NO_FD) -> None:
        super().__init__()
        self.fd = fd
        # the directions it is watched for; kept by the loop.  An event with
        # NOTHING here is not called, not even in a turn that found it ready:
        # the loop needs no other sign that it was stopped.
        self.want = NOTHING

    def ready(self, ready: int) -> None:
        """Called by the loop: *fd* is ready in these of the wanted directions."""
        raise NotImplementedError

    def lost(self, want: int) -> bool:
        """Called by the loop: *fd* was closed while watched for *want*.

        The loop has forgotten the descriptor, not the deadline.  Returns
        whether anybody was called.
        """
        raise NotImplementedError

    def close(self) -> None:
        """After this returns, nothing of this event is called again, not even
        this turn, and what it would have called is let go."""
        raise NotImplementedError


class Keeper(Protocol):
    """The verbs of a loop that an event needs.  None of them calls anybody."""

    @property
    def closed(self) -> bool:
        """Whether it serves nobody any more; then `link`, `rewatch` and
        `set_deadline` raise ClosedError."""

    def check_open(self, noun: str = "loop") -> None:
        """ClosedError, which names the loop as a *noun*, if it is closed."""

    @property
    def guard(self) -> Guard:
        """Wraps a callback of the program, so that the loop's handler gets what it raises."""

    @property
    def now(self) -> Callable[[], float]:
        """The time on the loop's clock."""

    @property
    def link(self) -> Callable[[Event, int], None]:
        """See `Interest.link`."""

    @property
    def rewatch(self) -> Callable[[Event, int], None]:
        """See `Interest.rewatch`."""

    @property
    def unlink(self) -> Callable[[Event], None]:
        """See `Interest.unlink`."""

    @property
    def set_deadline(self) -> Callable[[Timed, float], None]:
        """See `Timers.set`."""

    @property
    def cancel_deadline(self) -> Callable[[Timed], None]:
        """See `Timers.cancel`."""


class Watcher(Event):
    """Calls *callback* with the directions in which a descriptor is ready."""

    __slots__ = ("_keeper", "callback", "file")

    def __init__(
        self, keeper: Keeper, fd: Descriptor, want: int, callback: Callable[[int], object]
    ) -> None:
        super().__init__(arguments.descriptor(fd))
        self._keeper = keeper
        self.callback = callback
        # a socket object closes its descriptor when it is collected
        self.file: object = fd
        keeper.link(self, want)

    def ready(self, ready: int) -> None:
        self.callback(ready)

    def lost(self, want: int) -> bool:
        callback = self.callback
        self.close()
        callback(want)
        return True

    def change(self, interest: int) -> None:
        """From now on the callback is called for *interest*; 0 pauses it.

        A paused watcher does not keep `run` going.
        """
        want = arguments.directions(interest, "interest", pause=True)
        self._keeper.check_open()
        if self.callback is _nobody:
            raise ClosedError("this watcher is closed; watch the descriptor again")
        self._keeper.rewatch(self, want)

    def close(self) -> None:
        self._keeper.unlink(self)
        self.callback = _nobody
        self.file = None


class Timer(Event):
    """Calls *fn* once, *delay* seconds from now."""

    __slots__ = ("_args", "_fn", "keeper")

    def __init__(
        self, keeper: Keeper, delay: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__()
        self.keeper = keeper
        self._fn = fn
        self._args = args
        keeper.set_deadline(self, keeper.now() + delay)

    def due(self, now: float) -> None:
        fn, args = self._fn, self._args
        self.close()
        fn(*args)

    def close(self) -> None:
        self.keeper.cancel_deadline(self)
        self._fn = _nobody
        self._args = ()


class Interval(Timer):
    """Calls *fn* every *period* seconds, on a grid that starts now.

    The n-th point of the grid is start + n * period, however long the calls
    take.  Points missed are not made up for: one call, then the grid goes on.
    """

    __slots__ = ("_period", "_start")

    def __init__(
        self, keeper: Keeper, period: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__(keeper, period, fn, args)
        self._period = period
        self._start = keeper.now()
        keeper.set_deadline(self, self._start + period)

    def due(self, now: float) -> None:
        # Before the call, so that it may close the interval or raise.  By the
        # clock, not by the turn's *now*: an earlier call may have taken long.
        self.keeper.set_deadline(self, self._next_point(self.keeper.now()))
        self._fn(*self._args)

    def _next_point(self, now: float) -> float:
        passed = floor((now - self._start) / self._period)
        point = self._start + (passed + 1) * self._period
        if point <= now:  # rounded down, or a period finer than the clock
            point = max(self._start + (passed + 2) * self._period, nextafter(now, inf))
        return point


class PersistentEvent(Event):
    """Interest, timeout and callback, until the callback says LEAVE.

    The timeout runs anew from the end of each call.
    """

    __slots__ = ("_callback", "_file", "_keeper", "_timeout")

    def __init__(
        self,
        keeper: Keeper,
        fd: Descriptor | None,
        want: int,
        callback: Callable[[int], Answer],
        timeout: float | None,
    ) -> None:
        super().__init__(NO_FD if fd is None else arguments.descriptor(fd))
        self._keeper = keeper
        self._callback: Callable[[int], Answer] = keeper.guard(callback)
        self._file: object = fd  # a socket object closes its descriptor when collected
        self._timeout = timeout
        if self.fd != NO_FD:
            if want:
                keeper.link(self, want)
            else:
                identify(self.fd)  # a bad descriptor is an error even if nobody waits for it
        self._restart_timeout()

    def ready(self, ready: int) -> None:
        try:
            answer = self._callback(ready)
            # "is", since 2.0 and True are equal to a flag and are none; a number
            # that is not the same object is compared in `_take`.
            if answer is not None and answer is not self.want:
                self._take(answer)
        finally:
            if (timeout := self._timeout) is not None:
                keeper = self._keeper
                keeper.set_deadline(self, keeper.now() + timeout)

    def due(self, now: float) -> None:
        try:
            answer = self._callback(EV_TIMEOUT | self.want)
            if answer is not None:
                self._take(answer)
        finally:
            self._restart_timeout()

    def lost(self, want: int) -> bool:
        callback = self._callback
        self.close()
        callback(want)
        return True

    def close(self) -> None:
        self._keeper.unlink(self)
        self._keeper.cancel_deadline(self)
        self._callback = _nobody
        self._file = self._timeout = None

    def __repr__(self) -> str:
        if self._callback is _nobody:
            return "closed"
        fd = "" if self.fd == NO_FD else f"fd {self.fd}, flags {self.want}, "
        return f"{fd}timeout {self._timeout}, {self._callback!r}"

    def _take(self, answer: Answer) -> None:
        callback = self._callback
        if callback is _nobody:
            return  # it closed itself: what it returns means nothing
        try:
            self._become(answer)
        except Exception as error:
            if not isinstance(callback, Guarded):
                raise
            callback.report(error)

    def _become(self, answer: Answer) -> None:
        """Become what the callback asked for; all of it or, on an error, nothing."""
        flags, timeout, *_ = (*answer, None, None) if isinstance(answer, tuple) else (answer, None)
        if flags is not None:
            flags = arguments.flag_set(flags, "the flags returned by an event callback")
            if flags == LEAVE:
                self.close()
                return
        if timeout is not None:
            timeout = arguments.number(timeout, "the timeout returned by an event callback")
            if timeout >= 0:  # a negative one keeps the old
                self._timeout = timeout
        if flags is not None and self.fd != NO_FD and (want := flags & BOTH) != self.want:
            try:
                self._keeper.rewatch(self, want)
            except OSError:  # the descriptor was closed under the event: it has no future
                self.close()
                raise

    def _restart_timeout(self) -> None:
        if self._timeout is not None:
            self._keeper.set_deadline(self, self._keeper.now() + self._timeout)


def _nobody(*args: Any) -> None:
    """Stands where the callback of a closed event was."""
