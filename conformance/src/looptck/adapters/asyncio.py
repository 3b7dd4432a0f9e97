"""Any asyncio loop, as the profiles luaevent and luahop; levent is in asyncio_levent.

Why the code is the way it is
-----------------------------

1. Every call of a profile becomes calls of the loop's public API at that very
   moment.  Nothing here keeps a queue, reads a clock or looks at a
   descriptor: order, time and readiness are the loop's alone.
2. Only the loop refers to the user's callback, as an argument of what it was
   given to call.  Whether it lets go of it is then the loop's affair too.
3. What cannot be called is handed to the loop as it is: to refuse it, or not,
   is for the loop.  The same goes for every number and every descriptor.
4. A callback that raises meets the loop's own treatment, the exception
   handler, which keeps the exception until the loop is left.
5. A base that is dropped is left to the loop's own finalizer, because the
   document has a word for closing it.  LuaHop has none, so the adapter closes
   what is dropped, as asyncio asks of whoever makes a loop.

What an asyncio loop has no words for is in `UNSUPPORTED`, with the reason.
"""

from __future__ import annotations

import asyncio
import platform
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import packages_distributions, version
from typing import Any

from looptck.protocols.descriptors import Descriptor
from looptck.protocols.luaevent import EventCallback
from looptck.protocols.luahop import Duration, HopCallback
from looptck.subjects.implementation import Implementation

from .asyncio_errors import Errors
from .asyncio_levent import LEVENT_NOT_ASKED, Levent, LeventBase

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def from_loop_factory(spec: str, factory: LoopFactory) -> Implementation:
    """The implementation whose loops *factory* makes.

    *spec* is what the user typed, such as ``uvloop:new_event_loop``.
    """
    name, its_version = _identity(spec)
    return Implementation(
        name=name,
        version=its_version,
        profiles={
            "luaevent": lambda _clock: Luaevent(factory),
            "levent": lambda _clock: Levent(factory),
            "luahop": lambda _clock: Luahop(factory),
        },
        unsupported=UNSUPPORTED,
        engine=_engine,
    )


def _identity(spec: str) -> tuple[str, str]:
    package = spec.partition(":")[0].partition(".")[0]
    if package == asyncio.__name__:
        return package, platform.python_version()
    distributions = packages_distributions().get(package)
    if not distributions:
        return spec, "unknown"
    return package, version(distributions[0])


def _engine(made: object) -> object:
    """The loop behind what `new()` returned."""
    assert isinstance(made, LuaeventBase | LeventBase | LuahopLoop)
    return made.asyncio_loop


class Luaevent:
    """`luaevent.core` over an asyncio loop."""

    LEAVE = -1
    EV_TIMEOUT = 1
    EV_READ = 2
    EV_WRITE = 4
    EV_SIGNAL = 8
    EV_PERSIST = 16
    EVBUFFER_READ = 1
    EVBUFFER_WRITE = 2
    EVBUFFER_EOF = 16
    EVBUFFER_ERROR = 32
    EVBUFFER_TIMEOUT = 64

    def __init__(self, factory: LoopFactory) -> None:
        self._factory = factory

    def new(self) -> LuaeventBase:
        return LuaeventBase(self._factory())


