"""The API of the levent document, in Python.

Thin: names, argument checks and lifetimes.  How bytes move is in
`tideloop.buffered`, how a turn goes in `tideloop.loop`.

Where the document is open, this is what holds here.  An event is active until
`stop` or `delete`, not for one call.  What is no longer referenced is deleted.
All callbacks get the file as it was given, the error callback also the
`EVBUFFER_*` flags.  A line ends with a line feed, or with carriage return and
line feed.  A low watermark that is met exactly counts as met, in both
directions; high watermarks of 0, as at the start, limit nothing.  `loop(n)`
serves all that is ready in one turn; with nothing to wait for it returns.  A
callback that raises ends `loop`, and what it left is served by the next one.
After the end of the input, an error or a timeout was reported its direction
rests until `start` is called again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from . import arguments
from .arguments import Bytes
from .buffered import BufferedEvent, ErrorFlag
from .clock import Clock, check_clock
from .errors import ClosedError
from .loop import Loop
from .on_error import Handler
from .pollers import BOTH, READ, WRITE, Poller, PollerFactory, check_choice
from .watchers import Watcher

__all__ = [
    "EVBUFFER_EOF",
    "EVBUFFER_ERROR",
    "EVBUFFER_READ",
    "EVBUFFER_TIMEOUT",
    "EVBUFFER_WRITE",
    "Base",
    "Entry",
    "EvBuf",
    "Event",
    "entry",
    "fdfromfile",
    "fdfromvalue",
    "newbase",
    "setfdaccessor",
]

EVBUFFER_READ: int = ErrorFlag.READ
EVBUFFER_WRITE: int = ErrorFlag.WRITE
EVBUFFER_EOF: int = ErrorFlag.EOF
EVBUFFER_ERROR: int = ErrorFlag.ERROR
EVBUFFER_TIMEOUT: int = ErrorFlag.TIMEOUT

# Whatever the program uses as a file: a descriptor, or an object of a type
# that has an accessor.
File = Any
FdAccessor = Callable[[Any], int]

_EVTYPES = 'pass "r", "w" or "rw"'
# levent.newevent.evtype-w
# levent.newevent.evtype-rw
_DIRECTIONS = {"r": READ, "w": WRITE, "rw": BOTH, "wr": BOTH}  # levent.newevent.evtype-r


class Event:
    """The handle that `Base.newevent` returns; its event lives while it is referenced."""

    __slots__ = ("__weakref__", "_call", "_fd", "_loop", "_want", "_watcher")

    def __init__(
        self, loop: Loop, file: File, fd: int, callback: Callable[[File], object], want: int
    ) -> None:
        def call(ready: int) -> None:
            callback(file)  # levent.newevent.callback-arg

        self._loop = loop
        self._fd = fd
        self._want = want
        self._call: Callable[[int], None] | None = loop.registry.guard(call, callback)
        self._watcher: Watcher | None = None  # levent.newevent.inactive

    def start(self) -> Event:
        """Active from now on.  Harmless if it is; OSError if the file cannot be watched."""
        call = self._call or _deleted()
        if not self._active:
            self._watcher = self._loop.watch(self._fd, self._want, call)  # levent.event.start
        return self

    def stop(self) -> Event:
        """After this returns, the callback is not called, not even this turn."""
        if self._call is None:
            _deleted()
        self._drop()  # levent.event.stop
        return self

    def delete(self) -> None:
        """Stopped for ever, and the callback is let go.  Twice is harmless."""
        self._drop()  # levent.event.delete
        self._call = None

    @property
    def _active(self) -> bool:
        # the loop drops it by itself if its descriptor is closed under it
        return self._watcher is not None and self._watcher.want != 0

    def _drop(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def __del__(self) -> None:
        self._drop()

    def __repr__(self) -> str:
        state = "deleted" if self._call is None else "active" if self._active else "inactive"
        return f"<levent.Event: fd {self._fd}, {state}>"


class EvBuf:
    """The handle that `Base.newevbuf` returns; its buffers live while it is referenced."""

    __slots__ = ("__weakref__", "_event", "_loop")

    def __init__(self, loop: Loop, event: BufferedEvent) -> None:
        self._loop = loop
        self._event: BufferedEvent | None = event

    def start(self) -> EvBuf:
        """Bytes move from now on, and callbacks are called; after an end, again."""
        event = self._event or _deleted()
        self._loop.registry.check_open("base")
        event.enable()  # levent.bufevent.start
        return self

    def stop(self) -> EvBuf:
        """After this returns, nothing moves and nothing is called, not even this turn.

        What is in the buffers stays there, and may be read and added to.
        """
        (self._event or _deleted()).disable()  # levent.bufevent.stop
        return self

    def read(self, size: int | None = None) -> bytes:
        """Remove and return up to *size* bytes of the input buffer; None: all of it.

        Never waits, and never reads from the file: `b""` if nothing is there.
        """
        return (self._event or _deleted()).take(size)  # levent.bufevent.read-size

    def readline(self) -> bytes | None:
        """Remove a line and its break from the input buffer; the line, without the break.

        None if there is no break: then nothing is removed.
        """
        return (self._event or _deleted()).take_line()  # levent.bufevent.readline

    def write(self, data: Bytes) -> None:
        """*data* is at the end of the output buffer; the loop sends it while started."""
        (self._event or _deleted()).write(data)  # levent.bufevent.write

    def set_read_watermarks(self, low: int, high: int) -> None:
        """`readcb` needs *low* bytes; the buffer takes *high* at most, 0: any number."""
        (self._event or _deleted()).set_read_watermarks(low, high)

    def set_write_watermarks(self, low: int, high: int) -> None:
        """`writecb` is called at *low* bytes or fewer; *high* limits nothing."""
        arguments.size(high, "the high watermark")
        (self._event or _deleted()).set_write_watermarks(low, 0)

    def set_timeouts(self, read: float | None, write: float | None) -> None:
        """How many seconds a direction may stand still; None: for ever."""
        (self._event or _deleted()).set_timeouts(read, write)

    def delete_when_sent(self, limit: float | None = None) -> None:
        """`delete()` now for the program; the loop sends the output first.  (An extension.)

        For *limit* seconds at most; None: as long as it takes.  Nothing is
        read.  If the rest cannot be sent, *errorcb* is called, and no other.
        Once deleted, it does nothing.
        """
        if limit is not None:
            arguments.seconds(limit, "limit")
        if self._event is not None:
            self._event.close_when_sent(limit)
            self._event = None

    def delete(self) -> None:
        """Nothing is called again; buffers and callbacks are let go.  Twice is harmless."""
        if self._event is not None:
            self._event.close()
            self._event = None

    def __del__(self) -> None:
        # an instance whose making failed has nothing
        if getattr(self, "_event", None) is not None:
            self.delete()  # levent.newevbuf.nothing-left

    def __repr__(self) -> str:
        return f"<levent.EvBuf: {self._event or 'deleted'!r}>"


class Base:
    """The loop in which events are made, and which serves them."""

    def __init__(
        self,
        files: Files,
        poller: str | Poller | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        if not isinstance(files, Files):
            raise TypeError(
                f"files must be what has setfdaccessor(), not {arguments.shown(files)};"
                " call newbase()"
            )
        self._files = files
        self._loop = Loop(poller, clock, on_error)

    def newevent(self, file: File, callback: Callable[[File], object], evtype: str = "r") -> Event:
        """A new event, not active yet: *callback* will get *file* when it is ready.

        *evtype* is "r", "w" or "rw".
        """
        self._loop.registry.check_open("base")
        fd = self._files.fdfromvalue(file)
        arguments.callback(callback, "callback")
        if not isinstance(evtype, str):
            raise TypeError(f"evtype must be a text, not {arguments.shown(evtype)}; {_EVTYPES}")
        if evtype not in _DIRECTIONS:
            raise ValueError(
                f"evtype must name a direction, not {arguments.shown(evtype)}; {_EVTYPES}"
            )
        return Event(self._loop, file, fd, callback, _DIRECTIONS[evtype])  # levent.newevent.creates

    def newevbuf(
        self,
        file: File,
        readcb: Callable[[File], object] | None = None,
        writecb: Callable[[File], object] | None = None,
        errorcb: Callable[[File, int], object] | None = None,
    ) -> EvBuf:
        """A new buffered event, not active yet, with two empty buffers.

        *readcb* and *writecb* get *file*; *errorcb* also what happened: the
        flags EVBUFFER_EOF, EVBUFFER_ERROR or EVBUFFER_TIMEOUT, with the
        direction.  Each may be None.
        """
        self._loop.registry.check_open("base")
        fd = self._files.fdfromvalue(file)
        event = BufferedEvent(self._loop, fd, readcb, writecb, errorcb, subject=file)
        return EvBuf(self._loop, event)  # levent.newevbuf.creates

    def loop(self, howmany: int | None = None) -> bool:
        """Serve events.

        None, or a negative number: until no event is active.  0: those that
        are ready now.  More: those of the first turn that has any.
        """
        if howmany is None:
            self._loop.run()  # levent.loop.nil
            return True
        howmany = arguments.whole(howmany, "howmany")
        if howmany < 0:
            self._loop.run()
        elif howmany == 0:  # levent.loop.howmany-zero-bounded
            self._loop.turn(0)  # levent.loop.howmany-zero
        else:
            # levent.loop.howmany-not-a-count
            self._loop.run(until_called=True)  # levent.loop.howmany-positive
        return True

    def close(self) -> None:
        """None of its events is served again.  Twice is harmless.

        From a callback of its own running loop it raises `RunningError`.
        """
        self._loop.close()

    def __del__(self) -> None:
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.close()

    def __repr__(self) -> str:
        return f"<levent.Base: {self._loop.poller}>"


class Files:
    """Which types of objects are files, and how to find their descriptors."""

    def __init__(self) -> None:
        # {type: accessor} -- as the program set them
        self._accessors: dict[type, FdAccessor] = {}

    def setfdaccessor(self, metatable: type, fdaccessor: FdAccessor | None) -> None:
        """Objects of this type are files from now on; `fdaccessor(object)` is the descriptor.

        Subclasses too, unless they have their own.  None takes it back.
        """
        if not isinstance(metatable, type):
            raise TypeError(
                f"metatable must be a type, not {arguments.shown(metatable)}; pass a class"
            )
        arguments.maybe_callback(fdaccessor, "fdaccessor")
        if fdaccessor is None:
            self._accessors.pop(metatable, None)
        else:
            self._accessors[metatable] = fdaccessor  # levent.setfdaccessor

    def fdfromvalue(self, value: File) -> int:
        """The descriptor of *value*: of an int that, of a file what its accessor says."""
        if isinstance(value, int) and not isinstance(value, bool):
            return arguments.descriptor(value)  # levent.newevent.file-int
        for cls in type(value).__mro__:
            if (accessor := self._accessors.get(cls)) is not None:  # levent.fdfromvalue
                fd: object = accessor(value)  # levent.setfdaccessor-contract
                if not isinstance(fd, int) or isinstance(fd, bool):
                    raise TypeError(
                        f"the accessor of {arguments.shown(value)} must return an int, not"
                        f" {arguments.shown(fd)}; call setfdaccessor() with another"
                    )
                return arguments.descriptor(fd)
        raise TypeError(
            # levent.newevent.file-object
            f"a file must be a descriptor or of a type with an accessor, not"
            f" {arguments.shown(value)}; call setfdaccessor() with {type(value).__name__}"
        )


class Entry(Files):
    """The document's module, for one poller and clock, with accessors of its own."""

    def __init__(
        self,
        poller: str | PollerFactory | None = None,
        clock: Clock | None = None,
        on_error: Handler | None = None,
    ) -> None:
        super().__init__()
        self._poller = check_choice(poller)
        self._clock = None if clock is None else check_clock(clock)
        self._on_error = arguments.maybe_callback(on_error, "on_error")

    def newbase(self) -> Base:
        """A fresh base, independent of every other one."""
        return Base(self, self._poller, self._clock, self._on_error)  # levent.newbase

    def fdfromfile(self, file: File) -> int:
        """The descriptor of an open file of Python."""
        return fdfromfile(file)  # levent.setfdaccessor-example


def entry(
    poller: str | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Entry:
    """The document's entry object, whose bases use this *poller*, *clock* and *on_error*."""
    return Entry(poller, clock, on_error)


def fdfromfile(file: File) -> int:
    """The descriptor of an open file of Python; TypeError or ValueError if it is none."""
    if isinstance(file, int):
        raise TypeError(
            f"file must be a file object, not {file!r}; a number is a descriptor already"
        )
    return arguments.descriptor(file)  # levent.fdfromfile


_files = Files()
setfdaccessor = _files.setfdaccessor
fdfromvalue = _files.fdfromvalue


def newbase(
    poller: str | Poller | PollerFactory | None = None,
    clock: Clock | None = None,
    on_error: Handler | None = None,
) -> Base:
    """A fresh base, independent of every other one.

    *on_error(error, callback)* gets what a callback raises; without it that
    comes out of `Base.loop`.
    """
    return Base(_files, poller, clock, on_error)


def _deleted() -> NoReturn:
    raise ClosedError("this event is deleted; make a new one")  # levent.event.delete-invalid
