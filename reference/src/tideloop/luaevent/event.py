"""luaevent's event: interest, a timeout, and the value that its callback returns.

Knows no base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .. import arguments
from ..arguments import Descriptor
from ..events import NO_FD, Event
from ..on_error import Guarded
from ..pollers.api import BOTH, identify
from ..registry import Registry
from .flags import EV_TIMEOUT, LEAVE, flag_set

# What the callback of a persistent event may return: nothing, the flags to
# register from now on (or LEAVE), or both flags and a timeout in seconds.
Answer: TypeAlias = int | tuple[int | None, float | None] | None


class PersistentEvent(Event):
    """Interest, timeout and callback, until the callback says LEAVE.

    The timeout runs anew from the end of each call.
    """

    __slots__ = ("_callback", "_file", "_registry", "_timeout")

    def __init__(
        self,
        registry: Registry,
        fd: Descriptor | None,
        want: int,
        callback: Callable[[int], Answer],
        timeout: float | None,
    ) -> None:
        super().__init__(NO_FD if fd is None else arguments.descriptor(fd))
        self._registry = registry
        self._callback: Callable[[int], Answer] = registry.guard(callback)
        self._file: object = fd  # a socket object closes its descriptor when collected
        self._timeout = timeout
        if self.fd != NO_FD:
            if want:
                registry.watch(self, want)  # luaevent.addevent.adds
            else:
                identify(self.fd)  # a bad descriptor is an error even if nobody waits for it
        self._restart_timeout()  # luaevent.addevent.timeout-from-addevent

    def ready(self, ready: int) -> None:
        try:
            answer = self._callback(ready)  # luaevent.callback.input
            # "is", since 2.0 and True are equal to a flag and are none; a number
            # that is not the same object is compared in `_take`.
            # luaevent.addevent.persistent
            if answer is not None and answer is not self.want:  # luaevent.callback.output-same
                self._take(answer)
        finally:
            if (timeout := self._timeout) is not None:
                registry = self._registry
                # luaevent.addevent.timeout-reset
                # luaevent.callback.newtimeout-from
                registry.set_deadline(self, registry.now() + timeout)

    def due(self, now: float) -> None:
        try:
            # luaevent.flags.read-timeout-together
            answer = self._callback(EV_TIMEOUT | self.want)  # luaevent.constants.ev-timeout
            if answer is not None:
                self._take(answer)
        finally:
            self._restart_timeout()  # luaevent.addevent.timeout-repeats

    def closed_under(self, want: int) -> bool:
        callback = self._callback
        self.close()
        callback(want)
        return True

    def close(self) -> None:
        # luaevent.callback.leave-only-this
        self._registry.unwatch(self)  # luaevent.addevent.close-erases
        self._registry.cancel_deadline(self)  # luaevent.callback.leave-cancels-timeout
        self._callback = _no_callback  # luaevent.callback.leave-releases
        self._file = self._timeout = None

    def __repr__(self) -> str:
        if self._callback is _no_callback:
            return "closed"
        fd = "" if self.fd == NO_FD else f"fd {self.fd}, flags {self.want}, "
        return f"{fd}timeout {self._timeout}, {self._callback!r}"

    def _take(self, answer: Answer) -> None:
        callback = self._callback
        if callback is _no_callback:
            # luaevent.addevent.close-own-callback
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
            flags = flag_set(flags, "the flags returned by an event callback")
            # luaevent.callback.output-leave
            # luaevent.callback.leave-with-newtimeout
            if flags == LEAVE:  # luaevent.constants.leave
                self.close()
                return
        if timeout is not None:  # luaevent.callback.newtimeout-optional
            timeout = arguments.number(timeout, "the timeout returned by an event callback")
            if timeout >= 0:  # a negative one keeps the old
                # luaevent.callback.newtimeout-same
                self._timeout = timeout  # luaevent.callback.newtimeout-value
        if flags is not None and self.fd != NO_FD and (want := flags & BOTH) != self.want:
            try:
                # luaevent.callback.output-widen
                # luaevent.callback.output-narrow
                # luaevent.callback.newtimeout-with-change
                self._registry.rewatch(self, want)  # luaevent.callback.output-change
            except OSError:  # the descriptor was closed under the event: it has no future
                self.close()
                raise

    def _restart_timeout(self) -> None:
        # luaevent.callback.change-no-spurious-timeout
        if self._timeout is not None:  # luaevent.addevent.timeout-missing
            self._registry.set_deadline(self, self._registry.now() + self._timeout)


def _no_callback(flags: int) -> None:
    """Stands where the callback of a closed event was."""
