"""libevent 2.1, a library in C that buffers with watermarks, as the profile `levent`.

    looptck certify libevent

Why the code is the way it is
-----------------------------

1. The library is loaded when an implementation is asked for, not when this
   module is imported: it can be listed where there is no libevent.
2. C is given functions that live as long as this module, and a number.  Which
   object is meant is looked up, weakly: what Python has collected cannot be
   called, whatever C still has in its queues.
3. No exception may cross C.  The first one is kept, the loop is broken, and
   `loop` raises it.
4. libevent's objects must be freed before their base.  Python finalizes what
   refers to each other in any order, so whoever lets go last frees the base.
5. A bufferevent is made with writing enabled; one of the document's is not
   active before `start`.

Watermarks, chunks, flags, errors and the order of calls are libevent's own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import itertools
import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from looptck.errors import AdapterError
from looptck.protocols.levent import File
from looptck.subjects.implementation import Implementation

from .files import NOT_ASKED, Files

_NEEDS = "libevent 2.1 was not found (Debian: apt-get install libevent-2.1-7)"

# As find_library wants them: without bufferevents over TLS and DNS, and with.
_NAMES = ("event_core-2.1", "event-2.1", "event_core", "event")

_EV_READ, _EV_WRITE, _EV_PERSIST = 0x02, 0x04, 0x10
_BOTH = _EV_READ | _EV_WRITE
_EVLOOP_ONCE, _EVLOOP_NONBLOCK = 0x01, 0x02
_EVBUFFER_EOL_CRLF = 1  # a line feed, or a carriage return and a line feed

_EVTYPES = {"r": _EV_READ, "w": _EV_WRITE, "rw": _BOTH, "wr": _BOTH}


class EventBase(ctypes.Structure):
    """libevent's `struct event_base`, which nobody looks into."""


_OnEvent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_short, ctypes.c_void_p)
_OnData = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_OnError = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_short, ctypes.c_void_p)

_BASE = ctypes.POINTER(EventBase)
_HANDLE = ctypes.c_void_p
_SIZE = ctypes.c_size_t

# {function: (what it returns, what it takes)}
_PROTOTYPES: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "event_get_version": (ctypes.c_char_p, ()),
    "event_base_new": (_BASE, ()),
    "event_base_free": (None, (_BASE,)),
    "event_base_loop": (ctypes.c_int, (_BASE, ctypes.c_int)),
    "event_base_loopbreak": (ctypes.c_int, (_BASE,)),
    "event_new": (_HANDLE, (_BASE, ctypes.c_int, ctypes.c_short, _OnEvent, _HANDLE)),
    "event_add": (ctypes.c_int, (_HANDLE, _HANDLE)),
    "event_del": (ctypes.c_int, (_HANDLE,)),
    "event_free": (None, (_HANDLE,)),
    "bufferevent_socket_new": (_HANDLE, (_BASE, ctypes.c_int, ctypes.c_int)),
    "bufferevent_setcb": (None, (_HANDLE, _OnData, _OnData, _OnError, _HANDLE)),
    "bufferevent_enable": (ctypes.c_int, (_HANDLE, ctypes.c_short)),
    "bufferevent_disable": (ctypes.c_int, (_HANDLE, ctypes.c_short)),
    "bufferevent_setwatermark": (None, (_HANDLE, ctypes.c_short, _SIZE, _SIZE)),
    "bufferevent_get_input": (_HANDLE, (_HANDLE,)),
    "bufferevent_read": (_SIZE, (_HANDLE, _HANDLE, _SIZE)),
    "bufferevent_write": (ctypes.c_int, (_HANDLE, ctypes.c_char_p, _SIZE)),
    "bufferevent_free": (None, (_HANDLE,)),
    "evbuffer_get_length": (_SIZE, (_HANDLE,)),
    "evbuffer_readln": (_HANDLE, (_HANDLE, ctypes.POINTER(_SIZE), ctypes.c_int)),
}

# {the number that C has: the event or buffered event that it stands for}
_parts: weakref.WeakValueDictionary[int, Event | EvBuf] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


# 2
_on_event = _OnEvent(lambda _fd, _what, number: _call(number, 0))
_on_read = _OnData(lambda _bufferevent, number: _call(number, 0))
_on_write = _OnData(lambda _bufferevent, number: _call(number, 1))
_on_error = _OnError(lambda _bufferevent, what, number: _call(number, 2, what))


