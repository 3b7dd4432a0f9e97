"""A plain loop with buffered events, right in itself, and loops that are wrong in one way each."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import suppress

from looptck import Clock

_Callback = Callable[..., object]


class PlainEvBuf:
    """A buffered event that does everything in the shortest way."""

    def __init__(self, fd: int, *callbacks: _Callback) -> None:
        self.fd = fd
        self.readcb, self.writecb, self.errorcb = callbacks
        self.input = bytearray()
        self.output = bytearray()
        self.low = self.high = self.low_out = 0
        self.is_started = self.has_ended = False

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def read(self, size: int | None = None) -> bytes:
        data = bytes(self.input[:size])
        del self.input[: len(data)]
        return data

    def readline(self) -> bytes | None:
        line, found, rest = self.input.partition(b"\n")
        if not found:
            return None
        self.input[:] = rest
        return bytes(line)

    def write(self, data: bytes) -> None:
        self.output += data

    def set_read_watermarks(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def set_write_watermarks(self, low: int, high: int) -> None:
        self.low_out = low

    @property
    def is_full(self) -> bool:
        return bool(self.high) and len(self.input) >= self.high

    def wants_read(self) -> bool:
        return self.is_started and not self.has_ended and not self.is_full

    def wants_write(self) -> bool:
        return self.is_started and bool(self.output)

    def take_in(self) -> bytes:
        return os.read(self.fd, self.high - len(self.input) if self.high else 65536)

    def is_enough(self) -> bool:
        return len(self.input) >= self.low

    def readable(self) -> None:
        try:
            data = self.take_in()
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            self.errorcb()
            return
        self.input += data
        if self.is_enough():
            self.readcb()

    def give_out(self) -> None:
        sent = os.write(self.fd, self.output)
        del self.output[:sent]

    def writable(self) -> None:
        try:
            self.give_out()
        except BlockingIOError:
            return
        except OSError:
            self.output.clear()
            self.errorcb()
            return
        if not self.output or len(self.output) < self.low_out:
            self.writecb()


class PlainLevent:
    """The entry object, and the only base it makes."""

    kind = PlainEvBuf

    def __init__(self, _clock: Clock) -> None:
        self.all: list[PlainEvBuf] = []

    def newbase(self) -> PlainLevent:
        return type(self)(None)  # type: ignore[arg-type]  # it reads no clock

    def newevbuf(self, fd: int, *callbacks: _Callback) -> PlainEvBuf:
        made = self.kind(fd, *callbacks)
        self.all.append(made)
        return made

    def loop(self, howmany: int | None = None) -> None:
        while any(each.is_started for each in self.all):
            self.turn()
            if howmany is not None:
                return

    def turn(self) -> None:
        readers = {each.fd for each in self.all if each.wants_read()}
        writers = {each.fd for each in self.all if each.wants_write()}
        read, write, _ = select.select(readers, writers, [], 0)
        for each in self.all:
            self.serve(each, each.fd in read, each.fd in write)

    def serve(self, each: PlainEvBuf, readable: bool, writable: bool) -> None:
        if readable and each.wants_read():
            each.readable()
        if writable and each.wants_write():
            each.writable()


# ---- wrong in one way each


class NeedsOneMore(PlainEvBuf):
    """Off by one at the low watermark: needs a byte more."""

    def is_enough(self) -> bool:
        return len(self.input) > self.low


class NeedsOneLess(PlainEvBuf):
    """Off by one at the low watermark: calls a byte too early."""

    def is_enough(self) -> bool:
        return len(self.input) >= self.low - 1


class StaysFull(PlainEvBuf):
    """Once at its high watermark, reads no more."""

    was_full = False

    def wants_read(self) -> bool:
        self.was_full |= self.is_full
        return super().wants_read() and not self.was_full


class LosesWhatIsTooMuch(PlainEvBuf):
    """Reads all, and keeps no more than the high watermark allows."""

    def take_in(self) -> bytes:
        data = os.read(self.fd, 65536)
        return data[: self.high - len(self.input)] if self.high else data


class EndsBeforeTheData(PlainEvBuf):
    """Looks for the end of the file before it reads what is there."""

    def take_in(self) -> bytes:
        hung_up = select.poll()
        hung_up.register(self.fd, select.POLLRDHUP)
        if hung_up.poll(0) and not self.has_ended:
            self.has_ended = True
            self.errorcb()
        return super().take_in() if self.is_started else b"x"


class TakesThePartOfALine(PlainEvBuf):
    """Removes what it searched, although there was no line break."""

    def readline(self) -> bytes | None:
        line = super().readline()
        if line is None:
            self.input.clear()
        return line


class LeavesTheBreak(PlainEvBuf):
    """Returns the line, and leaves its break where it was."""

    def readline(self) -> bytes | None:
        line = super().readline()
        if line is not None:
            self.input[:0] = b"\n"
        return line


class DoublesAByte(PlainEvBuf):
    """When the file took a part, begins the next one a byte too early."""

    def give_out(self) -> None:
        sent = os.write(self.fd, self.output)
        del self.output[: sent if sent == len(self.output) else sent - 1]


class PutsInFront(PlainEvBuf):
    """What is written while something waits goes out before it."""

    def write(self, data: bytes) -> None:
        self.output[:0] = data


class StopForgets(PlainEvBuf):
    """A stop clears the input."""

    def stop(self) -> None:
        super().stop()
        self.input.clear()


class ForgetsTheDrain(PlainEvBuf):
    """Calls when some was sent, but not when all was."""

    def writable(self) -> None:
        with suppress(OSError):
            self.give_out()
        if 0 < len(self.output) < self.low_out:
            self.writecb()


class CountsTheArrival(PlainEvBuf):
    """Compares the low watermark with what came last, not with what is there."""

    last = 0

    def take_in(self) -> bytes:
        data = super().take_in()
        self.last = len(data)
        return data

    def is_enough(self) -> bool:
        return self.last >= self.low


class CallsAfterStop(PlainLevent):
    """Who is stopped in the middle of a turn is served all the same."""

    def serve(self, each: PlainEvBuf, readable: bool, writable: bool) -> None:
        if readable:
            each.readable()
        if writable:
            each.writable()


def of(wrong: type[PlainEvBuf]) -> type[PlainLevent]:
    """The loop whose buffered events are of that kind."""
    return type(wrong.__name__, (PlainLevent,), {"kind": wrong})
