"""Any asyncio loop, as the profile levent: events are readers, buffered events transports.

Why the code is the way it is
-----------------------------

1. A transport hands bytes over and keeps none, so the input queue is here, and
   low is compared here.  It asks for room before it reads (BufferedProtocol):
   with a high watermark it is given what is left of it, and reading is paused
   at that level.  Whether the loop keeps to that is for it to show.
2. The output queue is the transport's, and so are its levels.  It tells once
   when it has fallen to a mark, and nothing below that.  So the mark is the low
   watermark while more is waiting, and then 0.  What a transport takes without
   waiting crosses no mark; then `writecb` is called after the write.
3. A transport has no word for "not yet" and none for "stop sending".  It is
   made at the first `start`.  What is written goes to it in the next pass of
   the loop, and waits here while stopped.
4. A transport closes its descriptor, and the document's files stay open.  A
   loop of asyncio has one reader and one writer for a descriptor, and several
   events may be for one file.  So each has a duplicate of its own.
5. The loop refers to events weakly: one that is dropped is gone, as the profile
   says.  The document knows no close, so a base that is dropped closes its loop.
6. asyncio closes a transport whose protocol raises.  What callbacks raise is
   kept before it gets there, and raised when the loop is left.
"""

from __future__ import annotations

import asyncio
import os
import socket
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from looptck.protocols.levent import File

from .asyncio_errors import Errors
from .files import NOT_ASKED, Files

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Callback = Callable[..., object]

_EVTYPES = ("r", "w", "rw", "wr")

# The arguments of `errorcb`.  asyncio does not say in which direction an error was.
_EOF_READING = 0x11
_ERROR = 0x20

# The room for one read, where there is no high watermark.
_ROOM = 65536


class Levent(Files):
    """`levent` over an asyncio loop."""

    def __init__(self, factory: LoopFactory) -> None:
        super().__init__()
        self._factory = factory

    def newbase(self) -> LeventBase:
        return LeventBase(self, self._factory())