def _call(number: int, which: int, *more: int) -> None:
    """Call the user, for C; nothing is raised."""
    part = _parts.get(number)
    if part is None:  # 2
        return
    try:
        callback = part.callbacks[which]
        if callback is not None:
            callback(part.file, *more)
    except BaseException as error:  # 3: whatever it is, loop() raises it
        part.owned.keep(error)


class Levent(Files):
    """`levent` over libevent."""

    def __init__(self, library: ctypes.CDLL) -> None:
        super().__init__()
        self._library = library

    def newbase(self) -> Base:
        return Base(self, self._library)


class _Owned:
    """A base of libevent's, which exists as long as one of its users does."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.pointer = library.event_base_new()
        if not self.pointer:
            raise OSError("event_base_new() gave no base")
        self._users = 0
        self._error: BaseException | None = None

    def take(self) -> None:
        self._users += 1

    def let_go(self) -> None:
        # 4
        self._users -= 1
        if not self._users:
            self.library.event_base_free(self.pointer)

    def keep(self, error: BaseException) -> None:
        """Keep *error* if it is the first, and have the loop left."""
        self._error = self._error or error
        self.library.event_base_loopbreak(self.pointer)

    def raise_kept(self) -> None:
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame, and the part that was called


class Base:
    """An `event_base`."""

    def __init__(self, files: Files, library: ctypes.CDLL) -> None:
        self._files = files
        self.owned = _Owned(library)
        self.owned.take()

    def __del__(self) -> None:
        if hasattr(self, "owned"):
            self.owned.let_go()

    def newevent(self, file: File, callback: Callable[[File], object], evtype: str = "r") -> Event:
        if evtype not in _EVTYPES:
            raise ValueError(f"{evtype!r} is no evtype; there are {', '.join(_EVTYPES)}")
        number = self._files.fdfromvalue(file)
        return Event(self.owned, file, number, callback, _EVTYPES[evtype])

    def newevbuf(
        self,
        file: File,
        readcb: Callable[..., object] | None = None,
        writecb: Callable[..., object] | None = None,
        errorcb: Callable[..., object] | None = None,
    ) -> EvBuf:
        number = self._files.fdfromvalue(file)
        return EvBuf(self.owned, file, number, (readcb, writecb, errorcb))

    def loop(self, howmany: int | None = None) -> int:
        """The result of `event_base_loop`: 1 if there was nothing to wait for.

        libevent goes on with EVLOOP_NONBLOCK alone while anything is ready.
        The document says "return immediately", so one pass is asked for.
        """
        if howmany is None or howmany < 0:
            flags = 0
        elif howmany == 0:
            flags = _EVLOOP_ONCE | _EVLOOP_NONBLOCK
        else:
            flags = _EVLOOP_ONCE
        left: int = self.owned.library.event_base_loop(self.owned.pointer, flags)
        self.owned.raise_kept()
        if left < 0:
            raise RuntimeError("event_base_loop() refused; a base runs one loop at a time")
        return left


class Event:
    """A `struct event`, persistent."""

    def __init__(
        self,
        owned: _Owned,
        file: File,
        fd: int,
        callback: Callable[[File], object] | None,
        what: int,
    ) -> None:
        self.owned = owned
        self.file = file
        self.callbacks = (callback,)
        number = _register(self)
        new = owned.library.event_new
        self._pointer = new(owned.pointer, fd, what | _EV_PERSIST, _on_event, number)
        if not self._pointer:
            raise OSError("event_new() gave no event")
        owned.take()

    def start(self) -> None:
        if self.owned.library.event_add(self._live, None):
            raise _os_error("event_add")

    def stop(self) -> None:
        self.owned.library.event_del(self._live)

    def delete(self) -> None:
        if getattr(self, "_pointer", None):
            pointer, self._pointer = self._pointer, None
            self.owned.library.event_free(pointer)
            self.owned.let_go()
            self.callbacks = (None,)

    def __del__(self) -> None:
        self.delete()

    @property
    def _live(self) -> int:
        return _existing(self._pointer)


class EvBuf:
    """A `struct bufferevent` over a descriptor."""

    def __init__(
        self,
        owned: _Owned,
        file: File,
        fd: int,
        callbacks: tuple[Callable[..., object] | None, ...],
    ) -> None:
        self.owned = owned
        self.file = file
        self.callbacks = callbacks
        library = self._library = owned.library
        self._pointer = library.bufferevent_socket_new(owned.pointer, fd, 0)
        if not self._pointer:
            raise OSError("bufferevent_socket_new() gave no bufferevent")
        owned.take()
        functions = (_on_read, _on_write, _on_error)
        asked = (
            function if callback is not None else type(function)()
            for function, callback in zip(functions, callbacks, strict=True)
        )
        library.bufferevent_setcb(self._pointer, *asked, _register(self))
        library.bufferevent_disable(self._pointer, _BOTH)  # 5

    def start(self) -> None:
        if self._library.bufferevent_enable(self._live, _BOTH):
            raise _os_error("bufferevent_enable")

    def stop(self) -> None:
        self._library.bufferevent_disable(self._live, _BOTH)

    def read(self, size: int | None = None) -> bytes:
        length = self._library.evbuffer_get_length(self._input)
        into = ctypes.create_string_buffer(length if size is None else min(size, length))
        count = self._library.bufferevent_read(self._live, into, len(into))
        return into.raw[:count]

    def readline(self) -> bytes | None:
        length = _SIZE()
        line = self._library.evbuffer_readln(self._input, ctypes.byref(length), _EVBUFFER_EOL_CRLF)
        if not line:
            return None
        try:
            return ctypes.string_at(line, length.value)
        finally:
            _libc().free(line)

    def write(self, data: bytes) -> None:
        plain = memoryview(data).tobytes()
        if self._library.bufferevent_write(self._live, plain, len(plain)):
            raise OSError("bufferevent_write() refused")

    def delete(self) -> None:
        if getattr(self, "_pointer", None):
            pointer, self._pointer = self._pointer, None
            self._library.bufferevent_free(pointer)
            self.owned.let_go()
            self.callbacks = (None, None, None)

    def __del__(self) -> None:
        self.delete()

    def set_read_watermarks(self, low: int, high: int) -> None:
        self._library.bufferevent_setwatermark(self._live, _EV_READ, low, high)

    def set_write_watermarks(self, low: int, high: int) -> None:
        self._library.bufferevent_setwatermark(self._live, _EV_WRITE, low, high)

    @property
    def _live(self) -> int:
        return _existing(self._pointer)

    @property
    def _input(self) -> int:
        found: int = self._library.bufferevent_get_input(self._live)
        return found


def _register(part: Event | EvBuf) -> int:
    number = next(_numbers)
    _parts[number] = part
    return number


def _existing(pointer: int | None) -> int:
    if pointer is None:
        raise ValueError("this was deleted; what C would do with it is anyone's guess")
    return pointer


def _os_error(function: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{function}(): {os.strerror(number)}")


@functools.cache
def _libc() -> ctypes.CDLL:
    """The allocator's library, as libevent's lines are given back with free()."""
    libc = ctypes.CDLL(None)
    libc.free.argtypes, libc.free.restype = (ctypes.c_void_p,), None
    return libc


@functools.cache
def _library() -> ctypes.CDLL:
    for name in _NAMES:
        if found := ctypes.util.find_library(name):
            break
    else:
        raise AdapterError(_NEEDS)
    try:
        library = ctypes.CDLL(found, use_errno=True)
        for function, (result, arguments) in _PROTOTYPES.items():
            prototype = getattr(library, function)
            prototype.restype, prototype.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise AdapterError(f"{_NEEDS}; {found} is there, but {error}") from error
    return library


def _engine(made: object) -> object:
    assert isinstance(made, Base)
    return made.owned.pointer.contents


def implementation() -> Implementation:
    """libevent, as it is installed; AdapterError if it is not."""
    library = _library()  # 1
    return Implementation(
        name="libevent",
        version=library.event_get_version().decode(),
        profiles={"levent": lambda _clock: Levent(library)},
        unsupported=UNSUPPORTED,
        engine=_engine,
    )


_NOT_ASKED: Mapping[str, tuple[str, ...]] = {
    **NOT_ASKED,
    "libevent takes an unsigned size; what else a size may be the adapter decides": (
        "levent.bufevent.read-negative",
    ),
    "libevent knows several kinds of line breaks; which one is meant the adapter chose": (
        "levent.bufevent.readline-crlf",
    ),
}
UNSUPPORTED: Mapping[str, str] = {
    rule: reason for reason, rules in _NOT_ASKED.items() for rule in rules
}
