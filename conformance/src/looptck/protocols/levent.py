"""The profile of the levent document: `levent`, in Python.

A *file* is an int, which is a descriptor, or an object of a type that
`setfdaccessor` was told of; what the document calls a metatable is the type.
Data is bytes.  The document knows no time, and its loop no timers.  What is
called *best* here is left open by the document: it is observed, never judged.

Each buffer of a buffered event has a low and a high watermark, in bytes, 0 at
first.  The document names no function to set them; a loop that is to be judged
by them has the two setters below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

ENTRY_NAMES = ("newbase", "fdfromfile", "setfdaccessor", "fdfromvalue")
LOOP_NAMES = ("newevent", "newevbuf", "loop")

# An int, or an object of a type with an accessor.
File = Any


class Event(Protocol):
    """The result of `newevent`.  While it is referenced, its event lives."""

    def start(self) -> object:
        """The event is active from now on: it is served, and keeps `loop()` going.

        Harmless if it is active already.
        """

    def stop(self) -> object:
        """After this returns, the callback is not called, not even in this pass, until `start`."""

    def delete(self) -> object:
        """Stopped for ever, and the callback is let go; `start` and `stop` raise from now on."""


class EvBuf(Protocol):
    """The result of `newevbuf`: a buffered event.  While it is referenced, it lives."""

    def start(self) -> object:
        """Bytes move between the file and the buffers from now on, and callbacks are called."""

    def stop(self) -> object:
        """After this returns, nothing moves and nothing is called, until `start`.

        What is in the buffers stays there, and may be read and added to.
        """

    def read(self, size: int | None = None) -> bytes | None:
        """Remove and return up to *size* bytes of the input buffer; None: all of it.

        Never waits and never reads the file.  With an empty buffer `b""`, or None.
        """

    def readline(self) -> bytes | None:
        """Remove a line and its break from the input buffer; the line, without the break.

        A line feed is a break; what else is one is open.  None, and nothing is
        removed, if there is no break.
        """

    def write(self, data: bytes) -> object:
        """*data* is at the end of the output buffer; `loop` sends it while started."""

    def delete(self) -> object:
        """Best: nothing is called again, and every other method raises.  A loop may lack this."""

    def set_read_watermarks(self, low: int, high: int) -> object:
        """`readcb` needs *low* bytes of input; best, *high* are buffered at most, 0: any number."""

    def set_write_watermarks(self, low: int, high: int) -> object:
        """`writecb` is called below *low* bytes of output, or at none; *high* limits nothing."""


class Base(Protocol):
    """A set of events, and the loop that serves them."""

    def newevent(self, file: File, callback: Callable[[File], object], evtype: str = "r") -> Event:
        """A new event, not active yet: *callback* is to get *file* when it is ready.

        *evtype* is ``"r"``, ``"w"`` or ``"rw"``; without one it is best ``"r"``.  A
        file of an unknown type raises.
        """

    def newevbuf(
        self,
        file: File,
        readcb: Callable[..., object] | None = None,
        writecb: Callable[..., object] | None = None,
        errorcb: Callable[..., object] | None = None,
    ) -> EvBuf:
        """A new buffered event, not active yet, with two empty buffers.

        What the callbacks are given is open; the suite's take anything.  Whether
        any of them may be missing is open; best each may.  A loop may leave it
        to the program to put the descriptor into non-blocking mode, or do it
        itself; the suite's are.
        """

    def loop(self, howmany: int | None = None) -> object:
        """Serve events.

        None: until no event is active.  0: what is ready now, once.  More:
        wait for the next event, serve it, return.
        """


class Levent(Protocol):
    """The entry object: the document's module functions."""

    def newbase(self) -> Base:
        """A fresh base, independent of every other one."""

    def fdfromfile(self, file: object) -> int:
        """The descriptor of an open file object of Python; best raises for anything else."""

    def setfdaccessor(self, metatable: type, fdaccessor: Callable[[Any], int]) -> object:
        """Objects of this type are files from now on; ``fdaccessor(object)`` is the descriptor."""

    def fdfromvalue(self, value: File) -> int:
        """The descriptor of *value*, by its type's accessor; best raises without one."""