class LeventBase:
    """An asyncio loop that is stopped when the document says that `loop` returns."""

    def __init__(self, files: Files, loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio_loop = loop
        self._files = files
        self._errors = Errors()
        # a token for each event that keeps `loop` going
        self._live: set[object] = set()
        self._is_stopping = False
        # whether the first callback ends the run, and whether there was one
        self._wants_one = self._has_called = False
        myself = weakref.ref(self)

        def keep(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if base := myself():
                base._errors.keep_context(context)
                base._stop()

        loop.set_exception_handler(keep)

    def __del__(self) -> None:
        # 5
        with suppress(Exception):
            self.asyncio_loop.close()

    def newevent(self, file: File, callback: Callback, evtype: str = "r") -> LeventEvent:
        if evtype not in _EVTYPES:
            raise ValueError(f"{evtype!r} is no evtype; there are {', '.join(_EVTYPES)}")
        return LeventEvent(self, file, self._files.fdfromvalue(file), callback, evtype)

    def newevbuf(
        self,
        file: File,
        readcb: Callback | None = None,
        writecb: Callback | None = None,
        errorcb: Callback | None = None,
    ) -> LeventEvBuf:
        fd = self._files.fdfromvalue(file)
        return LeventEvBuf(self, file, fd, readcb, writecb, errorcb)

    def loop(self, howmany: int | None = None) -> None:
        loop = self.asyncio_loop
        if loop.is_running():
            # The loop's exception is the answer.
            loop.run_forever()
            return
        self._wants_one = howmany is not None and howmany > 0
        if howmany == 0:
            # Asked to stop beforehand, asyncio looks once at what is ready.
            self._is_stopping = True
            loop.stop()
            self._run()
            return
        self._has_called = False
        while self._live and not (self._wants_one and self._has_called):
            self._is_stopping = False
            self._run()

    def _run(self) -> None:
        self.asyncio_loop.run_forever()
        self._errors.raise_first()

    def call(self, callback: Callback | None, *arguments: object) -> None:
        """The loop has something for the user."""
        self._has_called = True
        if self._wants_one:
            self._stop()
        if callback is None:
            return
        try:
            callback(*arguments)
        except BaseException as error:  # 6: whatever it is, loop() raises it
            self._errors.keep(error)
            self._stop()

    def settle(self, token: object, *, is_live: bool) -> None:
        """Note whether what has *token* keeps `loop` going; stop when nothing does."""
        if is_live:
            self._live.add(token)
            return
        self._live.discard(token)
        if not self._live and self.asyncio_loop.is_running():
            self._stop()

    def _stop(self) -> None:
        """Ask the loop once: a second request might outlive this run."""
        if not self._is_stopping:
            self._is_stopping = True
            self.asyncio_loop.stop()


class LeventEvent:
    """A reader or a writer of an asyncio loop, or both."""

    def __init__(
        self, base: LeventBase, file: File, fd: int, callback: Callback, evtype: str
    ) -> None:
        self._base = base
        self._file = file
        self._fd = fd
        self._callback: Callback | None = callback
        self._evtype = evtype
        self._token = object()
        # what the loop watches, while it does
        self._number = -1

    def start(self) -> None:
        self._check()
        if self._number >= 0:
            return
        loop, myself = self._base.asyncio_loop, weakref.ref(self)
        number = self._number = os.dup(self._fd)  # 4
        try:
            if "r" in self._evtype:
                loop.add_reader(number, _fire, myself)
            if "w" in self._evtype:
                loop.add_writer(number, _fire, myself)
        except BaseException:
            self._leave()
            raise
        self._base.settle(self._token, is_live=True)

    def stop(self) -> None:
        self._check()
        self._leave()

    def delete(self) -> None:
        self._leave()
        self._callback = None

    def __del__(self) -> None:
        with suppress(Exception):  # the loop may be closed
            self._leave()

    def fire(self) -> None:
        self._base.call(self._callback, self._file)

    def _leave(self) -> None:
        number, self._number = self._number, -1
        if number < 0:
            return
        self._base.settle(self._token, is_live=False)
        try:
            if "r" in self._evtype:
                self._base.asyncio_loop.remove_reader(number)
            if "w" in self._evtype:
                self._base.asyncio_loop.remove_writer(number)
        finally:
            os.close(number)

    def _check(self) -> None:
        if self._callback is None:
            raise ValueError("this event was deleted")


def _fire(reference: weakref.ref[LeventEvent]) -> None:
    event = reference()
    if event is not None:
        event.fire()


class LeventEvBuf:
    """A transport over a duplicate of the file, and the input that it has handed over."""

    def __init__(
        self,
        base: LeventBase,
        file: File,
        fd: int,
        readcb: Callback | None,
        writecb: Callback | None,
        errorcb: Callback | None,
    ) -> None:
        self._base = base
        self._file = file
        self._fd = fd
        self._readcb, self._writecb, self._errorcb = readcb, writecb, errorcb
        self._token = object()
        self._connecting: asyncio.Task[Any] | None = None
        self._transport: Any = None
        self._input = bytearray()
        # what the transport has not been given yet
        self._held: list[bytes] = []
        self._read_low = self._read_high = self._write_low = 0
        self._is_started = self._is_deleted = False
        # what the transport was told, and what it said
        self._is_reading = False
        self._is_paused = False
        self._has_ended = self._is_lost = False

    def start(self) -> None:
        self._check()
        self._is_started = True
        if self._connecting is None:
            file = socket.socket(fileno=os.dup(self._fd))  # 4
            protocol, loop = _Protocol(self), self._base.asyncio_loop
            connection = loop.create_connection(lambda: protocol, sock=file)
            self._connecting = loop.create_task(connection)
        self._settle()
        self._flush_soon()

    def stop(self) -> None:
        self._check()
        self._is_started = False
        self._settle()

    def read(self, size: int | None = None) -> bytes:
        self._check()
        count = len(self._input) if size is None else size
        return self._take(count)

    def readline(self) -> bytes | None:
        self._check()
        end = self._input.find(b"\n")
        if end < 0:
            return None
        return self._take(end + 1)[:-1].removesuffix(b"\r")

    def write(self, data: bytes) -> None:
        self._check()
        self._held.append(memoryview(data).tobytes())
        self._settle()
        self._flush_soon()

    def delete(self) -> None:
        self._is_deleted = True
        self._is_started = False
        self._readcb = self._writecb = self._errorcb = None
        self._base.settle(self._token, is_live=False)
        if self._transport is not None:
            self._transport.abort()
        elif self._connecting is not None:
            self._connecting.cancel()
        self._transport = None

    def __del__(self) -> None:
        with suppress(Exception):  # the loop may be closed
            self.delete()

    def set_read_watermarks(self, low: int, high: int) -> None:
        self._check()
        self._read_low, self._read_high = low, high
        self._settle()

    def set_write_watermarks(self, low: int, high: int) -> None:
        self._check()
        self._write_low = low
        if self._transport is not None:
            self._set_mark()

    # Methods that the transport calls.

    def connected(self, transport: Any) -> None:
        if self._is_deleted:
            transport.abort()
            return
        self._transport = transport
        self._is_reading = True  # a transport is, from its start
        self._set_mark()
        self._settle()
        self._flush_soon()

    def room(self) -> int:
        """How many bytes the next read may bring."""
        # A loop that reads on above high has to put the bytes somewhere.
        return max(self._read_high - len(self._input), 0) or _ROOM

    def arrived(self, data: memoryview) -> None:
        self._input += data
        self._settle()
        if self._is_started and len(self._input) >= self._read_low:
            self._base.call(self._readcb, self._file)

    def ended(self) -> None:
        self._has_ended = True
        self._settle()
        self._base.call(self._errorcb, self._file, _EOF_READING)

    def lost(self, error: Exception | None) -> None:
        self._is_lost = True
        self._settle()
        if error is not None:
            self._base.call(self._errorcb, self._file, _ERROR)

    def writing(self, *, is_paused: bool) -> None:
        self._is_paused = is_paused
        if not is_paused:
            self._tell_level()

    # Calls of the transport.

    def _settle(self) -> None:
        """Have the transport read or not, and the loop know whether it is needed."""
        is_full = 0 < self._read_high <= len(self._input)
        wanted = self._is_started and not is_full
        if self._transport is not None and not self._is_lost and wanted != self._is_reading:
            self._is_reading = wanted
            if not self._has_ended:
                (self._transport.resume_reading if wanted else self._transport.pause_reading)()
        has_output = bool(self._held) or self._is_paused
        is_open = not self._is_lost and (not self._has_ended or has_output)
        self._base.settle(self._token, is_live=self._is_started and is_open)

    def _set_mark(self) -> int:
        """Have the transport tell of the next level that matters; what waits in it now."""
        size: int = self._transport.get_write_buffer_size()
        mark = self._write_low if size > self._write_low else 0
        self._transport.set_write_buffer_limits(high=mark, low=mark)
        return size

    def _tell_level(self) -> None:
        size = self._set_mark()
        self._settle()
        if size <= self._write_low and not self._transport.is_closing():
            self._base.call(self._writecb, self._file)

    def _flush_soon(self) -> None:
        if self._held and self._is_started and self._transport is not None:
            self._base.asyncio_loop.call_soon(_flush, weakref.ref(self))

    def flush(self) -> None:
        """Give the transport what was written, unless an earlier call has."""
        if not self._held or not self._is_started or self._transport is None:
            return
        held, self._held = self._held, []
        self._transport.writelines(held)
        self._tell_level()  # 2

    def _take(self, count: int) -> bytes:
        taken = bytes(self._input[:count])
        del self._input[:count]
        self._settle()
        return taken

    def _check(self) -> None:
        if self._is_deleted:
            raise ValueError("this buffered event was deleted")


def _flush(reference: weakref.ref[LeventEvBuf]) -> None:
    evbuf = reference()
    if evbuf is not None:
        evbuf.flush()


class _Protocol(asyncio.BufferedProtocol):
    """The protocol that the transport keeps; it does not keep the buffered event."""

    def __init__(self, evbuf: LeventEvBuf) -> None:
        self._evbuf = weakref.ref(evbuf)
        self._room = memoryview(b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if evbuf := self._evbuf():
            evbuf.connected(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        evbuf = self._evbuf()
        self._room = memoryview(bytearray(evbuf.room() if evbuf else _ROOM))
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        if evbuf := self._evbuf():
            evbuf.arrived(self._room[:nbytes])

    def eof_received(self) -> bool:
        if evbuf := self._evbuf():
            evbuf.ended()
        return True  # writing goes on

    def connection_lost(self, exc: Exception | None) -> None:
        if evbuf := self._evbuf():
            evbuf.lost(exc)

    def pause_writing(self) -> None:
        if evbuf := self._evbuf():
            evbuf.writing(is_paused=True)

    def resume_writing(self) -> None:
        if evbuf := self._evbuf():
            evbuf.writing(is_paused=False)


# {why the loop cannot be asked: the rules}.  docs/adapters.md tells how the line
# was drawn.
LEVENT_NOT_ASKED: Mapping[str, tuple[str, ...]] = {
    **NOT_ASKED,
    "the adapter gives the loop a duplicate of the descriptor, which needs an open one": (
        "levent.event.start-bad-fd",
    ),
    "run_forever() of asyncio waits for ever when nothing is active; the adapter leaves it out": (
        "levent.loop.howmany-positive-none",
    ),
    "a transport hands bytes over and knows no lines; the adapter finds them": (
        "levent.bufevent.readline",
        "levent.bufevent.readline-crlf",
        "levent.bufevent.readline-none",
    ),
    "a transport hands bytes over and keeps none; how few are asked for the adapter decides": (
        "levent.bufevent.read-negative",
    ),
    "a transport sends until it is closed; it cannot be made to hold its output back": (
        "levent.bufevent.stop",
        "levent.bufevent.write-inactive",
    ),
}