class LuaeventBase:
    """An asyncio loop that is stopped when the adapter's last event has left."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio_loop = loop
        # {(descriptor, direction): the event that has that place in the loop}
        self.holders: dict[tuple[int, int], LuaeventEvent] = {}
        # the events for which the loop has something to call
        self._live: set[LuaeventEvent] = set()
        errors = self._errors = Errors()

        def keep(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            errors.keep_context(context)
            loop.stop()

        loop.set_exception_handler(keep)

    def addevent(
        self,
        fd: Descriptor | None,
        event: int,
        event_callback: EventCallback,
        timeout: float | None = None,
    ) -> LuaeventEvent:
        if event & Luaevent.EV_SIGNAL:
            raise ValueError("EV_SIGNAL is unavailable in addevent, as the document says")
        if fd is None and timeout is None:
            raise ValueError("neither a descriptor nor a timeout: there is nothing to wait for")
        made = LuaeventEvent(self, fd, timeout)
        made.register(event, event_callback)
        return made

    def loop(self) -> None:
        if not self._live:
            # The loop is asked all the same: it may be closed.
            self.asyncio_loop.call_soon(self.asyncio_loop.stop)
        while True:
            self.asyncio_loop.run_forever()
            self._errors.raise_first()
            if not self._live:
                return

    def close(self) -> None:
        self.asyncio_loop.close()

    def settle(self, event: LuaeventEvent, *, is_live: bool) -> None:
        """Note whether *event* keeps the loop running; stop it when none does."""
        if is_live:
            self._live.add(event)
            return
        self._live.discard(event)
        if not self._live and self.asyncio_loop.is_running():
            self.asyncio_loop.stop()


class LuaeventEvent:
    """A reader, a writer and a timer handle of an asyncio loop, or some of them."""

    def __init__(self, base: LuaeventBase, fd: Descriptor | None, timeout: float | None) -> None:
        # Not a reference: an event that is kept must not keep its base.
        self._base = weakref.ref(base)
        self._fd = fd
        # the number of fd, once the loop has accepted it
        self._number = -1
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None
        # what was asked for last, and the directions for which the loop has us
        self._flags = 0
        self._places = 0
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._stop_timer()
        if base := self._base():
            self._watch(base, 0, None)
            base.settle(self, is_live=False)

    def register(self, flags: int, callback: EventCallback) -> None:
        """Hand the callback to the loop; nothing is left behind if that fails."""
        try:
            self._flags = flags
            self._again(flags, callback)
        except BaseException:
            with suppress(Exception):
                self.close()
            raise

    def _again(self, flags: int, callback: EventCallback) -> None:
        """Watch the directions of *flags*, and start the timeout from now."""
        base = self._base()
        if base is None or self._closed:
            return
        self._watch(base, flags, callback)
        if self._timeout is not None:
            job = self._job(callback, Luaevent.EV_TIMEOUT)
            self._timer = base.asyncio_loop.call_later(self._timeout, *job)
        self._settle(base)

    def _watch(self, base: LuaeventBase, flags: int, callback: EventCallback | None) -> None:
        """Have a reader or a writer in the directions of *flags*, and in no other."""
        if self._fd is None:
            return
        loop = base.asyncio_loop
        for direction, add, remove in (
            (Luaevent.EV_READ, loop.add_reader, loop.remove_reader),
            (Luaevent.EV_WRITE, loop.add_writer, loop.remove_writer),
        ):
            if flags & direction & ~self._places:
                add(self._fd, *self._job(callback, direction))
                self._number = self._fd if isinstance(self._fd, int) else self._fd.fileno()
                # asyncio has replaced whoever was there.
                if former := base.holders.get((self._number, direction)):
                    former._lose(direction)
                base.holders[self._number, direction] = self
                self._places |= direction
            elif self._places & direction & ~flags:
                del base.holders[self._number, direction]
                self._places &= ~direction
                remove(self._fd)

    def _job(self, callback: EventCallback | None, what: int) -> tuple[Any, ...]:
        """A function for the loop that calls *callback* with *what*."""
        # 3
        return (self._call, callback, what) if callable(callback) else (callback,)

    def _call(self, callback: EventCallback, what: int) -> None:
        """The loop calls this: call the user, then do as the answer says."""
        self._stop_timer()
        flags = self._flags
        try:
            answer = callback(what)
            first, timeout = answer if isinstance(answer, tuple) else (answer, None)
            if first == Luaevent.LEAVE:
                self.close()
            if first is not None:
                flags = first
            if timeout is not None:
                self._timeout = timeout
        finally:
            # A reader that another event took over stays with that one, unless
            # the answer asks for something new.
            asked, self._flags = self._flags, flags
            self._again(self._places if flags == asked else flags, callback)

    def _lose(self, direction: int) -> None:
        """Another event has our place in the loop now."""
        self._places &= ~direction
        if base := self._base():
            self._settle(base)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _settle(self, base: LuaeventBase) -> None:
        base.settle(self, is_live=bool(self._places or self._timer))


class Luahop:
    """`luahop` over an asyncio loop."""

    def __init__(self, factory: LoopFactory) -> None:
        self._factory = factory

    def new(self) -> LuahopLoop:
        return LuahopLoop(self._factory())

    def clear_timer(self, timer: object) -> None:
        cancel = getattr(timer, "cancel", None)
        if cancel is None:
            raise TypeError(f"{timer!r} is no timer; give what set_timeout returned")
        cancel()


class LuahopLoop:
    """An asyncio loop whose `poll` lasts until the turn of its first callback is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio_loop = loop
        self._turn = _Turn(loop)

    def __del__(self) -> None:
        # 5
        with suppress(Exception):
            self.asyncio_loop.close()

    def set_listener(self, fd: Descriptor, mask: str, callback: HopCallback) -> None:
        loop = self.asyncio_loop
        _either(mask, loop.add_reader, loop.add_writer)(fd, *self._turn.job(callback))

    def remove_listener(self, fd: Descriptor, mask: str) -> None:
        loop = self.asyncio_loop
        _either(mask, loop.remove_reader, loop.remove_writer)(fd)

    def set_timeout(self, duration: Duration, callback: HopCallback) -> asyncio.TimerHandle:
        return self.asyncio_loop.call_later(_seconds(duration), *self._turn.job(callback))

    def set_interval(
        self, duration: Duration, callback: HopCallback
    ) -> _Interval | asyncio.TimerHandle:
        if not callable(callback):
            return self.set_timeout(duration, callback)
        return _Interval(self.asyncio_loop, _seconds(duration), self._turn.job(callback))

    def poll(self, timeout: Duration | None = None) -> bool:
        return self._turn.run(None if timeout is None else _seconds(timeout))


class _Interval:
    """A timer that is set anew each time it fires, as users of asyncio write it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, period: float, job: tuple[Any, ...]
    ) -> None:
        self._handle = loop.call_later(period, self._fire, loop, period, job)

    def cancel(self) -> None:
        self._handle.cancel()

    def _fire(self, loop: asyncio.AbstractEventLoop, period: float, job: tuple[Any, ...]) -> None:
        self._handle = loop.call_later(period, self._fire, loop, period, job)
        call, *arguments = job
        call(*arguments)


class _Turn:
    """Runs the loop until its first callback, or a timeout, has asked it to stop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._errors = Errors()
        self._ran = False
        self._stopping = False
        loop.set_exception_handler(self._keep)

    def job(self, callback: HopCallback) -> tuple[Any, ...]:
        """A function for the loop that calls *callback*."""
        # 3
        return (self._call, callback) if callable(callback) else (callback,)

    def run(self, timeout: float | None) -> bool:
        """True if a callback ran."""
        loop = self._loop
        if loop.is_running():
            # The loop's exception is the answer.
            loop.run_forever()
            return False
        self._ran = self._stopping = False
        guard = None if timeout is None else loop.call_later(timeout, self._stop)
        try:
            loop.run_forever()
        finally:
            if guard is not None:
                guard.cancel()
        self._errors.raise_first()
        return self._ran

    def _call(self, callback: HopCallback) -> None:
        self._ran = True
        self._stop()
        callback()

    def _keep(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._errors.keep_context(context)
        self._stop()

    def _stop(self) -> None:
        """Ask the loop once: a second request might outlive this run."""
        if not self._stopping:
            self._stopping = True
            self._loop.stop()


def _either(mask: str, for_reading: Any, for_writing: Any) -> Any:
    if mask == "r":
        return for_reading
    if mask == "w":
        return for_writing
    raise ValueError(f"{mask!r} is no direction; asyncio knows readers ('r') and writers ('w')")


def _seconds(duration: Duration) -> float:
    if not isinstance(duration, Mapping):
        raise TypeError(f"{duration!r} is no duration; write {{'ms': 100}}")
    if unknown := duration.keys() - _SECONDS.keys():
        raise ValueError(f"{sorted(unknown)[0]!r} is no unit; there are {', '.join(_SECONDS)}")
    return sum(number * _SECONDS[unit] for unit, number in duration.items())


# {why the loop cannot be asked: the rules}.  docs/adapters.md tells how the line
# was drawn.
_NOT_ASKED = {
    **LEVENT_NOT_ASKED,
    "asyncio calls a reader and a writer apart, never as one": (
        "luaevent.constants.ev-or-receive",
    ),
    "asyncio has one reader and one writer for each descriptor; another replaces it": (
        "luaevent.addevent.same-fd",
        "luaevent.callback.leave-only-this",
    ),
    "a reader of asyncio lives until remove_reader(), whatever becomes of any object": (
        "luaevent.addevent.gc-closure-cycle",
        "luaevent.addevent.gc-erases",
    ),
    "run_forever() of asyncio knows no last event; the adapter counts and stops it": (
        "luaevent.loop.no-events",
        "luaevent.loop.return-value",
    ),
    "asyncio has no flags; what they are and which go together is the adapter's choice": (
        "luaevent.addevent.event-persist",
        "luaevent.addevent.event-signal",
        "luaevent.addevent.event-timeout-bit",
        "luaevent.addevent.event-type",
        "luaevent.addevent.event-zero",
        "luaevent.addevent.fd-nil-no-timeout",
        "luaevent.constants.ev-distinct-bits",
        "luaevent.constants.ev-or-signal",
        "luaevent.constants.ev-persist",
        "luaevent.constants.ev-signal",
        "luaevent.constants.evbuffer-distinct",
        "luaevent.constants.leave-distinct",
        "luaevent.constants.present",
        "luaevent.flags.read-timeout-together",
    ),
    "asyncio ignores what a callback returns; an odd answer is read by the adapter alone": (
        "luaevent.callback.leave-with-newtimeout",
        "luaevent.callback.newtimeout-only",
        "luaevent.callback.return-*",
        "luaevent.callback.timer-return-fd-flag",
    ),
    "asyncio hands what a callback raises to the exception handler; the adapter raises it": (
        "luaevent.loop.error-propagates",
    ),
    "asyncio has no such object; how the adapter's behaves says nothing of the loop": (
        "luaevent.addevent.close-wrong-self",
        "luaevent.loop.wrong-self",
        "luahop.ext.loop-stop",
        "luahop.ext.tostring",
        "luahop.poll.return-value",
    ),
    "asyncio has no timer that repeats, so that no grid is kept and no tick missed": (
        "luaevent.loop.timer-no-catch-up",
        "luahop.timer.interval-missed",
        "luahop.timer.interval-no-drift",
    ),
    "asyncio has a function for each direction, and no mask": (
        "luahop.listener.mask-domain",
        "luahop.listener.mask-rw",
        "luahop.listener.remove-half-of-rw",
        "luahop.listener.rw-partial-override",
    ),
    "asyncio takes seconds, as a number; a duration is read by the adapter alone": (
        "luahop.poll.timeout-wrong-type",
        "luahop.timer.units-other",
        "luahop.timer.units-string",
        "luahop.timer.units-sum",
        "luahop.timer.unknown-unit",
    ),
}
UNSUPPORTED: Mapping[str, str] = {
    rule: reason for reason, rules in _NOT_ASKED.items() for rule in rules
}

implementation = from_loop_factory("asyncio:new_event_loop", asyncio.new_event_loop)
